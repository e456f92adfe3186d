//! An array map as memory: reading it costs no system call.

use std::{io, marker::PhantomData, os::fd::AsRawFd, ptr::NonNull};

/// All values of a `BPF_F_MMAPABLE` array, shared with the kernel.
pub struct Mapping<T> {
    start: NonNull<u8>,
    bytes: usize,
    stride: usize,
    len: usize,
    _values: PhantomData<T>,
}

impl<T> Mapping<T> {
    /// Maps `len` values of the array behind `fd`. `write`: for maps that user space fills.
    pub fn new(fd: impl AsRawFd, len: usize, write: bool) -> io::Result<Self> {
        // The kernel rounds every value up to 8 bytes.
        let stride = size_of::<T>().next_multiple_of(8);
        let bytes = stride * len;
        let protection = libc::PROT_READ | if write { libc::PROT_WRITE } else { 0 };
        // SAFETY: a new mapping, at an address the kernel chooses.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, protection, libc::MAP_SHARED, fd.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let Some(start) = NonNull::new(start.cast()) else { return Err(io::ErrorKind::InvalidData.into()) };
        Ok(Self { start, bytes, stride, len, _values: PhantomData })
    }

    /// Values, as raw pointers: the kernel writes to them at any time, so they must be read with volatile loads.
    pub fn values(&self) -> impl Iterator<Item = *mut T> + '_ {
        // SAFETY: `at` is below `len`, so the result stays inside the mapping.
        (0..self.len).map(|at| unsafe { self.start.byte_add(at * self.stride) }.cast().as_ptr())
    }
}

impl<T> Drop for Mapping<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and no reference into it outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}
