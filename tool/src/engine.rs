//! From what is read to what is shown, for a run of now as for one that was recorded: the difference of two samples, names, and
//! findings that begin, go on and end.
//!
//! No clock: every input brings the moment at which it was read. No I/O: who is who, a [`Source`](crate::names::Source) says.

use std::time::Duration;

use crate::{
    attribution, between,
    cli::plan::Plan,
    findings::track::Tracker,
    names::Names,
    sample::{self, Moment, Sample},
    selection,
    snapshot::{Snapshot, oom::Kill, tcp::Events},
};

/// Single events of each kind kept for a table: the last of an interval.
const EVENTS: usize = 1024;
/// Names are kept this long between samples.
const NAMES: Duration = Duration::from_secs(1);

/// What is read.
pub enum Input {
    Sample(Box<Sample>),
    /// Single events between two samples.
    Events(Box<sample::Tcp>, Moment),
    /// Kills between two samples.
    Kills(Box<sample::Oom>, Moment),
}

/// What comes of it. Whole: what was asked for is chosen by who shows it.
pub enum Output {
    Snapshot(Box<Snapshot>),
    Events(Events),
    Kills(Vec<Kill>),
}

pub struct Engine {
    plan: Plan,
    pub names: Names,
    /// When names were last forgotten.
    named: Moment,
    prev: Option<Box<Sample>>,
    /// Events that wait for the interval's end, and how many more there were.
    events: Events,
    unlisted: u64,
    tracker: Option<Tracker>,
}

impl Engine {
    /// `missing`: what cannot be measured, and why.
    pub fn new(plan: &Plan, names: Names, missing: Vec<String>) -> Self {
        Self {
            plan: plan.clone(),
            names,
            named: Moment::default(),
            prev: None,
            events: Events::default(),
            unlisted: 0,
            tracker: plan.overview.then(|| Tracker::new(missing)),
        }
    }

    /// `None`: nothing to be shown yet.
    pub fn feed(&mut self, input: Input) -> Option<Output> {
        match input {
            Input::Sample(sample) => self.sample(sample).map(|snapshot| Output::Snapshot(Box::new(snapshot))),
            Input::Events(events, at) => self.events(&events, at).map(Output::Events),
            Input::Kills(kills, at) => Some(Output::Kills(self.kills(&kills, at))),
        }
    }

    fn sample(&mut self, next: Box<Sample>) -> Option<Snapshot> {
        self.begin_names(next.taken);
        let prev = self.prev.replace(next)?;
        let mut snapshot = Snapshot::between(&prev, self.prev.as_ref()?, &self.plan);
        attribution::resolve(&mut snapshot, &mut self.names, &self.plan);
        if let Some(tcp) = &mut snapshot.tcp {
            let mut events = std::mem::take(&mut self.events);
            events.append(std::mem::take(&mut tcp.events));
            tcp.totals.sampled += std::mem::take(&mut self.unlisted) + events.cut(EVENTS);
            tcp.events = events;
        }
        if let Some(tracker) = &mut self.tracker {
            snapshot.findings = Some(tracker.look(&snapshot));
        }
        selection::bound(&mut snapshot, &self.plan.filter);
        Some(snapshot)
    }

    fn events(&mut self, sample: &sample::Tcp, at: Moment) -> Option<Events> {
        let mut events = Events::of(sample, at, self.plan.tcp.as_ref()?);
        // Names that were asked for a while ago may be another process's by now.
        if at.clock.saturating_sub(self.named.clock) >= NAMES {
            self.begin_names(at);
        }
        self.names.forget_comms();
        attribution::tcp::events(&mut events, &mut self.names);
        if self.plan.is_live() {
            return Some(events);
        }
        self.events.append(events);
        self.unlisted += self.events.cut(EVENTS);
        None
    }

    fn kills(&mut self, sample: &sample::Oom, at: Moment) -> Vec<Kill> {
        let mut kills = between::oom::kills(sample, at);
        attribution::oom::kills(&mut kills, &mut self.names);
        if let Some(tracker) = &mut self.tracker {
            tracker.killed(&kills);
        }
        kills
    }

    fn begin_names(&mut self, now: Moment) {
        self.named = now;
        self.names.tick(now.asleep);
    }
}

#[cfg(test)]
mod tests {
    use stillwatch_common::{oom as wire, tcp as wire_tcp};

    use super::*;
    use crate::{
        cli::{Command, Surroundings, parse_from},
        names::fake::Fake,
        sample::OomKill,
        table::{Cell, ColumnKind, ROWS},
    };

    fn engine(line: &str) -> Engine {
        let words = std::iter::once("stillwatch").chain(line.split_ascii_whitespace());
        let Ok(Command::Run(plan)) = parse_from(words, Surroundings::default(), |_| Err(String::new())) else {
            panic!("no plan")
        };
        let processes = [(7, ("nginx", "/web", Duration::from_secs(1)))].into();
        Engine::new(
            &plan,
            Names::new(Fake { processes, cgroups: [(5, "/shop")].into(), ..Fake::default() }),
            Vec::new(),
        )
    }

    fn at(second: u64) -> Moment {
        let wall = jiff::Timestamp::from_second(1_772_366_400 + second as i64).unwrap();
        Moment { wall, clock: Duration::from_secs(second), asleep: Duration::ZERO }
    }

    fn sample(second: u64) -> Sample {
        Sample::new(at(second), Err("no PSI".into()))
    }

    fn snapshot(output: Option<Output>) -> Snapshot {
        match output {
            Some(Output::Snapshot(snapshot)) => *snapshot,
            _ => panic!("no snapshot"),
        }
    }

