//! Which directory a file lies in, and what that is called: through dentries, which stay until whoever looks at them is done (RCU), even
//! where the file is renamed meanwhile.

use aya_ebpf::{bindings::BPF_NOEXIST, helpers::generated::bpf_probe_read_kernel_str, macros::map, maps::LruHashMap};
use stillwatch_common::disk::{DirectoryId, DirectoryNames, LEVELS, NAME};

use crate::{facts, support::memory::read_or_zero};

/// User space removes what it has read, so that a name is not older than that.
#[map]
static DISK_DIRECTORIES: LruHashMap<DirectoryId, DirectoryNames> = LruHashMap::with_max_entries(1, 0);

/// Number of the inode of the directory that an open file lies in; 0: it is not known.
#[inline(always)]
pub fn of_file(file: u64) -> u64 {
    let Some(dentry_at) = facts::FILE_DENTRY.get() else { return 0 };
    number(parent(read_or_zero(file, dentry_at)))
}

/// The directory that an inode lies in, as a dentry; 0: it is not known, or there are several.
#[inline(always)]
pub fn of_inode(inode: u64) -> u64 {
    let (Some(names_at), Some(alias_at)) = (facts::INODE_NAMES.get(), facts::DENTRY_ALIAS.get()) else { return 0 };
    let first: u64 = read_or_zero(inode, names_at);
    // A list's node begins with the next one.
    if first == 0 || read_or_zero::<u64>(first, 0) != 0 {
        return 0;
    }
    parent(first.wrapping_sub(alias_at))
}

#[inline(always)]
pub fn number(dentry: u64) -> u64 {
    let Some(inode_at) = facts::DENTRY_INODE.get() else { return 0 };
    read_or_zero(read_or_zero(dentry, inode_at), facts::INODE_NUMBER.load())
}

#[inline(always)]
fn parent(dentry: u64) -> u64 {
    facts::DENTRY_PARENT.get().map_or(0, |parent_at| read_or_zero(dentry, parent_at))
}

/// Keeps what a directory is called, unless that is known.
///
/// # Safety
/// `names` points into a map value that this CPU has to itself.
#[inline(always)]
pub unsafe fn name(id: &DirectoryId, dentry: u64, names: *mut DirectoryNames) {
    let Some(name_at) = facts::DENTRY_NAME.get() else { return };
    if id.inode == 0 || DISK_DIRECTORIES.get_ptr(id).is_some() {
        return;
    }
    let mut at = dentry;
    // SAFETY: promised by the caller; the helper checks addresses itself.
    unsafe {
        ((*names).count, (*names).whole) = (0, 0);
        for level in 0..LEVELS {
            let above = parent(at);
            if above == at {
                (*names).whole = 1;
                break;
            }
            if above == 0 {
                break;
            }
            let text: u64 = read_or_zero(at, name_at);
            bpf_probe_read_kernel_str((&raw mut (*names).names[level]).cast(), NAME as u32, text as *const _);
            (*names).count = level as u32 + 1;
            at = above;
        }
        // By reference: the stack has no room for them.
        let names: &DirectoryNames = &*names;
        let _ = DISK_DIRECTORIES.insert(id, names, BPF_NOEXIST.into());
    }
}
