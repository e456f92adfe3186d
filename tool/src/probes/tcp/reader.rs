//! From the maps of the `tcp` probe to its part of a sample.

use std::{
    collections::HashSet,
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    rc::Rc,
    time::Duration,
};

use aya::{
    Ebpf,
    maps::{Map, MapData, RingBuf},
};
use stillwatch_common::tcp::{DropSite, Drops, Ends, Flow, Listener, Loss, Opened, Opener, PerCpu, Program, Remote};

use super::{
    super::{
        Counters, With,
        hash_table::{HashTable, fd, refused, take, unreadable},
    },
    DESCRIPTOR_ITER, LISTENER_ITER, SOCKET_ITER,
    functions::Functions,
    holders::Holders,
    network::{self, Namespaces},
    packets::Rings,
    pending::Pending,
    ports::PortWalk,
    sockets::SocketWalk,
};
use crate::{
    cli::plan,
    kernel::{loader::LoadError, mapping::Mapping, walk::Walk},
    sample::{Captured, ReasonNames, Tcp, TcpEvents},
    snapshot::Lost,
};

pub struct Reader {
    cpus: Mapping<PerCpu>,
    flows: HashTable<Ends, Flow>,
    remotes: HashTable<Remote, Opened>,
    drops: HashTable<DropSite, Drops>,
    openers: aya::maps::HashMap<MapData, u64, Opener>,
    pending: Pending,
    holders: Holders,
    listeners: Option<Walk>,
    /// Why they cannot be walked over.
    no_listeners: Option<String>,
    /// The iterator walks over it, and needs it for as long.
    _listeners: OwnedFd,
    sockets: SocketWalk,
    no_sockets: Option<String>,
    /// `None`: no packets are kept.
    rings: Option<Rings>,
    captured: Vec<Captured>,
    functions: Functions,
    namespaces: Namespaces,
    ports: PortWalk,
    /// Of the last sample.
    last: Tcp,
    netns: Option<u32>,
    reasons: Rc<ReasonNames>,
}

impl Reader {
    /// Takes over the probe's maps.
    pub fn new(ebpf: &mut Ebpf, plan: &plan::Tcp, with: &With) -> Result<Self, LoadError> {
        let listeners = match take(ebpf, "TCP_LISTENERS")? {
            Map::HashMap(map) => map.fd().as_fd().try_clone_to_owned().map_err(unreadable)?,
            _ => return Err(LoadError::Absent("TCP_LISTENERS")),
        };
        let ring = RingBuf::try_from(take(ebpf, "TCP_EVENTS")?).map_err(refused)?;
        Ok(Self {
            cpus: Mapping::new(fd(ebpf, "TCP_CPU")?, with.processors, false).map_err(unreadable)?,
            flows: HashTable::new(take(ebpf, "TCP_FLOWS")?, 1)?,
            remotes: HashTable::new(take(ebpf, "TCP_REMOTES")?, 1)?,
            drops: HashTable::new(take(ebpf, "TCP_DROPS")?, 1)?,
            openers: aya::maps::HashMap::try_from(take(ebpf, "TCP_OPENERS")?).map_err(refused)?,
            pending: Pending::new(ring),
            holders: Holders::new(Walk::new(ebpf, DESCRIPTOR_ITER, None).map_err(unreadable)?),
            listeners: Walk::new(ebpf, LISTENER_ITER, Some(listeners.as_raw_fd())).map_err(unreadable)?,
            no_listeners: with.why_not(LISTENER_ITER),
            _listeners: listeners,
            sockets: SocketWalk::new(Walk::new(ebpf, SOCKET_ITER, None).map_err(unreadable)?, with.rest),
            no_sockets: with.why_not(SOCKET_ITER),
            rings: Rings::new(ebpf, plan, with.processors)?,
            captured: Vec::new(),
            functions: Functions::default(),
            namespaces: Namespaces::default(),
            ports: PortWalk::new(with.rest),
            last: Tcp::default(),
            reasons: with.reasons.clone(),
            // The inode of a namespace is its number.
            netns: std::fs::metadata("/proc/self/ns/net").ok().and_then(|net| u32::try_from(net.ino()).ok()),
        })
    }

