//! The `syscalls` probe against calls whose number and time are known.

mod attribution;
mod counts;
mod in_flight;
mod modes;

use super::Test;

pub fn tests() -> Vec<Test> {
    [counts::TESTS, modes::TESTS, in_flight::TESTS, attribution::TESTS].concat()
}
