//! What the programs have to be told before they are loaded: facts about the running kernel, and settings of this run. Each is declared
//! here, once, for both sides: the kernel side makes read-only globals of [`facts!`](crate::facts!), the user side a list with how each
//! is found in the kernel's types.
//!
//! After the settings come groups: who needs them, and what becomes of a probe on a kernel that lacks one.
//!
//! - `Needed`: it can't run.
//! - `OneOf`: it can't run without any of them.
//! - `Optional`: it goes on without, and asks first. With words for what is lost then, the group is there as a whole or not at all.
//!
//! A fact is the first of its formulas that this kernel has something for. What a formula is depends on the fact's type:
//!
//! - An [`Offset`] is a sum of terms, which `+` and `-` stand between. `STRUCT.MEMBER` is the distance of a member,
//!   `STRUCT.MEMBER[ENUM.NAME]` that of an array's element, `sizeof(STRUCT)` and `sizeof(STRUCT.MEMBER[0])` are sizes, a number is
//!   itself. What ends in `on ARCH` is of that machine only.
//! - [`BitField`] are `STRUCT.MEMBER`, a bit field within one byte.
//! - A [`Number`] is `ENUM.NAME`, and so is a [`Flag`].
//! - A [`Presence`] is that of an enumerator `ENUM.NAME`, of a tracepoint `NAME()`, of its argument `NAME(AT)`, or of an argument with
//!   this in its type, `NAME(AT TYPE)`.

/// A distance or size in bytes.
pub type Offset = u64;
/// Value of an enumerator.
pub type Number = u32;
/// Something that a kernel has or has not; there is nothing more to it.
pub type Presence = u8;

/// A bit field: the byte it lies in, and where there. One word, so that the verifier of old kernels sees a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct BitField(u64);

impl BitField {
    pub const fn new(offset: u32, shift: u8, mask: u8) -> Self {
        Self((offset as u64) << 32 | (shift as u64) << 8 | mask as u64)
    }

    pub const fn word(self) -> u64 {
        self.0
    }

    pub const fn offset(self) -> u64 {
        self.0 >> 32
    }

    /// Whether one of the bits is set in this byte.
    pub const fn any(self, byte: u8) -> bool {
        byte as u64 & self.0 != 0
    }

    /// The field's value in this byte.
    pub const fn value(self, byte: u8) -> u8 {
        ((byte as u64 & self.0) >> (self.0 >> 8 & 7)) as u8
    }
}

/// A bit whose number is an enumerator, as a mask. Where there is no such bit it is never set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Flag(u64);

impl Flag {
    pub const fn new(bit: Number) -> Self {
        Self(1 << (bit & 63))
    }

    pub const fn mask(self) -> u64 {
        self.0
    }
}

/// What a fact is made of.
pub trait Fact: Copy + Eq {
    /// What stands for a fact that this kernel does not have. No fact has this value.
    const ABSENT: Self;
}

impl Fact for Offset {
    const ABSENT: Self = u64::MAX;
}

impl Fact for BitField {
    const ABSENT: Self = Self(u64::MAX);
}

impl Fact for Flag {
    const ABSENT: Self = Self(0);
}

impl Fact for Number {
    /// Comparisons with a larger one would take two instructions more.
    const ABSENT: Self = i32::MAX as u32;
}

impl Fact for Presence {
    const ABSENT: Self = 0;
}

