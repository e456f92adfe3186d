use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    AnyRow, Cell, ColumnKind, Columns, Format, Grouped, Known, Merge, NOT_RECORDED, Text, Unless, Value, Why,
    any::Dice,
    group::how,
    shape::{Shape, Shaped, Table},
};
pub use crate::sinks::export::Stamp;
pub use crate::snapshot::{
    Latency, Pressure, StallPercent, Who,
    changes::{Change, Watch},
    cpu::{Interrupt, Processor, Running, RunningMean, Scheduler, Throttled, Waited, Waiting, WaitsBy},
    disk::{DeletedOpen, Descriptors, Directory, DirtiedBy, Filesystem, Growing, HostFiles, holds::Hold},
    io::{Blame, Cause, Device, Request, Stalled},
    ledger::Entry,
    log::{HarmLine, LogLine, LogSource},
    oom::{Inside, Limit, Reclaim, Signal},
    summary::{FindingRow, Interval, Killed},
    syscalls::{Call, CallsBy, CommonestError, InFlight, SlowCalls},
    tcp::{
        ClosedWindow, Connect, DropSite, Dropped, Flow, Listener, Namespace, Ports, Remote, Reset, Retransmit, Sockets,
    },
};

super::table! {
    /// Types that no table of a probe has yet.
    pub struct Sample in "tests.sample" {
        /// Counts by number.
        on: BTreeMap<u32, u64> = counter("ns").key("on_ns");
        /// Counts by name.
        outcomes: BTreeMap<String, u64> = counter("connections").sparse();
        /// Times of which some are shown.
        trips: Known<Latency> = histogram().parts(&[("waits", "count"), ("srtt_p50_ns", "p50_ns"), ("histogram", "histogram")]);
        /// A process that is shown in part.
        owner: Option<Who> = label().columns(Who::COLUMNS).parts(&[("pid", "pid"), ("pid_unknown", "unknown")]);
        /// Nobody, or another one.
        behind: Option<Who> = info().columns(Who::COLUMNS);
        /// How long.
        age: Duration = gauge("ns").max().key("age_ns");
        /// Below zero, too.
        adj: Option<i32> = info().optional();
        /// Small numbers.
        small: u8 = info();
    }
}

/// Does it to every table; the documentation is of these, too.
macro_rules! each_table {
    ($check:ident $(, $with:expr)*) => {
        $check::<Sample>($($with),*);
        $check::<Who>($($with),*);
        $check::<Stamp>($($with),*);
        $check::<Device>($($with),*);
        $check::<Stalled>($($with),*);
        $check::<Cause>($($with),*);
        $check::<Blame>($($with),*);
        $check::<Request>($($with),*);
        $check::<Call>($($with),*);
        $check::<CommonestError>($($with),*);
        $check::<SlowCalls>($($with),*);
        $check::<InFlight>($($with),*);
        $check::<CallsBy>($($with),*);
        $check::<Scheduler>($($with),*);
        $check::<Waited>($($with),*);
        $check::<Waiting>($($with),*);
        $check::<RunningMean>($($with),*);
        $check::<Running>($($with),*);
        $check::<WaitsBy>($($with),*);
        $check::<Throttled>($($with),*);
        $check::<Filesystem>($($with),*);
        $check::<Growing>($($with),*);
        $check::<DirtiedBy>($($with),*);
        $check::<Directory>($($with),*);
        $check::<DeletedOpen>($($with),*);
        $check::<Descriptors>($($with),*);
        $check::<HostFiles>($($with),*);
        $check::<Hold>($($with),*);
        $check::<Change>($($with),*);
        $check::<Watch>($($with),*);
        $check::<LogSource>($($with),*);
        $check::<LogLine>($($with),*);
        $check::<HarmLine>($($with),*);
        $check::<Processor>($($with),*);
        $check::<Interrupt>($($with),*);
        $check::<Flow>($($with),*);
        $check::<Remote>($($with),*);
        $check::<DropSite>($($with),*);
        $check::<Listener>($($with),*);
        $check::<ClosedWindow>($($with),*);
        $check::<Sockets>($($with),*);
        $check::<Namespace>($($with),*);
        $check::<Ports>($($with),*);
        $check::<Retransmit>($($with),*);
        $check::<Connect>($($with),*);
        $check::<Reset>($($with),*);
        $check::<Dropped>($($with),*);
        $check::<Limit>($($with),*);
        $check::<Signal>($($with),*);
        $check::<Reclaim>($($with),*);
        $check::<Inside>($($with),*);
        $check::<Killed>($($with),*);
        $check::<Interval>($($with),*);
        $check::<FindingRow>($($with),*);
        $check::<Entry>($($with),*);
        $check::<Pressure>($($with),*);
        $check::<StallPercent>($($with),*);
    };
}

