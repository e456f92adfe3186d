use std::time::Duration;

use super::*;
use crate::{
    kernel::features::FOREIGN,
    names::fake::Fake,
    snapshot::who::{ENDED, NOT_IN_TIME},
    table::{Known, Why},
};

/// Number 7 is `now`'s, which started a minute after boot; of the cgroups that the kernel notes, one is still there.
fn fake() -> Fake {
    let processes = [(7, ("now", "/now", Duration::from_secs(60)))].into();
    Fake { processes, cgroups: [(5, "/noted")].into(), ..Fake::default() }
}

fn names() -> Names {
    Names::new(fake())
}

fn started(seconds: u64) -> Option<u32> {
    Some(((seconds * 1_000_000_000) >> 20) as u32)
}

fn named(who: Who) -> Who {
    let mut who = who;
    name(&mut who, &mut names());
    who
}

fn noted(pid: u32, cgroup: u64) -> Who {
    Who::recorded(pid, b"noted\0\0\0\0\0\0\0\0\0\0\0", cgroup)
}

fn says(who: &Who) -> [Option<&str>; 3] {
    [who.comm.as_deref(), who.cgroup.as_deref(), who.unknown.as_deref()]
}

#[test]
fn a_living_process_has_the_name_of_now_and_the_noted_one_is_kept() {
    let who = named(Who { started: started(60), ..noted(7, 5) });
    assert_eq!(says(&who), [Some("now"), Some("/now"), None]);
    assert_eq!(who.noted.as_deref(), Some("noted"));
    assert_eq!(named(Who::living(7)).noted, None);
}

#[test]
fn a_thread_of_the_kernel_has_the_cgroup_that_it_works_for() {
    let thread = |cgroup| named(Who { kernel_thread: true, ..noted(7, cgroup) });
    assert_eq!(says(&thread(5)), [Some("now"), Some("/noted"), None]);
    assert_eq!(says(&thread(0)), [Some("now"), Some("/now"), None]);
}

#[test]
fn a_number_that_is_another_s_by_now_does_not_take_its_name() {
    let who = named(Who { started: started(30), ..noted(7, 5) });
    assert_eq!(says(&who), [Some("noted"), Some("/noted"), None]);
    let who = named(Who { started: started(30), ..Who::living(7) });
    assert_eq!(says(&who), [None, None, Some(ENDED)]);
}

#[test]
fn a_cgroup_that_was_not_read_in_time_is_said_to_be_so() {
    let mut names = Names::new(Fake { late: true, ..fake() });
    let mut whom = [Who::living(7), noted(7, 5), Who::living(8)];
    all(&mut whom, &mut names);
    assert_eq!(says(&whom[0]), [Some("now"), None, Some(NOT_IN_TIME)]);
    assert_eq!(says(&whom[1]), [Some("now"), Some("/noted"), None]);
    assert_eq!(says(&whom[2]), [None, None, Some(ENDED)]);
}

/// A cgroup that is still there is not said to be gone.
#[test]
fn a_victim_s_cgroup_that_was_not_looked_up_in_time_is_said_to_be_so() {
    let said = |fake: Fake, cgroup: u64, charged: u64| {
        let mut who = noted(8, cgroup);
        oom::past(&mut who, charged, &mut Names::new(fake));
        [who.cgroup, who.unknown.map(Into::into)]
    };
    let late = || Fake { late_ids: true, ..fake() };
    assert_eq!(said(late(), 5, 0), [None, Some(NOT_IN_TIME.into())]);
    assert_eq!(said(late(), 0, 5), [None, Some(NOT_IN_TIME.into())]);
    assert_eq!(said(fake(), 6, 6), [None, Some(oom::GONE.into())]);
    assert_eq!(said(fake(), 6, 5), [Some("/noted".into()), None]);
    assert_eq!(said(fake(), 5, 6), [Some("/noted".into()), None]);
}

#[test]
fn an_ended_process_keeps_what_was_noted() {
    assert_eq!(says(&named(noted(8, 5))), [Some("noted"), Some("/noted"), None]);
    assert_eq!(says(&named(Who::living(8))), [None, None, Some(ENDED)]);
}

#[test]
fn an_unknown_cgroup_says_why() {
    assert_eq!(says(&named(noted(8, 6))), [Some("noted"), None, Some(ENDED)]);
    assert_eq!(says(&named(noted(8, 0))), [Some("noted"), None, Some(ENDED)]);
}

#[test]
fn in_a_pid_namespace_a_number_takes_nobody_s_name() {
    let named = |mut who: Who| {
        name(&mut who, &mut Names::new(Fake { foreign: true, ..fake() }));
        who
    };
    assert_eq!(says(&named(Who { started: started(60), ..noted(7, 5) })), [Some("noted"), Some("/noted"), None]);
    assert_eq!(says(&named(noted(7, 0))), [Some("noted"), None, Some(FOREIGN)]);
    assert_eq!(says(&named(Who::living(7))), [None, None, Some(FOREIGN)]);
}

#[test]
fn several_that_have_ended_are_of_a_cgroup() {
    let who = named(Who { pid: None, ..noted(0, 5) });
    assert_eq!(says(&who), [Some("noted"), Some("/noted"), None]);
}

#[test]
fn text_names_what_it_may_show() {
    let named = |plan: &Plan| {
        let slow = |pid| crate::sinks::sample::slow(Who::living(pid), "read", 1, 1);
        let mut table = [slow(8), slow(7), slow(9), slow(7)];
        rows(&mut table, &mut names(), plan);
        table.map(|row| row.who.comm.is_some() || row.who.unknown.is_some())
    };
    let mut plan = Plan { top: 1, ..Plan::default() };
    assert_eq!(named(&plan), [true, false, false, false]);
    plan.filter.pids = vec![7];
    assert_eq!(named(&plan), [true, true, false, true]);
    plan.filter.pids = vec![];
    plan.filter.comm = Some("now".into());
    assert_eq!(named(&plan), [true; 4]);
    assert_eq!(named(&Plan { json: true, ..Plan::default() }), [true; 4]);
}

/// Each path is asked for on its own: of a long table those of the first rows.
#[test]
fn paths_are_of_the_rows_that_are_seen() {
    use crate::snapshot::disk::{CLOSED, Disk, Growing, NOT_SEEN};

    let row = |holder| Growing {
        who: Who::living(holder),
        path: Known::Not(Why::NotLookedAt(NOT_SEEN.into())),
        mount: "/srv".to_owned().into(),
        bytes: 1,
        bytes_per_s: 1,
        size_bytes: 1,
        over_ns: 1,
        writers: 1,
        holder,
        fd: 3,
        inode: holder.into(),
        dirtied_by: Vec::new(),
    };
    let mut disk = Disk { growing: (7..107).map(row).collect::<Vec<_>>().into(), ..Disk::default() };
    let plan = Plan { json: true, ..Plan::default() };
    disk::resolve(&mut disk, &mut names(), &plan);
    let rows = disk.growing.value().unwrap();
    assert_eq!(rows[0].path, "/srv/now.3".to_owned().into());
    let why = |at: usize| rows[at].path.why().map(ToString::to_string).unwrap();
    assert_eq!((why(1), why(63)), (CLOSED.to_owned(), CLOSED.to_owned()));
    assert!(why(64).ends_with(NOT_SEEN), "{}", why(64));
}
