use std::{collections::BTreeMap, fs, path::Path};

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::{
    snapshot::{
        Who,
        cpu::Running,
        io::{Cause, How, Io, Stalled},
        who::ENDED,
    },
    table::{AnyRow, Cell, Column, Merge, Then, any::Dice},
};

/// What adds up in all tables, by table, column and name.
type Sums = BTreeMap<(&'static str, &'static str, String), i128>;

struct Summed<'a>(&'a Snapshot, &'a mut Sums);

impl EachTable for Summed<'_> {
    type Error = Infallible;

    fn table<T: Tabular>(&mut self, of: Of<T>) -> Result<(), Infallible> {
        let Some(table) = of(self.0) else { return Ok(()) };
        let mut add = |column: &Column, cell: &Cell<'_>| {
            if column.merge == Merge::Add && !column.shared {
                for (name, count) in counted(cell) {
                    *self.1.entry((T::Row::NAME, column.name, name)).or_default() += count;
                }
            }
        };
        for row in table.rows() {
            T::Row::COLUMNS.iter().enumerate().for_each(|(at, column)| add(column, &row.at(at)));
        }
        if let Some(others) = table.others() {
            T::Row::COLUMNS.iter().zip(others.cells()).for_each(|(column, cell)| add(column, &cell));
        }
        Ok(())
    }
}

fn counted(cell: &Cell<'_>) -> Vec<(String, i128)> {
    match cell {
        Cell::Count(count) => vec![(String::new(), (*count).into())],
        Cell::Signed(count) => vec![(String::new(), (*count).into())],
        Cell::Named(counts) => counts.iter().map(|(name, count)| (name.to_string(), i128::from(*count))).collect(),
        Cell::Times(latency) => {
            let buckets = latency.histogram().map(|(from_ns, count)| (format!("from {from_ns}"), count));
            let all = buckets.chain([("count".to_owned(), latency.count), ("total".to_owned(), latency.total_ns)]);
            all.map(|(name, count)| (name, count.into())).collect()
        }
        Cell::None | Cell::Unknown(_) => Vec::new(),
        other => panic!("{other:?} adds up"),
    }
}

fn sums<'a>(snapshots: impl IntoIterator<Item = &'a Snapshot>) -> Sums {
    let mut sums = Sums::new();
    for snapshot in snapshots {
        let Ok(()) = tables::measured(&mut Summed(snapshot, &mut sums));
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}

fn recorded() -> Vec<(String, Vec<Snapshot>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recorded");
    let paths = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    let read = |line: &str| serde_json::from_str(line).unwrap();
    paths
        .map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap().lines().map(read).collect()))
        .collect()
}

fn all(snapshots: &[Snapshot]) -> Snapshot {
    let mut sum = snapshots[0].clone();
    snapshots[1..].iter().for_each(|later| then(&mut sum, later.clone()));
    sum
}

#[test]
fn what_happened_in_a_recording_is_added_up() {
    let all_recorded = recorded();
    assert!(all_recorded.len() > 10);
    for (name, snapshots) in all_recorded {
        let sum = all(&snapshots);
        assert_eq!(sums([&sum]), sums(&snapshots), "{name}");
        assert_eq!(sum.interval, snapshots.iter().map(|snapshot| snapshot.interval).sum());
    }
}

