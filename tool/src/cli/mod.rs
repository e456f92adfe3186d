//! Raw flags → one resolved [`plan::Plan`].
//!
//! `args` is what clap parses, `values` checks single words, here they are checked against each other, and `refusal`
//! turns everything that is wrong into one line.

mod args;
mod pages;
pub mod plan;
mod refusal;
mod values;

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
};

use clap::Parser;
pub use clap_complete::Shell;

use self::{
    args::{Color, Common, Top, Word},
    plan::{Cgroup, Draw, Filter, Plan},
};
use crate::{asked::Mode, syscall_names};

pub use self::{
    pages::{completions, man},
    refusal::Refusal,
    values::TOTAL,
};

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    Run(Box<Plan>),
    Doctor { json: bool },
    Completions(Shell),
    Man,
}

/// What decides about colour, besides the flags.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings {
    pub terminal: bool,
    /// <https://no-color.org>: set and not empty.
    pub no_color: bool,
}

impl Surroundings {
    pub fn of_this_process() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { terminal: io::stdout().is_terminal(), no_color: set("NO_COLOR") || dumb }
    }
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
    let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
    let top = Top::try_parse_from(&words).map_err(|error| Refusal::from_clap(&error, &words))?;
    let plan = match top.word {
        Some(Word::Doctor { json }) => return Ok(Command::Doctor { json }),
        Some(Word::Completions { shell }) => return Ok(Command::Completions(shell)),
        Some(Word::Man) => return Ok(Command::Man),
        Some(Word::Io(args)) => {
            let blocked = args::Syscalls { blocked: true, ..Default::default() };
            let syscalls = if args.syscalls { Some(syscalls(&blocked)?) } else { None };
            Plan { io: Some(io(&args)), syscalls, ..plan(args.common, surroundings, cgroup)? }
        }
        Some(Word::Tcp(args)) => Plan { tcp: Some(tcp(&args)), ..plan(args.common, surroundings, cgroup)? },
        Some(Word::Oom(args)) => Plan { oom: Some(oom(&args)), ..plan(args.common, surroundings, cgroup)? },
        Some(Word::Cpu(args)) => {
            let blocked = args::Syscalls { blocked: true, ..Default::default() };
            let syscalls = if args.syscalls { Some(syscalls(&blocked)?) } else { None };
            let io = args.io.then(|| io(&args::Io::default()));
            Plan { cpu: Some(cpu(&args)), io, syscalls, ..plan(args.common, surroundings, cgroup)? }
        }
        Some(Word::Syscalls(args)) => {
            let syscalls = Some(syscalls(&args)?);
            Plan { syscalls, ..plan(args.common, surroundings, cgroup)? }
        }
        None => Plan {
            overview: true,
            syscalls: Some(plan::Syscalls {
                mode: if top.exact { Mode::Exact } else { Mode::Long },
                failing: top.exact,
                ..syscalls(&Default::default())?
            }),
            io: Some(io(&Default::default())),
            tcp: Some(tcp(&Default::default())),
            oom: Some(oom(&Default::default())),
            cpu: Some(cpu(&Default::default())),
            ..plan(top.common, surroundings, cgroup)?
        },
    };
    Ok(Command::Run(Box::new(plan)))
}

/// What every probe's plan has; no probe yet.
fn plan(
    common: Common,
    surroundings: Surroundings,
    cgroup: impl FnOnce(&str) -> Result<Cgroup, String>,
) -> Result<Plan, Refusal> {
    // --plain chooses text over the live screen; as long as there is no screen, text is all there is.
    let Common { interval, count, pid, comm, cgroup: wanted, top, json, plain: _, color, budget } = common;
    let cgroup = match wanted {
        Some(name) => Some(cgroup(&name).map_err(|why| Refusal::value("--cgroup <CGROUP>", &name, &why))?),
        None => None,
    };
    Ok(Plan {
        interval,
        count,
        json,
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
        only: once(args.device.clone()),
        stall: args.stall,
        slow: args.slow,
        stacks: args.stacks,
        blame: args.blame,
        kernel_threads: args.kernel_threads,
    }
}

fn tcp(args: &args::Tcp) -> plan::Tcp {
    plan::Tcp {
        events: args.events,
        drops: !args.no_drops,
        slow: args.slow,
        by: args.by,
        ports: once(args.port.clone()),
        addresses: once(args.address.clone()),
    }
}

fn oom(args: &args::Oom) -> plan::Oom {
    plan::Oom { last: args.last, signals: args.signals, sleeps: !args.no_sleeps, log: args.log, lead_up: args.lead_up }
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
