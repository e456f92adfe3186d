//! From the maps of the `tcp` probe to its part of a sample.

use std::{
    collections::{HashMap, HashSet},
    io,
    os::unix::fs::MetadataExt,
    rc::Rc,
    time::Instant,
};

use aya::{
    Ebpf,
    maps::{MapData, RingBuf},
};
use stillwatch_common::tcp::{Connect, Cpu, Ends, Flow, Loss, Opened, Opener, Remote, Reset, Retransmit, Run};

use super::{
    super::{
        Counters,
        table::{Table, fd, refused, take, unreadable},
    },
    holders::Holders,
    network,
};
use crate::{
    kernel::{loader::LoadError, mapping::Mapping},
    sample::Tcp,
    snapshot::Lost,
};

/// Events are told apart by their size.
const RETRANSMIT: usize = size_of::<Retransmit>();
const CONNECT: usize = size_of::<Connect>();
const RESET: usize = size_of::<Reset>();

pub struct Reader {
    cpus: Mapping<Cpu>,
    flows: Table<Ends, Flow>,
    remotes: Table<Remote, Opened>,
    openers: aya::maps::HashMap<MapData, u64, Opener>,
    events: RingBuf<MapData>,
    holders: Holders,
    /// Of the last sample.
    last: HashMap<Ends, Flow>,
    last_remotes: HashMap<Remote, Opened>,
    netns: Option<u32>,
    reset_reasons: Rc<HashMap<u32, String>>,
}

impl Reader {
    /// Takes over the probe's maps. Before the programs are attached, so that no socket is older than what is known of holders.
    pub fn new(ebpf: &mut Ebpf, processors: usize, reset_reasons: HashMap<u32, String>) -> Result<Self, LoadError> {
        let mut holders = Holders::default();
        holders.refresh(Instant::now(), [], |_| false);
        Ok(Self {
            cpus: Mapping::new(fd(ebpf, "TCP_CPU")?, processors, false).map_err(unreadable)?,
            flows: Table::new(take(ebpf, "TCP_FLOWS")?, 1)?,
            remotes: Table::new(take(ebpf, "TCP_REMOTES")?, 1)?,
            openers: aya::maps::HashMap::try_from(take(ebpf, "TCP_OPENERS")?).map_err(refused)?,
            events: RingBuf::try_from(take(ebpf, "TCP_EVENTS")?).map_err(refused)?,
            holders,
            last: HashMap::new(),
            last_remotes: HashMap::new(),
            reset_reasons: reset_reasons.into(),
            // The inode of a namespace is its number.
            netns: std::fs::metadata("/proc/self/ns/net").ok().and_then(|net| u32::try_from(net.ino()).ok()),
        })
    }

    pub fn read(&mut self) -> io::Result<(Tcp, Counters)> {
        let mut sample = Tcp {
            netns: self.netns,
            network: network::read(),
            reset_reasons: self.reset_reasons.clone(),
            ..Tcp::default()
        };
        while let Some(item) = self.events.next() {
            // SAFETY: the programs write whole ones, of plain integers.
            unsafe {
                match item.len() {
                    RETRANSMIT => sample.events.push(item.as_ptr().cast::<Retransmit>().read_unaligned()),
                    CONNECT => sample.connects.push(item.as_ptr().cast::<Connect>().read_unaligned()),
                    RESET => sample.resets.push(item.as_ptr().cast::<Reset>().read_unaligned()),
                    _ => {}
                }
            }
        }
        // Processors fill the ring in turns.
        sample.events.sort_by_key(|event| event.at_ns);
        sample.connects.sort_by_key(|connect| connect.at_ns);
        sample.resets.sort_by_key(|reset| reset.at_ns);
        sample.flows = self.flows.entries()?;
        let counters = self.add_up(&mut sample);
        self.find_owners(&mut sample);
        let last = std::mem::take(&mut self.last);
        let stale = |ends: &Ends, now: &Flow| last.get(ends).is_some_and(|last| last.attempts == now.attempts);
        self.flows.make_room(&mut sample.flows, stale);
        self.last = sample.flows.clone();
        sample.remotes = self.remotes.entries()?;
        let last = std::mem::take(&mut self.last_remotes);
        let stale = |remote: &Remote, now: &Opened| last.get(remote).is_some_and(|last| last.counts == now.counts);
        self.remotes.make_room(&mut sample.remotes, stale);
        self.last_remotes = sample.remotes.clone();
        Ok((sample, counters))
    }

    fn add_up(&self, sample: &mut Tcp) -> Counters {
        let (mut runs, mut lost) = ([0; Run::COUNT], [0; Loss::ALL.len()]);
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
            totals.attempts += cpu.attempts;
            totals.failed += cpu.failed;
            totals.bytes += cpu.bytes;
            totals.sampled += cpu.sampled;
            runs.iter_mut().zip(cpu.runs).for_each(|(sum, part)| *sum += part);
            lost.iter_mut().zip(cpu.lost).for_each(|(sum, part)| *sum += part);
        }
        let programs = [
            "tcp_retransmit_skb",
            "tcp_retransmit_synack",
            "inet_sock_set_state",
            "tcp_send_reset",
            "tcp_receive_reset",
        ];
        let lost = Loss::ALL.map(|loss| Lost { cause: cause(loss), count: lost[loss as usize] });
        Counters { runs: programs.into_iter().zip(runs).collect(), lost: lost.to_vec() }
    }

    /// Who holds the sockets that something was sent again on in this interval, and who opened or closed them.
    fn find_owners(&mut self, sample: &mut Tcp) {
        let changed = sample
            .flows
            .iter()
            .filter(|(ends, flow)| self.last.get(*ends).is_none_or(|last| last.attempts != flow.attempts));
        let sockets: HashSet<(u64, u64)> = changed
            .map(|(_, flow)| (flow.sock, flow.inode))
            .chain(sample.events.iter().map(|event| (event.sock, event.inode)))
            .chain(sample.resets.iter().map(|reset| (reset.sock, reset.inode)))
            .collect();
        if sockets.is_empty() {
            return;
        }
        let known: HashSet<u64> = self.last.values().map(|flow| flow.inode).collect();
        let inodes: HashSet<u64> = sockets.iter().map(|&(_, inode)| inode).collect();
        let wanted = |inode: u64| inodes.contains(&inode) || known.contains(&inode);
        sample.looked = self.holders.refresh(Instant::now(), inodes.iter().copied(), wanted);
        for (sock, inode) in sockets {
            if let Some(holders) = self.holders.of(inode) {
                sample.holders.insert(inode, holders.to_vec());
            }
            if let Ok(opener) = self.openers.get(&sock, 0) {
                sample.openers.insert(sock, opener);
            }
        }
    }
}

fn cause(loss: Loss) -> &'static str {
    match loss {
        Loss::Events => "events full",
        Loss::Flows => "retransmitting flows full",
        Loss::Remotes => "remotes full",
    }
}
