//! What only builds for tests can do; in a release there is nothing of this.
//!
//! `STILLWATCH_WITHOUT=hook:NAME,member:STRUCT.MEMBER,fact:NAME` makes the kernel look poorer. `STILLWATCH_REQUESTS` and its like make
//! tables so small that they are full. `STILLWATCH_KEEP=FILE` keeps what findings are made of (`tests/recorded`). `STILLWATCH_ROOT=DIR` has
//! logs of a host below it. `STILLWATCH_PANIC=screen` is a defect.

use std::{
    env,
    path::{Path, PathBuf},
};

const BUILT: bool = cfg!(debug_assertions);

/// This kernel is to look as if it had no such tracepoint.
pub fn without_hook(name: &str) -> bool {
    is_left_out("hook", name)
}

/// No such member.
pub fn without_member(of: &str, path: &str) -> bool {
    BUILT && is_left_out("member", &format!("{of}.{path}"))
}

/// The programs are not told.
pub fn without_fact(name: &str) -> bool {
    is_left_out("fact", name)
}

fn is_left_out(kind: &str, name: &str) -> bool {
    BUILT
        && env::var("STILLWATCH_WITHOUT")
            .is_ok_and(|all| all.split(',').any(|one| one.split_once(':') == Some((kind, name))))
}

/// Panics where that is asked for by this name.
pub fn panic_at(place: &str) {
    if BUILT && env::var("STILLWATCH_PANIC").is_ok_and(|asked| asked == place) {
        std::panic::panic_any("asked for by STILLWATCH_PANIC");
    }
}

/// A file of the host, or what is to be looked at in its place.
pub fn in_place_of(path: &str) -> PathBuf {
    let root = if BUILT { env::var_os("STILLWATCH_ROOT") } else { None };
    root.map_or_else(|| path.into(), |root| Path::new(&root).join(path.trim_start_matches('/')))
}

/// How many entries a map is to have.
pub fn entries(variable: &str) -> Option<u32> {
    BUILT.then(|| env::var(variable).ok()?.parse().ok()).flatten()
}

/// Appends a line to the file that is asked for. In a release this would be an encoder for every type of a snapshot that nothing else needs.
#[cfg(debug_assertions)]
pub fn keep<T: serde::Serialize>(what: impl FnOnce() -> T) -> std::io::Result<()> {
    use std::io::Write;

    let Some(path) = env::var_os("STILLWATCH_KEEP") else { return Ok(()) };
    let mut line = serde_json::to_string(&what())?;
    line.push('\n');
    std::fs::File::options().create(true).append(true).open(path)?.write_all(line.as_bytes())
}

#[cfg(not(debug_assertions))]
pub fn keep<T>(_: impl FnOnce() -> T) -> std::io::Result<()> {
    Ok(())
}
