//! The minutes before a kill, kept in memory that is allocated when the run begins: a kill is over when one looks.

use std::{rc::Rc, time::Duration};

use stillwatch_common::{
    io::{OwnerId, tgid_of},
    oom::{ANON, FILE, Resident, SHMEM},
};

use crate::{
    names::{Late, Names},
    snapshot::{
        oom::{LeadUp, Memory, Series},
        who,
    },
};

/// Points that are kept, however far back they reach.
const POINTS: usize = 300;
/// Processes and cgroups that are followed: those that hold most.
const PROCESSES: usize = 48;
const CGROUPS: usize = 16;
/// Of these, so many are handed over: those that grew most.
const SHOWN: usize = 8;
/// Not measured.
const NONE: u32 = u32::MAX;

/// What the host was like at one moment.
#[derive(Clone, Copy, Default)]
pub struct Point {
    pub at_ns: u64,
    pub memory: Memory,
    /// Time stalled since boot, some and full.
    pub pressure: Option<[Duration; 2]>,
    /// Time that all tasks together have waited, since attach.
    pub stalled_ns: u64,
}

/// One process or cgroup that is followed.
struct Slot {
    /// Owner or cgroup id; 0: free.
    key: u64,
    cgroup: u64,
    comm: [u8; 16],
    /// What was not read in time is tried again.
    cgroup_path: Result<Option<String>, Late>,
    cmdline: Result<Option<String>, Late>,
    /// In pages, by place of the point.
    pages: Box<[u32]>,
    /// Now; 0: it has ended.
    held: u64,
}

/// The ring.
pub struct Recorder {
    step: Duration,
    points: Box<[Point]>,
    /// Place of the latest point, and how many there are.
    at: usize,
    count: usize,
    processes: Vec<Slot>,
    cgroups: Vec<Slot>,
    /// Those not followed, of the walk that goes on.
    others: Vec<Resident>,
    sums: Vec<(u64, u64)>,
    cut_short: u64,
}

impl Recorder {
    pub fn new(reach: Duration) -> Self {
        let slot = |_| Slot {
            key: 0,
            cgroup: 0,
            comm: [0; 16],
            cgroup_path: Ok(None),
            cmdline: Ok(None),
            pages: vec![NONE; POINTS].into(),
            held: 0,
        };
        Self {
            step: (reach / POINTS as u32).max(Duration::from_secs(1)),
            points: vec![Point::default(); POINTS].into(),
            at: POINTS - 1,
            count: 0,
            processes: (0..PROCESSES).map(slot).collect(),
            cgroups: (0..CGROUPS).map(slot).collect(),
            others: Vec::with_capacity(1024),
            sums: Vec::with_capacity(1024),
            cut_short: 0,
        }
    }

    /// Whether it is time for the next point.
    pub fn is_due(&self, now_ns: u64) -> bool {
        // A tick that comes a little early counts.
        let passed = now_ns.saturating_sub(self.points[self.at].at_ns);
        self.count == 0 || Duration::from_nanos(passed) + Duration::from_millis(50) >= self.step
    }

    pub fn begin(&mut self, point: Point) {
        self.at = (self.at + 1) % POINTS;
        self.count = (self.count + 1).min(POINTS);
        self.points[self.at] = point;
        for slot in self.processes.iter_mut().chain(&mut self.cgroups) {
            slot.pages[self.at] = NONE;
        }
    }

    /// All processes are visited for the point that was begun.
    pub fn begin_walk(&mut self) {
        self.processes.iter_mut().chain(&mut self.cgroups).for_each(|slot| slot.held = 0);
        self.others.clear();
        self.sums.clear();
    }

    /// One process of the walk.
    pub fn visit(&mut self, found: &Resident) {
        let pages = pages(found);
        let room = self.sums.len() < self.sums.capacity();
        match self.sums.iter_mut().find(|(cgroup, _)| *cgroup == found.memory_cgroup) {
            Some((_, sum)) => *sum += pages,
            None if room => self.sums.push((found.memory_cgroup, pages)),
            None => {}
        }
        if let Some(slot) = self.processes.iter_mut().find(|slot| slot.key == found.owner) {
            (slot.held, slot.pages[self.at]) = (pages, small(pages));
            (slot.comm, slot.cgroup) = (found.comm, found.memory_cgroup);
        } else if self.others.len() < self.others.capacity() {
            self.others.push(*found);
        } else if let Some(least) = self.others.iter_mut().min_by_key(|other| self::pages(other))
            && self::pages(least) < pages
        {
            *least = *found;
        }
    }

