//! Whose requests the devices worked on.

use super::words;
use crate::{
    sinks::{View, rows::Rows},
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
    Rows::new(view, snapshot.interval)
        .own("owner", |row: &Cause| words::owner(&row.who, row.how))
        .own("how", |row: &Cause| words::how(&row.who, row.how, view))
        .draw_bounded(text, causes);
}
