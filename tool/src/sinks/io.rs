//! The tables of the `io` probe: single slow requests, devices, who is stalled on what, and because of whom.

pub mod blame;
pub mod causes;
pub mod devices;
pub mod requests;
pub mod stalled;
mod words;

#[cfg(test)]
pub mod fixture;
#[cfg(test)]
mod tests;

pub use self::{stalled::waiting_for, words::device};

use super::View;
use crate::{
    snapshot::{Snapshot, io::Io},
    table::Known,
};

/// How it runs, for the header.
pub fn mode(io: &Io) -> &'static str {
    if io.caused_by.is_known() { "io" } else { "io devices" }
}

pub fn draw(text: &mut String, io: &Io, snapshot: &Snapshot, view: &View) {
    requests::draw(text, &io.slow, snapshot, view);
    devices::draw(text, &io.devices, snapshot, view);
    match &io.stalled {
        Known::Value(stalled) => stalled::draw(text, stalled, snapshot, view),
        Known::Not(why) if io.caused_by.is_known() => *text += &format!("who is stalled is not known ({why})\n"),
        Known::Not(_) => {}
    }
    if let Some(causes) = io.caused_by.value() {
        causes::draw(text, causes, snapshot, view);
    }
    if let Some(blame) = &io.blame {
        blame::draw(text, blame, snapshot, view);
    }
}
