//! Network namespaces: who lives where.

use std::{collections::HashMap, fs};

use super::processes;

/// Processes that are asked which network namespace they are in: some milliseconds.
const LOOKED_AT: usize = 4096;

/// A process in each network namespace, by the namespace's number, as far as was looked.
pub fn inhabitants() -> HashMap<u32, u32> {
    processes::all().take(LOOKED_AT).filter_map(|pid| Some((home(pid)?, pid))).collect()
}

/// The network namespace that a process lives in.
pub fn home(pid: u32) -> Option<u32> {
    let link = fs::read_link(format!("/proc/{pid}/ns/net")).ok()?;
    link.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_lives_in_our_network_namespace() {
        let own = home(std::process::id()).unwrap();
        assert_eq!(home(inhabitants()[&own]), Some(own));
    }
}