    /// Ends a walk: the largest that were not followed take the places of smaller ones, and of those that have ended.
    pub fn end(&mut self, cut_short: bool, names: &mut Names) {
        self.cut_short += u64::from(cut_short);
        self.others.sort_unstable_by_key(|other| std::cmp::Reverse(pages(other)));
        for other in &self.others {
            let held = pages(other);
            let Some(slot) = smallest(&mut self.processes, held) else { break };
            take(slot, other.owner, held, self.at);
            (slot.comm, slot.cgroup) = (other.comm, other.memory_cgroup);
            slot.cgroup_path = names.memory_cgroup_by_id(other.memory_cgroup);
            slot.cmdline = names.cmdline(tgid_of(other.owner));
        }
        for slot in self.processes.iter_mut().filter(|slot| slot.held > 0 && slot.cmdline.is_err()) {
            slot.cmdline = names.cmdline(tgid_of(slot.key));
        }
        self.sums.sort_unstable_by_key(|&(_, sum)| std::cmp::Reverse(sum));
        for &(cgroup, held) in self.sums.iter().filter(|(cgroup, _)| *cgroup != 0) {
            if let Some(slot) = self.cgroups.iter_mut().find(|slot| slot.key == cgroup) {
                (slot.held, slot.pages[self.at]) = (held, small(held));
            } else if let Some(slot) = smallest(&mut self.cgroups, held) {
                take(slot, cgroup, held, self.at);
                slot.cgroup = cgroup;
                slot.cgroup_path = names.memory_cgroup_by_id(cgroup);
            }
        }
        let all = self.processes.iter_mut().chain(&mut self.cgroups);
        for slot in all.filter(|slot| slot.held > 0 && slot.cgroup_path.is_err()) {
            slot.cgroup_path = names.memory_cgroup_by_id(slot.cgroup);
        }
    }

    /// The command line of a process that was followed.
    pub fn cmdline(&self, owner: OwnerId) -> Option<String> {
        self.processes.iter().find(|slot| slot.key == owner)?.cmdline.clone().ok()?
    }

    /// What was before a kill.
    pub fn before(&self, at_ns: u64, victim: OwnerId) -> Option<Rc<LeadUp>> {
        (self.count > 0).then(|| Rc::new(self.lead_up(at_ns, victim)))
    }

    fn lead_up(&self, at_ns: u64, victim: OwnerId) -> LeadUp {
        let places = || (0..self.count).map(|back| (self.at + POINTS - (self.count - 1 - back)) % POINTS);
        let points: Vec<&Point> = places().map(|at| &self.points[at]).collect();
        // The first has none before it to differ from.
        let pairs = || std::iter::once(None).chain(points.windows(2).map(|pair| Some((pair[0], pair[1]))));
        let pressure = |which: usize| {
            let share = |(before, after): (&Point, &Point)| {
                let stalled = after.pressure?[which].saturating_sub(before.pressure?[which]);
                let passed = Duration::from_nanos(after.at_ns.saturating_sub(before.at_ns));
                Some((100.0 * stalled.as_secs_f64() / passed.as_secs_f64().max(1e-9)) as f32)
            };
            pairs().map(|pair| pair.and_then(share)).collect()
        };
        let stalled = |(before, after): (&Point, &Point)| {
            let passed = after.at_ns.saturating_sub(before.at_ns).max(1);
            let more = u128::from(after.stalled_ns.saturating_sub(before.stalled_ns));
            u64::try_from(more * 1_000_000_000 / u128::from(passed)).unwrap_or(u64::MAX)
        };
        let series = |slots: &[Slot], processes: bool| {
            let known = slots.iter().filter(|slot| slot.key != 0);
            let mut all: Vec<(bool, Series)> = known
                .map(|slot| {
                    let series = Series {
                        pid: processes.then(|| tgid_of(slot.key)),
                        comm: processes.then(|| who::text(&slot.comm)),
                        cgroup: slot.cgroup_path.clone().ok().flatten(),
                        bytes: places().map(|at| bytes(slot.pages[at])).collect(),
                    };
                    (processes && slot.key == victim, series)
                })
                .filter(|(_, series)| series.bytes.iter().any(Option::is_some))
                .collect();
            all.sort_by_key(|(is_victim, series)| (!is_victim, std::cmp::Reverse(series.growth())));
            all.into_iter().map(|(_, series)| series).take(SHOWN).collect()
        };
        LeadUp {
            before: points.iter().map(|point| Duration::from_nanos(at_ns.saturating_sub(point.at_ns))).collect(),
            free: points.iter().map(|point| point.memory.free).collect(),
            available: points.iter().map(|point| point.memory.available).collect(),
            swap_used: points
                .iter()
                .map(|point| point.memory.swap_total.saturating_sub(point.memory.swap_free))
                .collect(),
            pressure_some: pressure(0),
            pressure_full: pressure(1),
            stalled_ns: pairs().map(|pair| pair.map_or(0, stalled)).collect(),
            processes: series(&self.processes, true),
            cgroups: series(&self.cgroups, false),
            cut_short: self.cut_short,
        }
    }
}

