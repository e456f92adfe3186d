//! Which ports that the kernel gives to who connects are in use, TIME-WAIT included, by local address and remote.
//!
//! `/proc/PID/net/tcp` of a namespace is a line per socket, some 1 µs each, so it is only read where half of these ports could be in use at
//! all, by the number of the namespace's sockets; by a thread of its own, which no tick waits for.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader},
    net::Ipv6Addr,
    rc::Rc,
    time::Duration,
};

use stillwatch_common::tcp::Ends;

use crate::{
    kernel::search::Search,
    sample::{GivenPorts, Namespace, PortsUsed},
};

/// Remotes of one namespace; who serves many clients at a port of the range has as many.
const REMOTES: usize = 1 << 16;
/// What a new network namespace has.
const OWN: Range = Range { first: 32_768, last: 60_999, reused: Reused::OnLoopback, is_assumed: true };
/// While ports run out, a row is not to be old: walks may cost as many times as much then.
const OFTENER: u32 = 10;
const TCP_TIME_WAIT: u8 = 6;

/// Ports that are given to who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    first: u16,
    last: u16,
    reused: Reused,
    /// No process was seen that has a socket there.
    is_assumed: bool,
}

/// Whose ports in TIME-WAIT are given to new connections to the same remote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reused {
    Never,
    Always,
    OnLoopback,
}

impl Range {
    /// Of the namespace that we are in.
    fn of_ours() -> Option<Self> {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).ok();
        Self::parse(&read("ip_local_port_range")?, read("tcp_tw_reuse").as_deref().unwrap_or_default())
    }

    fn parse(range: &str, reuse: &str) -> Option<Self> {
        let mut ports = range.split_ascii_whitespace().map(|port| port.parse().ok());
        let time_wait_reuse = reuse.trim().parse().unwrap_or(0);
        Some(Self::given(GivenPorts { first: ports.next()??, last: ports.next()??, time_wait_reuse }))
    }

    fn given(GivenPorts { first, last, time_wait_reuse }: GivenPorts) -> Self {
        let reused = match time_wait_reuse {
            1 => Reused::Always,
            2 => Reused::OnLoopback,
            _ => Reused::Never,
        };
        Self { first, last, reused, is_assumed: false }
    }

    fn len(&self) -> u64 {
        u64::from(self.last.saturating_sub(self.first)) + 1
    }

    /// It is worth a look.
    fn may_be_half_used(&self, namespace: &Namespace) -> bool {
        may_have_half_of(self.len(), namespace)
    }
}

/// As many sockets as that may have half of so many ports.
fn may_have_half_of(ports: u64, namespace: &Namespace) -> bool {
    namespace.sockets.unwrap_or(0) + namespace.time_wait.unwrap_or(0) >= ports / 2
}

pub struct PortWalk {
    rest: u32,
    search: Search<Vec<PortsUsed>>,
    found: Rc<Vec<PortsUsed>>,
}

impl PortWalk {
    pub fn new(rest: u32) -> Self {
        Self { rest, search: Search::new(Duration::ZERO, rest), found: Rc::default() }
    }

    /// `given`: as processes' sockets were seen last.
    pub fn look(
        &mut self,
        now: Duration,
        own: Option<u32>,
        all: &HashMap<u32, Namespace>,
        given: &HashMap<u32, GivenPorts>,
    ) -> Rc<Vec<PortsUsed>> {
        if let Some(found) = self.search.found() {
            self.found = Rc::new(found);
        }
        // That ports are free again is known before the next walk.
        let may_be_used = |row: &PortsUsed| all.get(&row.ends.netns).is_some_and(|it| may_have_half_of(row.range, it));
        Rc::make_mut(&mut self.found).retain(may_be_used);
        let run_out = self.found.iter().any(|row| row.ports * 5 >= row.range * 4);
        self.search.set_rest(if run_out { self.rest / OFTENER } else { self.rest });
        if self.search.is_due(now) {
            let range = |netns: u32| match given.get(&netns) {
                _ if Some(netns) == own => Range::of_ours(),
                Some(&ports) => Some(Range::given(ports)),
                None => Some(OWN),
            };
            let full = all.iter().filter_map(|(&netns, namespace)| {
                let range = range(netns).filter(|range| range.may_be_half_used(namespace))?;
                Some((netns, namespace.inhabitant, range))
            });
            let full: Vec<_> = full.collect();
            if full.is_empty() {
                self.found = Rc::default();
            } else {
                self.search.begin(now, move || walk(&full));
            }
        }
        self.found.clone()
    }
}

