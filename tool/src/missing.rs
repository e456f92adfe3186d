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

/// How much is measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// What we may cost, in percent of what all CPUs can do.
    pub budget_percent: f64,
    /// What is not measured for now, so that we do not cost more.
    #[serde(deserialize_with = "constant::list")]
    pub without: Vec<Constant>,
}

impl Level {
    /// `full`, or what is missing.
    pub fn name(&self) -> String {
        if self.without.is_empty() { "full".to_owned() } else { format!("without {}", self.without.join(", ")) }
    }
}

/// Events that were not measured, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    #[serde(deserialize_with = "constant::read")]
    pub cause: Constant,
    pub count: u64,
}
