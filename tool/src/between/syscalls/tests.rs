use std::time::Duration;

use stillwatch_common::{
    io::owner_id,
    syscalls::{Account, ROWS},
};

use super::*;
use crate::{cli::plan::Draw, sample::Moment};

const ENOENT: i32 = 2;
const EMFILE: i32 = 24;

fn plan() -> plan::Syscalls {
    plan::Syscalls {
        mode: Mode::Exact,
        slow: Duration::from_millis(10),
        idle: false,
        by: None,
        errors: false,
        failing: true,
        only: vec![],
        draw: Draw::Tables,
    }
}

fn openat() -> u32 {
    syscall_names::number("openat").unwrap()
}

fn caller(pid: u32, start_ns: u64, errno: i32) -> Caller {
    Caller { owner: owner_id(pid, start_ns), nr: openat(), idle: 0, errno: errno as u16 }
}

/// So many calls that failed, of one caller each.
fn sample(failed: &[(Caller, u64)]) -> sample::Syscalls {
    let mut sample = sample::Syscalls { rows: vec![Row::default(); ROWS], ..Default::default() };
    for &(caller, errors) in failed {
        let account = Account { calls: errors, errors, total_ns: errors, max_ns: 1, ..Account::default() };
        sample.callers.insert(caller, account);
        *sample.errnos.entry(openat() << 16 | u32::from(caller.errno)).or_default() += errors;
        sample.rows[openat() as usize].untimed += errors as u32;
    }
    sample
}

fn between(prev: &sample::Syscalls, next: &sample::Syscalls) -> Syscalls {
    let span = Span { from: Moment::default(), to: Moment::default() };
    super::between(prev, next, &span, &plan())
}

#[test]
fn errors_of_a_call_are_told_apart_and_by_process() {
    let (looker, leaky) = (caller(7, 1 << 30, ENOENT), caller(8, 1 << 30, EMFILE));
    let syscalls = between(&sample(&[(looker, 100), (leaky, 10)]), &sample(&[(looker, 400), (leaky, 60)]));
    let mut failed: Vec<_> = syscalls.failed.iter().map(|one| (one.errno.as_str(), one.count)).collect();
    failed.sort_unstable();
    assert_eq!(failed, [("EMFILE", 50), ("ENOENT", 300)]);
    let commonest = syscalls.rows[0].commonest_error.as_ref().unwrap();
    assert_eq!((commonest.name.as_str(), commonest.count), ("ENOENT", 300));
    let mut by: Vec<_> =
        syscalls.failing.iter().flatten().map(|one| (one.who.pid, one.errno.as_str(), one.errors)).collect();
    by.sort_unstable();
    assert_eq!(by, [(Some(7), "ENOENT", 300), (Some(8), "EMFILE", 50)]);
}

#[test]
fn a_number_that_is_used_again_has_calls_of_its_own() {
    let (before, after) = (caller(7, 1 << 30, EMFILE), caller(7, 9 << 30, EMFILE));
    let syscalls = between(&sample(&[(before, 100)]), &sample(&[(before, 103), (after, 200)]));
    let failing = syscalls.failing.unwrap();
    let mut by: Vec<_> = failing.iter().map(|one| (one.who.started, one.errors)).collect();
    by.sort_unstable();
    assert_eq!(by, [(Some(1 << 10), 3), (Some(9 << 10), 200)]);
}

#[test]
fn how_often_a_process_tried_to_connect() {
    let connect = |errno: u16| Caller { nr: syscall_names::number("connect").unwrap(), errno, ..caller(7, 1 << 30, 0) };
    let after =
        sample(&[(connect(0), 3), (connect(libc::ENETUNREACH as u16), 5), (connect(libc::EINPROGRESS as u16), 1)]);
    let failing = between(&sample(&[]), &after).failing.unwrap();
    let mut by: Vec<_> = failing.iter().map(|one| (one.errors, one.tried)).collect();
    by.sort_unstable();
    assert_eq!(by, [(1, Some(9)), (5, Some(9))]);
}