/// The same rows, with the same labels, twice as long.
#[test]
fn an_interval_and_itself_are_the_same_rows() {
    struct Counts<'a>(&'a Snapshot, Vec<usize>);
    impl EachTable for Counts<'_> {
        type Error = Infallible;

        fn table<T: Tabular>(&mut self, of: Of<T>) -> Result<(), Infallible> {
            // Events are of a moment each.
            if T::Row::COLUMNS.iter().all(|column| column.name != "at") {
                self.1.extend(of(self.0).map(|table| table.rows().len()));
            }
            Ok(())
        }
    }
    let counts = |snapshot: &Snapshot| {
        let mut counts = Counts(snapshot, Vec::new());
        let Ok(()) = tables::measured(&mut counts);
        counts.1
    };
    for (name, snapshots) in recorded() {
        for snapshot in snapshots {
            assert_eq!(counts(&all(&[snapshot.clone(), snapshot.clone()])), counts(&snapshot), "{name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_happened_in_any_two_intervals_is_added_up(seed in any::<u64>()) {
        let mut dice = Dice::wide(seed);
        let two: [Snapshot; 2] = [dice.any(), dice.any()];
        prop_assert_eq!(sums([&all(&two)]), sums(&two));
    }

    #[test]
    fn a_share_is_of_both_intervals(seed in any::<u64>()) {
        let mut dice = Dice::wide(seed);
        // Each: who, on which of two disks, and for how long.
        let mut io = || {
            let rows: Vec<(u8, bool, u32)> = dice.any();
            let time = |disk| rows.iter().filter(|row| row.1 == disk).map(|row| u64::from(row.2) + 1).sum::<u64>();
            let cause = |&(pid, disk, ns): &(u8, bool, u32)| {
                let (service_ns, disk_name) = (u64::from(ns) + 1, disk.to_string());
                Cause {
                    who: Who::living(pid.into()),
                    device: disk_name.clone(),
                    disk: disk_name,
                    bytes: 0,
                    ios: 1,
                    service_ns: service_ns.into(),
                    share: (service_ns as f64 / time(disk) as f64).into(),
                    how: How::Direct,
                }
            };
            Io { caused_by: rows.iter().map(cause).collect::<Vec<_>>().into(), ..Io::default() }
        };
        let (mut sum, later) = (io(), io());
        io::then(&mut sum, later);
        let rows = sum.caused_by.value().unwrap();
        for disk in ["false", "true"] {
            let of_disk = || rows.iter().filter(|row| row.disk == disk);
            let time: u64 = of_disk().map(|row| *row.service_ns.value().unwrap()).sum();
            for row in of_disk() {
                let right = *row.service_ns.value().unwrap() as f64 / time as f64;
                prop_assert!((row.share.value().unwrap() - right).abs() < 1e-9, "{:?}", rows);
            }
        }
    }
}

#[test]
fn a_process_has_the_name_that_it_has_now_and_of_one_that_ended_the_last() {
    let ran = |comm: Option<&str>, unknown: Option<&'static str>| {
        let who = Who { comm: comm.map(str::to_owned), unknown: unknown.map(Into::into), ..Who::living(7) };
        vec![Running { ran_ns: 5, ..Running::none(who) }]
    };
    let mut rows = ran(Some("sh"), None);
    rows.then(ran(Some("nginx"), None));
    rows.then(ran(None, Some(ENDED)));
    let who = Who { comm: Some("nginx".to_owned()), unknown: Some(ENDED.into()), ..Who::living(7) };
    assert_eq!(rows, [Running { ran_ns: 15, ..Running::none(who) }]);
}

/// A second of a quiet host.
fn second(at: i64) -> Snapshot {
    let (_, snapshots) = recorded().into_iter().find(|(name, _)| name.ends_with("quota.jsonl")).unwrap();
    let mut second = snapshots[0].clone();
    second.at = jiff::Timestamp::from_second(at).unwrap();
    second.interval = Duration::from_secs(1);
    second
}

#[test]
fn what_does_not_go_on_is_not_added() {
    assert!(can_follow(&second(1), &second(2)));
    assert!(!can_follow(&second(1), &second(3)), "a second is missing");
    let late = second(2).at + SignedDuration::from_millis(30);
    assert!(can_follow(&second(1), &Snapshot { at: late, ..second(2) }));
    let mut held_back = second(2);
    held_back.cost.level.without = vec!["stacks"];
    assert!(!can_follow(&second(1), &held_back), "another level");
    let mut blind = second(2);
    blind.io = None;
    assert!(!can_follow(&second(1), &blind), "a probe is missing");
}

#[test]
fn percents_are_of_both_intervals() {
    let mut sum = second(1);
    let mut later = Snapshot { interval: Duration::from_secs(3), ..second(4) };
    (sum.cost.user_cpu_percent, later.cost.user_cpu_percent) = (2.0, 6.0);
    (sum.cost.kernel_cpu_percent, later.cost.kernel_cpu_percent) = (Some(1.0), None);
    then(&mut sum, later);
    assert_eq!((sum.cost.user_cpu_percent, sum.cost.kernel_cpu_percent), (5.0, None));
}

#[test]
fn what_waited_and_does_not_any_more_is_there_and_does_not_wait() {
    let stalled = |now, age_ns: Option<u64>| Stalled {
        now,
        now_ns: age_ns.into(),
        total_ns: 5,
        max_ns: age_ns.unwrap_or(5).into(),
        ..Dice::new(7).any()
    };
    let io = |rows: Vec<Stalled>| Io { stalled: rows.into(), ..Io::default() };
    let mut sum = io(vec![stalled(2, Some(9))]);
    io::then(&mut sum, io(vec![]));
    let row = &sum.stalled.value().unwrap()[0];
    assert_eq!((row.now, &row.now_ns, row.total_ns, &row.max_ns), (0, &None.into(), 5, &9.into()));
    let mut sum = io(vec![stalled(2, Some(9))]);
    io::then(&mut sum, io(vec![stalled(1, Some(3))]));
    let row = &sum.stalled.value().unwrap()[0];
    assert_eq!((row.now, &row.now_ns, row.total_ns, &row.max_ns), (1, &Some(3).into(), 10, &9.into()));
}