    /// What it takes to understand a sample's numbers.
    fn sample(&self) -> Tcp {
        Tcp { netns: self.netns, reasons: self.reasons.clone(), ..Tcp::default() }
    }

    /// At a tick, and once right after the programs are attached: sockets that are older are found then. `now` is on the
    /// programs' clock.
    pub fn read(&mut self, now: Duration, last: bool) -> io::Result<(Tcp, Counters)> {
        self.pending.collect(now);
        self.capture(now, last);
        let (namespaces, namespaces_left_out) = self.namespaces.read(now);
        let mut sample = Tcp {
            network: network::read(),
            limits: network::limits(),
            namespaces_left_out,
            events: self.pending.take(),
            trips: self.pending.take_trips(),
            flows: self.flows.entries()?,
            remotes: self.remotes.entries()?,
            drops: self.drops.entries()?,
            ..self.sample()
        };
        let counters = self.add_up(&mut sample);
        if !self.holders.has_walked() {
            // Notes sockets that listen since before the run: what they dropped until now is read below.
            self.holders.refresh(now, [], |_| false)?;
        }
        if let Some(walk) = &mut self.listeners {
            // SAFETY: plain integers.
            unsafe { walk.records(|listener: &Listener| _ = sample.listeners.insert(listener.sock, *listener))? };
        } else {
            sample.no_listeners = self.no_listeners.clone().or_else(|| Some("no iterator".to_owned()));
        }
        match self.sockets.read(now)? {
            Some(sockets) => sample.sockets = sockets,
            None => sample.no_sockets = self.no_sockets.clone().or_else(|| Some("no iterator".to_owned())),
        }
        sample.ports = self.ports.look(now, self.netns, &namespaces, &sample.sockets.given);
        sample.namespaces = namespaces;
        self.find_owners(&mut sample, now)?;
        self.find_functions(&mut sample, now);
        let last = std::mem::take(&mut self.last);
        self.flows.make_room(&mut sample.flows, |ends, now| {
            last.flows.get(ends).is_some_and(|last| last.attempts == now.attempts)
        });
        self.remotes.make_room(&mut sample.remotes, |remote, now| {
            last.remotes.get(remote).is_some_and(|last| last.counts == now.counts)
        });
        self.drops.make_room(&mut sample.drops, |site, now| {
            last.drops.get(site).is_some_and(|last| last.packets == now.packets)
        });
        self.last = Tcp {
            flows: sample.flows.clone(),
            remotes: sample.remotes.clone(),
            drops: sample.drops.clone(),
            listeners: sample.listeners.clone(),
            ..Tcp::default()
        };
        Ok((sample, counters))
    }

    /// Between ticks: events that have come since, once their owners can be known. A sample without anything else.
    pub fn events(&mut self, now: Duration) -> io::Result<Option<Tcp>> {
        self.pending.collect(now);
        self.capture(now, false);
        let events = self.pending.collected();
        let unknown = || sockets(events).any(|(_, inode)| !self.holders.is_known(inode));
        if events.is_empty() || (!self.pending.is_overdue(now) && self.holders.rests(now) && unknown()) {
            return Ok(None);
        }
        let mut sample = Tcp { events: self.pending.take(), ..self.sample() };
        self.find_owners(&mut sample, now)?;
        self.find_functions(&mut sample, now);
        Ok(Some(sample))
    }

    fn capture(&mut self, now: Duration, last: bool) {
        if let Some(rings) = &mut self.rings {
            self.captured.extend(rings.read(self.pending.collected(), now, last));
        }
    }

    /// Packets of connections that something happened to, that have come since.
    pub fn captured(&mut self) -> Vec<Captured> {
        std::mem::take(&mut self.captured)
    }

