//! The whole host without memory, in virtual machines.

use super::super::Test;

pub const TESTS: &[Test] = &[];