    /// Segments that were retransmitted, on one connection of process 7.
    fn tcp(attempts: u64) -> sample::Tcp {
        let holder = sample::Holder { pid: 7, comm: "nginx".into() };
        let flow = wire_tcp::Flow { inode: 9, attempts, segments: attempts, ..wire_tcp::Flow::default() };
        let flows = [(wire_tcp::Ends { local_port: 80, ..wire_tcp::Ends::default() }, flow)].into();
        sample::Tcp { flows, holders: [(9, vec![holder])].into(), ..sample::Tcp::default() }
    }

    fn events(second: u64) -> Input {
        let event = wire_tcp::Retransmit { at_ns: at(second).ns(), inode: 9, segments: 1, ..Default::default() };
        let events = sample::TcpEvents { retransmits: vec![event], ..Default::default() };
        Input::Events(Box::new(sample::Tcp { events, ..tcp(0) }), at(second))
    }

    #[test]
    fn two_samples_make_a_snapshot_with_names() {
        let mut engine = engine("tcp");
        let sample = |second, attempts| Input::Sample(Box::new(Sample { tcp: Some(tcp(attempts)), ..sample(second) }));
        assert!(engine.feed(sample(10, 3)).is_none(), "one sample says nothing");
        assert!(engine.feed(events(11)).is_none(), "text shows them at the end of the interval");
        let first = snapshot(engine.feed(sample(12, 8)));
        assert_eq!((first.interval, first.at), (Duration::from_secs(2), at(12).wall));
        let tcp = first.tcp.unwrap();
        assert_eq!((tcp.flows[0].segments, tcp.events.retransmits[0].at), (5, at(11).wall));
        assert_eq!(tcp.flows[0].owners.who.cgroup.as_deref(), Some("/web"));
        let second = snapshot(engine.feed(sample(13, 9))).tcp.unwrap();
        assert_eq!((second.flows[0].segments, second.events.retransmits.len()), (1, 0));
    }

    /// More connections than rows are kept, each of a process of its own, with one segment more than the one before.
    fn crowd() -> sample::Tcp {
        let one = |number: u64| {
            let holder = sample::Holder { pid: number as u32, comm: "noted".into() };
            let flow = wire_tcp::Flow { inode: number, attempts: 1, segments: number, ..wire_tcp::Flow::default() };
            let ends = wire_tcp::Ends { netns: number as u32, local_port: 80, ..wire_tcp::Ends::default() };
            ((ends, flow), (number, vec![holder]))
        };
        let (flows, holders) = (1..=ROWS as u64 + 30).map(one).unzip();
        sample::Tcp { flows, holders, ..sample::Tcp::default() }
    }

    #[test]
    fn of_many_rows_the_most_are_kept_and_the_others_are_summed() {
        let flows = |engine: &mut Engine| {
            engine.feed(Input::Sample(Box::new(Sample { tcp: Some(sample::Tcp::default()), ..sample(10) })));
            snapshot(engine.feed(Input::Sample(Box::new(Sample { tcp: Some(crowd()), ..sample(11) }))))
        };
        let tcp = flows(&mut engine("tcp")).tcp.unwrap();
        assert_eq!((tcp.flows.len(), tcp.flows.left_out()), (ROWS, 30));
        let (columns, cells) = tcp.flows.others().unwrap().sums();
        let segments = columns.iter().position(|column| column.name == "segments").unwrap();
        assert_eq!(cells[segments], Cell::Count((1..=30).sum()));
        assert!(columns.iter().all(|column| column.kind != ColumnKind::Label), "{columns:?}");
        // The one that is asked for is there with its name, and nobody else is summed.
        let mut engine = engine("tcp -p 7");
        let mut asked = flows(&mut engine);
        selection::select(&mut asked, &engine.plan);
        let rows = asked.tcp.unwrap().flows;
        assert_eq!((rows.len(), rows[0].segments, rows.left_out()), (1, 7, 0));
        assert_eq!(rows[0].owners.who.comm.as_deref(), Some("nginx"));
    }

    #[test]
    fn events_of_a_live_run_are_shown_at_once() {
        let mut engine = engine("tcp --json");
        let Some(Output::Events(events)) = engine.feed(events(11)) else { panic!("no events") };
        assert_eq!(events.retransmits[0].owners.who.comm.as_deref(), Some("nginx"));
    }

    #[test]
    fn a_kill_between_two_samples_is_a_finding_of_the_next_snapshot() {
        let mut engine = engine("");
        let sample = |second| Input::Sample(Box::new(Sample { oom: Some(sample::Oom::default()), ..sample(second) }));
        engine.feed(sample(10));
        assert!(snapshot(engine.feed(sample(11))).findings.unwrap().open.is_empty());
        let victim =
            wire::Task { owner: 8 << 32, comm: *b"shop\0\0\0\0\0\0\0\0\0\0\0\0", cgroup: 5, ..Default::default() };
        let kill = wire::Kill { at_ns: at(11).ns(), victim, have_task: 1, ..wire::Kill::default() };
        let kills = vec![OomKill { kill, ..OomKill::default() }];
        let kills = sample::Oom { kills, log_unavailable: Some("not allowed".into()), ..sample::Oom::default() };
        let Some(Output::Kills(kills)) = engine.feed(Input::Kills(Box::new(kills), at(12))) else { panic!("no kills") };
        assert_eq!((kills[0].at, kills[0].victim.who.cgroup.as_deref()), (at(11).wall, Some("/shop")));
        let open = snapshot(engine.feed(sample(13))).findings.unwrap().open;
        assert_eq!(open[0].finding.rule, "oom_kill");
    }
}
