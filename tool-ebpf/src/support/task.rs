//! Fields of a task: of one that a tracepoint hands us, and of the current one.

use aya_ebpf::helpers::{bpf_get_current_task, generated};
use stillwatch_common::{
    cpu::Scheduling,
    facts::{BitField, Offset},
    io::{OwnerId, owner_id},
};

use super::{arch, memory};
use crate::facts::{self, Optional};

/// `task_struct.flags`: it may use the last pages, because it makes others free.
const PF_MEMALLOC: u32 = 0x0000_0800;
/// A kernel thread.
pub const PF_KTHREAD: u32 = 0x0020_0000;
/// Workers that the kernel forks inside a user process (io_uring, vhost): their saved registers mean nothing.
pub const PF_WORKER: u32 = 0x0000_0010 | 0x0000_4000;
/// `inode.i_mode`: its kind, and that of a block device's file.
pub const S_IFMT: u16 = 0o170_000;
pub const S_IFBLK: u16 = 0o060_000;
/// `task_struct.__state`: waits, and no signal ends the wait (unless it kills).
const TASK_UNINTERRUPTIBLE: u32 = 0x2;
/// `task_struct.__state`: such a wait by design, which the load average leaves out: an idle worker.
const TASK_NOLOAD: u32 = 0x400;
/// `task_struct.__state`: sleeps, or is stopped or parked.
const TASK_ASLEEP: u32 = 0x1 | TASK_UNINTERRUPTIBLE | 0x4 | 0x8 | 0x40;
/// `task_struct.__state`: the task will never run again.
pub const TASK_DEAD: u32 = 0x80;

/// A task whose fields can be read. `trusted` decides how, and is constant after inlining.
#[derive(Clone, Copy)]
pub struct Task {
    address: *const u8,
    trusted: bool,
}

impl Task {
    /// # Safety
    /// `address` is a `task_struct` that the verifier trusts.
    #[inline(always)]
    pub unsafe fn trusted(address: *const u8) -> Self {
        Self { address, trusted: true }
    }

    /// The task that this CPU runs.
    #[inline(always)]
    pub fn current() -> Self {
        if facts::HAVE_CURRENT_BTF.is_there() {
            // SAFETY: the helper has no precondition, and the verifier trusts what it returns.
            Self { address: unsafe { generated::bpf_get_current_task_btf() } as *const u8, trusted: true }
        } else {
            // SAFETY: the helper has no precondition.
            Self { address: unsafe { bpf_get_current_task() } as *const u8, trusted: false }
        }
    }

    /// What the table of tasks is keyed by. Two living tasks never share it, and unlike a thread id it stays the same
    /// when a thread that is not the leader executes a program.
    #[inline(always)]
    pub fn key(self) -> u64 {
        self.address as u64
    }

    #[inline(always)]
    pub fn address(self) -> *const u8 {
        self.address
    }

    #[inline(always)]
    fn get<T: Copy + Default>(self, offset: u64) -> T {
        if self.trusted {
            // SAFETY: trusted, and the offset comes from this kernel's BTF.
            unsafe { memory::load(self.address, offset) }
        } else {
            memory::read_or_zero(self.address as u64, offset)
        }
    }

    /// The same where this kernel may not have the member.
    #[inline(always)]
    fn find<T: Copy + Default>(self, offset: &Optional<Offset>) -> Option<T> {
        Some(self.get(offset.get()?))
    }

    #[inline(always)]
    fn has(self, bits: &Optional<BitField>) -> bool {
        match bits.get() {
            Some(bits) => bits.any(self.get(bits.offset())),
            None => false,
        }
    }

    #[inline(always)]
    pub fn tid(self) -> u32 {
        self.get(facts::TASK_PID.load())
    }

    /// Address of its namespaces, which it shares with others; 0: it is ending, or that is not known.
    #[inline(always)]
    pub fn namespaces(self) -> u64 {
        self.find(&facts::TASK_NAMESPACES).unwrap_or(0)
    }

    #[inline(always)]
    pub fn tgid(self) -> u32 {
        self.get(facts::TASK_TGID.load())
    }

    #[inline(always)]
    pub fn flags(self) -> u32 {
        self.get(facts::TASK_FLAGS.load())
    }

    /// It makes system calls: neither a kernel thread nor the idle task, which is one of them.
    #[inline(always)]
    pub fn is_user(self) -> bool {
        self.flags() & (PF_KTHREAD | PF_WORKER) == 0
    }

    /// It takes pages away from others, or moves them, because it needs some itself.
    #[inline(always)]
    pub fn is_reclaiming(self) -> bool {
        self.flags() & PF_MEMALLOC != 0
    }

