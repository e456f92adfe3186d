//! All tables of the `syscalls` probe.

use super::{View, callers, calls};
use crate::snapshot::{
    Snapshot,
    syscalls::{Mode, Syscalls},
};

/// How it runs, for the header.
pub fn mode(syscalls: &Syscalls) -> &'static str {
    match syscalls.mode {
        Mode::Exact => "syscalls exact",
        Mode::Blocked => "syscalls blocked (only calls that sleep)",
        Mode::Long => "syscalls long (only sleeps over the threshold)",
    }
}

pub fn draw(text: &mut String, syscalls: &Syscalls, snapshot: &Snapshot, view: &View) {
    calls::draw(text, syscalls, snapshot, view);
    for note in calls::notes(syscalls) {
        *text += &view.dim(&note);
        text.push('\n');
    }
    callers::slow(text, syscalls, snapshot, view);
    callers::in_flight(text, syscalls, snapshot, view);
    callers::by(text, syscalls, snapshot, view);
}
