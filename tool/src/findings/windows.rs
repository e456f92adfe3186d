//! Who waits to send because the other side does not read.

use super::{
    Scene,
    slow_calls::Slow,
    words::{name, netns},
};
use crate::{
    format,
    snapshot::{Who, tcp::ClosedWindow},
};

/// Calls that wait until the other side has room, or answers.
pub const SENDING: &[&str] = &["sendto", "sendmsg", "sendmmsg", "sendfile", "splice", "connect", "shutdown"];
/// The same, of files as well as of connections.
const WRITING: &[&str] = &["write", "writev"];

/// Connections whose closed window these calls wait for, the longest first.
pub fn of<'a>(scene: &Scene<'a>, calls: &[Slow]) -> Vec<&'a ClosedWindow> {
    let waits = |who: &Who| {
        calls.iter().any(|call| {
            (SENDING.contains(&call.name) || WRITING.contains(&call.name))
                && who.pid.is_some()
                && call.who.pid == who.pid
        })
    };
    all(scene).filter(|window| waits(&window.owners.who) || window.owners.shared.iter().any(waits)).collect()
}

pub fn all<'a>(scene: &Scene<'a>) -> impl Iterator<Item = &'a ClosedWindow> + use<'a> {
    scene.now.tcp.iter().filter_map(|tcp| tcp.closed_windows.value()).flatten()
}

/// A part of a sentence.
pub fn words(window: &ClosedWindow) -> String {
    let unread = || window.unread.map_or_else(String::new, |bytes| format!(", {} wait there", format::bytes(bytes)));
    let who = match window.reader.pid {
        Some(_) => format!("{} does not read{}", name(&window.reader), unread()),
        None => "who does not read is not on this host".to_owned(),
    };
    format!("the window of {}{} is closed: {who}", window.remote, netns(window.netns))
}
