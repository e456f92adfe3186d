//! Whose requests the devices worked on.

use super::words;
use crate::{
    sinks::{View, rows::Rows, table::Noted, values::Show},
    snapshot::{Snapshot, io::Cause},
    table::Bounded,
};

pub fn draw(text: &mut String, causes: &Bounded<Cause>, snapshot: &Snapshot, view: &View) {
    if causes.is_empty() {
        *text += match (view.whose, view.which_devices) {
            (true, _) => "no such process caused I/O in this interval\n",
            (false, true) => "nobody caused I/O of such a device in this interval\n",
            (false, false) => "nobody caused I/O in this interval\n",
        };
        return;
    }
    text.push('\n');
    Rows::new(view, snapshot.interval).own(own).draw_bounded(text, causes);
}

/// Columns that only this table can put into words.
pub fn own(row: &Cause, name: &str, show: &Show) -> Noted {
    match name {
        "owner" => words::owner(&row.who, row.how),
        "how" => words::how(&row.who, row.how, show.view).into(),
        _ => Noted::default(),
    }
}
