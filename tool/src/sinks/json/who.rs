//! Names of processes.

use super::row::Row;
use crate::snapshot;

pub type Who<'a> = Row<'a, snapshot::Who>;
