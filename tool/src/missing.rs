//! What could not be measured.

/// A probe that was asked for and can't be had: nothing is known of what it would have seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    pub probe: &'static str,
    pub why: String,
}

/// Events that were not measured, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    pub cause: &'static str,
    pub count: u64,
}
