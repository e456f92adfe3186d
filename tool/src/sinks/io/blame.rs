//! Each victim's wait, split over those who held the device meanwhile.

use super::words;
use crate::{
    sinks::{View, format, rows::Rows, table::Noted, values::Show},
    snapshot::{Snapshot, io::Blame},
    table::Bounded,
};

pub fn draw(text: &mut String, blame: &Bounded<Blame>, snapshot: &Snapshot, view: &View) {
    if blame.is_empty() {
        let nobody = if view.whose || view.which_devices { "no such process" } else { "nobody" };
        *text += &format!("{nobody} waited for a device in this interval\n");
        return;
    }
    text.push('\n');
    Rows::new(view, snapshot.interval).own(own).draw_bounded(text, blame);
}

/// Columns that only this table can put into words.
pub fn own(row: &Blame, name: &str, show: &Show) -> Noted {
    match name {
        "owner" => words::owner(&row.culprit, row.how),
        "how" => words::how(&row.culprit, row.how, show.view).into(),
        "share" => format::percent(row.blamed_ns as f64 * 100.0 / row.wait_ns.max(1) as f64).into(),
        _ => Noted::default(),
    }
}
