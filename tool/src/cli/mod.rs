//! Raw flags → one resolved [`plan::Plan`].
//!
//! `args` is what clap parses, `values` checks single words, here they are checked against each other, and `refusal`
//! turns everything that is wrong into one line.

mod args;
mod examples;
mod keep;
mod pages;
pub mod plan;
mod refusal;
mod values;

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    path::PathBuf,
    time::Duration,
};

use clap::Parser;
pub use clap_complete::Shell;

use self::{
    args::{Color, Common, Top, Word},
    plan::{Cgroup, Draw, Filter, Plan},
};
use crate::{asked::Mode, syscall_names};

pub use self::{
    keep::{Excerpt, Export, Replay, Report},
    pages::{completions, man},
    refusal::Refusal,
    values::TOTAL,
};

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    Run(Box<Plan>),
    Replay(Replay),
    Incidents(PathBuf),
    Mark { dir: PathBuf, text: String },
    Report(Report),
    Export(Export),
    Doctor { json: bool },
    Completions(Shell),
    Man,
}

/// What decides about colour, besides the flags.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings {
    pub terminal: bool,
    /// It can show a screen, and has keys.
    pub screen: bool,
    /// Text beyond ASCII can be shown.
    pub utf8: bool,
    /// <https://no-color.org>: set and not empty.
    pub no_color: bool,
    /// What is asked for was on another host, at another time: nothing of it has to be here.
    pub recorded: bool,
}

impl Surroundings {
    pub fn of_this_process() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let terminal = io::stdout().is_terminal();
        let screen = terminal && io::stdin().is_terminal() && !dumb;
        Self { terminal, screen, utf8: utf8(), no_color: set("NO_COLOR") || dumb, recorded: false }
    }
}

/// What the locale says of the terminal's characters.
fn utf8() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(std::env::var_os).find(|value| !value.is_empty());
    let name = set.unwrap_or_default().to_string_lossy().to_lowercase();
    name.contains("utf-8") || name.contains("utf8")
}

/// The command line of this process. Ends the process when it is wrong (exit code 2, one line), or when it asks for
/// help or the version. `cgroup` finds what `-c` names, or says why it can't.
pub fn parse(cgroup: impl FnOnce(&str) -> Result<Cgroup, String>) -> Command {
    match parse_from(std::env::args_os(), Surroundings::of_this_process(), cgroup) {
        Ok(command) => command,
        Err(refusal) => refusal.exit(),
    }
}

