//! From the maps of the `io` probe to its part of a sample.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    io,
    rc::Rc,
    time::Duration,
};

use aya::{
    Ebpf,
    maps::{MapData, Queue, RingBuf},
};
use stillwatch_common::{
    hist,
    io::{
        CELLS, Cause, DeviceCounts, Layout, Loss, Owner, OwnerId, PARTS, PerCpu, Program, ROWS, Request, SHARDS,
        STRIDE, Shard, Slow, Stack, Stall, TaskAsleep, Waits, Work,
    },
    syscalls::NATIVE,
};

use super::{
    super::{
        Counters,
        hash_table::{HashTable, fd, refused, take, unreadable},
    },
    BIO_COMPLETE, BIO_QUEUE,
    devices::Devices,
    missed::Missed,
    unseen::Unseen,
    waiting::waiting,
};
use crate::{
    cli::plan,
    kernel::{
        loader::{self, LoadError},
        mapping::Mapping,
        symbols::Symbols,
    },
    sample::{Io, Moment, Octave},
    snapshot::Lost,
    syscall_names,
};

type Hash<K, V> = aya::maps::HashMap<MapData, K, V>;

pub struct Reader {
    cpus: Mapping<PerCpu>,
    shards: Mapping<Shard>,
    layout: Mapping<Layout>,
    /// `None`: devices only.
    who: Option<Who>,
    devices: Devices,
    missed: Missed,
    /// The hooks for devices without a request queue are attached.
    bios: bool,
}

/// Whose requests, and who waits.
struct Who {
    requests: HashTable<u64, Request>,
    causes: HashTable<Cause, Work>,
    tasks: HashTable<u64, TaskAsleep>,
    stalls: HashTable<Stall, Waits>,
    owners: HashTable<OwnerId, Owner>,
    stacks: Hash<u64, Stack>,
    slow: Option<RingBuf<MapData>>,
    stall_ns: u64,
    unseen: Option<Unseen>,
    symbols: Symbols,
    known_stacks: HashMap<u64, Rc<[String]>>,
    known_owners: HashMap<OwnerId, Owner>,
    /// Of the last sample, to know what does not change any more.
    last_causes: HashMap<Cause, Work>,
    last_stalls: HashMap<Stall, Waits>,
}

impl Reader {
    /// Takes over the probe's maps and fills those that user space fills. Before the programs are attached.
    pub fn new(ebpf: &mut Ebpf, plan: &plan::Io, processors: usize) -> Result<Self, LoadError> {
        for (map, count) in [("IO_FREE_ROWS", ROWS as u32 - 1), ("IO_FREE_CELLS", CELLS as u32)] {
            let mut free = Queue::<_, u32>::try_from(take(ebpf, map)?).map_err(refused)?;
            // Cell 0 stands for none.
            for number in u32::from(map == "IO_FREE_CELLS")..count {
                free.push(number, 0).map_err(refused)?;
            }
        }
        let layout = Mapping::<Layout>::new(fd(ebpf, "IO_LAYOUT")?, 1, true).map_err(unreadable)?;
        for layout in layout.values() {
            for nr in 0..NATIVE {
                let on_file = u8::from(syscall_names::works_on_file(nr as u32));
                // SAFETY: inside the mapping; no program runs yet.
                unsafe { (&raw mut (*layout).works_on_file[nr]).write(on_file) };
            }
        }
        Ok(Self {
            cpus: Mapping::new(fd(ebpf, "IO_CPU")?, processors, false).map_err(unreadable)?,
            shards: Mapping::new(fd(ebpf, "IO_SHARDS")?, SHARDS, false).map_err(unreadable)?,
            layout,
            who: if plan.devices_only { None } else { Some(Who::new(ebpf, plan)?) },
            devices: Devices::default(),
            missed: Missed::default(),
            bios: false,
        })
    }

    /// Before waits are looked at again, some of which have ended meanwhile.
    pub fn forget_waits(&mut self) -> io::Result<()> {
        self.who.as_mut().map_or(Ok(()), |who| who.tasks.clear())
    }