    /// Unlike the kernel's workers inside user processes, which share those processes' number.
    #[inline(always)]
    pub fn is_kernel_thread(self) -> bool {
        self.flags() & PF_KTHREAD != 0
    }

    /// Its process, for as long as that lives and no other after it.
    #[inline(always)]
    pub fn owner(self) -> OwnerId {
        owner_id(self.tgid(), self.leader().start_ns())
    }

    /// It waits for I/O, as the kernel accounts it.
    #[inline(always)]
    pub fn in_iowait(self) -> bool {
        self.has(&facts::TASK_IOWAIT)
    }

    /// It is stalled for want of memory, as the kernel's pressure accounting has it.
    #[inline(always)]
    pub fn in_memstall(self) -> bool {
        self.has(&facts::TASK_MEMSTALL)
    }

    /// Address of the memory it runs in; 0: it has none, or none any more.
    #[inline(always)]
    pub fn mm(self) -> u64 {
        self.get(facts::TASK_MM.load())
    }

    /// Address of what its threads share (`signal_struct`).
    #[inline(always)]
    pub fn signal(self) -> u64 {
        self.get(facts::TASK_SIGNAL.load())
    }

    /// Address of its `css_set`; 0 where that is not known.
    #[inline(always)]
    pub fn css_set(self) -> u64 {
        self.find(&facts::TASK_CGROUPS).unwrap_or(0)
    }

    /// Not one that runs or waits to. A task that is about to sleep is that already while it still runs.
    #[inline(always)]
    pub fn is_asleep(self) -> bool {
        self.state() & TASK_ASLEEP != 0
    }

    #[inline(always)]
    pub fn state(self) -> u32 {
        self.get(facts::TASK_STATE.load())
    }

    /// One byte since 7.0, four before: 0 or 1 in the first one either way.
    #[inline(always)]
    pub fn on_cpu(self) -> bool {
        self.get::<u8>(facts::TASK_ON_CPU.load()) != 0
    }

    #[inline(always)]
    pub fn start_ns(self) -> u64 {
        self.get(facts::TASK_START.load())
    }

    /// Of a CPU's own task, which runs when no other can.
    #[inline(always)]
    pub fn is_idle(self) -> bool {
        is_idle(self.tid())
    }

    /// The clock of the run queue that it is in, or was last: as it was when the kernel looked last. Of a trusted task only; where
    /// [`waits_are_known`], like what follows.
    #[inline(always)]
    pub fn runqueue_clock(self) -> u64 {
        let Some(cfs) = self.find::<u64>(&facts::SE_CFS) else { return 0 };
        let (Some(runqueue_at), Some(clock_at)) = (facts::CFS_RUNQUEUE.get(), facts::RUNQUEUE_CLOCK.get()) else {
            return 0;
        };
        // SAFETY: reached from a trusted task; a fault reads as 0.
        unsafe {
            let runqueue = memory::load::<u64>(cfs as *const u8, runqueue_at) as *const u8;
            memory::load(runqueue, clock_at)
        }
    }

    /// When it began to wait in a run queue, in the run queue's clock; 0: it does not, or the kernel did not note it.
    #[inline(always)]
    pub fn queued(self) -> u64 {
        self.find(&facts::SCHED_QUEUED).unwrap_or(0)
    }

    /// When it ran last, in the run queue's clock.
    #[inline(always)]
    pub fn arrived(self) -> u64 {
        self.find(&facts::SCHED_ARRIVED).unwrap_or(0)
    }

    /// It sleeps, and is still in its run queue.
    #[inline(always)]
    pub fn is_delayed(self) -> bool {
        self.find::<u8>(&facts::SE_DELAYED).is_some_and(|delayed| delayed != 0)
    }

    /// How often it was given a CPU.
    #[inline(always)]
    pub fn arrivals(self) -> u64 {
        self.find(&facts::SCHED_ARRIVALS).unwrap_or(0)
    }

    /// What it has waited in run queues, without the wait that goes on.
    #[inline(always)]
    pub fn delay(self) -> u64 {
        self.find(&facts::SCHED_DELAY).unwrap_or(0)
    }

    #[inline(always)]
    pub fn ran_ns(self) -> u64 {
        self.get(facts::SE_RAN.load())
    }

    #[inline(always)]
    pub fn migrations(self) -> u64 {
        self.get(facts::SE_MIGRATIONS.load())
    }

    /// Switches of its own will, and others.
    #[inline(always)]
    pub fn switches(self) -> [u64; 2] {
        [self.get(facts::TASK_VOLUNTARY.load()), self.get(facts::TASK_INVOLUNTARY.load())]
    }

    #[inline(always)]
    pub fn scheduling(self) -> Scheduling {
        Scheduling {
            policy: self.get(facts::TASK_POLICY.load()),
            static_prio: self.get(facts::TASK_STATIC_PRIO.load()),
            rt_priority: self.get(facts::TASK_RT_PRIORITY.load()),
            pad: 0,
        }
    }

