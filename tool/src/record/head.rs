//! Where a recording is from.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Of what this version writes. It reads all up to it.
pub const FORMAT: u32 = 1;

/// Which host, which kernel, how it was measured. Empty and zero: not recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    pub format: u32,
    #[serde(default)]
    pub version: String,
    #[serde(default)]
    pub host: String,
    /// As `uname -r` has it.
    #[serde(default)]
    pub kernel: String,
    #[serde(default)]
    pub architecture: String,
    /// Another one after each boot.
    #[serde(default)]
    pub boot_id: String,
    #[serde(default)]
    pub cpus: u32,
    #[serde(default)]
    pub memory_bytes: u64,
    #[serde(default)]
    pub disks: Vec<DiskSize>,
    /// When the run began.
    pub began: Timestamp,
    pub interval: Duration,
    /// What was asked for on the command line, without what only concerns the output.
    #[serde(default)]
    pub flags: Vec<String>,
    /// What could not be measured on that host, and why.
    #[serde(default)]
    pub missing: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskSize {
    pub name: String,
    pub bytes: u64,
}