    pub fn read(&mut self, ebpf: &mut Ebpf, now: Moment) -> io::Result<(Io, Counters)> {
        // Bios on their way when the hooks are attached are not seen.
        if self.devices.refresh() && self.who.is_some() && !self.bios {
            self.bios = attach_bios(ebpf);
        }
        let statistics = self.missed.statistics();
        let mut sample = Io { rows: self.rows(), cells: self.cells(), ..Io::default() };
        for shard in self.shards.values() {
            for (at, (_, sum)) in sample.rows.iter_mut().enumerate().filter(|(_, (key, _))| *key != 0) {
                // SAFETY: inside the mapping; the kernel writes at any time, in aligned words, so every load is volatile.
                add(sum, unsafe { (&raw const (*shard).rows[at]).read_volatile() });
            }
            for (at, sum) in sample.cells.iter_mut().enumerate().filter(|(_, cell)| cell.of.is_some()) {
                // SAFETY: as above.
                let counts = unsafe { (&raw const (*shard).cells[at].counts).read_volatile() };
                for (sum, count) in sum.counts.iter_mut().zip(counts) {
                    *sum = sum.wrapping_add(count);
                }
            }
        }
        let missed = self.missed.update(statistics.as_ref(), &sample.rows, |dev| self.devices.get(dev).disk);
        if let Some(who) = &mut self.who {
            who.read(&mut sample, &mut self.devices, &self.missed, now)?;
        }
        let keys = sample.rows.iter().map(|(key, _)| (key >> 8) as u32);
        let stalls = sample.stalls.iter().flat_map(|(stall, waits)| [stall.dev, waits.waker_dev]);
        let waits = sample.waiting.iter().filter_map(|task| task.dev);
        let slow = sample.slow.iter().map(|slow| slow.dev).chain(sample.unseen.iter().map(|&(disk, _)| disk));
        let causes = sample.causes.keys().map(|cause| cause.dev);
        let seen = keys.chain(stalls).chain(waits).chain(slow).chain(causes).filter(|&dev| dev != 0);
        let mut left: Vec<u32> = seen.collect();
        while let Some(dev) = left.pop() {
            if let Entry::Vacant(place) = sample.devices.entry(dev) {
                let device = place.insert(self.devices.get(dev));
                left.extend(device.below.iter().chain([&device.disk]));
            }
        }
        let mut counters = self.counters();
        counters.lost.push(Lost { cause: MISSED, count: missed });
        Ok((sample, counters))
    }

    /// All rows, empty, with what they stand for.
    fn rows(&self) -> Vec<(u64, DeviceCounts)> {
        let mut rows = vec![(0, DeviceCounts::default()); ROWS];
        for layout in self.layout.values() {
            for (at, (key, _)) in rows.iter_mut().enumerate() {
                // SAFETY: inside the mapping, index in bounds.
                *key = unsafe { (&raw const (*layout).keys[at]).read_volatile() };
            }
        }
        rows
    }

    /// Cells up to the last one in use, empty, with their owners.
    fn cells(&self) -> Vec<Octave> {
        let mut cells = Vec::new();
        for layout in self.layout.values() {
            for at in 0..ROWS * PARTS {
                for octave in 0..hist::ROWS.min(STRIDE) {
                    // SAFETY: inside the mapping, both indexes in bounds.
                    let cell = unsafe { (&raw const (*layout).cell[at][octave]).read_volatile() };
                    Octave::note(&mut cells, cell, CELLS, (at as u16, octave as u8));
                }
            }
        }
        cells
    }

    fn counters(&self) -> Counters {
        let (mut runs, mut lost) = ([0; Program::ALL.len()], [0; Loss::ALL.len()]);
        for cpu in self.cpus.values() {
            for (at, sum) in runs.iter_mut().enumerate() {
                // SAFETY: inside the mapping.
                *sum += unsafe { (&raw const (*cpu).runs[at]).read_volatile() };
            }
            for (at, sum) in lost.iter_mut().enumerate() {
                // SAFETY: as above.
                *sum += unsafe { (&raw const (*cpu).lost[at]).read_volatile() };
            }
        }
        Counters {
            runs: Program::ALL.map(|program| (program.name(), runs[program as usize])).to_vec(),
            lost: Loss::ALL.iter().zip(lost).map(|(&loss, count)| Lost { cause: loss.name(), count }).collect(),
        }
    }
}

/// The only loss that is not counted by the programs.
const MISSED: &str = "completed requests not seen";

#[cfg(test)]
pub fn causes() -> Vec<&'static str> {
    Loss::ALL.into_iter().map(Loss::name).chain([MISSED]).collect()
}

/// What ends before what begins, so that no bio is noted that nobody takes away.
fn attach_bios(ebpf: &mut Ebpf) -> bool {
    [BIO_COMPLETE, BIO_QUEUE].iter().all(|hook| loader::attach_later(ebpf, hook))
}

fn add(sum: &mut DeviceCounts, row: DeviceCounts) {
    sum.ios += row.ios;
    sum.bytes += row.bytes;
    sum.errors += row.errors;
    sum.untimed += row.untimed;
    for part in 0..PARTS {
        sum.total_ns[part] += row.total_ns[part];
        sum.max_ns[part] = sum.max_ns[part].max(row.max_ns[part]);
    }
}

