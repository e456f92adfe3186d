//! What each device did, by operation, and what it has not completed.

use super::words;
use crate::{
    sinks::{
        View,
        format::{self, UNKNOWN},
        rows::Rows,
        table::Noted,
        values::Show,
    },
    snapshot::{
        Snapshot,
        io::{BEFORE_START, Device},
    },
};

pub fn draw(text: &mut String, devices: &[Device], snapshot: &Snapshot, view: &View) {
    if devices.is_empty() {
        let such = if view.which_devices { " of such a device" } else { "" };
        *text += &format!("no block I/O{such} in this interval\n");
        return;
    }
    let mut rows = stuck_first(devices);
    Rows::new(view, snapshot.interval).own(own).draw(text, &rows);
    rows.truncate(view.top);
    for note in notes(&rows) {
        *text += &view.dim(&note);
        text.push('\n');
    }
}

/// A device that completes nothing has no time to be sorted by, and is what the operator looks for: it is not cut.
fn stuck_first(devices: &[Device]) -> Vec<&Device> {
    let mut rows: Vec<&Device> = devices.iter().collect();
    rows.sort_by_key(|device| device.ios > 0 || device.in_flight.value().is_none_or(|&count| count == 0));
    rows
}

/// Columns that only this table can put into words.
pub fn own(row: &Device, name: &str, show: &Show) -> Noted {
    match name {
        "device" => words::device(&row.device, row.alias.as_deref().filter(|_| !show.view.narrow())).into(),
        "oldest" => oldest(row),
        _ => Noted::default(),
    }
}

fn oldest(device: &Device) -> Noted {
    match device.in_flight.value() {
        Some(0) => Noted::default(),
        Some(_) if device.before_start > 0 => Noted::new(UNKNOWN.to_owned(), [BEFORE_START.to_owned()]),
        _ => device.oldest().map_or_else(|| UNKNOWN.into(), |age| format::duration(age).into()),
    }
}

/// What the table's numbers leave out, or mean other than in the rows around them.
fn notes(devices: &[&Device]) -> Vec<String> {
    let mut notes = Vec::new();
    let whole = devices.iter().filter(|device| !device.service.is_known() && device.total.is_known());
    let mut names: Vec<_> = whole.map(|device| words::device(&device.device, None)).collect();
    names.sort_unstable();
    names.dedup();
    if !names.is_empty() {
        notes.push(format!("{}: no request queue, times are from submission to completion", names.join(" ")));
    }
    let untimed = devices.iter().map(|device| device.untimed).sum();
    if untimed > 0 {
        let requests = format::plural(untimed, "request has", "requests have");
        notes.push(format!("{requests} no latency (iostats of the queue is off, or it was lost)"));
    }
    notes
}
