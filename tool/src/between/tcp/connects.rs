//! Connections that were opened between two readings.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use stillwatch_common::{
    hist,
    tcp::{self, Ends, Opened, Outcome, UNTIMED},
};

use super::{end, ends, foreign, recorded};
use crate::{
    sample,
    snapshot::{
        self, Latency, Who,
        tcp::{Connect, Outcomes, Remote},
    },
    table::in_order,
};

const BEFORE: &str = "it was opened before we started";

pub fn connect(connect: &tcp::Connect, at: Timestamp, sample: &sample::Tcp) -> Connect {
    let snapshot::tcp::Ends { local, remote } = ends(&connect.ends);
    let outcome = Outcome::of(connect.outcome);
    let seen = connect.waited_ns != 0;
    Connect {
        at,
        who: if seen { recorded(&connect.opener) } else { Who { unknown: Some(BEFORE.into()), ..Who::default() } },
        local,
        remote,
        netns: foreign(connect.ends.netns, sample),
        outcome,
        error: Some(connect.error).filter(|&error| error != 0 && outcome != Outcome::Established),
        waited: seen.then_some(Duration::from_nanos(connect.waited_ns)),
    }
}

/// Sums of one remote.
#[derive(Default)]
struct Sums {
    outcomes: Outcomes,
    buckets: Vec<(u32, u64)>,
    total_ns: u64,
    longest_ns: u64,
}

pub fn remotes(before: &sample::Tcp, after: &sample::Tcp, shown: impl Fn(&Ends) -> bool) -> Vec<Remote> {
    let mut sums: HashMap<(u32, [u8; 16], u16), Sums> = HashMap::new();
    for (key, now) in &after.remotes {
        // The local end is not part of the key, and so of no filter here.
        let ends = Ends { remote: key.address, remote_port: key.port, local: key.address, ..Ends::default() };
        let earlier = before.remotes.get(key).copied().filter(|earlier| sum(earlier) <= sum(now)).unwrap_or_default();
        if !shown(&ends) || earlier.counts == now.counts {
            continue;
        }
        let sums = sums.entry((key.netns, key.address, key.port)).or_default();
        for (place, (count, earlier)) in now.counts.iter().zip(earlier.counts).enumerate() {
            let count = u64::from(count.wrapping_sub(earlier));
            match key.octave {
                UNTIMED => _ = sums.outcomes.get_mut(place).map(|sum| *sum += count),
                octave if count > 0 => {
                    sums.outcomes[Outcome::Established as usize] += count;
                    sums.buckets.push((u32::from(octave) * hist::ROW as u32 + place as u32, count));
                }
                _ => {}
            }
        }
        sums.total_ns += now.total_ns.wrapping_sub(earlier.total_ns);
        sums.longest_ns = sums.longest_ns.max(now.max_ns);
    }
    let remote = |((netns, address, port), mut sums): (_, Sums)| {
        sums.buckets.sort_unstable();
        Remote {
            group: None,
            end: end(address, port),
            netns: foreign(netns, after),
            outcomes: sums.outcomes,
            latency: Latency::new(sums.buckets, sums.total_ns, sums.longest_ns),
        }
    };
    let mut remotes: Vec<Remote> = sums.into_iter().map(remote).collect();
    in_order(&mut remotes);
    remotes
}

fn sum(opened: &Opened) -> u64 {
    opened.counts.iter().map(|&count| u64::from(count)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(port: u16, octave: u16) -> tcp::Remote {
        tcp::Remote { port, octave, ..tcp::Remote::default() }
    }

    fn opened(counts: &[(usize, u32)], total_ns: u64, max_ns: u64) -> Opened {
        let mut opened = Opened { total_ns, max_ns, ..Opened::default() };
        counts.iter().for_each(|&(place, count)| opened.counts[place] = count);
        opened
    }

    #[test]
    fn octaves_of_a_remote_are_one_row() {
        let before =
            sample::Tcp { remotes: [(key(80, 9), opened(&[(3, 5)], 5000, 1000))].into(), ..sample::Tcp::default() };
        let refused = Outcome::Refused as usize;
        let after = sample::Tcp {
            remotes: [
                (key(80, 9), opened(&[(3, 7)], 7000, 1000)),
                (key(80, 11), opened(&[(0, 1)], 16_400, 16_400)),
                (key(80, UNTIMED), opened(&[(refused, 4), (0, 2)], 0, 0)),
                (key(443, UNTIMED), opened(&[(refused, 5)], 0, 0)),
            ]
            .into(),
            ..sample::Tcp::default()
        };
        let rows = remotes(&before, &after, |_| true);
        assert_eq!(rows.iter().map(|row| row.end.port).collect::<Vec<_>>(), [443, 80]);
        assert_eq!((rows[1].outcomes[0], rows[1].outcomes[refused], rows[1].latency.count), (5, 4, 3));
        assert_eq!((rows[1].latency.total_ns, rows[1].latency.max_ns), (18_400, 16_400));
        assert_eq!(remotes(&before, &after, |ends| ends.remote_port == 80).len(), 1);
    }

    #[test]
    fn a_connection_that_is_older_than_the_run_has_no_owner() {
        let connect = |waited_ns| {
            let connect =
                tcp::Connect { waited_ns, error: 111, outcome: Outcome::Refused as u8, ..tcp::Connect::default() };
            super::connect(&connect, Timestamp::UNIX_EPOCH, &sample::Tcp::default())
        };
        assert_eq!((connect(0).who.pid, connect(0).who.unknown, connect(0).waited), (None, Some(BEFORE.into()), None));
        assert_eq!((connect(7).error, connect(7).waited), (Some(111), Some(Duration::from_nanos(7))));
    }
}
