//! Texts that real kernels wrote.

use std::time::Duration;

use super::*;

const V5_10: &str = include_str!("texts/5.10.txt");
const V6_18: &str = include_str!("texts/6.18-memcg-v1.txt");

/// `[ 1063.313753] text`, as `dmesg` has it.
fn line(sequence: usize, text: &str) -> Line {
    let (at, text) = text.strip_prefix('[').unwrap().split_once("] ").unwrap();
    let at = Duration::from_secs_f64(at.trim().parse().unwrap());
    Line { sequence: sequence as u64, at, text: text.to_owned() }
}

fn reports(text: &str) -> Vec<Report> {
    let mut collector = Collector::default();
    text.lines().enumerate().for_each(|(at, text)| collector.push(line(at, text)));
    collector.reports().cloned().collect()
}

fn one(lines: &[&str]) -> Report {
    let mut collector = Collector::default();
    for (at, text) in lines.iter().enumerate() {
        collector.push(Line { sequence: at as u64, text: (*text).to_owned(), ..Line::default() });
    }
    let reports: Vec<_> = collector.reports().cloned().collect();
    assert_eq!(reports.len(), 1, "{reports:#?}");
    reports.into_iter().next().unwrap()
}

#[test]
fn a_cgroup_v1_of_6_18() {
    let [report] = &reports(V6_18)[..] else { panic!("one report") };
    assert_eq!(report.lines.len(), V6_18.lines().count());
    let trigger = report.trigger.as_ref().unwrap();
    assert_eq!((trigger.comm.as_str(), trigger.pid, trigger.order), ("python3", Some(14951), 0));
    assert_eq!((trigger.gfp.as_str(), trigger.gfp_mask), ("GFP_KERNEL", 0xcc0));
    let summary = report.summary.as_ref().unwrap();
    assert_eq!((summary.constraint, summary.pid), (Constraint::Memcg, 14951));
    assert_eq!((summary.oom_memcg.as_deref(), summary.task_memcg.as_str()), (Some("/swoom"), "/swoom"));
    assert_eq!((summary.cpuset.as_str(), summary.mems_allowed.as_str()), ("/", "0"));
    let memory = report.counter("memory").unwrap();
    assert_eq!((memory.usage_bytes, memory.limit_bytes, memory.failures), (50 << 20, Some(50 << 20), 270));
    assert_eq!(report.counter("memory+swap").unwrap().limit_bytes, None);
    let [candidate] = &report.candidates[..] else { panic!("{:?}", report.candidates) };
    assert_eq!((candidate.comm.as_str(), candidate.rss_pages), ("python3", 14267));
    assert_eq!((candidate.parts_pages, candidate.swap_pages), (Some([12704, 1563, 0]), 0));
    let killed = report.killed(14951).unwrap();
    assert_eq!((killed.anon_bytes, killed.file_bytes, killed.shmem_bytes), (50816 << 10, 6252 << 10, 0));
    assert_eq!((killed.total_vm_bytes, killed.pgtables_bytes), (60768 << 10, 164 << 10));
    assert_eq!((killed.uid, killed.oom_score_adj, killed.memcg), (0, 0, true));
}

#[test]
fn cgroups_and_the_host_of_5_10() {
    let reports = reports(V5_10);
    let [nested, group, host] = &reports[..] else { panic!("{} reports", reports.len()) };
    let summary = nested.summary.as_ref().unwrap();
    assert_eq!((summary.oom_memcg.as_deref(), summary.task_memcg.as_str()), (Some("/a"), "/a/b"));
    assert_eq!(summary.cpuset, "a");
    assert_eq!(nested.counter("memory").unwrap().failures, 19);
    assert_eq!(nested.counter("swap").unwrap().limit_bytes, Some(0));

    assert_eq!(group.group.as_deref(), Some("/g"));
    let pids: Vec<u32> = group.killed.iter().map(|killed| killed.pid).collect();
    // The kernel names the first one twice.
    assert_eq!(pids, [105, 102, 103, 104, 105]);
    assert_eq!(group.candidates.len(), 4);

    let trigger = host.trigger.as_ref().unwrap();
    assert_eq!(trigger.gfp, "GFP_HIGHUSER_MOVABLE|__GFP_ZERO");
    let summary = host.summary.as_ref().unwrap();
    assert_eq!((summary.constraint, summary.oom_memcg.as_deref()), (Constraint::None, None));
    assert_eq!(summary.task_memcg, "/");
    assert!(!host.killed(107).unwrap().memcg && host.candidates.len() == 3);
    let lines: usize = reports.iter().map(|report| report.lines.len()).sum();
    assert_eq!(lines, V5_10.lines().count(), "every line belongs to one");
}

