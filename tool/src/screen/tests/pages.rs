//! Rows that become one, who waits because of whom, and heat maps.

use super::*;
use crate::{
    cli::plan::By,
    screen::pages::{
        Page, RowId, groups,
        lines::Item,
        tables::{self, number},
    },
    snapshot::{
        Who,
        io::Stalled,
        log::{HarmKind, HarmLine, Log, LogLine},
    },
    table::{Columns, Format, any::Dice},
};

/// Goes down to the first row of a table.
fn select(machine: &mut Machine, table: &str) -> RowId {
    for _ in 0..100 {
        match &machine.spot().selected {
            Some(Item::Row(row)) if row.table == table => return row.clone(),
            _ => _ = press(machine, KeyCode::Down),
        }
    }
    panic!("no row of {table} on\n{}", page(machine));
}

fn rows(machine: &Machine, table: &str) -> Vec<RowId> {
    let rows =
        machine.lines.iter().filter_map(|line| if let Some(Item::Row(row)) = &line.item { Some(row) } else { None });
    rows.filter(|row| row.table == table).cloned().collect()
}

/// All of a column.
fn sum(machine: &Machine, by: Option<By>, column: &str) -> f64 {
    let mut sum = 0.0;
    let (_, snapshot) = machine.shown.as_ref().unwrap();
    tables::each(snapshot, &machine.view, &mut |table| {
        if table.name == Stalled::NAME {
            groups::with(table, by, &machine.settings.filter, &mut |table| {
                let at = Stalled::column(column).unwrap();
                sum += table.rows.iter().filter_map(|row| number(&row.at(at), Format::Count)).sum::<f64>();
            });
        }
    });
    sum
}

#[test]
fn rows_of_a_process_and_of_a_cgroup_become_one() {
    let mut machine = with(&incident!("device_saturated"), (120, 60));
    write(&mut machine, "3++");
    let first = select(&mut machine, Stalled::NAME);
    let alone = rows(&machine, Stalled::NAME);
    let of = |machine: &Machine, by| sum(machine, by, "waits");
    let all = of(&machine, None);
    assert!(all > 0.0);
    for (by, words) in [(By::Process, "a line per process"), (By::Cgroup, "a line per cgroup")] {
        write(&mut machine, "g");
        let grouped = rows(&machine, Stalled::NAME);
        assert!(!grouped.is_empty() && grouped.len() < alone.len(), "{grouped:?} of {alone:?}");
        assert!(page(&machine).contains(words), "{}", page(&machine));
        assert_eq!(of(&machine, Some(by)), all);
        // The row that was selected is in the group that is, which can be opened.
        let Some(Item::Row(group)) = machine.spot().selected.clone() else { panic!("nothing is selected") };
        assert!(group.by == Some(by) && grouped.contains(&group), "{group:?}");
        press(&mut machine, KeyCode::Enter);
        assert!(!page(&machine).contains("not in this interval"), "{}", page(&machine));
        press(&mut machine, KeyCode::Esc);
    }
    write(&mut machine, "g");
    assert_eq!(rows(&machine, Stalled::NAME), alone);
    assert!(rows(&machine, Stalled::NAME).contains(&first));
    select(&mut machine, Stalled::NAME);
}

#[test]
fn what_is_of_no_process_is_in_no_group() {
    let mut machine = with(&incident!("device_saturated"), (120, 60));
    write(&mut machine, "3g");
    assert_eq!(machine.says.as_deref(), Some("its rows are of no process"));
}

#[test]
fn who_waits_because_of_whom_is_a_key_away() {
    let mut machine = with(&incident!("device_saturated"), (120, 40));
    write(&mut machine, "b");
    let (_, snapshot) = machine.shown.as_ref().unwrap();
    let open = &snapshot.findings.as_ref().unwrap().open[0].finding;
    let (victim, culprit) = (open.victims[0].pid.unwrap(), open.culprits[0].pid.unwrap());
    let items = machine.lines.iter().filter_map(|line| {
        if let Some(Item::Part { of, pid, how }) = &line.item { Some((*of, *pid, how)) } else { None }
    });
    let because = |(of, pid, how): (Option<u32>, u32, &String)| of == Some(victim) && pid == culprit && !how.is_empty();
    assert!(items.clone().any(because), "{victim} because of {culprit}:\n{}", page(&machine));
    // Each can be selected, and none twice.
    for (at, item) in items.clone().enumerate() {
        assert!(!items.clone().skip(at + 1).any(|other| other == item), "{item:?}");
    }
    press(&mut machine, KeyCode::Down);
    let Some(Item::Part { pid, .. }) = machine.spot().selected else { panic!("{}", page(&machine)) };
    press(&mut machine, KeyCode::Enter);
    assert_eq!(*machine.page(), Page::Process(pid));
}

#[test]
fn beside_a_finding_stands_what_logs_say() {
    let mut snapshots = incident!("device_saturated");
    let last = snapshots.last_mut().unwrap();
    let victim = last.findings.as_ref().unwrap().open[0].finding.victims[0].clone();
    let line =
        |text: &str, who: Who| LogLine { at: last.at, text: text.into(), who, encoded: false, ..Dice::new(3).any() };
    let lines = vec![line("of the victim", victim), line("of nobody", Who::default())];
    let harm = HarmLine {
        at: last.at,
        kind: HarmKind::IoError,
        on: Some("vda".into()),
        text: Some("I/O error, dev vda".into()),
        ..Dice::new(3).any()
    };
    last.log = Some(Log { sources: Vec::new(), lines, harm: vec![harm] });
    let mut machine = with(&snapshots, (140, 60));
    press(&mut machine, KeyCode::Enter);
    let page = page(&machine);
    assert!(page.contains("logs        I/O error vda: I/O error, dev vda") && page.contains("of the victim"), "{page}");
    assert!(!page.contains("of nobody"), "{page}");
}

#[test]
fn every_latency_of_the_minutes_is_in_the_heat_map() {
    let snapshots = incident!("device_saturated");
    let mut machine = with(&snapshots, (120, 40));
    write(&mut machine, "3");
    let row = select(&mut machine, "io.devices");
    write(&mut machine, "h");
    let Page::Heat(wanted) = machine.page().clone() else { panic!("{:?}", machine.page()) };
    assert_eq!(wanted.row, Some(row));
    let seen = |machine: &Machine| machine.heat.counts.values().flatten().sum::<u64>();
    let of_all = |machine: &Machine| {
        let Page::Heat(wanted) = machine.page() else { panic!("{:?}", machine.page()) };
        let wanted = wanted.clone();
        let mut count = 0;
        for snapshot in &snapshots {
            tables::each(snapshot, &machine.view, &mut |table| {
                if let Some(row) = &wanted.row {
                    groups::find(table, row, &machine.settings.filter, &mut |_, row| {
                        count += number(&row.at(wanted.column), Format::Count).unwrap_or(0.0) as u64;
                    });
                }
            });
        }
        count
    };
    assert!(seen(&machine) > 0);
    assert_eq!(seen(&machine), of_all(&machine));
    // The next distribution of the same row, and what is shown goes back within the picture.
    write(&mut machine, "h");
    assert_ne!(*machine.page(), Page::Heat(wanted));
    assert_eq!(seen(&machine), of_all(&machine));
    let before = seen(&machine);
    press(&mut machine, KeyCode::Left);
    assert_eq!(seen(&machine), before);
    press(&mut machine, KeyCode::Down);
    assert!(page(&machine).contains(" of "), "{}", page(&machine));
}