/// Number, who lives there and which ports there are of namespaces that are worth a look.
fn walk(namespaces: &[(u32, u32, Range)]) -> Vec<PortsUsed> {
    let used = namespaces.iter().flat_map(|&(netns, pid, range)| {
        let mut count = Count { netns, range, used: HashMap::new() };
        for file in ["tcp", "tcp6"] {
            if let Err(error) = count.file(&format!("/proc/{pid}/net/{file}")) {
                tracing::debug!("/proc/{pid}/net/{file}: {error}");
            }
        }
        count.rows()
    });
    used.collect()
}

/// Local and remote address, and the remote port.
type To = ([u8; 16], [u8; 16], u16);

struct Count {
    netns: u32,
    range: Range,
    used: HashMap<To, Used>,
}

#[derive(Default)]
struct Used {
    ports: u64,
    time_wait: u64,
    /// A connection has a port that is not of the range.
    others: bool,
}

impl Count {
    fn file(&mut self, path: &str) -> io::Result<()> {
        let mut file = BufReader::with_capacity(64 << 10, File::open(path)?);
        let mut line = Vec::with_capacity(256);
        while file.read_until(b'\n', &mut line)? > 0 {
            if let Some((ends, state)) = connection(&line) {
                self.add(&ends, state);
            }
            line.clear();
        }
        Ok(())
    }

    fn add(&mut self, ends: &Ends, state: u8) {
        let to = (ends.local, ends.remote, ends.remote_port);
        let is_of_range = (self.range.first..=self.range.last).contains(&ends.local_port);
        let used = if is_of_range && self.used.len() < REMOTES {
            self.used.entry(to).or_default()
        } else {
            let Some(used) = self.used.get_mut(&to) else { return };
            used
        };
        if is_of_range {
            used.ports += 1;
            used.time_wait += u64::from(state == TCP_TIME_WAIT);
        } else {
            used.others = true;
        }
    }

    fn rows(self) -> Vec<PortsUsed> {
        let range = self.range.len();
        // With ports of others the range is a longer one.
        let known = self.used.into_iter().filter(|(_, used)| !(self.range.is_assumed && used.others));
        let half = known.filter(|(_, used)| used.ports >= range.div_ceil(2));
        let row = |((local, remote, remote_port), used): (To, Used)| PortsUsed {
            ends: Ends { local, remote, local_port: 0, remote_port, netns: self.netns },
            ports: used.ports,
            time_wait: used.time_wait,
            reused: match self.range.reused {
                Reused::Always => used.time_wait,
                Reused::OnLoopback if is_loopback(remote) => used.time_wait,
                _ => 0,
            },
            range,
            is_assumed: self.range.is_assumed,
        };
        half.map(row).collect()
    }
}

fn is_loopback(address: [u8; 16]) -> bool {
    Ipv6Addr::from(address).to_canonical().is_loopback()
}

/// Both ends and the state, of a line such as `0: 0100007F:9C40 0100007F:1F90 01 …`. `None`: a head, or not connected.
fn connection(line: &[u8]) -> Option<(Ends, u8)> {
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace().skip(1);
    let ((local, local_port), (remote, remote_port)) = (end(words.next()?)?, end(words.next()?)?);
    let state = u8::from_str_radix(words.next()?, 16).ok()?;
    (remote_port != 0).then_some((Ends { local, remote, local_port, remote_port, netns: 0 }, state))
}

