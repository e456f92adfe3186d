//! What is selected, for a file: as text, or as JSON.

use super::{Page, groups, lines, tables};
use crate::{
    screen::state::Machine,
    sinks::{
        View, header,
        json::{Finding, Lines, Object},
    },
    snapshot::Snapshot,
};

pub fn text(of: &Machine, snapshot: &Snapshot, page: &Page) -> Vec<u8> {
    let mut text = header::line(snapshot, &of.plain()) + "\n\n";
    for line in lines(of, page, Some(snapshot)) {
        text += line.text().trim_end();
        text.push('\n');
    }
    text.into_bytes()
}

/// None: it is neither a finding nor a row.
pub fn json(snapshot: &Snapshot, view: &View, page: &Page) -> Option<Vec<u8>> {
    let mut json = Lines::default();
    let mut added = None;
    match page {
        Page::Finding(rule, subject) => {
            let found = snapshot.findings.as_ref()?;
            let finding = Finding::all(found, snapshot).into_iter().find(|finding| finding.is(rule, subject))?;
            added = json.add(&finding).ok();
        }
        Page::Row(row) => tables::each(snapshot, view, &mut |table| {
            let found = table.rows.iter().find(|found| groups::id(table, **found, None) == *row);
            added = added.or_else(|| json.add(&Object(*found?)).ok());
        }),
        _ => {}
    }
    let mut bytes = Vec::new();
    json.write_to(&mut bytes).ok()?;
    added.map(|()| bytes)
}
