//! What has changed, as text.

use super::{
    View, format,
    rows::Rows,
    table::Noted,
    values::{Show, clock},
    who,
};
use crate::{
    escape::{escape, fit},
    snapshot::{
        Snapshot,
        changes::{Change, Changes, Watch},
    },
};

/// A look that goes on for so long is late.
const LATE_NS: u64 = 10_000_000_000;

/// How it runs, for the header.
pub fn mode(_: &Changes) -> &'static str {
    "changes"
}

pub fn draw(text: &mut String, changes: &Changes, snapshot: &Snapshot, view: &View) {
    match changes.changes.is_empty() {
        true => *text += "nothing has changed\n",
        false => {
            // Downwards, as time goes.
            let all: Vec<&Change> = changes.changes.iter().rev().collect();
            let latest = &all[all.len().saturating_sub(view.top)..];
            let rows = Rows::new(view, snapshot.interval).own(own).left_out(changes.changes.left_out());
            rows.draw_some(text, latest, &all);
        }
    }
    for line in changes.watched.iter().flat_map(notes) {
        *text += &view.dim(&line);
        text.push('\n');
    }
}

/// What was not looked at.
fn notes(watch: &Watch) -> impl Iterator<Item = String> {
    let area = &watch.area;
    let late = watch
        .goes_on_ns
        .filter(|&ns| ns >= LATE_NS)
        .map(|ns| format!("{area}: a look goes on for {}", format::duration(ns)));
    let first = late.is_none().then(|| watch.took_ns.why().map(|why| format!("{area}: {}", escape(&why.to_string()))));
    let left_out = (watch.left_out > 0).then(|| format!("{area}: {} left out", format::count(watch.left_out)));
    let problem = watch.problem.as_ref().map(|problem| format!("{area}: {}", escape(problem)));
    [late, first.flatten(), left_out, problem].into_iter().flatten()
}

/// Columns that only this table can put into words.
pub fn own(row: &Change, name: &str, show: &Show) -> Noted {
    match name {
        // It may have been yesterday.
        "time" => row.at.to_zoned(show.view.zone.clone()).strftime("%m-%d %H:%M:%S%.3f").to_string().into(),
        "what" => fit(&row.what, who::PATH).into(),
        "detail" => detail(row, show.view).into(),
        _ => Noted::default(),
    }
}

fn detail(row: &Change, view: &View) -> String {
    let after = row.after.map(|after| format!("after {}", clock(after, view)));
    let parts = [Some(format::detail(row)).filter(|detail| !detail.is_empty()), after];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