/// [`parse`] of any words, the first of which is the program's name.
pub fn parse_from(
    words: impl IntoIterator<Item = impl Into<OsString>>,
    surroundings: Surroundings,
    cgroup: impl FnOnce(&str) -> Result<Cgroup, String>,
) -> Result<Command, Refusal> {
    let words = keep::in_order(words.into_iter().map(Into::into).collect());
    let top = Top::try_parse_from(&words).map_err(|error| Refusal::from_clap(&error, &words))?;
    let plan = match top.word {
        Some(Word::Replay(args)) => return Ok(Command::Replay(args)),
        Some(Word::Incidents(args)) => return Ok(Command::Incidents(args.dir)),
        Some(Word::Mark(args)) => {
            let (dir, text) = match &args.words[..] {
                [dir, text] => (dir.as_str(), text),
                [text, ..] => (keep::DIR, text),
                [] => return Err(Refusal::new("there is nothing to note; see --help")),
            };
            return Ok(Command::Mark { dir: dir.into(), text: text.clone() });
        }
        Some(Word::Record(args)) => {
            let keep = Some(args.keep());
            // A folder that is called like an interval is written ./5
            let first = args.dir.as_ref().filter(|_| args.interval.is_none());
            let first = first.and_then(|word| values::interval(word.to_str()?).ok());
            let dir = args.dir.filter(|_| first.is_none());
            let save = Some(dir.unwrap_or_else(|| keep::DIR.into()));
            let interval = args.interval.or(first).unwrap_or(INTERVAL);
            let log = Some(logs(args.logs));
            Plan { keep, save, interval, budget_percent: args.budget, top: 10, log, ..everything(false, args.horizon)? }
        }
        Some(Word::Report(args)) => return Ok(Command::Report(args)),
        Some(Word::Export(args)) => return Ok(Command::Export(args)),
        Some(Word::Doctor { json }) => return Ok(Command::Doctor { json }),
        Some(Word::Completions { shell }) => return Ok(Command::Completions(shell)),
        Some(Word::Man) => return Ok(Command::Man),
        Some(Word::Io(args)) => {
            let blocked = args::Syscalls { blocked: true, ..Default::default() };
            let syscalls = if args.syscalls { Some(syscalls(&blocked)?) } else { None };
            let io = Some(plan::Io { only: devices(&args.device, surroundings)?, ..io(&args) });
            Plan { io, syscalls, ..plan(args.common, surroundings, cgroup)? }
        }
        Some(Word::Tcp(args)) => Plan { tcp: Some(tcp(&args)), ..plan(args.common, surroundings, cgroup)? },
        Some(Word::Oom(args)) => Plan { oom: Some(oom(&args)), ..plan(args.common, surroundings, cgroup)? },
        Some(Word::Cpu(args)) => {
            let blocked = args::Syscalls { blocked: true, ..Default::default() };
            let syscalls = if args.syscalls { Some(syscalls(&blocked)?) } else { None };
            let io = args.io.then(|| io(&args::Io::default()));
            Plan { cpu: Some(cpu(&args)), io, syscalls, ..plan(args.common, surroundings, cgroup)? }
        }
        Some(Word::Disk(args)) => {
            let plan = plan(args.common, surroundings, cgroup)?;
            let (find, all) = (args.find, !plan.filter.is_empty());
            Plan { disk: Some(plan::Disk { find, all, writers: args.writers, ..plan::Disk::default() }), ..plan }
        }
        Some(Word::Changes(args)) => {
            let changes = plan::Changes { since: args.since, watch: once(args.watch) };
            Plan { changes: Some(changes), ..plan(args.common, surroundings, cgroup)? }
        }
        Some(Word::Log(args)) => {
            let log = plan::Log { since: args.since.unwrap_or_default(), grep: args.grep, ..logs(args.logs) };
            Plan { log: Some(log), ..plan(args.common, surroundings, cgroup)? }
        }
        Some(Word::Syscalls(args)) => {
            let syscalls = Some(syscalls(&args)?);
            Plan { syscalls, ..plan(args.common, surroundings, cgroup)? }
        }
        None => {
            let Plan { overview, syscalls, io, tcp, oom, cpu, disk, changes, .. } = everything(top.exact, top.horizon)?;
            let log = Some(logs(top.logs));
            Plan {
                overview,
                syscalls,
                io,
                tcp,
                oom,
                cpu,
                disk,
                log,
                changes,
                ..plan(top.common, surroundings, cgroup)?
            }
        }
    };
    let words = words.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let screen = plan.screen && plan.has_screen();
    Ok(Command::Run(Box::new(Plan { words, screen, ..plan })))
}

/// Without a probe and without flags.
const INTERVAL: Duration = Duration::from_secs(1);

/// All probes at once.
fn everything(exact: bool, horizon: Duration) -> Result<Plan, Refusal> {
    Ok(Plan {
        overview: true,
        syscalls: Some(plan::Syscalls {
            mode: if exact { Mode::Exact } else { Mode::Long },
            failing: exact,
            ..syscalls(&Default::default())?
        }),
        io: Some(io(&Default::default())),
        tcp: Some(plan::Tcp { all: false, ..tcp(&Default::default()) }),
        oom: Some(oom(&Default::default())),
        cpu: Some(cpu(&Default::default())),
        disk: Some(plan::Disk { horizon, rest: plan::REST_OF_FILES, writers: true, ..plan::Disk::default() }),
        changes: Some(plan::Changes::default()),
        log: Some(plan::Log::default()),
        ..Plan::default()
    })
}

/// The plan of a recording: what was asked for when it was made, shown as `rest` asks for; and what `rest` asks for alone, where it names a
/// probe.
pub fn replayed(recorded: &[String], rest: &[OsString], terminal: Surroundings) -> Result<Plan, Refusal> {
    let here = Surroundings { recorded: true, ..terminal };
    let plan = |words: Vec<OsString>| {
        let words = std::iter::once(OsString::from("stillwatch")).chain(words);
        match parse_from(words, here, |name| Ok(Cgroup { dir: PathBuf::new(), path: name.to_owned() }))? {
            Command::Run(plan) if plan.is_of_a_recording() => Ok(*plan),
            _ => Err(Refusal::new("a recording is shown like a live run: name a probe, or none; see --help")),
        }
    };
    let asked = plan(rest.to_vec())?;
    // Words that only the version which made it knows are of no use here.
    let words = recorded.iter().map(OsString::from);
    let words = std::iter::once(OsString::from("stillwatch")).chain(words);
    let recorded = parse_from(words, here, |name| Ok(Cgroup { dir: PathBuf::new(), path: name.to_owned() }));
    match recorded {
        Ok(Command::Run(recorded)) if asked.overview => Ok(Plan {
            filter: if asked.filter.is_empty() { recorded.filter.clone() } else { asked.filter },
            interval: asked.interval,
            count: asked.count,
            json: asked.json,
            screen: asked.screen,
            ascii: asked.ascii,
            mouse: asked.mouse,
            top: asked.top,
            colour: asked.colour,
            save: None,
            keep: None,
            ..*recorded
        }),
        _ => Ok(asked),
    }
}

