//! Owners of requests in words.

use crate::{
    escape::escape,
    sinks::{View, who},
    snapshot::{Who, io::How},
};

/// The owner's name. Some work has no process behind it, which is an answer; everything else is unknown.
pub fn owner(who: &Who, how: How) -> String {
    let nobody = matches!(how, How::Journal | How::Metadata | How::Swap | How::KernelThread) && who.pid.is_none();
    who::comm(who, if nobody { how.name() } else { "unknown" })
}

/// How the owner came to use the device, and what is not known of the owner.
pub fn how(who: &Who, how: How, view: &View) -> String {
    let words = if view.roomy() { at_length(how) } else { how.name() };
    match (how, &who.unknown) {
        (How::Unknown, Some(why)) => why.clone().into_owned(),
        (_, None) => words.to_owned(),
        // The words are about "it", which there is not.
        (_, Some(why)) if who.comm.is_none() && who.pid.is_none() => format!("{}: {why}", how.name()),
        (_, Some(why)) => format!("{words} ({why})"),
    }
}

fn at_length(how: How) -> &'static str {
    match how {
        How::Writeback => "writeback: pages it dirtied",
        How::Direct => "its own requests",
        How::Read => "file reads",
        How::Flush => "cache flushes it asked for",
        How::Unknown => "not known",
        How::Readahead | How::Journal | How::Metadata | How::Swap | How::Discard | How::KernelThread => how.name(),
    }
}

/// `dm-0 (vg0-root)`
pub fn device(name: &str, alias: Option<&str>) -> String {
    match alias {
        Some(alias) => format!("{} ({})", escape(name), escape(alias)),
        None => escape(name).into_owned(),
    }
}
