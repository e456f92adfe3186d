//! Names and numbers in sentences.

pub use crate::format::name;
use crate::{format, snapshot::Who};

/// `a`, `a and b`, `a, b and 3 more`.
pub fn list(names: &[String], shown: usize) -> String {
    match names {
        [] => "nobody".to_owned(),
        [one] => one.clone(),
        [rest @ .., last] if names.len() <= shown => format!("{} and {last}", rest.join(", ")),
        _ => format!("{} and {} more", names[..shown].join(", "), names.len() - shown),
    }
}

pub fn names(whos: &[Who]) -> String {
    list(&whos.iter().map(name).collect::<Vec<_>>(), 2)
}

/// Time lost in each second: `612ms/s`.
pub fn each_second(ns_per_second: u64) -> String {
    format!("{}/s", format::duration(ns_per_second))
}

/// `waits`, `wait`.
pub fn verb<'a>(subjects: usize, one: &'a str, many: &'a str) -> &'a str {
    if subjects == 1 { one } else { many }
}

/// ` (netns 4026532315)` of one that is not ours.
pub fn netns(netns: Option<u32>) -> String {
    netns.map_or_else(String::new, |netns| format!(" (netns {netns})"))
}
