//! Kernel types cut down to what is asked of them, so that five kernels fit into the repository.
//!
//! `tests/btf/README.md` says how to make one. What is kept: every member of the structures in [`STRUCTS`], those of
//! [`MEMBERS`], the values of [`ENUMS`], the prototypes of [`TRACEPOINTS`]. Other structures stay as a name and a size,
//! without members.

use std::{collections::HashMap, path::PathBuf};

use btf_rs::{BtfType, Type};

use super::*;

/// Kernels of the VM matrix, and the one that most was developed on.
pub const KERNELS: [&str; 5] = ["5.10", "6.1", "6.12", "6.18", "7.2"];

const STRUCTS: &[&str] = &[
    "task_struct",
    "thread_info",
    "sched_info",
    "sched_entity",
    "seccomp",
    "pt_regs",
    "files_struct",
    "fdtable",
    "css_set",
    "cgroup_subsys_state",
];
const INET_CONNECTION_SOCK: &[&str] =
    &["icsk_ca_state", "icsk_retransmits", "icsk_pending", "icsk_backoff", "icsk_accept_queue"];
const INODE: &[&str] =
    &["i_mode", "i_ino", "i_sb", "i_rdev", "i_generation", "dirtied_when", "i_nlink", "i_size", "i_blocks", "i_dentry"];
