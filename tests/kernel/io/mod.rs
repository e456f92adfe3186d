//! The `io` probe against devices whose answer is known.

mod counts;
mod failures;
mod latency;
mod modes;
mod owners;
mod seen;
mod stalls;
pub mod work;

use super::Test;

pub fn tests() -> Vec<Test> {
    [counts::TESTS, latency::TESTS, owners::TESTS, stalls::TESTS, modes::TESTS, failures::TESTS].concat()
}