/// Calls a macro with all settings and facts.
#[macro_export]
macro_rules! facts {
    ($each:ident) => {
        $each! {
            settings {
                /// When the run began; a task that is younger cannot have been inside a call before.
                STARTED_NS: u64 = 0;
                PAGE_BYTES: u32 = 4096;
                /// Between two jiffies.
                TICK_NS: u64 = 4_000_000;

                SYSCALLS_EXACT: u8 = 0;
                SYSCALLS_BLOCKED: u8 = 0;
                /// Only sleeps over the threshold.
                SYSCALLS_LONG: u8 = 0;
                /// Threshold of the table of slow calls; `u64::MAX` is off.
                SYSCALLS_SLOW_NS: u64 = u64::MAX;
                /// Add up every call by process.
                SYSCALLS_BY: u8 = 0;
                /// Add up calls that failed by process and error; of `connect`, those that did not, too.
                SYSCALLS_FAILING: u8 = 0;
                /// Only calls that fail.
                SYSCALLS_ERRORS: u8 = 0;

                /// Not only what devices do, but also whose requests, and who waits.
                IO_WHO: u8 = 0;
                /// Waits at least this long get their stack taken.
                IO_STALL_NS: u64 = u64::MAX;
                /// Requests at least this long are handed over one by one; `u64::MAX` is off.
                IO_SLOW_NS: u64 = u64::MAX;

                /// Connections that took at least this long to open are handed over one by one.
                TCP_SLOW_NS: u64 = u64::MAX;
                /// Ports from this one on are given to those who connect: they say nothing about a service.
                EPHEMERAL_PORTS: u32 = 32768;
                /// The last packets of each CPU and direction; a power of two.
                TCP_PACKETS_KEPT: u32 = 1;
                /// What memory is described where: the address of a `struct page`, that of its memory, and by how many bits distances of the
                /// latter are larger; no bits: not known.
                TCP_PAGES_FROM: u64 = 0;
                TCP_PAGES_AT: u64 = 0;
                TCP_PAGES_SHIFT: u32 = 0;

                /// Waits for memory that are neither reclaim nor compaction: tasks that sleep as the kernel's pressure accounting has
                /// it.
                OOM_SLEEPS: u8 = 0;

                /// The probe runs.
                CPU_TIMES: u8 = 0;
                /// Waits in a run queue that are at least this long are added up by process.
                CPU_SLOW_NS: u64 = u64::MAX;
                /// All of them are.
                CPU_BY: u8 = 0;
                /// Look at how long tasks sleep.
                CPU_SLEEPS: u8 = 0;
                /// Several CPUs share a histogram.
                CPU_SHARED_HISTOGRAMS: u8 = 0;

                /// Add up who dirties which file.
                DISK_WRITERS: u8 = 0;

                /// Only these processes: 0 off, 1 the one in `FILTER_TGID`, 2 those in the map `FILTER_TGIDS`.
                FILTER_PIDS: u8 = 0;
                FILTER_TGID: u32 = 0;
                /// Only tasks with this name, or whose process has it: its 16 bytes as two words.
                FILTER_COMM: u8 = 0;
                FILTER_COMM_0: u64 = 0;
                FILTER_COMM_1: u64 = 0;
                /// Only tasks in or below the cgroup with this kernfs id; 0 is off.
                FILTER_CGROUP: u64 = 0;
            }

            Needed every {
                TASK_PID: Offset = "task_struct.pid";
                TASK_TGID: Offset = "task_struct.tgid";
                TASK_FLAGS: Offset = "task_struct.flags";
                /// Renamed in 5.14.
                TASK_STATE: Offset = "task_struct.__state" | "task_struct.state";
                TASK_STACK: Offset = "task_struct.stack";
                TASK_COMM: Offset = "task_struct.comm";
                TASK_LEADER: Offset = "task_struct.group_leader";
                TASK_ON_CPU: Offset = "task_struct.on_cpu";
                TASK_SIGNAL: Offset = "task_struct.signal";
                INODE_NUMBER: Offset = "inode.i_ino";
                INODE_GENERATION: Offset = "inode.i_generation";
                MAPPING_HOST: Offset = "address_space.host";
                /// Monotonic nanoseconds.
                TASK_START: Offset = "task_struct.start_time";
                /// Distance of the saved user registers from the start of a task's stack, without `HAVE_TASK_PT_REGS`: stacks of 16 KiB
                /// without padding, and the registers right below their end.
                STACK_REGS: Offset = "16384 - sizeof(pt_regs)";
            }

            Optional every {
                /// `sched_switch` passes the state that the task leaves in (5.18); before, it has to be read from the task.
                HAVE_PREV_STATE: Presence = "sched_switch(3)";
                /// Fields of the current task by direct loads (5.11).
                HAVE_CURRENT_BTF: Presence = "bpf_func_id.BPF_FUNC_get_current_task_btf";
                /// 5.15; before, the registers are found by their place on the stack.
                HAVE_TASK_PT_REGS: Presence = "bpf_func_id.BPF_FUNC_task_pt_regs";
                /// The low byte of a word since 6.6; a byte of its own in 5.18; before, folios were single pages to file systems.
                FOLIO_ORDER: Offset = "folio._folio_order" | "folio._flags_1";
                /// Of a page that is the head of a compound one.
                PAGE_HEAD: Flag = "pageflags.PG_head";
            }

            Optional every "calls that seccomp refuses are not counted" {
                TASK_SECCOMP: Offset = "task_struct.seccomp.mode";
            }

            Optional every "32-bit calls appear under 64-bit names" {
                /// A word in which a bit says: inside a 32-bit call.
                TASK_COMPAT: Offset =
                    "task_struct.thread_info.status on x86_64" | "task_struct.thread_info.flags on aarch64";
            }

            Optional every "reads that wait by design appear among the slow calls" {
                TASK_FILES: Offset = "task_struct.files";
                FILES_FDT: Offset = "files_struct.fdt";
                FDT_FD: Offset = "fdtable.fd";
                INODE_SUPER: Offset = "inode.i_sb";
                /// Of a device's file: the device.
                INODE_RDEV: Offset = "inode.i_rdev";
                SUPER_DEV: Offset = "super_block.s_dev";
                SUPER_MAGIC: Offset = "super_block.s_magic";
            }

            Optional every "reads that wait by design appear among the slow calls, and sockets have no holders" {
                FILE_INODE: Offset = "file.f_inode";
                INODE_MODE: Offset = "inode.i_mode";
            }

            Optional every "no filter by cgroup, and no cgroup for processes that have ended" {
                TASK_CGROUPS: Offset = "task_struct.cgroups";
                /// From a task's `css_set` to its cgroup on the unified hierarchy.
                CSET_DEFAULT: Offset = "css_set.dfl_cgrp";
                /// From a task's `css_set` to the cgroup that the filter looks at: directly (v2), or through the subsystem state of one
                /// controller (v1).
                CSET_CGROUP: Offset = "css_set.dfl_cgrp";
                CGROUP_PARENT: Offset = "cgroup.self.parent";
                /// From `cgroup_subsys_state` of the parent back to its `cgroup`.
                PARENT_CGROUP: Offset = "cgroup_subsys_state.cgroup";
                CGROUP_KN: Offset = "cgroup.kn";
                KN_ID: Offset = "kernfs_node.id";
            }

            Needed io {
                RQ_QUEUE: Offset = "request.q";
                /// The partition, or the whole disk; its `dev_t` lies at `PART_DEV`.
                RQ_PART: Offset = "request.part";
                /// Before 5.11 a partition was a structure of its own, with a device inside.
                PART_DEV: Offset = "hd_struct.__dev.devt" | "block_device.bd_dev";
                RQ_FLAGS: Offset = "request.cmd_flags";
                RQ_LEN: Offset = "request.__data_len";
                RQ_SECTOR: Offset = "request.__sector";
                RQ_START: Offset = "request.start_time_ns";
                RQ_IO_START: Offset = "request.io_start_time_ns";
                RQ_BIO: Offset = "request.bio";
                DISK_MAJOR: Offset = "gendisk.major";
                DISK_MINOR: Offset = "gendisk.first_minor";
                DISK_QUEUE: Offset = "gendisk.queue";
                /// Null where bios go to the driver without becoming requests.
                QUEUE_MQ_OPS: Offset = "request_queue.mq_ops";
                BIO_NEXT: Offset = "bio.bi_next";
                BIO_FLAGS: Offset = "bio.bi_opf";
                BIO_SECTOR: Offset = "bio.bi_iter.bi_sector";
                BIO_SIZE: Offset = "bio.bi_iter.bi_size";
                BIO_INDEX: Offset = "bio.bi_iter.bi_idx";
                BIO_VECS: Offset = "bio.bi_io_vec";
                BIO_STATUS: Offset = "bio.bi_status";
                BDEV_DISK: Offset = "block_device.bd_disk";
                BDEV_DEV: Offset = "block_device.bd_dev";
                /// From a part of a compound page to its head: the low bit says that the rest is an address.
                PAGE_COMPOUND: Offset = "page.compound_head" | "page.compound_info";
                PAGE_MAPPING: Offset = "page.mapping" | "folio.mapping";
            }

            OneOf io {
                /// Before 5.17; since then the queue knows its disk.
                RQ_DISK: Offset = "request.rq_disk";
                QUEUE_DISK: Offset = "request_queue.disk";
            }

            OneOf io {
                /// The block device (5.12), or before that the disk and the number of the partition.
                BIO_BDEV: Offset = "bio.bi_bdev";
                BIO_DISK: Offset = "bio.bi_disk";
            }

            Optional io {
                BIO_PARTNO: Offset = "bio.bi_partno";
                /// The lock's own bits, and above them one for each mark (dirty, being written, …) that some page has.
                MAPPING_MARKS: Offset = "address_space.i_pages.xa_flags";
                MAPPING_PAGES: Offset = "address_space.nrpages";
                /// In jiffies: when it became dirty last, after it had been clean.
                INODE_DIRTIED: Offset = "inode.dirtied_when";
                SUPER_BDEV: Offset = "super_block.s_bdev";
                /// Whom it is charged to: what one cgroup has to do with one disk.
                BIO_BLKG: Offset = "bio.bi_blkg";
                BLKG_PARENT: Offset = "blkcg_gq.parent";
                BLKG_BLKCG: Offset = "blkcg_gq.blkcg";
                BLKCG_CGROUP: Offset = "blkcg.css.cgroup";
                /// From the inode of a block device to the device: a wrapping sum.
                INODE_BDEV: Offset = "bdev_inode.bdev - bdev_inode.vfs_inode";

                /// Of requests.
                REQ_SYNC: Flag = "req_flag_bits.__REQ_SYNC";
                REQ_META: Flag = "req_flag_bits.__REQ_META";
                REQ_PREFLUSH: Flag = "req_flag_bits.__REQ_PREFLUSH";
                REQ_FUA: Flag = "req_flag_bits.__REQ_FUA";
                REQ_RAHEAD: Flag = "req_flag_bits.__REQ_RAHEAD";
                REQ_SWAP: Flag = "req_flag_bits.__REQ_SWAP";

                /// The tracepoints pass the queue first (before 5.11, and some of them later).
                INSERT_HAS_QUEUE: Presence = "block_rq_insert(0 request_queue)";
                ISSUE_HAS_QUEUE: Presence = "block_rq_issue(0 request_queue)";
                MERGE_HAS_QUEUE: Presence = "block_rq_merge(0 request_queue)";
                GETRQ_HAS_QUEUE: Presence = "block_getrq(0 request_queue)";
                BIO_QUEUE_HAS_QUEUE: Presence = "block_bio_queue(0 request_queue)";
            }

            Optional io "stalls are not tied to the device whose request ended them" {
                TASK_IOWAIT: BitField = "task_struct.in_iowait";
            }

            Needed disk {
                FILE_MODE: Offset = "file.f_mode";
                FILE_POSITION: Offset = "file.f_pos";
                INODE_LINKS: Offset = "inode.i_nlink";
                INODE_SIZE: Offset = "inode.i_size";
                INODE_BLOCKS: Offset = "inode.i_blocks";
                /// The seventh of the limits (`RLIMIT_NOFILE`), which are two words each.
                SIGNAL_OPEN_LIMIT: Offset = "signal_struct.rlim + 112";
            }

            Optional disk "directories of files that grow are not known" {
                FILE_DENTRY: Offset = "file.f_path.dentry";
                DENTRY_PARENT: Offset = "dentry.d_parent";
                DENTRY_INODE: Offset = "dentry.d_inode";
                DENTRY_NAME: Offset = "dentry.d_name.name";
                /// The list of an inode's names, which are dentries, and from a dentry to its place in that list.
                INODE_NAMES: Offset = "inode.i_dentry";
                DENTRY_ALIAS: Offset = "dentry.d_u.d_alias" | "dentry.d_alias";
            }

            Needed tcp {
                SKC_FAMILY: Offset = "sock_common.skc_family";
                SKC_STATE: Offset = "sock_common.skc_state";
                SKC_REMOTE_PORT: Offset = "sock_common.skc_dport";
                SKC_LOCAL_PORT: Offset = "sock_common.skc_num";
                SKC_REMOTE: Offset = "sock_common.skc_daddr";
                SKC_LOCAL: Offset = "sock_common.skc_rcv_saddr";
                SKC_NET: Offset = "sock_common.skc_net.net";
                NET_NUMBER: Offset = "net.ns.inum";
                SK_PROTOCOL: Offset = "sock.sk_protocol";
                SK_SOCKET: Offset = "sock.sk_socket";
                SK_ERROR: Offset = "sock.sk_err";
                /// A call of the socket's holder works on it.
                SK_OWNED: Offset = "sock.sk_lock.owned";
                SK_BACKLOG: Offset = "sock.sk_ack_backlog";
                SK_BACKLOG_LIMIT: Offset = "sock.sk_max_ack_backlog";
                SK_DROPS: Offset = "sock.sk_drops";
                SOCKET_STATE: Offset = "socket.state";
                SOCKET_SK: Offset = "socket.sk";
                /// From a `struct socket` to the number of its inode, which is allocated with it.
                SOCKET_INODE: Offset = "socket_alloc.vfs_inode + inode.i_ino - socket_alloc.socket";
                /// And from the inode back: a wrapping sum.
                INODE_SOCKET: Offset = "socket_alloc.socket - socket_alloc.vfs_inode";
                /// In network order; stays when `SKC_LOCAL_PORT` is given back.
                INET_LOCAL_PORT: Offset = "inet_sock.inet_sport";
                ICSK_CA_STATE: BitField = "inet_connection_sock.icsk_ca_state";
                ICSK_RETRANSMITS: Offset = "inet_connection_sock.icsk_retransmits";
                ICSK_PENDING: Offset = "inet_connection_sock.icsk_pending";
                ICSK_BACKOFF: Offset = "inet_connection_sock.icsk_backoff";
                TCP_SRTT: Offset = "tcp_sock.srtt_us";
                TCP_CWND: Offset = "tcp_sock.snd_cwnd";
                TCP_SSTHRESH: Offset = "tcp_sock.snd_ssthresh";
                TCP_PACKETS_OUT: Offset = "tcp_sock.packets_out";
                TCP_SACKED_OUT: Offset = "tcp_sock.sacked_out";
                TCP_LOST_OUT: Offset = "tcp_sock.lost_out";
                TCP_RETRANS_OUT: Offset = "tcp_sock.retrans_out";
                TCP_SEGS_OUT: Offset = "tcp_sock.segs_out";
                TCP_TOTAL_RETRANS: Offset = "tcp_sock.total_retrans";
                TCP_SEND_WINDOW: Offset = "tcp_sock.snd_wnd";
                TCP_SEND_UNACKNOWLEDGED: Offset = "tcp_sock.snd_una";
                TCP_WRITTEN: Offset = "tcp_sock.write_seq";
                TCP_RECEIVED: Offset = "tcp_sock.rcv_nxt";
                TCP_READ: Offset = "tcp_sock.copied_seq";
                /// The window that was offered, and from where on.
                TCP_RECEIVE_WINDOW: Offset = "tcp_sock.rcv_wnd";
                TCP_RECEIVE_WINDOW_FROM: Offset = "tcp_sock.rcv_wup";
                REQ_RETRANSMITS: Offset = "request_sock.num_retrans";
                SKB_LEN: Offset = "sk_buff.len";
                SKB_HEAD: Offset = "sk_buff.head";
                SKB_NETWORK: Offset = "sk_buff.network_header";
                SKB_TRANSPORT: Offset = "sk_buff.transport_header";
                SKB_DEVICE: Offset = "sk_buff.dev";
                SKB_PROTOCOL: Offset = "sk_buff.protocol";
                SKB_SOCKET: Offset = "sk_buff.sk";
                /// `TCP_SKB_CB(skb)->tcp_gso_segs`.
                SKB_SEGMENTS: Offset = "sk_buff.cb + tcp_skb_cb.tcp_gso_segs";
                DEVICE_NET: Offset = "net_device.nd_net.net";
            }

            Optional tcp {
                /// Absent without CONFIG_IPV6, and then no socket is of that family.
                SKC_REMOTE6: Offset = "sock_common.skc_v6_daddr";
                SKC_LOCAL6: Offset = "sock_common.skc_v6_rcv_saddr";
                /// Absent without CONFIG_MPTCP. The socket of TCP that listens for one of MPTCP.
                MPTCP_FIRST: Offset = "mptcp_sock.first";
                /// The ports that a network namespace gives to those who connect, the first and the last: 16 bits each. Before 6.8 they were two
                /// numbers, behind a lock.
                NET_PORTS: Offset = "net.ipv4.ip_local_ports.range";
                NET_PORTS_APART: Offset = "local_ports.lock";
                /// Of the network namespace that a task lives in.
                TASK_NAMESPACES: Offset = "task_struct.nsproxy";
                NAMESPACES_NET: Offset = "nsproxy.net_ns";
                /// A number below 256, of one byte or of four.
                NET_TIME_WAIT_REUSE: Offset = "net.ipv4.sysctl_tcp_tw_reuse";
                /// It tells why (6.10).
                RESET_HAS_REASON: Presence = "tcp_send_reset(2)";
                /// It tells failed attempts, too.
                RETRANSMIT_HAS_ERROR: Presence = "tcp_retransmit_skb(2)";
                /// It tells why a packet is dropped (5.17), and for which socket (6.11).
                DROP_HAS_REASON: Presence = "kfree_skb(2)";
                DROP_HAS_SOCKET: Presence = "kfree_skb(3)";
                /// Reasons that the kernel also gives for packets that it is done with.
                DROP_UNSPECIFIED: Number = "skb_drop_reason.SKB_DROP_REASON_NOT_SPECIFIED";
                DROP_PURGED: Number = "skb_drop_reason.SKB_DROP_REASON_QUEUE_PURGE";
                DROP_RESET: Number = "skb_drop_reason.SKB_DROP_REASON_TCP_RESET";
            }

            Optional tcp "half-open connections of a socket that listens are not known" {
                LISTENER_HALF_OPEN: Offset = "inet_connection_sock.icsk_accept_queue.qlen";
            }

            Optional tcp "no packets are kept" {
                SKB_DATA: Offset = "sk_buff.data";
                /// What lies in pages, and not behind the headers.
                SKB_PAGED: Offset = "sk_buff.data_len";
                DEVICE_INDEX: Offset = "net_device.ifindex";
                DEVICE_NAME: Offset = "net_device.name";
                DEVICE_FLAGS: Offset = "net_device.flags";
                SKB_MAC: Offset = "sk_buff.mac_header";
            }

            Optional tcp "of what packets carry, only what lies behind their headers is kept" {
                SKB_END: Offset = "sk_buff.end";
                /// In what stands behind the end.
                SKB_PIECE_COUNT: Offset = "skb_shared_info.nr_frags";
                SKB_PIECES: Offset = "skb_shared_info.frags";
            }

            Needed oom {
                TASK_MM: Offset = "task_struct.mm";
                /// Not null: the process is a victim.
                SIGNAL_OOM_MM: Offset = "signal_struct.oom_mm";
                /// Threads that have not ended.
                SIGNAL_LIVE: Offset = "signal_struct.live";
                SIGNAL_ADJ: Offset = "signal_struct.oom_score_adj";
                /// The first of the counters of a process's pages, and the distance from one to the next: an array of counters (6.2),
                /// of which each has a total; before, a structure around an array of numbers.
                MM_PAGES: Offset = "mm_struct.rss_stat + mm_rss_stat.count" | "mm_struct.rss_stat + percpu_counter.count";
                MM_PAGES_STRIDE: Offset = "sizeof(mm_rss_stat.count[0])" | "sizeof(mm_struct.rss_stat[0])";
                MM_PGTABLES: Offset = "mm_struct.pgtables_bytes";
                MM_TOTAL_VM: Offset = "mm_struct.total_vm";
            }

            Optional oom {
                /// `mark_victim` passes the task; before, its number.
                MARK_HAS_TASK: Presence = "mark_victim(0 task_struct)";
                /// The end of a process's memory (6.1).
                HAVE_EXIT_MMAP: Presence = "exit_mmap()";
            }

            Optional oom "waits for swap and at memory.high are not seen" {
                TASK_MEMSTALL: BitField = "task_struct.in_memstall";
            }

            Optional oom "limits of cgroups are not known" {
                /// From a task's `css_set` to the subsystem state of the memory controller, which a `mem_cgroup` begins with.
                CSET_MEMORY: Offset = "css_set.subsys[cgroup_subsys_id.memory_cgrp_id]";
                MEMORY_CSS_CGROUP: Offset = "cgroup_subsys_state.cgroup";
                MEMORY_CSS_PARENT: Offset = "cgroup_subsys_state.parent";
                MEMORY_USAGE: Offset = "mem_cgroup.memory.usage - mem_cgroup.css";
                MEMORY_MAX: Offset = "mem_cgroup.memory.max - mem_cgroup.css";
                MEMORY_FAILURES: Offset = "mem_cgroup.memory.failcnt - mem_cgroup.css";
            }

            Needed cpu {
                SE_RAN: Offset = "task_struct.se.sum_exec_runtime";
                SE_MIGRATIONS: Offset = "task_struct.se.nr_migrations";
                TASK_VOLUNTARY: Offset = "task_struct.nvcsw";
                TASK_INVOLUNTARY: Offset = "task_struct.nivcsw";
                TASK_CPU: Offset = "task_struct.thread_info.cpu" | "task_struct.cpu";
                TASK_POLICY: Offset = "task_struct.policy";
                TASK_STATIC_PRIO: Offset = "task_struct.static_prio";
                TASK_RT_PRIORITY: Offset = "task_struct.rt_priority";
            }

            Optional cpu "no run queue waits" {
                /// From a task to the run queue that it was put into last.
                SE_CFS: Offset = "task_struct.se.cfs_rq";
                CFS_RUNQUEUE: Offset = "cfs_rq.rq";
                RUNQUEUE_CLOCK: Offset = "rq.clock";
                /// In the run queue's clock. 0: it does not wait.
                SCHED_QUEUED: Offset = "task_struct.sched_info.last_queued";
                SCHED_ARRIVED: Offset = "task_struct.sched_info.last_arrival";
                /// The sum of its waits, without the one that goes on.
                SCHED_DELAY: Offset = "task_struct.sched_info.run_delay";
                SCHED_ARRIVALS: Offset = "task_struct.sched_info.pcount";
            }

            Optional cpu {
                /// A task that sleeps is still in its run queue (6.12).
                SE_DELAYED: Offset = "task_struct.se.sched_delayed";
            }

            OneOf filter {
                /// Where `CSET_CGROUP` leads to a subsystem state: its `cgroup` member.
                CSS_CGROUP: Offset = "cgroup_subsys_state.cgroup";
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_in_one_byte() {
        let state = BitField::new(1193, 2, 0b0111_1100);
        assert_eq!((state.offset(), state.value(0b1000_0111), state.any(0b1000_0011)), (1193, 1, false));
        assert!(BitField::new(u32::MAX - 1, 7, 0x80).word() != BitField::ABSENT.word());
    }
}
