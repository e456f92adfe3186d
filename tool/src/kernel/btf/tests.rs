//! On the running kernel, where it has BTF; a kernel without it is reported, not failed.

use super::*;

fn running() -> Option<KernelBtf> {
    match KernelBtf::open() {
        Ok(btf) => Some(btf),
        Err(error @ (BtfError::Absent | BtfError::Read { .. })) => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn members_are_where_this_process_finds_them() {
    let Some(btf) = running() else { return };
    let comm = btf.member("task_struct", "comm").unwrap();
    assert_eq!((comm.size, comm.elements, comm.bits), (16, Some(16), None));
    let waits = btf.member("task_struct", "in_iowait").unwrap();
    assert_eq!((waits.size, waits.bits.unwrap().width), (1, 1));
    let (pid, tgid) = (btf.member("task_struct", "pid").unwrap(), btf.member("task_struct", "tgid").unwrap());
    assert_eq!((pid.size, tgid.offset), (4, pid.offset + 4));
    // Through a named struct: the parts add up.
    let (se, sum) = (btf.member("task_struct", "se").unwrap(), btf.member("sched_entity", "sum_exec_runtime").unwrap());
    assert_eq!(btf.member("task_struct", "se.sum_exec_runtime").unwrap().offset, se.offset + sum.offset);
    // Through anonymous ones, and a typedef as the start.
    assert_eq!(btf.member("atomic_t", "counter").unwrap().size, 4);
    assert!(btf.member("sock", "__sk_common.skc_daddr").unwrap().size == 4);
    assert!(btf.size_of("task_struct").unwrap() > comm.offset);
}

#[test]
fn what_is_missing_is_named() {
    let Some(btf) = running() else { return };
    let error = btf.member("no_such_struct", "x").unwrap_err();
    assert_eq!(error.to_string(), "this kernel has no struct no_such_struct");
    let error = btf.member("task_struct", "one").unwrap_err();
    assert_eq!(error.to_string(), "this kernel's task_struct has no member one");
    assert!(error.is_absence());
    assert!(matches!(btf.tracepoint("no_such_tracepoint"), Err(BtfError::NoTracepoint(_))));
    assert!(matches!(btf.enum_values("task_struct"), Err(BtfError::NoType { what: "enum", .. })));
}

#[test]
fn tracepoints_have_readable_arguments() {
    let Some(btf) = running() else { return };
    assert_eq!(btf.tracepoint("sys_enter").unwrap(), ["struct pt_regs *", "long"]);
    assert_eq!(btf.tracepoint("sched_waking").unwrap(), ["struct task_struct *"]);
    let switch = btf.tracepoint("sched_switch").unwrap();
    assert_eq!(switch[..3], ["bool", "struct task_struct *", "struct task_struct *"]);
}

#[test]
fn a_copy_serves_where_the_file_cannot_be_mapped() {
    let Some(btf) = running() else { return };
    let copy = in_memory(Path::new(VMLINUX)).unwrap();
    let copied = KernelBtf::from_file(Path::new(&format!("/proc/self/fd/{}", copy.as_raw_fd()))).unwrap();
    assert_eq!(copied.member("task_struct", "comm").unwrap(), btf.member("task_struct", "comm").unwrap());
    assert_eq!(copied.enum_values("pid_type").unwrap()[0], ("PIDTYPE_PID".into(), 0));
}

#[test]
fn not_btf_is_an_error() {
    assert!(KernelBtf::from_file(Path::new("/proc/self/stat")).is_err());
    assert!(matches!(KernelBtf::from_file(Path::new("/no/such/file")), Err(BtfError::Read { .. })));
}

#[test]
fn masks_cover_the_bits() {
    assert_eq!(Bits { shift: 3, width: 1 }.mask(), 1);
    assert_eq!(Bits { shift: 0, width: 64 }.mask(), u64::MAX);
    assert_eq!(Bits { shift: 0, width: 0 }.mask(), 0);
}

mod on_five_kernels {
    use super::*;
    use fixture::{KERNELS, open};

    #[test]
    fn renamed_members_changed_their_size() {
        for (kernel, name, size) in [
            ("5.10", "state", 8),
            ("6.1", "__state", 4),
            ("6.12", "__state", 4),
            ("6.18", "__state", 4),
            ("7.2", "__state", 4),
        ] {
            assert_eq!(open(kernel).member("task_struct", name).unwrap().size, size, "{kernel}");
        }
    }

    #[test]
    fn members_are_where_each_kernel_has_them() {
        // Read from the same kernels with another BTF parser.
        let expected = [
            (
                "5.10",
                [("comm", 2736), ("thread_info.status", 8), ("seccomp.mode", 2944), ("sched_info.last_queued", 1968)],
            ),
            (
                "6.1",
                [("comm", 2976), ("thread_info.status", 16), ("seccomp.mode", 3184), ("sched_info.last_queued", 2184)],
            ),
            (
                "6.12",
                [("comm", 2976), ("thread_info.status", 16), ("seccomp.mode", 3184), ("sched_info.last_queued", 2216)],
            ),
            (
                "6.18",
                [("comm", 1752), ("thread_info.status", 16), ("seccomp.mode", 1960), ("sched_info.last_queued", 1048)],
            ),
            (
                "7.2",
                [("comm", 3344), ("thread_info.status", 16), ("seccomp.mode", 3560), ("sched_info.last_queued", 2576)],
            ),
        ];
        for (kernel, members) in expected {
            let btf = open(kernel);
            for (path, offset) in members {
                assert_eq!(btf.member("task_struct", path).unwrap().offset, offset, "{kernel} {path}");
            }
            assert_eq!(btf.size_of("pt_regs").unwrap(), 168);
        }
    }

    #[test]
    fn bitfields_are_found_by_bit() {
        for (kernel, offset, shift) in
            [("5.10", 2168, 3), ("6.1", 2344, 3), ("6.12", 2360, 4), ("6.18", 1193, 0), ("7.2", 2736, 3)]
        {
            let bit = Member { offset, size: 1, bits: Some(Bits { shift, width: 1 }), elements: None };
            assert_eq!(open(kernel).member("task_struct", "in_iowait").unwrap(), bit, "{kernel}");
        }
    }

    /// An int until it became a byte: who loads four bytes there reads its neighbours.
    #[test]
    fn sizes_change_too() {
        for (kernel, size) in [("5.10", 4), ("6.1", 4), ("6.12", 4), ("6.18", 4), ("7.2", 1)] {
            assert_eq!(open(kernel).member("task_struct", "on_cpu").unwrap().size, size, "{kernel}");
        }
    }

    #[test]
    fn anonymous_parts_are_looked_into() {
        for (kernel, offset) in [("5.10", 72), ("6.1", 72), ("6.12", 72), ("6.18", 72), ("7.2", 72)] {
            // union { const unsigned int i_nlink; unsigned int __i_nlink; };
            let (one, other) = (open(kernel).member("inode", "i_nlink"), open(kernel).member("inode", "__i_nlink"));
            let links = Member { offset, size: 4, bits: None, elements: None };
            assert_eq!((one.unwrap(), other.unwrap()), (links, links), "{kernel}");
        }
    }

    #[test]
    fn arrays_have_their_length() {
        for (kernel, controllers) in [("5.10", 13), ("6.1", 14), ("6.12", 14), ("6.18", 12), ("7.2", 14)] {
            let subsys = open(kernel).member("css_set", "subsys").unwrap();
            assert_eq!((subsys.elements, subsys.size), (Some(controllers), controllers * 8), "{kernel}");
        }
    }

    #[test]
    fn tracepoints_changed_their_arguments() {
        for (kernel, switch, exit, kfree) in
            [("5.10", 3, 1, 2), ("6.1", 4, 1, 3), ("6.12", 4, 1, 4), ("6.18", 4, 2, 4), ("7.2", 4, 2, 4)]
        {
            let btf = open(kernel);
            let count = |name| btf.tracepoint(name).unwrap().len();
            assert_eq!(
                (count("sched_switch"), count("sched_process_exit"), count("kfree_skb")),
                (switch, exit, kfree),
                "{kernel}"
            );
            assert_eq!(btf.tracepoint("sys_enter").unwrap(), ["struct pt_regs *", "long"]);
        }
        assert_eq!(open("7.2").tracepoint("kfree_skb").unwrap()[2..], ["enum skb_drop_reason", "const struct sock *"]);
    }

    #[test]
    fn enums_differ_by_configuration() {
        for (kernel, memory, count) in
            [("5.10", 4, 13), ("6.1", 4, 14), ("6.12", 4, 14), ("6.18", 4, 12), ("7.2", 4, 14)]
        {
            let values = open(kernel).enum_values("cgroup_subsys_id").unwrap();
            assert!(values.contains(&("memory_cgrp_id".into(), memory)), "{kernel}");
            assert!(values.contains(&("CGROUP_SUBSYS_COUNT".into(), count)), "{kernel}");
        }
        let newer =
            |kernel| open(kernel).enum_values("bpf_func_id").unwrap().iter().any(|(name, _)| name.ends_with("pt_regs"));
        assert_eq!(KERNELS.map(newer), [false, true, true, true, true]);
    }

    /// The fixtures hold a forward declaration beside each structure, as kernels do.
    #[test]
    fn declarations_without_members_are_passed_over() {
        for kernel in KERNELS {
            let btf = open(kernel);
            assert!(btf.ids("task_struct").unwrap().len() > 1, "{kernel}");
            assert!(btf.member("task_struct", "pid").is_ok());
        }
    }
}