/// Of larger structures only these members.
const MEMBERS: &[(&str, &[&str])] = &[
    ("file", &["f_inode", "f_mode", "f_pos", "f_path"]),
    ("path", &["dentry"]),
    ("dentry", &["d_parent", "d_inode", "d_name", "d_u", "d_alias"]),
    ("qstr", &["name"]),
    ("inode", INODE),
    ("super_block", &["s_dev", "s_bdev", "s_magic"]),
    ("address_space", &["host", "i_pages", "nrpages"]),
    ("xarray", &["xa_flags"]),
    ("bdev_inode", &["bdev", "vfs_inode"]),
    ("page", &["compound_head", "compound_info", "mapping"]),
    ("folio", &["mapping", "_folio_order", "_flags_1"]),
    ("gendisk", &["major", "first_minor", "queue"]),
    ("request_queue", &["mq_ops", "disk"]),
    ("block_device", &["bd_dev", "bd_disk"]),
    ("hd_struct", &["__dev"]),
    ("device", &["devt"]),
    ("bio", &["bi_next", "bi_opf", "bi_iter", "bi_io_vec", "bi_status", "bi_bdev", "bi_disk", "bi_partno", "bi_blkg"]),
    ("bvec_iter", &["bi_sector", "bi_size", "bi_idx"]),
    ("blkcg_gq", &["parent", "blkcg"]),
    ("blkcg", &["css"]),
    ("cgroup", &["self", "kn"]),
    ("kernfs_node", &["id"]),
    ("sock_common", SOCK_COMMON),
    ("net", &["ns", "ipv4"]),
    ("netns_ipv4", &["ip_local_ports", "sysctl_tcp_tw_reuse"]),
    ("local_ports", &["lock", "range"]),
    ("ns_common", &["inum"]),
    ("nsproxy", &["net_ns"]),
    ("sock", &["sk_protocol", "sk_socket", "sk_err", "sk_lock", "sk_ack_backlog", "sk_max_ack_backlog", "sk_drops"]),
    ("socket", &["state", "sk"]),
    ("inet_sock", &["inet_sport"]),
    ("inet_connection_sock", INET_CONNECTION_SOCK),
    ("request_sock_queue", &["qlen"]),
    ("tcp_sock", TCP_SOCK),
    ("mptcp_sock", &["first"]),
    (
        "sk_buff",
        &[
            "len",
            "data_len",
            "cb",
            "head",
            "data",
            "end",
            "mac_header",
            "network_header",
            "transport_header",
            "dev",
            "protocol",
            "sk",
        ],
    ),
    ("slock_owned", &["owned"]),
    ("skb_shared_info", &["nr_frags", "frags"]),
    ("net_device", &["nd_net", "ifindex", "name", "flags"]),
    ("possible_net_t", &["net"]),
    ("tcp_skb_cb", &["tcp_gso_segs"]),
    ("request_sock", &["num_retrans"]),
    ("socket_alloc", &["socket", "vfs_inode"]),
    ("signal_struct", &["oom_mm", "live", "oom_score_adj", "rlim"]),
    ("mm_struct", &["rss_stat", "pgtables_bytes", "total_vm"]),
    ("mm_rss_stat", &["count"]),
    ("percpu_counter", &["count"]),
    ("mem_cgroup", &["css", "memory"]),
    ("page_counter", &["usage", "max", "failcnt"]),
    ("cfs_rq", &["rq"]),
    ("rq", &["clock"]),
    (
        "request",
        &["q", "part", "rq_disk", "cmd_flags", "bio", "__sector", "__data_len", "io_start_time_ns", "start_time_ns"],
    ),
];
const SOCK_COMMON: &[&str] = &[
    "skc_family",
    "skc_state",
    "skc_dport",
    "skc_num",
    "skc_daddr",
    "skc_rcv_saddr",
    "skc_v6_daddr",
    "skc_v6_rcv_saddr",
    "skc_net",
];
const TCP_SOCK: &[&str] = &[
    "srtt_us",
    "snd_cwnd",
    "snd_ssthresh",
    "packets_out",
    "sacked_out",
    "lost_out",
    "retrans_out",
    "segs_out",
    "total_retrans",
    "snd_wnd",
    "snd_una",
    "write_seq",
    "rcv_nxt",
    "copied_seq",
    "rcv_wnd",
    "rcv_wup",
];
/// Enums with the values that are kept; none: all.
const ENUMS: &[(&str, &[&str])] = &[
    ("cgroup_subsys_id", &[]),
    ("bpf_func_id", &["BPF_FUNC_get_current_task_btf", "BPF_FUNC_task_pt_regs", "BPF_FUNC_get_task_stack"]),
    ("req_flag_bits", &[]),
    ("pageflags", &["PG_head"]),
    ("skb_drop_reason", &[]),
    ("sk_rst_reason", &[]),
];
const TRACEPOINTS: &[&str] = &[
    "sys_enter",
    "sys_exit",
    "sched_switch",
    "sched_waking",
    "sched_process_exit",
    "kfree_skb",
    "block_rq_insert",
    "block_rq_issue",
    "block_rq_merge",
    "block_rq_complete",
    "block_getrq",
    "block_bio_queue",
    "block_bio_complete",
    "writeback_dirty_folio",
    "writeback_dirty_page",
    "tcp_retransmit_skb",
    "tcp_retransmit_synack",
    "tcp_send_reset",
    "tcp_receive_reset",
    "inet_sock_set_state",
    "mark_victim",
    "finish_task_reaping",
    "exit_mmap",
    "mm_vmscan_direct_reclaim_begin",
    "mm_vmscan_direct_reclaim_end",
    "mm_vmscan_memcg_reclaim_begin",
    "mm_vmscan_memcg_reclaim_end",
    "mm_compaction_begin",
    "mm_compaction_end",
    "signal_generate",
];

/// The types of one of [`KERNELS`].
pub fn open(kernel: &str) -> KernelBtf {
    KernelBtf::from_file(&path(kernel)).unwrap()
}

fn path(kernel: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/btf/{kernel}.btf"))
}