pub(crate) use each_table;

/// Labels stay, and counters add up.
fn merged<R: Columns + DeserializeOwned + Clone>(seed: u64) {
    let (row, later): (R, R) = (Dice::new(seed).any(), Dice::new(!seed).any());
    let mut both = row.clone();
    both.merge(&later);
    for (at, column) in R::COLUMNS.iter().enumerate() {
        let sum = match (column.kind, row.get(at), later.get(at)) {
            (ColumnKind::Label, label, _) => label,
            (ColumnKind::Counter, Cell::Count(a), Cell::Count(b)) => Cell::Count(a.saturating_add(b)),
            _ => continue,
        };
        assert_eq!(both.get(at), sum, "{}.{}", R::NAME, column.name);
    }
}

/// The same, of two intervals; and what is so now is as of the later one, or is not so any more.
fn gone_on<R: Columns + DeserializeOwned + Clone>(seed: u64) {
    let (row, later): (R, R) = (Dice::new(seed).any(), Dice::new(!seed).any());
    let (mut both, mut ended, mut sum) = (row.clone(), row.clone(), row.clone());
    both.then(Some(&later));
    ended.then(None);
    sum.merge(&later);
    for (at, column) in R::COLUMNS.iter().enumerate() {
        let right = if column.now { later.get(at) } else { sum.get(at) };
        // The same, but for names.
        assert!(column.is_label() || both.get(at) == right, "{}.{}", R::NAME, column.name);
        match ended.get(at) {
            Cell::Unknown(why) if column.now => assert_eq!(row.get(at), Cell::Unknown(why)),
            cell if column.now => assert!(cell.is_nothing(), "{}.{}", R::NAME, column.name),
            cell => assert_eq!(cell, row.get(at), "{}.{}", R::NAME, column.name),
        }
    }
}

/// A recording of a version that had all columns but one: the others are read, and of that one it is said that it is not recorded, where
/// there is a word for that.
fn read_without<R: Columns + Value + Serialize + DeserializeOwned + Shaped>(seed: u64) {
    let row: R = Dice::new(seed).any();
    let Shape::Row(Table { columns, .. }) = R::shape() else { panic!("no row") };
    let written = rmp_serde::to_vec_named(&row).unwrap();
    for (left_out, (column, shape)) in columns.into_iter().enumerate() {
        let mut map = rmpv::decode::read_value(&mut &written[..]).unwrap();
        let rmpv::Value::Map(entries) = &mut map else { panic!("no map") };
        assert_eq!(entries.remove(left_out).0.as_str(), Some(column.name));
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &map).unwrap();
        let read: R = rmp_serde::from_slice(&bytes).unwrap();
        for at in 0..R::COLUMNS.len() {
            let (is, was, none) = (read.get(at), row.get(at), R::missing());
            let of = format!("{}.{} without {}", R::NAME, R::COLUMNS[at].name, column.name);
            match (at == left_out, &shape) {
                (false, _) => assert_eq!(is, was, "{of}"),
                (true, Shape::Known(_)) => {
                    assert_eq!(is, Cell::Unknown(Cow::Owned(Why::Unknown(NOT_RECORDED.into()))), "{of}")
                }
                (true, _) => assert_eq!(is, none.get(at), "{of}"),
            }
        }
    }
}

