//! Helpers shared by the tests.

pub mod schema;
pub mod tmux;

use std::{env, path::PathBuf, process::Command};

/// The binary under test: `$STILLWATCH_BIN`, else the one that cargo built beside this test.
///
/// # Panics
///
/// When there is none: a test that measures nothing must not pass.
pub fn stillwatch() -> Command {
    let path = env::var_os("STILLWATCH_BIN").map_or_else(beside, PathBuf::from);
    assert!(path.is_file(), "no binary at {}: cargo build -p stillwatch, or set STILLWATCH_BIN", path.display());
    Command::new(path)
}

/// Tests are built to `target/PROFILE/deps/`, binaries one level above.
fn beside() -> PathBuf {
    let test = env::current_exe().unwrap_or_default();
    test.ancestors().nth(2).map(|dir| dir.join("stillwatch")).unwrap_or_default()
}
