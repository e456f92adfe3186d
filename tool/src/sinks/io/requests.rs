//! Single requests over the threshold, one line each.

use std::cmp::Reverse;

use super::words;
use crate::{
    sinks::{View, format, rows::Rows, table::Noted, values::Show},
    snapshot::{Snapshot, io::Request},
};

pub fn draw(text: &mut String, requests: &[Request], snapshot: &Snapshot, view: &View) {
    let over = view.slow_requests.map(|over| format::duration(u64::try_from(over.as_nanos()).unwrap_or(u64::MAX)));
    if requests.is_empty() {
        *text += &over.map(|over| format!("no request over {over}\n")).unwrap_or_default();
        return;
    }
    let over = over.map(|over| format!(" >{over}")).unwrap_or_default();
    Rows::new(view, snapshot.interval).head("SLOW", format!("SLOW{over}")).own(own).draw_some(
        text,
        &slowest(requests, view.top),
        &requests.iter().collect::<Vec<_>>(),
    );
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

/// Columns that only this table can put into words.
pub fn own(row: &Request, name: &str, _: &Show) -> Noted {
    match name {
        "owner" => words::owner(&row.who, row.how),
        "device" => Noted::new(words::device(&row.device, None), row.failed.then(|| "failed".to_owned())),
        "how" => row.how.name().into(),
        _ => Noted::default(),
    }
}
