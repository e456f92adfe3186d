//! Rows of a process, or of a cgroup, as one.

use super::{
    RowId,
    tables::{AnyTable, people},
};
use crate::{
    cli::plan::By,
    screen::state::filter::Matcher,
    snapshot::Who,
    table::{AnyRow, Grouped, labels},
};

/// What tells a row apart from others where rows are grouped so; none: it is in no group.
pub fn key(row: &dyn AnyRow, by: By) -> Option<String> {
    let mut who = Vec::new();
    let labels = row.columns().iter().enumerate().filter(|(_, column)| column.is_label());
    labels.for_each(|(at, _)| people(&row.at(at), &mut who));
    let Who { pid, cgroup, .. } = who.into_iter().next()?;
    match by {
        By::Process => pid.map(|pid| pid.to_string()),
        By::Cgroup => cgroup,
    }
}

/// What a row, or the group that it is in, is called.
pub fn id(table: &AnyTable, row: &dyn AnyRow, by: Option<By>) -> RowId {
    let key = by.and_then(|by| key(row, by));
    let name = super::sheet::name(table, row);
    RowId { table: table.name, by, labels: key.unwrap_or_else(|| labels(row)), name }
}

/// How the rows of this table can be grouped, in turn; the last is not at all.
pub fn next(table: &AnyTable, now: Option<By>) -> Option<By> {
    let can = |by: &By| !table.grouped && table.rows.iter().any(|row| key(*row, *by).is_some());
    let ways = match now {
        None => &[By::Process, By::Cgroup][..],
        Some(By::Process) => &[By::Cgroup],
        Some(By::Cgroup) => &[],
    };
    ways.iter().copied().find(can)
}

/// The table as it is, or with its rows in groups, each where the first of its rows was.
pub fn with(table: &AnyTable, by: Option<By>, filter: &Matcher, then: &mut dyn FnMut(&AnyTable)) {
    let kept: Vec<&dyn AnyRow> = table.rows.iter().copied().filter(|row| filter.has(*row)).collect();
    let Some(by) = by else { return then(&AnyTable { rows: kept, ..*table }) };
    let mut places = std::collections::BTreeMap::new();
    let mut groups: Vec<(String, Vec<&dyn AnyRow>)> = Vec::new();
    for row in kept {
        let key = key(row, by).unwrap_or_else(|| labels(row));
        let place = *places.entry(key.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((key, vec![row])),
        }
    }
    let groups: Vec<Grouped> = groups.into_iter().filter_map(|(key, rows)| Grouped::of(key, rows)).collect();
    then(&AnyTable { rows: groups.iter().map(|group| group as &dyn AnyRow).collect(), ..*table });
}

/// Does something with the row that is called so, if it is there.
pub fn find(table: &AnyTable, wanted: &RowId, filter: &Matcher, then: &mut dyn FnMut(&AnyTable, &dyn AnyRow)) {
    if table.name != wanted.table {
        return;
    }
    let mut look = |table: &AnyTable| {
        if let Some(row) = table.rows.iter().find(|row| labels(**row) == wanted.labels) {
            then(table, *row);
        }
    };
    // What is filtered away can still be looked at, but is part of no group.
    if wanted.by.is_none() { look(table) } else { with(table, wanted.by, filter, &mut look) }
}
