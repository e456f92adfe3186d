//! What each device did, by operation, and what it has not completed.

use super::words;
use crate::{
    sinks::{
        View, bar,
        format::{self, UNKNOWN},
        table::Table,
        who::more,
    },
    snapshot::{Latency, Snapshot, io::Device},
};

/// Columns that are left out where they would say nothing.
struct Columns {
    errors: bool,
    in_flight: bool,
}

pub fn draw(text: &mut String, devices: &[Device], snapshot: &Snapshot, view: &View) {
    if devices.is_empty() {
        let such = if view.which_devices { " of such a device" } else { "" };
        *text += &format!("no block I/O{such} in this interval\n");
        return;
    }
    let columns = Columns {
        errors: devices.iter().any(|device| device.errors > 0),
        in_flight: devices.iter().any(|device| device.in_flight.is_some()),
    };
    let mut table = head(&columns, view);
    let mut rows = stuck_first(devices);
    rows.truncate(view.top);
    for device in &rows {
        table.row(cells(device, &columns, snapshot, view));
    }
    table.draw(text, view);
    more(text, devices.len(), view);
    for note in notes(&rows) {
        *text += &view.dim(&note);
        text.push('\n');
    }
}

/// A device that completes nothing has no time to be sorted by, and is what the operator looks for: it is not cut.
fn stuck_first(devices: &[Device]) -> Vec<&Device> {
    let mut rows: Vec<&Device> = devices.iter().collect();
    rows.sort_by_key(|device| device.ios > 0 || device.in_flight.unwrap_or(0) == 0);
    rows
}

fn head(columns: &Columns, view: &View) -> Table {
    let mut table = Table::new().left("DEVICE", 6).left("OP", 10).right("IO/s", 5).close("MiB/s", 5);
    if view.narrow() {
        table = table.right("Q p99", 5).right("p50", 5).close("p99", 5);
    } else {
        table = table.right("QUEUE p99", 9).right("DEVICE p50", 10).close("p99", 5);
    }
    if view.roomy() {
        table = table.close("p99.9", 5);
    }
    table = table.close("MAX", 5);
    if columns.errors {
        table = table.right("ERR/s", 5);
    }
    if columns.in_flight {
        table = table.right("IN FLIGHT", 9).close("OLDEST", 6);
    }
    if view.narrow() { table } else { table.left(bar::spark_head(!view.roomy()), 0) }
}

fn cells(device: &Device, columns: &Columns, snapshot: &Snapshot, view: &View) -> Vec<String> {
    let alias = device.alias.as_deref().filter(|_| !view.narrow());
    let mut cells = vec![words::device(&device.device, alias), device.op.name().into()];
    cells.push(format::rate(device.ios, snapshot.interval));
    cells.push(format::mebibytes_rate(device.bytes, snapshot.interval));
    cells.push(if device.queue.count > 0 { format::duration(device.queue.p99_ns) } else { UNKNOWN.into() });
    let service = service(device);
    let mut quantiles = vec![service.p50_ns, service.p99_ns];
    quantiles.extend(view.roomy().then_some(service.p999_ns));
    quantiles.push(service.max_ns);
    let known = service.count > 0;
    cells.extend(quantiles.into_iter().map(|ns| if known { format::duration(ns) } else { UNKNOWN.into() }));
    if columns.errors {
        cells.push(format::rate(device.errors, snapshot.interval));
    }
    if columns.in_flight {
        cells.push(device.in_flight.map_or_else(|| UNKNOWN.into(), format::count));
        cells.push(match device.in_flight {
            Some(0) => String::new(),
            Some(_) if device.before_start > 0 => "before start".into(),
            _ => device.oldest_ns.map_or_else(|| UNKNOWN.into(), format::duration),
        });
    }
    if !view.narrow() {
        cells.push(bar::spark(service, !view.roomy()));
    }
    cells
}

/// Time in the device. Without a request queue all of the time is in the device.
fn service(device: &Device) -> &Latency {
    if device.service.count > 0 { &device.service } else { &device.total }
}

/// What the table's numbers leave out, or mean other than in the rows around them.
fn notes(devices: &[&Device]) -> Vec<String> {
    let mut notes = Vec::new();
    let whole = devices.iter().filter(|device| device.service.count == 0 && device.total.count > 0);
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