impl Who {
    fn new(ebpf: &mut Ebpf, plan: &plan::Io) -> Result<Self, LoadError> {
        let ns = u64::try_from(plan.stall.as_nanos()).unwrap_or(u64::MAX);
        Ok(Self {
            requests: HashTable::new(take(ebpf, "IO_REQUESTS")?, 1)?,
            causes: HashTable::new(take(ebpf, "IO_CAUSES")?, 1)?,
            tasks: HashTable::new(take(ebpf, "IO_TASKS")?, 1)?,
            stalls: HashTable::new(take(ebpf, "IO_STALLS")?, 1)?,
            owners: HashTable::new(take(ebpf, "IO_OWNERS")?, 1)?,
            stacks: Hash::try_from(take(ebpf, "IO_STACKS")?).map_err(refused)?,
            slow: match plan.slow {
                Some(_) => Some(RingBuf::try_from(take(ebpf, "IO_SLOW")?).map_err(refused)?),
                None => None,
            },
            stall_ns: ns,
            unseen: None,
            symbols: Symbols::new(),
            known_stacks: HashMap::new(),
            known_owners: HashMap::new(),
            last_causes: HashMap::new(),
            last_stalls: HashMap::new(),
        })
    }

    fn read(&mut self, sample: &mut Io, devices: &mut Devices, missed: &Missed, now: Moment) -> io::Result<()> {
        let mut requests = self.requests.entries()?;
        // Most entries wait for their address to be used again.
        self.requests.make_room(&mut requests, |_, request| request.queued_ns == 0);
        let mut requests: Vec<Request> = requests.into_values().filter(|request| request.queued_ns != 0).collect();
        missed.drop_ended(&mut requests, &sample.rows, now.ns(), |dev| devices.get(dev).disk);
        let mut tasks = Vec::new();
        self.tasks.read(|_, values| tasks.extend(values.first()))?;
        sample.causes = self.causes.entries()?;
        sample.stalls = self.stalls.entries()?;
        sample.waiting = waiting(&tasks, &requests, now.ns(), self.stall_ns);
        sample.requests = Some(requests);
        sample.unseen = self.unseen.get_or_insert_with(Unseen::count).update(sample, |dev| devices.get(dev));
        if let Some(ring) = &mut self.slow {
            while let Some(item) = ring.next() {
                if item.len() >= size_of::<Slow>() {
                    // SAFETY: the program writes whole ones, of plain integers.
                    sample.slow.push(unsafe { item.as_ptr().cast::<Slow>().read_unaligned() });
                }
            }
        }
        self.make_room(sample);
        self.find_owners(sample)?;
        self.find_stacks(sample, now.clock);
        Ok(())
    }

    /// Owners of all causes: as the kernel knows them now, or knew them before it forgot.
    fn find_owners(&mut self, sample: &mut Io) -> io::Result<()> {
        let owners: HashSet<OwnerId> =
            sample.causes.keys().map(|cause| cause.owner).chain(sample.slow.iter().map(|slow| slow.owner)).collect();
        self.known_owners.extend(self.owners.entries()?);
        self.known_owners.retain(|owner, _| owners.contains(owner));
        sample.owners = self.known_owners.clone();
        Ok(())
    }

    fn find_stacks(&mut self, sample: &mut Io, now: Duration) {
        let keys = sample.stalls.iter().flat_map(|(stall, waits)| [stall.stack, waits.waker_stack]);
        let keys: HashSet<u64> = keys.filter(|&key| key != 0).collect();
        self.known_stacks.retain(|key, _| keys.contains(key));
        for key in keys {
            if self.known_stacks.contains_key(&key) {
                continue;
            }
            let Ok(stack) = self.stacks.get(&key, 0) else { continue };
            let used = stack.frames.iter().position(|&frame| frame == 0).unwrap_or(stack.frames.len());
            match self.symbols.names(&stack.frames[..used], now) {
                Some(names) => {
                    let names = names.into_iter().map(|name| name.unwrap_or_default().to_owned());
                    self.known_stacks.insert(key, names.collect());
                }
                None => drop(sample.stacks.insert(key, None)),
            }
        }
        sample.stacks.extend(self.known_stacks.iter().map(|(key, names)| (*key, Some(names.clone()))));
    }

    /// Makes room in tables that fill up, by dropping what did not change in the last interval: it begins at zero when it comes
    /// again.
    fn make_room(&mut self, sample: &mut Io) {
        let last = std::mem::take(&mut self.last_causes);
        self.causes.make_room(&mut sample.causes, |key, now| last.get(key).is_some_and(|last| last.ios == now.ios));
        let last = std::mem::take(&mut self.last_stalls);
        self.stalls.make_room(&mut sample.stalls, |key, now| last.get(key).is_some_and(|last| last.waits == now.waits));
        if self.causes.fills_up(sample.causes.len()) {
            self.last_causes = sample.causes.clone();
        }
        if self.stalls.fills_up(sample.stalls.len()) {
            self.last_stalls = sample.stalls.clone();
        }
    }
}
