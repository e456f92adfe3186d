//! Whether a process closes what the other side has closed: how many of its sockets stay in `CLOSE_WAIT`, and whether they become more.

use std::{collections::HashMap, time::Duration};

use crate::sample::{Growth, ProcessSockets};

/// A process that reads finds out at once; one whose connections lie in a pool, when it uses or tidies them.
pub const LASTS: Duration = Duration::from_secs(30);
/// Rises within that time are one: connections that end together, as when a server is restarted, do so once.
const ONE_RISE: Duration = Duration::from_secs(10);

/// By process and network namespace.
#[derive(Default)]
pub struct Growths {
    all: HashMap<(u32, u32), Growth>,
    begin: Option<Duration>,
}

impl Growths {
    /// Since when those of each process have not become fewer, and by how many they became more. Before the first could last, nothing
    /// is known.
    pub fn note(&mut self, processes: &mut [ProcessSockets], now: Duration) {
        if now < *self.begin.get_or_insert(now) + LASTS {
            return;
        }
        let before = std::mem::take(&mut self.all);
        for process in processes.iter_mut().filter(|process| process.lasting > 0) {
            let key = (process.pid, process.netns);
            process.growth = grown(before.get(&key), process.lasting, now);
            self.all.extend(process.growth.map(|growth| (key, growth)));
        }
    }
}

fn grown(before: Option<&Growth>, count: u64, now: Duration) -> Option<Growth> {
    let begins = Growth { from: count, count, since: now, rose: now, rises: 0, seen: now };
    let Some(before) = before.filter(|before| before.count <= count) else { return Some(begins) };
    let mut growth = Growth { count, seen: now, ..*before };
    if count > before.count && now >= before.rose + ONE_RISE {
        (growth.rose, growth.rises) = (now, before.rises + 1);
    }
    Some(growth)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (grew by, rises, for so many seconds) at the end of what lasted at each second.
    fn after(counts: impl IntoIterator<Item = u64>) -> Option<(u64, u64, u64)> {
        let mut growths = Growths::default();
        let mut last = None;
        for (second, lasting) in counts.into_iter().enumerate() {
            let mut processes = [ProcessSockets { pid: 7, lasting, ..ProcessSockets::default() }];
            growths.note(&mut processes, Duration::from_secs(second as u64));
            last = processes[0].growth;
        }
        last.map(|growth| (growth.grew(), growth.rises, growth.lasted().as_secs()))
    }

    #[test]
    fn what_rises_again_and_again_is_told_from_what_rose_once() {
        assert_eq!(after([5; 30]), None);
        assert_eq!(after([5; 100]), Some((0, 0, 69)));
        // All at once, in two walks.
        assert_eq!(
            after((0..100).map(|second| [5, 60, 70][usize::from(second > 50) + usize::from(second > 51)])),
            Some((65, 1, 69))
        );
        assert_eq!(after((0..91).map(|second| 5 + second / 3)), Some((20, 5, 60)));
    }

    #[test]
    fn what_falls_begins_anew() {
        assert_eq!(after((0..100).map(|second| if second < 80 { second } else { 79 })), Some((49, 4, 69)));
        assert_eq!(after((0..100).map(|second| if second < 80 { second } else { 78 })), Some((0, 0, 19)));
        assert_eq!(after((0..100).map(|second| if second == 80 { 0 } else { 7 })), Some((0, 0, 18)));
    }
}