    #[inline(always)]
    pub fn cpu(self) -> u32 {
        self.get(facts::TASK_CPU.load())
    }

    /// The name, as two words. What is behind its end says nothing.
    #[inline(always)]
    pub fn comm(self) -> [u64; 2] {
        let offset = facts::TASK_COMM.load();
        [self.get(offset), self.get(offset.wrapping_add(8))]
    }

    /// The same with nothing behind its end, so that it can be compared: before 5.17 the rest of a longer name stays there.
    #[inline(always)]
    pub fn name(self) -> [u64; 2] {
        let [first, second] = self.comm();
        let (first, more) = until_nul(first);
        [first, if more { until_nul(second).0 } else { 0 }]
    }

    /// The first thread of its process.
    #[inline(always)]
    pub fn leader(self) -> Self {
        let offset = facts::TASK_LEADER.load();
        if self.trusted {
            // SAFETY: as for any field; what is reached from a trusted task is one.
            Self { address: unsafe { memory::load(self.address, offset) }, trusted: true }
        } else {
            Self { address: memory::read_or_zero::<u64>(self.address as u64, offset) as *const u8, trusted: false }
        }
    }

    /// Inside a call made through the 32-bit entry. Its number is of another table, and `int 0x80` makes such calls from
    /// 64-bit programs too, so that the program says nothing.
    #[inline(always)]
    pub fn in_compat_call(self) -> bool {
        self.find::<u32>(&facts::TASK_COMPAT).is_some_and(|word| word & arch::COMPAT != 0)
    }

    #[inline(always)]
    pub fn under_seccomp(self) -> bool {
        self.find::<u32>(&facts::TASK_SECCOMP).is_some_and(|mode| mode != 0)
    }

    /// The inode of the file behind descriptor `fd`. Reads through helpers: for rare paths.
    #[inline(always)]
    fn inode(self, fd: u64) -> Option<u64> {
        let files: u64 = self.find(&facts::TASK_FILES)?;
        if fd > 1 << 20 {
            return None;
        }
        let table: u64 = memory::read(files, facts::FILES_FDT.get()?)?;
        let descriptors: u64 = memory::read(table, facts::FDT_FD.get()?)?;
        let file: u64 = memory::read(descriptors, fd.wrapping_mul(8))?;
        memory::read(file, facts::FILE_INODE.get()?)
    }

    /// `i_mode` of the file behind a descriptor.
    #[inline(always)]
    pub fn file_mode(self, fd: u64) -> Option<u16> {
        memory::read(self.inode(fd)?, facts::INODE_MODE.get()?)
    }

    /// Number of the block device that the file behind a descriptor is, or lies on; 0 where there is none.
    #[inline(always)]
    pub fn file_dev(self, fd: u64) -> u32 {
        let inode = self.inode(fd).unwrap_or(0);
        let (Some(mode_at), Some(rdev_at)) = (facts::INODE_MODE.get(), facts::INODE_RDEV.get()) else { return 0 };
        if memory::read_or_zero::<u16>(inode, mode_at) & S_IFMT == S_IFBLK {
            return memory::read_or_zero(inode, rdev_at);
        }
        let (Some(super_at), Some(dev_at)) = (facts::INODE_SUPER.get(), facts::SUPER_DEV.get()) else { return 0 };
        let sb: u64 = memory::read_or_zero(inode, super_at);
        let dev: u32 = memory::read_or_zero(sb, dev_at);
        // Major number 0: a file system without a device of its own.
        if dev >> 20 == 0 { 0 } else { dev }
    }
}

/// Waits in run queues can be measured.
#[inline(always)]
pub fn waits_are_known() -> bool {
    facts::SCHED_QUEUED.is_there()
}

/// A state whose time is somebody's stall.
#[inline(always)]
pub fn is_stall(state: u32) -> bool {
    state & (TASK_UNINTERRUPTIBLE | TASK_NOLOAD) == TASK_UNINTERRUPTIBLE
}

/// The number of a CPU's own task.
#[inline(always)]
pub fn is_idle(tid: u32) -> bool {
    tid == 0
}

/// The bytes of a word before its first one that is 0, and whether there is none.
#[inline(always)]
fn until_nul(word: u64) -> (u64, bool) {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let word = word.to_le();
    // The lowest bit of it is the highest of the first byte that is 0.
    let ends = word.wrapping_sub(ONES) & !word & (ONES << 7);
    let before = (ends & ends.wrapping_neg()).wrapping_sub(1) >> 7;
    if ends == 0 { (word.to_le(), true) } else { ((word & before).to_le(), false) }
}