/// What adds up is of all rows; of all else only what they agree in.
fn grouped<R: Columns + DeserializeOwned>(seed: u64) {
    let rows: Vec<R> = (0..3).map(|number| Dice::new(seed.wrapping_add(number)).any()).collect();
    let group = Grouped::of(String::new(), rows.iter().map(|row| row as &dyn AnyRow).collect()).unwrap();
    let one = Grouped::of(String::new(), vec![&rows[0]]).unwrap();
    for (at, column) in R::COLUMNS.iter().enumerate() {
        let name = format!("{}.{}", R::NAME, column.name);
        assert_eq!(one.at(at), rows[0].get(at), "{name}");
        let cells: Vec<Cell> = rows.iter().map(|row| row.get(at)).collect();
        let counts: Vec<u64> =
            cells.iter().filter_map(|cell| if let Cell::Count(count) = cell { Some(*count) } else { None }).collect();
        let expected = match how(column) {
            Merge::Add if counts.len() == 3 => Cell::Count(counts.iter().fold(0, |a, b| a.saturating_add(*b))),
            Merge::Max if counts.len() == 3 => Cell::Count(*counts.iter().max().unwrap()),
            Merge::Same if cells[1..].iter().all(|cell| *cell == cells[0]) => cells[0].clone(),
            // A number that is not the same is none.
            Merge::Same if !counts.is_empty() => Cell::None,
            _ => continue,
        };
        let found = group.at(at);
        assert!(found == expected || matches!(found, Cell::Text(_)), "{name}: {found:?}, not {expected:?}");
    }
}

/// Columns that others name are there, and every column says what it is.
fn declared<R: Columns>() {
    let named = |name: &str| name.is_empty() || R::column(name).is_some();
    assert!(!R::MEANING.is_empty(), "{}", R::NAME);
    for column in R::COLUMNS {
        let at = format!("{}.{}", R::NAME, column.name);
        assert!(!column.meaning.is_empty() && named(column.json.as_of) && named(column.json.unless), "{at}");
        let counts = matches!(column.kind, ColumnKind::Counter | ColumnKind::Gauge | ColumnKind::Histogram);
        assert_eq!(!column.unit.is_empty(), counts, "{at}");
        for Text { after, or, unless, format, .. } in column.text {
            let with = if let Unless::With(name) = unless { name } else { "" };
            assert!(named(after) && named(or) && named(with), "{at}");
            assert!(!matches!(format, Format::Own("")), "{at}");
        }
    }
}

#[test]
fn declarations_are_whole() {
    each_table!(declared);
}

proptest! {
    // Each is one row of every table.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn two_rows_become_one(seed in any::<u64>()) {
        each_table!(merged, seed);
        each_table!(gone_on, seed);
        each_table!(read_without, seed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_beside_each_other_become_one(seed in any::<u64>()) {
        each_table!(grouped, seed);
    }
}

#[test]
fn an_unknown_age_does_not_become_a_number() {
    let (age, unknown) = (Known::Value(7u64), Known::<u64>::unknown("since before start"));
    for (mut first, later) in [(age.clone(), &unknown), (unknown.clone(), &age)] {
        first.join(later, Merge::Max);
        assert_eq!(first, unknown);
    }
    let mut sum = age.clone();
    sum.join(&unknown, Merge::Add);
    assert_eq!(sum, age);
}

#[test]
fn five_ways_not_to_know() {
    let words = |why: Why| why.to_string();
    assert_eq!(words(Why::NotMeasured("--devices".into())), "not measured: --devices");
    assert_eq!(words(Why::Unavailable("no cgroups".into())), "no cgroups");
    assert_eq!(
        (words(Why::Lost), words(Why::NotLookedAt("1024 tasks".into()))),
        ("lost".into(), "not looked at: 1024 tasks".into())
    );
    assert_eq!(words(Why::Unknown("its start was not seen".into())), "its start was not seen");
}

#[test]
fn a_sum_by_name_is_of_each() {
    let mut counts = BTreeMap::from([(1u32, 2u64), (7, 1)]);
    counts.join(&BTreeMap::from([(7, 3), (9, 4)]), Merge::Add);
    assert_eq!(counts, BTreeMap::from([(1, 2), (7, 4), (9, 4)]));
}
