//! Names of the functions that drop packets: a few dozen, on the busiest host. A table of all functions would be larger than the rest of
//! the tool.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use crate::kernel::symbols::{self, Unavailable};

/// A pass over the kernel's symbols takes some 50 ms. New places are rare, but a host under attack finds many.
const PAUSE: Duration = Duration::from_secs(10);

#[derive(Default)]
pub struct Functions {
    /// By return address; `None`: not a function.
    known: HashMap<u64, Option<String>>,
    read_at: Option<Instant>,
    unavailable: Option<Unavailable>,
}

impl Functions {
    /// Names of those that are known now, or can be found out.
    pub fn names(&mut self, locations: &HashSet<u64>, now: Instant) -> HashMap<u64, String> {
        let new: Vec<u64> = locations.iter().copied().filter(|location| !self.known.contains_key(location)).collect();
        let paused = self.read_at.is_some_and(|at| now.saturating_duration_since(at) < PAUSE);
        if !new.is_empty() && !paused {
            self.read_at = Some(now);
            match symbols::find(&new) {
                Ok(mut found) => {
                    self.known.extend(new.into_iter().map(|location| (location, found.remove(&location))));
                    self.unavailable = None;
                }
                Err(why) => self.unavailable = Some(why),
            }
        }
        locations.iter().filter_map(|location| Some((*location, self.known.get(location)?.clone()?))).collect()
    }

    /// Why there are no names, once that was found out.
    pub fn unavailable(&self) -> Option<&Unavailable> {
        self.unavailable.as_ref()
    }
}
