//! Single requests over the threshold, one line each.

use std::cmp::Reverse;

use super::words;
use crate::{
    sinks::{
        View,
        format::{self, UNKNOWN},
        table::Table,
        who::{COMM, more, pid},
    },
    snapshot::io::Request,
};

pub fn draw(text: &mut String, requests: &[Request], view: &View) {
    let over = view.slow_requests.map(|over| format::duration(u64::try_from(over.as_nanos()).unwrap_or(u64::MAX)));
    if requests.is_empty() {
        *text += &over.map(|over| format!("no request over {over}\n")).unwrap_or_default();
        return;
    }
    let over = over.map(|over| format!(" >{over}")).unwrap_or_default();
    let mut table = Table::new().left(format!("SLOW{over}"), 12).left("DEVICE", 6).left("OP", 10);
    if view.roomy() {
        table = table.right("SECTOR", 10);
    }
    if !view.narrow() {
        table = table.right("SIZE", 7);
    }
    table = table.right("QUEUE", 5).close("DEVICE", 6).close("TOTAL", 5);
    table = table.left("OWNER", COMM).right("PID", 7).left(if view.narrow() { "" } else { "HOW" }, 0);
    for request in slowest(requests, view.top) {
        table.row(cells(request, view));
    }
    table.draw(text, view);
    more(text, requests.len(), view);
    text.push('\n');
}

/// The slowest, in order of completion.
fn slowest(requests: &[Request], top: usize) -> Vec<&Request> {
    let mut places: Vec<usize> = (0..requests.len()).collect();
    places.sort_by_key(|&at| Reverse(requests[at].total_ns));
    places.truncate(top);
    places.sort_unstable();
    places.into_iter().map(|at| &requests[at]).collect()
}

fn cells(request: &Request, view: &View) -> Vec<String> {
    let time = |ns: Option<u64>| ns.map_or_else(|| UNKNOWN.into(), format::duration);
    let at = request.at.to_zoned(view.zone.clone()).strftime("%H:%M:%S%.3f").to_string();
    let mut row = vec![at, words::device(&request.device, None), request.op.name().into()];
    if view.roomy() {
        row.push(request.sector.to_string());
    }
    if !view.narrow() {
        row.push(format::bytes(request.bytes));
    }
    row.extend([time(request.queue_ns), time(request.service_ns), format::duration(request.total_ns)]);
    row.extend([words::owner(&request.who, request.how), pid(&request.who)]);
    let how = (!view.narrow()).then(|| words::how(&request.who, request.how, view));
    let failed = request.failed.then(|| "failed".to_owned());
    row.push([failed, how].into_iter().flatten().collect::<Vec<_>>().join("; "));
    row
}