/// What every probe's plan has; no probe yet.
fn plan(
    common: Common,
    surroundings: Surroundings,
    cgroup: impl FnOnce(&str) -> Result<Cgroup, String>,
) -> Result<Plan, Refusal> {
    let Common { interval, count, pid, comm, cgroup: wanted, top, color, save, budget, .. } = common;
    let Common { json, plain, ascii, no_mouse, .. } = common;
    if !surroundings.recorded {
        let dead = |pid: &&u32| values::lives(**pid).is_err();
        if let Some(pid) = pid.iter().find(dead) {
            let why = values::lives(*pid).err().unwrap_or_default();
            return Err(Refusal::value("--pid <PID>", &pid.to_string(), &why));
        }
    }
    // A recording has the interval that it has.
    let unasked = if surroundings.recorded { Duration::ZERO } else { INTERVAL };
    let cgroup = match wanted {
        Some(name) => Some(cgroup(&name).map_err(|why| Refusal::value("--cgroup <CGROUP>", &name, &why))?),
        None => None,
    };
    Ok(Plan {
        interval: interval.unwrap_or(unasked),
        count,
        save,
        json,
        screen: surroundings.screen && !plain && !json && count.is_none(),
        ascii: ascii || !surroundings.utf8,
        mouse: !no_mouse,
        top: usize::try_from(top).unwrap_or(usize::MAX),
        colour: match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => surroundings.terminal && !surroundings.no_color,
        },
        filter: Filter { pids: once(pid), comm, cgroup },
        budget_percent: budget,
        ..Plan::default()
    })
}

fn io(args: &args::Io) -> plan::Io {
    plan::Io {
        devices_only: args.devices,
        only: Vec::new(),
        stall: args.stall,
        slow: args.slow,
        stacks: args.stacks,
        blame: args.blame,
        kernel_threads: args.kernel_threads,
    }
}

fn devices(words: &[String], surroundings: Surroundings) -> Result<Vec<String>, Refusal> {
    let device = |word: &String| match values::device(word) {
        Err(why) if !surroundings.recorded => Err(Refusal::value("--device <DEVICE>", word, &why)),
        known => Ok(known.unwrap_or_else(|_| word.clone())),
    };
    words.iter().map(device).collect::<Result<_, _>>().map(once)
}

fn tcp(args: &args::Tcp) -> plan::Tcp {
    plan::Tcp {
        events: args.events,
        drops: !args.no_drops,
        slow: args.slow,
        by: args.by,
        ports: once(args.port.clone()),
        addresses: once(args.address.clone()),
        all: true,
        pcap: args.pcap.clone().map(|file| plan::Pcap { file, payload: args.payload }),
    }
}

fn oom(args: &args::Oom) -> plan::Oom {
    plan::Oom { last: args.last, signals: args.signals, sleeps: !args.no_sleeps, log: args.log, lead_up: args.lead_up }
}

fn logs(args: args::Logs) -> plan::Log {
    plan::Log { files: args.log, journal: args.journal, ..plan::Log::default() }
}

fn cpu(args: &args::Cpu) -> plan::Cpu {
    plan::Cpu { slow: args.slow, by: args.by, interrupts: args.interrupts }
}

fn syscalls(args: &args::Syscalls) -> Result<plan::Syscalls, Refusal> {
    let draw = match &args.hist {
        Some(name) => Draw::Hist(name.clone()),
        None if args.heat => Draw::Heat,
        None => Draw::Tables,
    };
    if let Draw::Hist(name) = &draw
        && !args.syscall.is_empty()
        && name != TOTAL
        && !syscall_names::number(name).is_some_and(|nr| args.syscall.contains(&nr))
    {
        return Err(Refusal::new(format!("--syscall leaves out '{name}', which --hist is to draw")));
    }
    Ok(plan::Syscalls {
        mode: if args.blocked { Mode::Blocked } else { Mode::Exact },
        slow: args.slow,
        idle: args.idle,
        by: args.by,
        errors: args.errors,
        failing: false,
        only: once(args.syscall.clone()),
        draw,
    })
}

/// Without repetitions.
fn once<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort_unstable();
    values.dedup();
    values
}

#[cfg(test)]
mod tests;
