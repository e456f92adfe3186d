//! What was asked for that a snapshot is told apart by, too.

use serde::{Deserialize, Serialize};

/// How calls are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Every call, from entry to return.
    Exact,
    /// Only calls that sleep, and of them only the sleeping, seen from the scheduler.
    Blocked,
    /// Of these, only the sleeps over the threshold.
    Long,
}

/// What rows of the table of flows stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
pub enum FlowsBy {
    #[default]
    Flow,
    Remote,
    Subnet,
    Port,
    Process,
    Cgroup,
}