#[test]
#[ignore = "makes a fixture: see tests/btf/README.md"]
fn extract() {
    let from = std::env::var("BTF_FROM").expect("BTF_FROM: a copy of a kernel's /sys/kernel/btf/vmlinux");
    let to = path(&std::env::var("BTF_KERNEL").expect("BTF_KERNEL: the fixture's name, as in 6.12"));
    let whole = KernelBtf::from_file(Path::new(&from)).unwrap();
    let mut cut = Cut::new(&whole);
    for name in STRUCTS.iter().chain(MEMBERS.iter().map(|(name, _)| name)).chain(ENUMS.iter().map(|(name, _)| name)) {
        for id in whole.ids(name).unwrap() {
            if matches!(whole.type_of(name, id), Ok(Type::Struct(_) | Type::Union(_) | Type::Enum(_))) {
                cut.copy(id);
            }
        }
    }
    for name in TRACEPOINTS {
        whole.ids(&format!("btf_trace_{name}")).unwrap().into_iter().for_each(|id| _ = cut.copy(id));
    }
    std::fs::write(&to, cut.file()).unwrap();
    // What is left says the same as the whole did.
    let left = KernelBtf::from_file(&to).unwrap();
    for (of, member) in STRUCTS.iter().flat_map(|of| names(&whole, of).into_iter().map(move |name| (of, name))) {
        assert_eq!(left.member(of, &member).unwrap(), whole.member(of, &member).unwrap(), "{of}.{member}");
    }
    for (of, member) in MEMBERS.iter().flat_map(|(of, names)| names.iter().map(move |name| (of, name))) {
        assert_eq!(left.member(of, member).ok(), whole.member(of, member).ok(), "{of}.{member}");
    }
    for name in TRACEPOINTS {
        assert_eq!(left.tracepoint(name).ok(), whole.tracepoint(name).ok(), "{name}");
    }
}

/// Names of the members of a structure that have one.
fn names(btf: &KernelBtf, of: &str) -> Vec<String> {
    let (Type::Struct(layout) | Type::Union(layout)) = btf.type_of(of, btf.layout(of).unwrap()).unwrap() else {
        return vec![];
    };
    layout.members.iter().map(|member| btf.name(of, member).unwrap()).filter(|name| !name.is_empty()).collect()
}

/// Writes BTF (`Documentation/bpf/btf.rst` in the kernel's sources).
struct Cut<'a> {
    whole: &'a KernelBtf,
    types: Vec<u8>,
    strings: Vec<u8>,
    offsets: HashMap<String, u32>,
    ids: HashMap<u32, u32>,
    count: u32,
}

impl<'a> Cut<'a> {
    fn new(whole: &'a KernelBtf) -> Self {
        Self { whole, types: vec![], strings: vec![0], offsets: HashMap::new(), ids: HashMap::new(), count: 0 }
    }

    /// Copies a type and what it needs, and returns its new id.
    fn copy(&mut self, id: u32) -> u32 {
        if let Some(&id) = self.ids.get(&id) {
            return id;
        }
        let found = self.whole.type_of("", id).unwrap();
        let name =
            found.as_btf_type().filter(|of| of.get_name_offset().is_some()).map(|of| self.whole.name("", of).unwrap());
        let name = name.unwrap_or_default();
        let target = found.as_btf_type().and_then(|of| of.get_type_id()).unwrap_or(0);
        let new = match found {
            Type::Void => return 0,
            Type::Int(of) => {
                let encoding = u32::from(of.is_signed()) | u32::from(of.is_char()) << 1 | u32::from(of.is_bool()) << 2;
                self.push(&name, 1, &[], of.size() as u32, &[(encoding << 24) | (of.size() as u32 * 8)])
            }
            // Pointers would lead everywhere: structures behind them keep their name only.
            Type::Ptr(_) => {
                let target = match self.whole.type_of("", target).unwrap() {
                    Type::Struct(of) => self.forward(&of, false),
                    Type::Union(of) => self.forward(&of, true),
                    _ => self.copy(target),
                };
                self.push("", 2, &[], target, &[])
            }
            Type::Array(of) => {
                let target = self.copy(target);
                // The type of the index says nothing that is asked here.
                self.push("", 3, &[], 0, &[target, target, of.len() as u32])
            }
            Type::Struct(of) => self.layout(&name, 4, &of),
            Type::Union(of) => self.layout(&name, 5, &of),
            Type::Enum(of) => {
                let kept = ENUMS.iter().find(|(kept, _)| *kept == name).map(|(_, values)| *values);
                let values = of.members.iter().map(|value| (self.whole.name("", value).unwrap(), value.val()));
                let is_kept = |name: &str| kept.is_some_and(|kept| kept.is_empty() || kept.contains(&name));
                let values: Vec<_> = values.filter(|(name, _)| is_kept(name)).collect();
                let values: Vec<_> = values.iter().map(|(name, value)| [self.string(name), *value]).collect();
                self.push(&name, 6, values.as_flattened(), of.size() as u32, &[])
            }
            Type::Fwd(of) if of.is_union() => self.push(&name, 7 | 1 << 7, &[], 0, &[]),
            Type::Fwd(_) => self.push(&name, 7, &[], 0, &[]),
            Type::Typedef(_) => self.around(&name, 8, target),
            Type::Volatile(_) => self.around("", 9, target),
            Type::Const(_) => self.around("", 10, target),
            Type::Restrict(_) => self.around("", 11, target),
            Type::TypeTag(_) => self.around(&name, 18, target),
            Type::Enum64(of) => self.push(&name, 19, &[], of.size() as u32, &[]),
            Type::FuncProto(of) => {
                let parameters: Vec<_> =
                    of.parameters.iter().map(|parameter| [0, self.copy(parameter.get_type_id().unwrap())]).collect();
                self.push("", 13, parameters.as_flattened(), 0, &[])
            }
            other => panic!("{} can't be inside a structure", other.name()),
        };
        self.ids.insert(id, new);
        new
    }

