//! Which files grow, which are deleted and still open, and who has how many descriptors?
//!
//! Hooks: none. What is open now says it, and an iterator over all descriptors runs when user space reads it, in a thread that no tick
//! waits for. `writeback_dirty_folio` where it runs anyway, or where who writes is asked for: then it is called once for each page that becomes dirty.
//! Maps: where the walk is; who dirties which file. Cost per descriptor: four checked reads; of a regular file that is deleted or open for
//! writing, eleven more and a record. Per page: a comparison and an addition, as long as a CPU goes on with one file and process.
//! Blind spots: `docs/probes/disk.md`.

mod directories;
mod writers;

use core::ffi::c_void;

use aya_ebpf::{helpers::generated::bpf_seq_write, macros::map, maps::Array};
use stillwatch_common::disk::{Open, Visited};

use crate::{
    facts,
    support::{
        memory::read_or_zero,
        task::{S_IFMT, Task},
    },
};

pub use self::writers::dirty;

const S_IFREG: u16 = 0o100_000;
/// `file.f_mode`.
const FMODE_WRITE: u32 = 0x2;

/// One walk at a time, by one reader.
#[map]
static DISK_WALK: Array<Visited> = Array::with_max_entries(1, 0);

/// A descriptor of a task. Where the kernel's buffer was full it asks again, and forgets all that was written for this descriptor: what is
/// noted here is so after the last write.
///
/// # Safety
/// `output` is the iterator's.
#[inline(always)]
pub unsafe fn descriptor(output: *mut c_void, task: Task, fd: u32, file: u64) {
    let Some(walk) = DISK_WALK.get_ptr_mut(0) else { return };
    let pid = task.tgid();
    // SAFETY: a map value, of which this program alone makes use.
    let begins = unsafe { (*walk).pid != pid };
    // SAFETY: as above, and promised by the caller.
    unsafe {
        if begins && !process(output, walk) {
            return;
        }
        if !regular(output, task, pid, fd, file) {
            return;
        }
        if begins {
            (*walk).pid = pid;
            (*walk).open = 0;
            (*walk).limit = read_or_zero(task.signal(), facts::SIGNAL_OPEN_LIMIT.load());
            (&raw mut (*walk).comm).cast::<[u64; 2]>().write_unaligned(task.comm());
        }
        (*walk).open += 1;
    }
}

/// After the last descriptor.
///
/// # Safety
/// `output` is the iterator's.
#[inline(always)]
pub unsafe fn end(output: *mut c_void) {
    let Some(walk) = DISK_WALK.get_ptr_mut(0) else { return };
    // SAFETY: a map value, of which this program alone makes use, and promised by the caller.
    unsafe {
        if process(output, walk) {
            (*walk).pid = 0;
        }
    }
}

/// Whether what is known of the process that was visited could be written, if there was one.
///
/// # Safety
/// As [`descriptor`]; `walk` points into a map value.
#[inline(always)]
unsafe fn process(output: *mut c_void, walk: *mut Visited) -> bool {
    // SAFETY: promised by the caller.
    let visited = unsafe { walk.read_volatile() };
    if visited.pid == 0 {
        return true;
    }
    let mut open = Open { pid: visited.pid, inode: visited.limit, size: visited.open.into(), ..Open::default() };
    open.comm = visited.comm;
    // SAFETY: promised by the caller.
    unsafe { write(output, &open) }
}

/// Whether what is to be told of a file could be written.
///
/// # Safety
/// As [`descriptor`].
#[inline(always)]
unsafe fn regular(output: *mut c_void, task: Task, pid: u32, fd: u32, file: u64) -> bool {
    let (Some(file_inode), Some(inode_mode)) = (facts::FILE_INODE.get(), facts::INODE_MODE.get()) else { return true };
    let (Some(inode_super), Some(super_dev), Some(super_magic)) =
        (facts::INODE_SUPER.get(), facts::SUPER_DEV.get(), facts::SUPER_MAGIC.get())
    else {
        return true;
    };
    let inode: u64 = read_or_zero(file, file_inode);
    if read_or_zero::<u16>(inode, inode_mode) & S_IFMT != S_IFREG {
        return true;
    }
    let links: u32 = read_or_zero(inode, facts::INODE_LINKS.load());
    let writes = read_or_zero::<u32>(file, facts::FILE_MODE.load()) & FMODE_WRITE;
    if links != 0 && writes == 0 {
        return true;
    }
    let superblock: u64 = read_or_zero(inode, inode_super);
    let mut open = Open { links, writes, fd, pid, ..Open::default() };
    open.inode = read_or_zero(inode, facts::INODE_NUMBER.load());
    open.size = read_or_zero(inode, facts::INODE_SIZE.load());
    open.blocks = read_or_zero(inode, facts::INODE_BLOCKS.load());
    open.position = read_or_zero(file, facts::FILE_POSITION.load());
    open.dev = read_or_zero(superblock, super_dev);
    open.magic = read_or_zero(superblock, super_magic);
    open.directory = directories::of_file(file);
    // SAFETY: 16 bytes; the rest is promised by the caller.
    unsafe {
        (&raw mut open.comm).cast::<[u64; 2]>().write_unaligned(task.comm());
        write(output, &open)
    }
}

/// # Safety
/// As [`descriptor`].
#[inline(always)]
unsafe fn write(output: *mut c_void, open: &Open) -> bool {
    // SAFETY: promised by the caller; all bytes were written.
    unsafe { bpf_seq_write(output.cast(), (&raw const *open).cast(), size_of::<Open>() as u32) == 0 }
}
