//! Whose requests the devices worked on.

use super::words;
use crate::{
    sinks::{
        View,
        format::{self, UNKNOWN},
        table::Table,
        who::{cgroup, cgroup_width, more, pid, who},
    },
    snapshot::{Snapshot, io::Cause},
};

pub fn draw(text: &mut String, causes: &[Cause], snapshot: &Snapshot, view: &View) {
    if causes.is_empty() {
        *text += match (view.whose, view.which_devices) {
            (true, _) => "no such process caused I/O in this interval\n",
            (false, true) => "nobody caused I/O of such a device in this interval\n",
            (false, false) => "nobody caused I/O in this interval\n",
        };
        return;
    }
    let time = if view.narrow() { "TIME" } else { "DEVICE TIME" };
    let mut table = who(Table::new(), "CAUSED BY".into(), view).left("DEVICE", 6);
    table = table.right("MiB/s", 5).close("IO/s", 5).right(time, 4).left("HOW", 0);
    for cause in causes.iter().take(view.top) {
        table.row(vec![
            words::owner(&cause.who, cause.how),
            pid(&cause.who),
            cgroup(&cause.who, UNKNOWN, cgroup_width(view)),
            words::device(&cause.device, None),
            format::mebibytes_rate(cause.bytes, snapshot.interval),
            format::rate(cause.ios, snapshot.interval),
            share(cause),
            words::how(&cause.who, cause.how, view),
        ]);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, causes.len(), view);
}

/// Requests without any time were not measured (a device without a request queue), which is not a share of zero.
fn share(cause: &Cause) -> String {
    if cause.service_ns == 0 && cause.ios > 0 { UNKNOWN.into() } else { format::percent(cause.share * 100.0) }
}
