//! What the loader knows about this kernel and this run, set before the programs are loaded.
//!
//! The maps behind these are frozen, so the verifier takes every value for a constant and removes the branches that are
//! off: a feature that nobody asked for costs nothing. Offsets come from the running kernel's BTF.

use aya_ebpf::Global;

macro_rules! facts {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $default:expr;)*) => {
        $($(#[$doc])* #[unsafe(no_mangle)] pub static $name: Global<$type> = Global::new($default);)*
    };
}

/// An offset that this kernel does not have.
pub const ABSENT: u64 = u64::MAX;

facts! {
    /// `sched_switch` passes the state that the task leaves in (5.18); before, it has to be read from the task.
    HAVE_PREV_STATE: u8 = 0;
    /// `bpf_get_current_task_btf` (5.11): fields of the current task by direct loads.
    HAVE_CURRENT_BTF: u8 = 0;
    /// `bpf_task_pt_regs` (5.15); before, the registers are found by their place on the stack.
    HAVE_TASK_PT_REGS: u8 = 0;
    /// Distance of the saved user registers from the start of a task's stack, where the helper above is missing.
    STACK_REGS: u64 = 0;

    TASK_PID: u64 = 0;
    TASK_TGID: u64 = 0;
    TASK_FLAGS: u64 = 0;
    /// `__state`, or `state` before 5.14.
    TASK_STATE: u64 = 0;
    TASK_STACK: u64 = 0;
    TASK_COMM: u64 = 0;
    TASK_LEADER: u64 = 0;
    TASK_ON_CPU: u64 = 0;
    /// `start_time`: monotonic nanoseconds.
    TASK_START: u64 = 0;
    TASK_SECCOMP: u64 = ABSENT;
    TASK_FILES: u64 = ABSENT;
    TASK_CGROUPS: u64 = ABSENT;
    /// A word of the task's `thread_info`, and the bit in it that says: inside a 32-bit call.
    TASK_COMPAT: u64 = ABSENT;
    COMPAT_BIT: u32 = 0;

    FILES_FDT: u64 = 0;
    FDT_FD: u64 = 0;
    FILE_INODE: u64 = 0;
    INODE_MODE: u64 = 0;
    INODE_SUPER: u64 = 0;
    /// Of a device's file: the device.
    INODE_RDEV: u64 = 0;
    SUPER_DEV: u64 = 0;

    /// From a task's `css_set` to its cgroup on the unified hierarchy.
    CSET_DEFAULT: u64 = 0;
    /// From a task's `css_set` to the cgroup that the filter looks at: directly (v2), or through the subsystem state of one
    /// controller (v1).
    CSET_CGROUP: u64 = 0;
    /// Not [`ABSENT`] where [`CSET_CGROUP`] leads to a subsystem state: its `cgroup` member.
    CSS_CGROUP: u64 = ABSENT;
    CGROUP_PARENT: u64 = 0;
    /// From `cgroup_subsys_state` of the parent back to its `cgroup`.
    PARENT_CGROUP: u64 = 0;
    CGROUP_KN: u64 = 0;
    KN_ID: u64 = 0;

    /// When the run began; a task that is younger cannot have been inside a call before.
    STARTED_NS: u64 = 0;

    SYSCALLS_EXACT: u8 = 0;
    SYSCALLS_BLOCKED: u8 = 0;
    /// Threshold of the table of slow calls; `u64::MAX` is off.
    SYSCALLS_SLOW_NS: u64 = u64::MAX;
    /// Add up every call by process.
    SYSCALLS_BY: u8 = 0;
    /// Add up calls that failed by process.
    SYSCALLS_FAILING: u8 = 0;
    /// Only calls that fail.
    SYSCALLS_ERRORS: u8 = 0;

    /// Not only what devices do, but also whose requests, and who waits.
    IO_WHO: u8 = 0;
    /// Waits at least this long get their stack taken.
    IO_STALL_NS: u64 = u64::MAX;
    /// Requests at least this long are handed over one by one; `u64::MAX` is off.
    IO_SLOW_NS: u64 = u64::MAX;

    /// The tracepoints pass the queue first (before 5.11, and some of them later).
    INSERT_HAS_QUEUE: u8 = 0;
    ISSUE_HAS_QUEUE: u8 = 0;
    MERGE_HAS_QUEUE: u8 = 0;
    GETRQ_HAS_QUEUE: u8 = 0;
    BIO_QUEUE_HAS_QUEUE: u8 = 0;

    /// `in_iowait`: the byte it lies in, and its bit there.
    TASK_IOWAIT: u64 = ABSENT;
    IOWAIT_BIT: u32 = 0;

    RQ_QUEUE: u64 = 0;
    /// Before 5.17; since then the queue knows its disk.
    RQ_DISK: u64 = ABSENT;
    QUEUE_DISK: u64 = ABSENT;
    /// Null where bios go to the driver without becoming requests.
    QUEUE_MQ_OPS: u64 = 0;
    /// The partition, or the whole disk; its `dev_t` lies at [`PART_DEV`].
    RQ_PART: u64 = 0;
    PART_DEV: u64 = 0;
    RQ_FLAGS: u64 = 0;
    RQ_LEN: u64 = 0;
    RQ_SECTOR: u64 = 0;
    RQ_START: u64 = 0;
    RQ_IO_START: u64 = 0;
    RQ_BIO: u64 = 0;
    DISK_MAJOR: u64 = 0;
    DISK_MINOR: u64 = 0;
    DISK_QUEUE: u64 = 0;

    BIO_NEXT: u64 = 0;
    BIO_FLAGS: u64 = 0;
    BIO_SECTOR: u64 = 0;
    BIO_SIZE: u64 = 0;
    BIO_INDEX: u64 = 0;
    BIO_VECS: u64 = 0;
    BIO_STATUS: u64 = 0;
    /// The block device (5.12), or before that the disk and the number of the partition.
    BIO_BDEV: u64 = ABSENT;
    BIO_DISK: u64 = ABSENT;
    BIO_PARTNO: u64 = 0;
    BDEV_DISK: u64 = 0;
    BDEV_DEV: u64 = 0;

    /// Bits of the flags, by number.
    REQ_SYNC: u32 = 0;
    REQ_META: u32 = 0;
    REQ_PREFLUSH: u32 = 0;
    REQ_FUA: u32 = 0;
    REQ_RAHEAD: u32 = 0;
    REQ_SWAP: u32 = 0;

    /// From a part of a compound page to its head: the low bit says that the rest is an address.
    PAGE_COMPOUND: u64 = 0;
    PAGE_MAPPING: u64 = 0;
    PAGE_BYTES: u32 = 4096;
    /// Bit of the flags that says: the head of a compound page, and where its order lies then.
    PAGE_HEAD: u32 = 0;
    FOLIO_ORDER: u64 = ABSENT;
    MAPPING_HOST: u64 = 0;
    INODE_NUMBER: u64 = 0;
    INODE_GENERATION: u64 = 0;

    /// Connections that took at least this long to open are handed over one by one.
    TCP_SLOW_NS: u64 = u64::MAX;
    /// `tcp_send_reset` tells why (6.10).
    RESET_HAS_REASON: u8 = 0;
    /// `tcp_retransmit_skb` tells failed attempts, too.
    RETRANSMIT_HAS_ERROR: u8 = 0;
    /// `kfree_skb` tells why a packet is dropped (5.17), and for which socket (6.11).
    DROP_HAS_REASON: u8 = 0;
    DROP_HAS_SOCKET: u8 = 0;
    /// `SKB_DROP_REASON_NOT_SPECIFIED`, `_QUEUE_PURGE` and `_TCP_RESET`: reasons that the kernel also gives for packets that it is
    /// done with.
    DROP_UNSPECIFIED: u32 = u32::MAX;
    DROP_PURGED: u32 = u32::MAX;
    DROP_RESET: u32 = u32::MAX;
    /// Ports from this one on are given to those who connect: they say nothing about a service.
    EPHEMERAL_PORTS: u32 = 32768;
    SKC_FAMILY: u64 = 0;
    SKC_STATE: u64 = 0;
    SKC_REMOTE_PORT: u64 = 0;
    SKC_LOCAL_PORT: u64 = 0;
    SKC_REMOTE: u64 = 0;
    SKC_LOCAL: u64 = 0;
    SKC_REMOTE6: u64 = 0;
    SKC_LOCAL6: u64 = 0;
    SKC_NET: u64 = 0;
    NET_NUMBER: u64 = 0;
    SK_PROTOCOL: u64 = 0;
    SK_SOCKET: u64 = 0;
    SK_ERROR: u64 = 0;
    SOCKET_STATE: u64 = 0;
    /// A call of the socket's holder works on it.
    SK_OWNED: u64 = 0;
    /// In network order; stays when [`SKC_LOCAL_PORT`] is given back.
    INET_LOCAL_PORT: u64 = 0;
    /// From a `struct socket` to the number of its inode, which is allocated with it.
    SOCKET_INODE: u64 = 0;
    ICSK_CA_STATE: u64 = 0;
    ICSK_RETRANSMITS: u64 = 0;
    ICSK_PENDING: u64 = 0;
    ICSK_BACKOFF: u64 = 0;
    TCP_SRTT: u64 = 0;
    TCP_CWND: u64 = 0;
    TCP_SSTHRESH: u64 = 0;
    TCP_PACKETS_OUT: u64 = 0;
    TCP_SACKED_OUT: u64 = 0;
    TCP_LOST_OUT: u64 = 0;
    TCP_RETRANS_OUT: u64 = 0;
    TCP_SEGS_OUT: u64 = 0;
    TCP_TOTAL_RETRANS: u64 = 0;
    SKB_LEN: u64 = 0;
    SKB_HEAD: u64 = 0;
    SKB_NETWORK: u64 = 0;
    SKB_TRANSPORT: u64 = 0;
    SKB_DEVICE: u64 = 0;
    SKB_PROTOCOL: u64 = 0;
    SKB_SOCKET: u64 = 0;
    DEVICE_NET: u64 = 0;
    /// From an inode to the `struct socket` that is allocated with it, before it: a wrapping sum.
    INODE_SOCKET: u64 = 0;
    SOCKET_SK: u64 = 0;
    SK_BACKLOG: u64 = 0;
    SK_BACKLOG_LIMIT: u64 = 0;
    SK_DROPS: u64 = 0;
    TCP_SEND_WINDOW: u64 = 0;
    /// `TCP_SKB_CB(skb)->tcp_gso_segs`.
    SKB_SEGMENTS: u64 = 0;
    REQ_RETRANSMITS: u64 = 0;

    /// Waits for memory that are neither reclaim nor compaction: tasks that sleep as the kernel's pressure accounting has it.
    OOM_SLEEPS: u8 = 0;
    /// `mark_victim` passes the task; before, its number.
    MARK_HAS_TASK: u8 = 0;
    /// `exit_mmap` (6.1): the end of a process's memory.
    HAVE_EXIT_MMAP: u8 = 0;
    TASK_MM: u64 = 0;
    TASK_SIGNAL: u64 = 0;
    /// Not null: the process is a victim.
    SIGNAL_OOM_MM: u64 = 0;
    /// Threads that have not ended.
    SIGNAL_LIVE: u64 = 0;
    SIGNAL_ADJ: u64 = 0;
    /// `in_memstall`: the byte it lies in, and its bit there.
    TASK_MEMSTALL: u64 = ABSENT;
    MEMSTALL_BIT: u32 = 0;
    /// The first of the counters of a process's pages, and the distance from one to the next.
    MM_PAGES: u64 = 0;
    MM_PAGES_STRIDE: u64 = 8;
    MM_PGTABLES: u64 = 0;
    MM_TOTAL_VM: u64 = 0;
    /// From a task's `css_set` to the subsystem state of the memory controller, which is the start of its `mem_cgroup`.
    CSET_MEMORY: u64 = ABSENT;
    MEMORY_CSS_CGROUP: u64 = 0;
    MEMORY_CSS_PARENT: u64 = 0;
    MEMORY_USAGE: u64 = 0;
    MEMORY_MAX: u64 = 0;
    MEMORY_FAILURES: u64 = 0;
    /// What tasks wait for a processor.
    CPU_WAITS: u8 = 0;
    /// Who runs: what the kernel keeps of tasks that end.
    CPU_TIMES: u8 = 0;
    /// Waits for a processor that are at least this long are added up by process.
    CPU_SLOW_NS: u64 = u64::MAX;
    /// All of them are.
    CPU_BY: u8 = 0;
    /// Several processors share a histogram.
    CPU_SHARED_HISTOGRAMS: u8 = 0;
    SE_RAN: u64 = 0;
    SE_MIGRATIONS: u64 = 0;
    /// From a task to the run queue that it was put into last.
    SE_CFS: u64 = 0;
    CFS_RUNQUEUE: u64 = 0;
    RUNQUEUE_CLOCK: u64 = 0;
    /// `sched_info`, in the run queue's clock. 0: it does not wait.
    SCHED_QUEUED: u64 = 0;
    SCHED_ARRIVED: u64 = 0;
    /// `run_delay`: the sum of its waits, without the one that goes on.
    SCHED_DELAY: u64 = 0;
    SCHED_ARRIVALS: u64 = 0;
    TASK_VOLUNTARY: u64 = 0;
    TASK_INVOLUNTARY: u64 = 0;
    TASK_CPU: u64 = 0;

    /// Only these processes: 0 off, 1 the one in [`FILTER_TGID`], 2 those in the map `FILTER_TGIDS`.
    FILTER_PIDS: u8 = 0;
    FILTER_TGID: u32 = 0;
    /// Only tasks with this name, or whose process has it: its 16 bytes as two words.
    FILTER_COMM: u8 = 0;
    FILTER_COMM_0: u64 = 0;
    FILTER_COMM_1: u64 = 0;
    /// Only tasks in or below the cgroup with this kernfs id; 0 is off.
    FILTER_CGROUP: u64 = 0;
}

/// A switch, as a condition.
#[inline(always)]
pub fn on(fact: &Global<u8>) -> bool {
    fact.load() != 0
}
