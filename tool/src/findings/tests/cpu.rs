//! Rules about CPUs.

use super::*;

/// Two busy CPUs, whose tasks wait so long in all.
fn busy(waits_ns: u64) -> Snapshot {
    with(quiet(), |snapshot| {
        let cpu = snapshot.cpu.as_mut().unwrap();
        let busy = |number| Processor { number, user_ns: SECOND, ..Processor::default() };
        cpu.processors = vec![busy(0), busy(1)];
        cpu.scheduler = Scheduler::of(latency(&[(waits_ns / 1000, 1000)]), 0);
        let ran = |who, ran_ns| Running { ran_ns, on: [(0, ran_ns)].into(), ..Running::none(who) };
        cpu.running = vec![ran(culprit(), 1_600 * MS), ran(victim(), 200 * MS)].into();
        cpu.waited = vec![waited(victim(), 900 * MS)].into();
    })
}

#[test]
fn processors_are_full_when_more_than_one_task_waits_for_each() {
    let found = only(&busy(3_000 * MS));
    assert_eq!((found.rule, found.harm), ("cpu_saturated", 3.0));
    assert!(found.statement.contains("rsync 812 has 80% of it"), "{}", found.statement);
    assert_eq!((first_pid(&found.culprits), first_pid(&found.victims)), (Some(812), Some(430)));
    assert!(look(&busy(2_900 * MS)).is_empty());
    let idle = |class: &str| {
        with(busy(3_000 * MS), |snapshot| snapshot.cpu.as_mut().unwrap().waited[0].class = Some(class.into()))
    };
    assert!(look(&idle("idle")).is_empty() && look(&idle("nice 19")).is_empty(), "meant to wait");
    assert!(!look(&idle("nice 10")).is_empty());
    let beside = with(busy(3_000 * MS), |snapshot| {
        let rows = snapshot.cpu.as_mut().unwrap().running.value_mut().unwrap();
        rows[0].class = Some("idle".into());
    });
    let found = only(&beside);
    assert!(found.culprits.is_empty(), "who has what others leave over is in nobody's way");
    assert!(found.statement.contains("no process has a quarter of it"), "{}", found.statement);
    let mut unknown = busy(0);
    unknown.cpu.as_mut().unwrap().scheduler.run_queue = Known::unavailable("no clock");
    let found = only(&unknown);
    assert!(found.statement.contains("cannot tell") && found.statement.ends_with("because no clock"));
    assert_eq!(found.confidence(), "low");
}

#[test]
fn one_processor_is_full_while_the_other_is_idle() {
    let pinned = |waits_ns| {
        with(busy(100 * MS), |snapshot| {
            let cpu = snapshot.cpu.as_mut().unwrap();
            cpu.processors[1] = Processor { number: 1, idle_ns: SECOND, ..Processor::default() };
            let rows = cpu.running.value_mut().into_iter().flatten();
            rows.for_each(|row| row.on.values_mut().for_each(|ns| *ns /= 2));
            cpu.waited[0].total_ns = waits_ns;
        })
    };
    let found = only(&pinned(700 * MS));
    assert_eq!((found.rule, found.subject.as_str(), found.harm), ("cpu_saturated", "0", 0.7));
    assert_eq!((first_pid(&found.culprits), first_pid(&found.victims)), (Some(812), Some(430)));
    assert!(look(&pinned(699 * MS)).is_empty());
}

/// A task of this class has so much of CPU 0, and the other CPU is half busy.
fn taken(class: &str, ran_ns: u64, waits_ns: u64) -> Snapshot {
    with(busy(100 * MS), |snapshot| {
        let cpu = snapshot.cpu.as_mut().unwrap();
        cpu.processors[1] = Processor { number: 1, user_ns: 900 * MS, idle_ns: 100 * MS, ..Processor::default() };
        let rows = cpu.running.value_mut().unwrap();
        (rows[0].class, rows[0].on) = (Some(class.into()), [(0, ran_ns)].into());
        cpu.waited[0].total_ns = waits_ns;
    })
}

