//! What could not be measured.

use serde::{Deserialize, Serialize};

use crate::constant::{self, Constant};

/// A probe that was asked for and can't be had: nothing is known of what it would have seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unavailable {
    #[serde(deserialize_with = "constant::read")]
    pub probe: Constant,
    pub why: String,
}

/// Events that were not measured, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    #[serde(deserialize_with = "constant::read")]
    pub cause: Constant,
    pub count: u64,
}
