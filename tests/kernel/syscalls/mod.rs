//! The `syscalls` probe against calls whose number and time are known.

mod attribution;
mod counts;
pub mod in_flight;
mod long;
mod modes;

use super::Test;

pub fn tests() -> Vec<Test> {
    [counts::TESTS, modes::TESTS, in_flight::TESTS, long::TESTS, attribution::TESTS].concat()
}