#[test]
fn names_may_be_anything() {
    let summary = "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=y,mems_allowed=0-1,3,\
        oom_memcg=/a,task_memcg=/b,task_memcg=/a,task_memcg=/b/c,task=p,pid=1,uid=2,pid=7,uid=0";
    let report = one(&[
        "a invoked oom-k invoked oom-killer: gfp_mask=0x1(GFP_ATOMIC), order=3, oom_score_adj=-999",
        "CPU: 0 PID: 9 Comm: PID: 8 Comm: x Not tainted",
        "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
        "[      7]  1000     7      100       50      4096        3          -17  a [b] c ",
        summary,
        "Out of memory: Killed process 7 (a) total-vm:9kB) total-vm:400kB, anon-rss:200kB, file-rss:0kB, shmem-rss:0kB, \
         UID:1000 pgtables:4kB oom_score_adj:-17",
    ]);
    let trigger = report.trigger.unwrap();
    assert_eq!(trigger.comm, "a invoked oom-k");
    assert_eq!((trigger.pid, trigger.order, trigger.gfp.as_str()), (Some(9), 3, "GFP_ATOMIC"));
    let candidate = &report.candidates[0];
    assert_eq!((candidate.comm.as_str(), candidate.oom_score_adj, candidate.swap_pages), ("a [b] c ", -17, 3));
    assert_eq!((candidate.parts_pages, candidate.uid), (None, 1000));
    let summary = report.summary.unwrap();
    assert_eq!((summary.cpuset.as_str(), summary.mems_allowed.as_str()), ("x,mems_allowed=y", "0-1,3"));
    assert_eq!(summary.oom_memcg.as_deref(), Some("/a,task_memcg=/b"));
    assert_eq!((summary.task_memcg.as_str(), summary.pid), ("/a,task_memcg=/b/c", 7));
    let killed = &report.killed[0];
    assert_eq!((killed.comm.as_str(), killed.total_vm_bytes, killed.uid), ("a) total-vm:9kB", 400 << 10, 1000));
    assert_eq!(killed.oom_score_adj, -17);
}

#[test]
fn a_name_does_not_make_a_line_one_of_the_kernel_s() {
    let kill = |before: &str| {
        format!(
            "{before}: Killed process 1 (systemd) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB, UID:0 \
             pgtables:4kB oom_score_adj:0"
        )
    };
    for before in ["Out of memory", "Out of memory (oom_kill_allocating_task)", "Memory cgroup out of memory"] {
        assert_eq!(lines::killed(&kill(before)).map(|killed| killed.pid), Some(1), "{before}");
        assert_eq!(lines::killed(&kill(&format!("x {before}"))), None);
    }
    let head = "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/x";
    for before in [head, "Memory cgroup stats for /x", "Tasks in /x", "Out of memory: x", ""] {
        assert_eq!(lines::killed(&kill(before)), None, "{before}");
    }
    let (name, mask) = ("a name 15 bytes", "invoked oom-killer: gfp_mask=0x0(x), order=0, oom_score_adj=0");
    assert!(
        lines::trigger(&format!("{name} {mask}")).is_some() && lines::trigger(&format!("{name}+ {mask}")).is_none()
    );
    let usage = "usage 1kB, limit 1kB, failcnt 2";
    assert!(
        lines::counter(&format!("kmem: {usage}")).is_some() && lines::counter(&format!("/kmem: {usage}")).is_none()
    );
}