fn pages(found: &Resident) -> u64 {
    [FILE, ANON, SHMEM].map(|at| u64::try_from(found.pages[at]).unwrap_or(0)).iter().sum()
}

/// Sixteen tebibytes of 4 KiB pages fit.
fn small(pages: u64) -> u32 {
    u32::try_from(pages).unwrap_or(NONE - 1).min(NONE - 1)
}

fn bytes(pages: u32) -> Option<u64> {
    // SAFETY: no precondition.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    (pages != NONE).then(|| u64::from(pages) * u64::try_from(page).unwrap_or(4096))
}

/// The slot that holds least, if that is less.
fn smallest(slots: &mut [Slot], held: u64) -> Option<&mut Slot> {
    slots.iter_mut().min_by_key(|slot| slot.held).filter(|slot| slot.held < held)
}

fn take(slot: &mut Slot, key: u64, held: u64, at: usize) {
    slot.pages.fill(NONE);
    (slot.key, slot.held, slot.pages[at]) = (key, held, small(held));
    (slot.cmdline, slot.cgroup_path) = (Ok(None), Ok(None));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::fake::Fake;

    fn names() -> Names {
        Names::new(Fake::default())
    }

    fn found(owner: u64, pages: i64, memory_cgroup: u64) -> Resident {
        Resident { owner: owner << 32, pages: [0, pages, 0, 0], memory_cgroup, ..Resident::default() }
    }

    fn point(second: u64) -> Point {
        let pressure = Some([Duration::from_millis(100 * second), Duration::ZERO]);
        Point { at_ns: second * 1_000_000_000, pressure, stalled_ns: second * 7, ..Point::default() }
    }

    #[test]
    fn the_largest_are_followed_and_the_oldest_points_go() {
        let mut recorder = Recorder::new(Duration::from_secs(300));
        for second in 1..=400 {
            assert!(recorder.is_due(second * 1_000_000_000));
            recorder.begin(point(second));
            recorder.begin_walk();
            assert!(!recorder.is_due(second * 1_000_000_000 + 900_000_000));
            for process in 1..=100 {
                recorder.visit(&found(process, process as i64 * 1000 + second as i64 * 10, process % 3 + 1));
            }
            recorder.end(false, &mut names());
        }
        let lead_up = recorder.before(401_000_000_000, 99 << 32).unwrap();
        assert_eq!(lead_up.before.len(), POINTS);
        assert_eq!((lead_up.before[0], lead_up.before[POINTS - 1]), (Duration::from_secs(300), Duration::from_secs(1)));
        assert_eq!((lead_up.pressure_some[0], lead_up.pressure_some[1]), (None, Some(10.0)));
        assert_eq!((lead_up.stalled_ns[0], lead_up.stalled_ns[1]), (0, 7));
        assert_eq!(lead_up.processes.len(), SHOWN);
        // The victim first, then by growth; all grew alike.
        assert_eq!(lead_up.processes[0].pid, Some(99));
        let bytes = &lead_up.processes[0].bytes;
        assert_eq!((bytes[0], bytes[POINTS - 1]), (Some((99_000 + 1010) * 4096), Some((99_000 + 4000) * 4096)));
        let second = recorder.before(401_500_000_000, 98 << 32).unwrap();
        assert_eq!((second.processes[0].pid, second.before[POINTS - 1]), (Some(98), Duration::from_millis(1500)));
        assert_eq!(lead_up.cgroups.len(), 3);
        assert!(lead_up.cgroups.iter().all(|series| series.bytes.iter().all(Option::is_some)));
    }

    #[test]
    fn a_process_that_ends_has_a_gap_and_gives_its_place_up() {
        let mut recorder = Recorder::new(Duration::from_secs(300));
        for second in 1..=3 {
            recorder.begin(point(second));
            recorder.begin_walk();
            if second != 2 {
                recorder.visit(&found(1, 5000, 1));
            }
            recorder.end(second == 2, &mut names());
        }
        let lead_up = recorder.before(4_000_000_000, 0).unwrap();
        let bytes = &lead_up.processes[0].bytes;
        assert_eq!(bytes[..], [Some(5000 * 4096), None, Some(5000 * 4096)]);
        assert_eq!(lead_up.cut_short, 1);
        recorder.begin(point(5));
        assert_eq!(recorder.processes[0].held, 5000, "without a walk nobody is known to have ended");
        recorder.begin_walk();
        for process in 2..100 {
            recorder.visit(&found(process, 6000, 1));
        }
        recorder.end(false, &mut names());
        let lead_up = recorder.before(6_000_000_000, 1 << 32).unwrap();
        assert!(lead_up.processes.iter().all(|series| series.pid != Some(1)));
    }
}
