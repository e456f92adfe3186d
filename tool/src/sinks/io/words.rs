//! Owners of requests in words.

use crate::{
    escape::{escape, fit},
    sinks::{View, table::Noted, who},
    snapshot::{Who, io::How},
};

/// The owner's name. Some work has no process behind it, which is an answer; everything else is unknown.
pub fn owner(who: &Who, how: How) -> Noted {
    let nobody = matches!(how, How::Journal | How::Metadata | How::Swap | How::KernelThread) && who.pid.is_none();
    who::noted(who, who::comm(who, if nobody { how.name() } else { "unknown" }))
}

/// How the owner came to use the device.
pub fn how(who: &Who, how: How, view: &View) -> &'static str {
    // The words are about "it", which there may not be.
    let owned = who.comm.is_some() || who.pid.is_some();
    if view.roomy() && owned { at_length(how) } else { how.name() }
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

/// Columns of a name that people gave a device.
const ALIAS: usize = 24;

/// `dm-0 (vg0-root)`
pub fn device(name: &str, alias: Option<&str>) -> String {
    match alias {
        Some(alias) => format!("{} ({})", escape(name), fit(alias, ALIAS)),
        None => escape(name).into_owned(),
    }
}