#[test]
fn without_its_head_a_kill_is_a_report_of_its_own() {
    let killed = |pid: u32| {
        format!(
            "Memory cgroup out of memory: Killed process {pid} (x) total-vm:4kB, anon-rss:4kB, file-rss:0kB, \
             shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0"
        )
    };
    let mut collector = Collector::default();
    let lines = [
        killed(1),
        "something else".to_owned(),
        killed(2),
        killed(3),
        "oom_reaper: reaped process 2 (x), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB".to_owned(),
        "oom_reaper: unable to reap pid:1 (x)".to_owned(),
    ];
    for (at, text) in lines.into_iter().enumerate() {
        collector.push(Line { sequence: at as u64, at: Duration::from_secs(at as u64), text });
    }
    let reports: Vec<_> = collector.reports().collect();
    let pids: Vec<Vec<u32>> =
        reports.iter().map(|report| report.killed.iter().map(|killed| killed.pid).collect()).collect();
    assert_eq!(pids, [vec![1], vec![2], vec![3]]);
    assert!(reports.iter().all(|report| report.trigger.is_none() && report.summary.is_none()));
    assert_eq!(reports.iter().map(|report| report.lines.len()).collect::<Vec<_>>(), [2, 2, 1]);
    collector.forget(Duration::from_secs(1));
    assert_eq!(collector.reports().count(), 3, "the reaper's lines count, and the last may go on");
    collector.forget(Duration::ZERO);
    assert_eq!(collector.reports().count(), 2);
}

#[test]
fn by_hand_and_on_some_nodes() {
    let report = one(&["bash invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=-1, oom_score_adj=0"]);
    assert_eq!(report.trigger.unwrap().order, -1);
    let text = "oom-kill:constraint=CONSTRAINT_MEMORY_POLICY,nodemask=1,cpuset=/,mems_allowed=0-1,global_oom,task_memcg=/,task=x,pid=3,uid=0";
    let summary = lines::summary(text).unwrap();
    assert_eq!((summary.constraint, summary.oom_memcg), (Constraint::MemoryPolicy, None));
    assert_eq!(lines::summary("oom-kill:constraint=CONSTRAINT_NEW,nodemask=(null),x"), None);
    for damaged in ["", "oom-kill:constraint=", "memory: usage xkB, limit 1kB, failcnt 2", ": Killed process 1 (x)"] {
        assert!(
            lines::summary(damaged).is_none() && lines::counter(damaged).is_none() && lines::killed(damaged).is_none()
        );
    }
}

mod any {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever a kernel, or somebody who can name a process, writes: nothing panics.
        #[test]
        fn lines_do_no_harm(text in "(oom-kill:constraint=CONSTRAINT_MEMCG|memory|\\[  pid  \\] total_vm|x)?[ -~]{0,80}") {
            let mut collector = Collector::default();
            for _ in 0..2 {
                collector.push(Line { text: text.clone(), ..Line::default() });
                collector.push(Line { text: format!("{text}: Killed process 7 ({text}) total-vm:{text}"), ..Line::default() });
                collector.push(Line { text: format!("x invoked oom-killer: gfp_mask={text}"), ..Line::default() });
            }
        }
    }
}

#[test]
fn cgroups_and_the_host_of_7_2() {
    let reports = reports(include_str!("texts/7.2.txt"));
    let [nested, group, host] = &reports[..] else { panic!("{} reports", reports.len()) };
    assert_eq!(nested.trigger.as_ref().unwrap().pid, Some(124));
    assert_eq!(nested.summary.as_ref().unwrap().task_memcg, "/a/b");
    assert_eq!((group.group.as_deref(), group.killed.len(), group.candidates.len()), (Some("/g"), 5, 4));
    assert!(group.candidates.iter().all(|candidate| candidate.parts_pages.is_some()));
    assert_eq!(host.summary.as_ref().unwrap().constraint, Constraint::None);
    assert_eq!(host.candidates.len(), 3);
}