#[test]
fn a_real_time_task_that_has_a_cpu_is_named_as_one() {
    let found = only(&taken("fifo 40", 950 * MS, 700 * MS));
    assert_eq!((found.rule, found.subject.as_str(), found.harm), ("cpu_saturated", "0", 0.7));
    assert_eq!(
        found.statement,
        "CPU 0 is taken by a real-time task: postgres 430 waits 700ms/s for it; rsync 812 (fifo 40) has 95% of it"
    );
    assert_eq!((first_pid(&found.culprits), first_pid(&found.victims)), (Some(812), Some(430)));
    assert!(look(&taken("fifo 40", 950 * MS, 699 * MS)).is_empty());
    assert!(look(&taken("fifo 40", 499 * MS, 700 * MS)).is_empty(), "it has less than half");
    assert!(look(&taken("nice -5", 950 * MS, 700 * MS)).is_empty(), "the other CPU is not idle");
    let going_on = with(taken("rr 1", 950 * MS, 0), |snapshot| {
        let cpu = snapshot.cpu.as_mut().unwrap();
        cpu.waited.clear();
        cpu.waiting = vec![Waiting { who: victim(), age_ns: 9 * SECOND, ..Waiting::default() }].into();
    });
    assert_eq!(only(&going_on).harm, 1.0, "it never runs");
    let full = with(busy(3_000 * MS), |snapshot| {
        let rows = snapshot.cpu.as_mut().unwrap().running.value_mut().unwrap();
        (rows[1].class, rows[1].on) = (Some("fifo 40".into()), [(1, 600 * MS)].into());
    });
    let found = only(&full);
    assert!(found.statement.contains("; postgres 430 (fifo 40) has 60% of CPU 1;"), "{}", found.statement);
    assert_eq!(found.culprits.len(), 2);
}

#[test]
fn a_quota_and_softirqs() {
    let throttled = |throttled_ns| {
        with(quiet(), |snapshot| {
            let row =
                Throttled { cgroup: "/batch".into(), periods: 10, throttled: 9, throttled_ns, members: vec![victim()] };
            snapshot.cpu.as_mut().unwrap().throttled = vec![row].into();
        })
    };
    let found = only(&throttled(100 * MS));
    assert_eq!((found.rule, found.subject.as_str(), first_pid(&found.victims)), ("quota", "/batch", Some(430)));
    assert_eq!(found.statement, "/batch is throttled 100ms/s by its CPU quota, in 90% of its periods: postgres 430");
    assert!(look(&throttled(99 * MS)).is_empty());
    let softirq = |softirq_ns| {
        with(quiet(), |snapshot| {
            let cpu = snapshot.cpu.as_mut().unwrap();
            cpu.processors[1] =
                Processor { number: 1, idle_ns: SECOND - softirq_ns, softirq_ns, ..Processor::default() };
        })
    };
    assert!(holds(&softirq(500 * MS), "softirq") && !holds(&softirq(499 * MS), "softirq"));
    let packets = |softirqs, dropped| {
        with(softirq(500 * MS), |snapshot| {
            snapshot.cpu.as_mut().unwrap().softirqs = vec![("net_rx".into(), softirqs)];
            let end = |port| tcp::End { address: [10, 0, 0, 1].into(), port };
            let mut one = network::dropped(end(50_000), end(80), "netfilter drop", None);
            one.owners.who = culprit();
            snapshot.tcp.as_mut().unwrap().events.drops = vec![one; dropped];
        })
    };
    let found = only(&packets(20, 10));
    assert!(found.statement.ends_with("; rsync 812 has at least 10 packets/s"), "{}", found.statement);
    assert_eq!(first_pid(&found.culprits), Some(812));
    let found = only(&packets(20, 9));
    assert!(found.culprits.is_empty() && found.unknown.contains(&"whose packets they are".to_owned()));
    let without = Snapshot { tcp: None, ..packets(20, 0) };
    assert!(only(&without).unknown.contains(&"whose packets they are: no TCP".to_owned()));
}
