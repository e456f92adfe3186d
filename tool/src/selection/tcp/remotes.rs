//! Remotes to which connections were opened, taken together.

use std::collections::HashMap;

use super::subnet;
use crate::{
    snapshot::{
        Latency,
        tcp::{End, FlowsBy, Outcome, Remote},
    },
    table::{Merge, Value, in_order},
};

/// One row per group, the most failures first, then the most time. By process or cgroup nothing is known of remotes: the kernel side
/// counts without them.
pub fn together(remotes: &mut Vec<Remote>, by: FlowsBy) {
    let group = |end: &End| match by {
        FlowsBy::Flow | FlowsBy::Process | FlowsBy::Cgroup => None,
        FlowsBy::Remote => Some(end.address.to_string()),
        FlowsBy::Subnet => Some(subnet(end.address)),
        FlowsBy::Port => Some(end.port.to_string()),
    };
    let mut groups: HashMap<(String, Option<u32>), Remote> = HashMap::new();
    let mut single = Vec::new();
    for remote in remotes.drain(..) {
        let Some(name) = group(&remote.end) else {
            single.push(remote);
            continue;
        };
        match groups.get_mut(&(name.clone(), remote.netns)) {
            Some(sum) => add(sum, &remote),
            None => _ = groups.insert((name.clone(), remote.netns), Remote { group: Some(name), ..remote }),
        }
    }
    remotes.extend(groups.into_values().chain(single));
    in_order(remotes);
}

fn add(sum: &mut Remote, remote: &Remote) {
    sum.outcomes.join(&remote.outcomes, Merge::Add);
    sum.latency = Latency::merge([&sum.latency, &remote.latency]);
}

const _: () = assert!(Outcome::Established as usize == 0, "what failed stands behind");

#[cfg(test)]
mod tests {
    use stillwatch_common::hist;

    use super::*;
    use crate::snapshot::tcp::Outcomes;

    #[test]
    fn remotes_of_a_group_are_added_up() {
        let remote = |address: &str, port, outcomes: [u64; 2]| Remote {
            group: None,
            end: End { address: address.parse().unwrap(), port },
            netns: None,
            outcomes: Outcomes([outcomes[0], outcomes[1], 0, 0, 0, 0, 0, 0]),
            latency: Latency::new(vec![(hist::bucket(1000), outcomes[0])], 1000 * outcomes[0], 1000),
        };
        let all = vec![remote("10.0.7.1", 80, [2, 0]), remote("10.0.7.1", 81, [3, 1]), remote("10.0.7.2", 80, [5, 0])];
        let rows = |by| -> Vec<(String, u64, u64, u64)> {
            let mut rows = all.clone();
            together(&mut rows, by);
            let row = |row: Remote| {
                let name = row.group.unwrap_or_else(|| row.end.to_string());
                (name, row.outcomes[0], row.outcomes[1], row.latency.count)
            };
            rows.into_iter().map(row).collect()
        };
        let row = |name: &str, established, refused| (name.to_owned(), established, refused, established);
        assert_eq!(rows(FlowsBy::Remote), [row("10.0.7.1", 5, 1), row("10.0.7.2", 5, 0)]);
        assert_eq!(rows(FlowsBy::Subnet), [row("10.0.7.0/24", 10, 1)]);
        assert_eq!(rows(FlowsBy::Port), [row("81", 3, 1), row("80", 7, 0)]);
        assert_eq!(rows(FlowsBy::Process)[0], row("10.0.7.1:81", 3, 1));
    }
}
