//! Single events, from the ring to a sample.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use aya::maps::{MapData, RingBuf};
use stillwatch_common::{
    hist,
    tcp::{Connect, Dropped, Ends, Reset, Retransmit},
};

use crate::sample::{TcpEvents, TripTimes};

/// Events are told apart by their size.
const RETRANSMIT: usize = size_of::<Retransmit>();
const CONNECT: usize = size_of::<Connect>();
const RESET: usize = size_of::<Reset>();
const DROPPED: usize = size_of::<Dropped>();

/// How long an event waits for its owner to be looked up.
const LONGEST: Duration = Duration::from_secs(1);
/// Connections whose round-trip times are kept for the tick.
const TIMED: usize = 2048;

pub struct Pending {
    ring: RingBuf<MapData>,
    events: TcpEvents,
    /// When the first of them was taken out of the ring, on the programs' clock.
    since: Option<Duration>,
    trips: HashMap<Ends, BTreeMap<u32, u64>>,
}

impl Pending {
    pub fn new(ring: RingBuf<MapData>) -> Self {
        Self { ring, events: TcpEvents::default(), since: None, trips: HashMap::new() }
    }

    /// Empties the ring.
    pub fn collect(&mut self, now: Duration) {
        while let Some(item) = self.ring.next() {
            self.since.get_or_insert(now);
            // SAFETY: the programs write whole ones, of plain integers.
            unsafe {
                match item.len() {
                    RETRANSMIT => {
                        let event = item.as_ptr().cast::<Retransmit>().read_unaligned();
                        time(&mut self.trips, &event);
                        self.events.retransmits.push(event);
                    }
                    CONNECT => self.events.connects.push(item.as_ptr().cast::<Connect>().read_unaligned()),
                    RESET => self.events.resets.push(item.as_ptr().cast::<Reset>().read_unaligned()),
                    DROPPED => self.events.drops.push(item.as_ptr().cast::<Dropped>().read_unaligned()),
                    _ => {}
                }
            }
        }
    }

    pub fn collected(&self) -> &TcpEvents {
        &self.events
    }

    pub fn is_overdue(&self, now: Duration) -> bool {
        self.since.is_some_and(|since| now.saturating_sub(since) >= LONGEST)
    }

    /// All that were collected, in order: CPUs fill the ring in turns.
    pub fn take(&mut self) -> TcpEvents {
        self.since = None;
        let mut events = std::mem::take(&mut self.events);
        events.retransmits.sort_by_key(|event| event.at_ns);
        events.connects.sort_by_key(|connect| connect.at_ns);
        events.resets.sort_by_key(|reset| reset.at_ns);
        events.drops.sort_by_key(|dropped| dropped.at_ns);
        events
    }

    /// Round-trip times of the interval that ends.
    pub fn take_trips(&mut self) -> HashMap<Ends, TripTimes> {
        self.trips.drain().map(|(ends, buckets)| (ends, buckets.into_iter().collect())).collect()
    }
}

/// What the connection took for its round trips when it sent this again.
fn time(trips: &mut HashMap<Ends, BTreeMap<u32, u64>>, event: &Retransmit) {
    if event.srtt_us == 0 || (trips.len() >= TIMED && !trips.contains_key(&event.ends)) {
        return;
    }
    let bucket = hist::bucket(u64::from(event.srtt_us) * 1000);
    *trips.entry(event.ends).or_default().entry(bucket).or_default() += 1;
}
