//! Who holds what was asked for.

use std::time::Duration;

use crate::{
    escape::escape,
    format,
    sinks::{View, rows::Rows},
    snapshot::disk::holds::Found,
};

pub fn draw(text: &mut String, found: &Found, view: &View) {
    let (asked, is) = (escape(&found.asked), escape(&found.is));
    *text += &if *asked == *is { format!("{asked}\n") } else { format!("{asked}: {is}\n") };
    if found.holds.is_empty() {
        *text += "nobody is seen to hold it\n";
    } else {
        Rows::new(view, Duration::ZERO).draw(text, &found.holds.iter().collect::<Vec<_>>());
    }
    if found.orphans > 0 {
        let sockets = format::plural(found.orphans, "socket has", "sockets have");
        *text += &view.dim(&format!("{sockets} no process any more, or not yet"));
        text.push('\n');
    }
    for why in &found.unread {
        *text += &view.dim(&format!("not looked at: {}", escape(why)));
        text.push('\n');
    }
}