    fn around(&mut self, name: &str, kind: u32, target: u32) -> u32 {
        let target = self.copy(target);
        self.push(name, kind, &[], target, &[])
    }

    fn forward(&mut self, of: &btf_rs::Struct, is_union: bool) -> u32 {
        let name = self.whole.name("", of).unwrap();
        let key = u32::MAX - self.string(&name);
        let kind = 7 | u32::from(is_union) << 7;
        let known = self.ids.get(&key).copied();
        let id = known.unwrap_or_else(|| self.push(&name, kind, &[], 0, &[]));
        self.ids.insert(key, id);
        id
    }

    fn layout(&mut self, name: &str, kind: u32, of: &btf_rs::Struct) -> u32 {
        let some = MEMBERS.iter().find(|(kept, _)| *kept == name).map(|(_, members)| *members);
        let has_bits = of.members.iter().any(|member| member.bitfield_size().is_some());
        let mut members = Vec::new();
        for member in &of.members {
            let its_name = self.whole.name("", member).unwrap();
            let is_kept = match some {
                // Anonymous parts may hold a kept one.
                Some(some) => its_name.is_empty() || some.contains(&its_name.as_str()),
                None => name.is_empty() || STRUCTS.contains(&name),
            };
            if is_kept {
                let offset = member.bit_offset() | member.bitfield_size().unwrap_or(0) << 24;
                members.push([self.string(&its_name), self.copy(member.get_type_id().unwrap()), offset]);
            }
        }
        self.push(name, kind | u32::from(has_bits) << 7, members.as_flattened(), of.size() as u32, &[])
    }

    /// `kind` with the kind flag in bit 7; `rows` are counted in the header, `rest` is not.
    fn push(&mut self, name: &str, kind: u32, rows: &[u32], size_or_type: u32, rest: &[u32]) -> u32 {
        let words_per_row = match kind & 0x7f {
            4 | 5 => 3,
            _ => 2,
        };
        let name = self.string(name);
        let header = [name, kind << 24 | (rows.len() / words_per_row) as u32, size_or_type];
        self.types.extend(header.iter().chain(rows).chain(rest).flat_map(|word| word.to_le_bytes()));
        self.count += 1;
        self.count
    }

    fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        *self.offsets.entry(text.into()).or_insert_with(|| {
            let offset = self.strings.len() as u32;
            self.strings.extend(text.bytes().chain([0]));
            offset
        })
    }

    fn file(self) -> Vec<u8> {
        let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
        let magic_and_version = 0xeb9f | 1 << 16;
        let header = [magic_and_version, 24, 0, types, types, strings];
        let header = header.into_iter().flat_map(u32::to_le_bytes);
        header.chain(self.types).chain(self.strings).collect()
    }
}
