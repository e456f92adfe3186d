//! Who dirties which file: bytes by file and process.
//!
//! A CPU adds up what it dirties of one file by the hand of one process, its turn, by itself. Only where the next one begins, the sum goes into the
//! table, which is read at ticks together with the turns that go on.

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_NOEXIST},
    helpers::generated::bpf_get_smp_processor_id,
    macros::map,
    maps::{Array, HashMap},
};
use stillwatch_common::disk::{DirectoryId, Dirtied, Dirtying, Turn};

use super::{S_IFREG, directories};
use crate::{
    facts,
    support::{count::add_shared, dirty::DirtyPage, memory::load, task::S_IFMT},
};

/// One block per CPU, read by user space through a mapping.
#[map]
static DISK_TURNS: Array<Turn> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// What ended turns add up to. User space removes what did not change for a while.
#[map]
static DISK_DIRTIED: HashMap<Dirtying, Dirtied> = HashMap::with_max_entries(1, 0);

/// `writeback_dirty_folio`: somebody made a page of a file dirty. The kernel has interrupts off, so nothing comes between on this CPU.
#[inline(always)]
pub fn dirty(page: &DirtyPage) {
    let (Some(super_at), Some(dev_at)) = (facts::INODE_SUPER.get(), facts::SUPER_DEV.get()) else { return };
    // SAFETY: the helper has no precondition.
    let Some(turn) = DISK_TURNS.get_ptr_mut(unsafe { bpf_get_smp_processor_id() }) else { return };
    // SAFETY: the inode is trusted; this CPU's block.
    unsafe {
        let dev: u32 = load(load(page.inode, super_at), dev_at);
        let of = Dirtying { inode: page.number, owner: page.owner, dev, generation: page.generation };
        (*turn).runs += 1;
        if (*turn).of != of {
            end(turn);
            begin(turn, &of, page);
        }
        let bytes = &raw mut (*turn).bytes;
        bytes.write_volatile(bytes.read_volatile() + page.bytes);
    }
}

/// # Safety
/// `turn` is this CPU's.
#[inline(always)]
unsafe fn end(turn: *mut Turn) {
    // SAFETY: promised by the caller; a map value.
    unsafe {
        if (*turn).is_file == 0 {
            return;
        }
        let of: &Dirtying = &(*turn).of;
        match DISK_DIRTIED.get_ptr_mut(of) {
            Some(sum) => add_shared(&raw mut (*sum).bytes, (*turn).bytes),
            None => (*turn).lost += (*turn).bytes,
        }
    }
}

/// # Safety
/// `turn` is this CPU's.
#[inline(always)]
unsafe fn begin(turn: *mut Turn, of: &Dirtying, page: &DirtyPage) {
    // SAFETY: promised by the caller; the inode is trusted.
    unsafe {
        let mode = facts::INODE_MODE.get().map_or(0, |mode_at| load::<u16>(page.inode, mode_at));
        let is_file = mode & S_IFMT == S_IFREG;
        let number = &raw mut (*turn).number;
        number.write_volatile(number.read_volatile() + 1);
        (&raw mut (*turn).of).write_volatile(*of);
        (&raw mut (*turn).bytes).write_volatile(0);
        (&raw mut (*turn).is_file).write_volatile(is_file.into());
        number.write_volatile(number.read_volatile() + 1);
        if is_file && DISK_DIRTIED.get_ptr(of).is_none() {
            note(turn, of, page);
        }
    }
}

/// A file and process that the table does not have. Where it is full, what is dirtied is lost.
///
/// # Safety
/// `turn` is this CPU's.
#[inline(always)]
unsafe fn note(turn: *mut Turn, of: &Dirtying, page: &DirtyPage) {
    let (directory, task) = (directories::of_inode(page.inode as u64), page.task);
    let id = DirectoryId { inode: directories::number(directory), dev: of.dev, pad: 0 };
    let mut new = Dirtied { directory: id.inode, cgroup: task.cgroup_id(), ..EMPTY };
    // SAFETY: 16 bytes, aligned as words; the rest is promised by the caller.
    unsafe {
        (&raw mut new.comm).cast::<[u64; 2]>().write_unaligned(task.leader().comm());
        let _ = DISK_DIRTIED.insert(of, new, BPF_NOEXIST.into());
        directories::name(&id, directory, &raw mut (*turn).names);
    }
}

const EMPTY: Dirtied = Dirtied { bytes: 0, directory: 0, cgroup: 0, comm: [0; 16] };