/// An address is written in words of 32 bits, each as the CPU has them.
fn end(text: &str) -> Option<([u8; 16], u16)> {
    let (address, port) = text.split_once(':')?;
    let mut bytes = [0; 16];
    match address.len() {
        8 => (bytes[10], bytes[11]) = (0xff, 0xff),
        32 => {}
        _ => return None,
    }
    let place = bytes.len() - address.len() / 2;
    for (at, word) in address.as_bytes().chunks(8).enumerate() {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        bytes[place + 4 * at..][..4].copy_from_slice(&word.to_ne_bytes());
    }
    Some((bytes, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::cost::thread_time;

    const V4: &str =
        "   1: 0100007F:9C41 0200000A:1538 01 00000000:00000000 00:00000000 00000000  0  0 12 1 0 20 4 30 10 -1\n";

    #[test]
    fn lines_are_read_as_the_kernel_writes_them() {
        let text = |address| Ipv6Addr::from(address).to_canonical().to_string();
        let of = |line: &str| {
            connection(line.as_bytes())
                .map(|(ends, state)| (text(ends.local), ends.local_port, text(ends.remote), ends.remote_port, state))
        };
        assert_eq!(of(V4), Some(("127.0.0.1".into(), 40_001, "10.0.0.2".into(), 5432, 1)));
        let v6 = "0: 000080FE00000000FF565004BD09D7FE:9C40 00000000000000000000000001000000:0050 06 0";
        assert_eq!(of(v6), Some(("fe80::450:56ff:fed7:9bd".into(), 40_000, "::1".into(), 80, TCP_TIME_WAIT)));
        let mapped = "0: 0000000000000000FFFF00000100007F:9C40 0000000000000000FFFF00000100007F:0050 01 0";
        assert_eq!(of(mapped).map(|of| of.0), Some("127.0.0.1".into()));
        assert_eq!(of("  sl  local_address rem_address   st tx_queue"), None);
        // It listens.
        assert_eq!(of("0: 00000000:9C40 00000000:0000 0A 0"), None);
        assert_eq!((of("0: 1:2 3:4 01"), of("0: 0100007F:9C4100 0200000A:1538 01"), of("")), (None, None, None));
    }

    fn count(range: Range, lines: &[(u16, u16, u8)]) -> Vec<(u16, u64, u64, u64)> {
        let mut count = Count { netns: 7, range, used: HashMap::new() };
        let (local, remote) = ([1; 16], Ipv6Addr::LOCALHOST.octets());
        for &(local_port, remote_port, state) in lines {
            count.add(&Ends { local, remote, local_port, remote_port, netns: 0 }, state);
        }
        let mut rows: Vec<_> = count.rows();
        rows.sort_by_key(|row| row.ends.remote_port);
        rows.iter().map(|row| (row.ends.remote_port, row.ports, row.time_wait, row.reused)).collect()
    }

    #[test]
    fn a_port_is_used_for_each_remote_by_itself() {
        let range = Range::parse("40000\t40003\n", "0\n").unwrap();
        let lines = [(40_000, 80, 1), (40_000, 81, 1), (40_003, 80, 6), (40_004, 80, 1), (9, 82, 1), (10, 82, 1)];
        assert_eq!(count(range, &lines), [(80, 2, 1, 0)]);
        // The kernel gives those away.
        assert_eq!(count(Range { reused: Reused::OnLoopback, ..range }, &lines), [(80, 2, 1, 1)]);
        // A port that is not of the range says that it is another.
        assert_eq!(count(Range { is_assumed: true, ..range }, &lines), []);
    }

    #[test]
    fn ports_that_are_free_again_are_not_told_and_those_that_run_out_are_looked_at_often() {
        let ends = Ends { local: [1; 16], remote: [2; 16], local_port: 0, remote_port: 80, netns: 7 };
        let used = move |ports| PortsUsed { ends, ports, time_wait: 0, reused: 0, range: 100, is_assumed: false };
        let host = |sockets| HashMap::from([(7, Namespace { sockets: Some(sockets), ..Namespace::default() })]);
        let given = HashMap::from([(7, GivenPorts { first: 1, last: 100, time_wait_reuse: 0 })]);
        // What is found, and whether the next walk goes on, so many times what the last one took later.
        let after = |ports, times, sockets| {
            let mut walk = PortWalk::new(1000);
            walk.search.begin(Duration::from_secs(1), move || {
                let end = thread_time() + Duration::from_millis(1);
                while thread_time() < end {}
                vec![used(ports)]
            });
            walk.found = std::iter::from_fn(|| Some(walk.search.found())).flatten().next().map(Rc::new).unwrap();
            let now = Duration::from_secs(1) + walk.search.took().unwrap() * times;
            (walk.look(now, None, &host(sockets), &given).len(), walk.search.goes_on())
        };
        assert_eq!((after(79, 200, 79), after(79, 1000, 79)), ((1, false), (1, true)));
        assert_eq!((after(80, 99, 80), after(80, 100, 80)), ((1, false), (1, true)));
        assert_eq!(after(80, 99, 49), (0, false));
    }

    #[test]
    fn a_namespace_with_few_sockets_is_not_looked_at() {
        let range = Range::parse("40000 40099", "2").unwrap();
        let of = |sockets, time_wait| {
            range.may_be_half_used(&Namespace { sockets: Some(sockets), time_wait, ..Namespace::default() })
        };
        assert_eq!((range.reused, range.len()), (Reused::OnLoopback, 100));
        assert_eq!((of(49, None), of(20, Some(30)), of(20, Some(29))), (false, true, false));
        assert_eq!((Range::parse("", "1"), Range::parse("1 x", "1")), (None, None));
    }
}
