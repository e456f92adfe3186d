//! Names of the functions that drop packets: a few dozen, on the busiest host. A table of all functions would be larger than the rest of
//! the tool. No tick waits for the end of a pass.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use crate::kernel::{
    in_time::Later,
    symbols::{self, NoSymbols},
};

/// A pass over the kernel's symbols takes some 50 ms. New places are rare, but a host under attack finds many: one pass in so long.
const PAUSE: Duration = Duration::from_secs(10);
/// As many as that may be ahead of it: places that nobody knew before come one soon after the other.
const AHEAD: u32 = 4;

const LATER: &str = "not looked up yet";

/// Return addresses that were looked up, and the names of those that have one.
type LookedUp = (Vec<u64>, Result<HashMap<u64, String>, NoSymbols>);

#[derive(Default)]
pub struct Functions {
    /// By return address; `None`: not a function.
    known: HashMap<u64, Option<String>>,
    /// When as many passes as there were are due.
    due_at: Option<Duration>,
    pass: Later<LookedUp>,
    unavailable: Option<NoSymbols>,
    later: bool,
}

impl Functions {
    /// Names of those that are known now, or can be found out.
    pub fn names(&mut self, locations: &HashSet<u64>, now: Duration) -> HashMap<u64, String> {
        let new: Vec<u64> = locations.iter().copied().filter(|location| !self.known.contains_key(location)).collect();
        if !new.is_empty() && (self.pass.goes_on() || self.may_read(now)) {
            let found = self.pass.get(move || {
                let found = symbols::find(&new);
                (new, found)
            });
            if let Some(looked) = found {
                self.take(looked);
            }
        }
        self.later = locations.iter().any(|location| !self.known.contains_key(location));
        locations.iter().filter_map(|location| Some((*location, self.known.get(location)?.clone()?))).collect()
    }

    fn take(&mut self, (asked, found): LookedUp) {
        match found {
            Ok(mut found) => {
                self.known.extend(asked.into_iter().map(|location| (location, found.remove(&location))));
                self.unavailable = None;
            }
            Err(why) => self.unavailable = Some(why),
        }
    }

    fn may_read(&mut self, now: Duration) -> bool {
        let due_at = self.due_at.map_or(now, |at| at.max(now));
        let may = due_at - now <= PAUSE * (AHEAD - 1);
        if may {
            self.due_at = Some(due_at + PAUSE);
        }
        may
    }

    /// Why some or all have no names.
    pub fn unknown(&self) -> Option<String> {
        let unavailable = self.unavailable.as_ref().map(ToString::to_string);
        unavailable.or_else(|| self.later.then(|| LATER.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_passes_at_once_and_then_one_in_a_while() {
        let mut functions = Functions::default();
        let mut passes = |seconds: u64| {
            let now = Duration::from_secs(seconds);
            (0..10).filter(|_| functions.may_read(now)).count()
        };
        assert_eq!([0, 9, 10, 19, 20, 1000].map(&mut passes), [4, 0, 1, 0, 1, 4]);
    }
}
