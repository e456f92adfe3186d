//! Each victim's wait, split over those who held the device meanwhile.

use super::words;
use crate::{
    sinks::{
        View, format,
        table::Table,
        who::{COMM, comm, more, pid},
    },
    snapshot::io::Blame,
};

pub fn draw(text: &mut String, blame: &[Blame], view: &View) {
    if blame.is_empty() {
        let nobody = if view.whose || view.which_devices { "no such process" } else { "nobody" };
        *text += &format!("{nobody} waited for a device in this interval\n");
        return;
    }
    let mut table = Table::new().left("VICTIM", COMM).right("PID", 7).right("WAITED", 6).left("DEVICE", 6);
    table = table.left("BLAMED ON", COMM).right("PID", 7).right("SHARE", 5);
    if !view.narrow() {
        table = table.left("HOW", 0);
    }
    for part in blame.iter().take(view.top) {
        let mut row = vec![
            comm(&part.victim, "unknown"),
            pid(&part.victim),
            format::duration(part.wait_ns),
            words::device(&part.device, None),
            words::owner(&part.culprit, part.how),
            pid(&part.culprit),
            format::percent(part.blamed_ns as f64 * 100.0 / part.wait_ns.max(1) as f64),
        ];
        if !view.narrow() {
            row.push(words::how(&part.culprit, part.how, view));
        }
        table.row(row);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, blame.len(), view);
}