    fn add_up(&self, sample: &mut Tcp) -> Counters {
        let (mut runs, mut lost) = ([0; Program::ALL.len()], [0; Loss::ALL.len()]);
        for cpu in self.cpus.values() {
            // SAFETY: inside the mapping; the kernel writes at any time, in aligned words.
            let cpu = unsafe { cpu.read_volatile() };
            let totals = &mut sample.totals;
            for (sum, part) in totals.segments.iter_mut().zip(cpu.segments) {
                *sum += part;
            }
            for (sum, part) in sample.outcomes.iter_mut().zip(cpu.outcomes) {
                *sum += part;
            }
            sample.reset_totals[0] += cpu.resets[0];
            sample.reset_totals[1] += cpu.resets[1];
            sample.dropped += cpu.drops;
            totals.attempts += cpu.attempts;
            totals.failed += cpu.failed;
            totals.bytes += cpu.bytes;
            totals.sampled += cpu.sampled;
            runs.iter_mut().zip(cpu.runs).for_each(|(sum, part)| *sum += part);
            lost.iter_mut().zip(cpu.lost).for_each(|(sum, part)| *sum += part);
        }
        let lost = Loss::ALL.map(|loss| Lost { cause: loss.name(), count: lost[loss as usize] }).into_iter();
        let lost = lost.chain(self.rings.iter().flat_map(Rings::lost));
        Counters {
            runs: Program::ALL.map(|program| (program.name(), runs[program as usize])).to_vec(),
            lost: lost.collect(),
        }
    }

    /// Who holds the sockets that something happened to in this interval, and who opened or closed them.
    fn find_owners(&mut self, sample: &mut Tcp, now: Duration) -> io::Result<()> {
        let last = &self.last;
        let flows = sample
            .flows
            .iter()
            .filter(|(ends, flow)| last.flows.get(*ends).is_none_or(|last| last.attempts != flow.attempts));
        let full = sample.listeners.values().filter(|listener| {
            listener.queue > listener.limit
                || last.listeners.get(&listener.sock).is_some_and(|last| last.drops != listener.drops)
        });
        let of_flows = flows.map(|(_, flow)| (flow.sock, flow.inode));
        let of_listeners = full.map(|listener| (listener.sock, listener.inode));
        let sockets: HashSet<_> = of_flows.chain(of_listeners).chain(sockets(&sample.events)).collect();
        if sockets.is_empty() {
            return Ok(());
        }
        let known: HashSet<u64> = last.flows.values().map(|flow| flow.inode).collect();
        let inodes: HashSet<u64> = sockets.iter().map(|&(_, inode)| inode).collect();
        let wanted = |inode: u64| inodes.contains(&inode) || known.contains(&inode);
        sample.looked = self.holders.refresh(now, inodes.iter().copied(), wanted)?;
        for (sock, inode) in sockets {
            if let Some(holders) = self.holders.of(inode) {
                sample.holders.insert(inode, holders.to_vec());
            }
            if let Ok(opener) = self.openers.get(&sock, 0) {
                sample.openers.insert(sock, opener);
            }
        }
        Ok(())
    }

    /// Names of the functions that dropped packets in this interval.
    fn find_functions(&mut self, sample: &mut Tcp, now: Duration) {
        let last = &self.last.drops;
        let changed = sample
            .drops
            .iter()
            .filter(|(site, drops)| last.get(*site).is_none_or(|last| last.packets != drops.packets));
        let sites = changed.map(|(site, _)| site.location);
        let locations: HashSet<u64> = sites.chain(sample.events.drops.iter().map(|event| event.location)).collect();
        if !locations.is_empty() {
            sample.functions = self.functions.names(&locations, now);
        }
        sample.no_functions = self.functions.unknown();
    }
}

/// Address and inode of the sockets that events are about; those of `connects` come with their opener.
fn sockets(events: &TcpEvents) -> impl Iterator<Item = (u64, u64)> + '_ {
    let retransmits = events.retransmits.iter().map(|event| (event.sock, event.inode));
    let resets = events.resets.iter().map(|reset| (reset.sock, reset.inode));
    retransmits.chain(resets).chain(events.drops.iter().map(|dropped| (dropped.sock, dropped.inode)))
}

#[cfg(test)]
pub fn causes() -> Vec<&'static str> {
    Loss::ALL.map(Loss::name).to_vec()
}
