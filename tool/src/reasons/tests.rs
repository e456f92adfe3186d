use super::*;

/// Real stacks: `### reason | kernel | task | what was going on`, then the text of /proc/PID/task/TID/stack, unchanged.
const STACKS: &str = include_str!("stacks.txt");

fn reason(stack: &str) -> String {
    let frames: Vec<&str> = stack.split(" < ").collect();
    Reason::of(&frames).map_or_else(|| "none".to_owned(), |reason| reason.to_string())
}

#[test]
fn real_stacks_have_their_reasons() {
    let mut wrong = Vec::new();
    for stack in STACKS.split("### ").skip(1) {
        let (head, text) = stack.split_once('\n').unwrap();
        let expected = head.split(" | ").next().unwrap();
        let found = Reason::of(&parse_stack(text)).unwrap().to_string();
        if found != expected {
            wrong.push(format!("{found}, not {head}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(STACKS.matches("### ").count() > 50);
}

/// As a program in the kernel sees them, the ways to sleep included. Written by hand, for the order of the signatures.
const FULL: &str = "\
writeback throttling | schedule < io_schedule < rq_qos_wait < wbt_wait < blk_mq_submit_bio < do_writepages < ext4_sync_file
page read | schedule < io_schedule < wait_on_page_bit_common < generic_file_buffered_read < new_sync_read
metadata read | io_schedule < bit_wait_io < __wait_on_bit < out_of_line_wait_on_bit < __wait_on_buffer < ext4_bread
waiting for writeback | io_schedule < wait_on_page_bit < wait_on_page_writeback < __filemap_fdatawait_range
filesystem lock | schedule < rwsem_down_write_slowpath < path_openat < do_filp_open
filesystem lock | schedule < __mutex_lock < mutex_lock < __fdget_pos < ksys_read
filesystem lock | schedule < rwsem_down_read_slowpath < down_read < ext4_map_blocks < do_fault < exc_page_fault
filesystem lock | schedule < percpu_rwsem_wait < __percpu_down_read < ext4_writepages < do_writepages
filesystem lock | schedule < __mutex_lock < crypto_helper < ext4_get_key
memory lock (mmap_lock) | rwsem_down_read_slowpath < do_user_addr_fault < exc_page_fault < ext4_buffered_write_iter
kernel lock | schedule < __mutex_lock < cgroup_kn_lock_live < cgroup_mkdir < kernfs_iop_mkdir < vfs_mkdir
kernel lock | schedule < percpu_rwsem_wait < __percpu_down_read < cgroup_can_fork < copy_process < kernel_clone
device queue full | io_schedule < blk_mq_get_tag < __blk_mq_alloc_requests < blk_mq_submit_bio < ext4_mpage_readpages
I/O controller throttling | io_schedule < rq_qos_wait < blkcg_iolatency_throttle < __rq_qos_throttle < do_writepages
vfork: the child has not executed yet | __wait_for_common < wait_for_completion_state < kernel_clone < __do_sys_vfork
RCU grace period | schedule < synchronize_rcu_expedited < namespace_unlock < path_umount
memory reclaim | folio_wait_bit_common < folio_wait_writeback < shrink_folio_list < shrink_node < ext4_da_write_begin
swap-in | schedule < io_schedule < folio_wait_bit_common < do_swap_page < handle_mm_fault < do_user_addr_fault
network filesystem | schedule < rpc_wait_bit_killable < __wait_on_bit < nfs4_run_open_task < nfs4_do_open < path_openat
page lock | io_schedule < __folio_lock < ext4_page_mkwrite < do_page_mkwrite < do_fault
page read | io_schedule < bit_wait_io < __wait_on_buffer < __block_write_begin_int < block_write_begin
filesystem I/O | schedule < io_schedule < bit_wait_io < __wait_on_bit < f2fs_unknown
other: a_driver_waits | schedule < schedule_timeout < a_driver_waits < kthread
";

#[test]
fn full_stacks_have_their_reasons() {
    for (expected, stack) in FULL.lines().filter_map(|line| line.split_once(" | ")) {
        assert_eq!(reason(stack), expected, "{stack}");
    }
    for (expected, stack) in [("none", ""), ("other: schedule", "__schedule < schedule")] {
        assert_eq!(reason(stack), expected, "{stack}");
    }
    assert_eq!(Reason::of(&[] as &[&str]), None);
}

#[test]
fn the_text_of_proc_is_parsed() {
    let text = "[<0>] __ext4_sb_bread_gfp.isra.0+0xad/0xb0\n[<0>] xlog_wait+0x1/0x2 [xfs]\n[<0>] 0xffffffffc0201000\n";
    assert_eq!(parse_stack(text), ["__ext4_sb_bread_gfp", "xlog_wait"]);
    assert_eq!(parse_stack("[<ffffffff8120f2d9>] do_fsync+0x3b/0xa0\n"), ["do_fsync"], "kernels that print addresses");
    assert!(parse_stack("").is_empty());
    assert!(parse_stack("[<0>] \nodd\n").is_empty());
}

#[test]
fn below_means_further_out() {
    let signature = Signature { kind: Kind::KernelLock, frames: "lock*", below: "caller", asked_by: "" };
    assert!(signature.matches(&["lock_it", "between", "caller"], "between"));
    assert!(!signature.matches(&["caller", "lock_it"], "caller"));
}

#[test]
fn every_kind_has_a_row_and_names_of_its_own() {
    for (at, kind) in Kind::ALL.iter().enumerate() {
        assert!(*kind == Kind::Other || SIGNATURES.iter().any(|signature| signature.kind == *kind), "{kind:?}");
        assert!(kind.name().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{kind:?}");
        for other in &Kind::ALL[at + 1..] {
            assert!(kind.name() != other.name() && kind.words() != other.words(), "{kind:?} and {other:?}");
        }
    }
    assert_eq!(serde_json::to_string(&Kind::JournalCommit).unwrap(), "\"journal_commit\"");
}

#[test]
fn signatures_ask_for_something_and_patterns_are_well_formed() {
    for signature in SIGNATURES {
        assert!(
            !signature.frames.is_empty() || !signature.asked_by.is_empty(),
            "{:?} matches everything",
            signature.kind
        );
        for pattern in [signature.frames, signature.below, signature.asked_by, QUIET]
            .iter()
            .flat_map(|list| list.split_ascii_whitespace())
        {
            let name = pattern.strip_suffix('*').unwrap_or(pattern);
            let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            assert!(plain && name.len() > 2, "{pattern} in {:?}", signature.kind);
        }
    }
}
