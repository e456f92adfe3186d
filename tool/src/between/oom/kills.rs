//! One kill: what the programs saw, and what the kernel's log says of it.

use std::{rc::Rc, time::Duration};

use jiff::Timestamp;
use stillwatch_common::{
    io::tgid_of,
    oom::{self, Step},
};

use super::{bytes, task};
use crate::{
    oom_report::{Candidate, Constraint, Counter, Killed, Report},
    sample::{self, OomKill},
    snapshot::{
        Who,
        oom::{Allocation, Held, Kill, Limit, Scope, Victim},
    },
    table::Reason,
};

const HELD_BACK: &str = "the kernel suppressed its report, because there were many";
const NO_REPORT: &str = "only the kernel's log says it, and it is not available";
/// A charge may be made for so many bytes at once, and fail for these.
const MARGIN: u64 = 64 * 4096;
const ENDING: &str = "the process was ending already";

pub fn kill(told: &OomKill, at: Timestamp, sample: &sample::Oom) -> Kill {
    let (raw, report) = (&told.kill, told.report.as_ref());
    let after = |step: Step| told.steps[step as usize].map(|ns| Duration::from_nanos(ns.saturating_sub(raw.at_ns)));
    let pid = if raw.have_task != 0 { tgid_of(raw.victim.owner) } else { raw.victim.tid };
    let killed = report.and_then(|report| report.killed(pid));
    let candidate = report.and_then(|report| report.candidates.iter().find(|candidate| candidate.pid == pid));
    let already_ending = sample.log_unavailable.is_none() && report.is_none();
    let mut victim =
        if raw.have_task != 0 { of_task(raw) } else { Victim { who: Who::living(pid), ..Victim::default() } };
    complete(&mut victim, killed, candidate);
    victim.cmdline = told.cmdline.clone();
    let summary = report.and_then(|report| report.summary.as_ref());
    let named = summary.filter(|summary| summary.pid == pid).map(|summary| summary.task_memcg.clone());
    victim.who.cgroup = named;
    let trigger = task(&raw.trigger);
    let why = if already_ending { ENDING } else { NO_REPORT };
    Kill {
        at,
        scope: match report {
            Some(report) => scope(report).or_else(|why| at_limit(raw).ok_or(why)),
            None => at_limit(raw).ok_or(why.into()),
        },
        allocation: report.and_then(|report| allocation(report)),
        group: report.and_then(|report| report.group.clone()),
        reaped: after(Step::Reaped),
        exited: after(Step::Exited),
        freed: after(if raw.tells_free != 0 { Step::Freed } else { Step::Exited }),
        report: told.report.clone(),
        report_unknown: report.is_none().then(|| sample.log_unavailable.clone().unwrap_or_else(|| ENDING.to_owned())),
        already_ending,
        lead_up: told.lead_up.clone(),
        reconstructed: false,
        victim,
        trigger,
        memory_cgroups: [raw.victim.memory_cgroup, raw.trigger.memory_cgroup],
    }
}

/// The same from the log alone, one for each that it names.
pub fn reconstructed(report: &Rc<Report>, at: impl Fn(Duration) -> Timestamp) -> Vec<Kill> {
    let one = |killed: &Killed| {
        let candidate = report.candidates.iter().find(|candidate| candidate.pid == killed.pid);
        let mut victim = Victim { who: Who::living(killed.pid), ..Victim::default() };
        complete(&mut victim, Some(killed), candidate);
        let summary = report.summary.as_ref().filter(|summary| summary.pid == killed.pid);
        victim.who.cgroup = summary.map(|summary| summary.task_memcg.clone()).or_else(|| report.group.clone());
        let trigger = match &report.trigger {
            Some(trigger) => {
                let itself = trigger.pid.is_some() && trigger.pid == victim.who.pid;
                let cgroup = if itself { victim.who.cgroup.clone() } else { None };
                Who { pid: trigger.pid, comm: Some(trigger.comm.clone()), cgroup, ..Who::default() }
            }
            None => Who { unknown: Some(HELD_BACK.into()), ..Who::default() },
        };
        Kill {
            at: at(killed.at),
            victim,
            trigger,
            memory_cgroups: [0; 2],
            scope: scope(report),
            allocation: allocation(report),
            group: report.group.clone(),
            reaped: None,
            exited: None,
            freed: None,
            report: Some(report.clone()),
            report_unknown: None,
            already_ending: false,
            lead_up: None,
            reconstructed: true,
        }
    };
    // Of those killed together the first is named twice.
    let first = |&(at, killed): &(usize, &Killed)| report.killed[..at].iter().all(|earlier| earlier.pid != killed.pid);
    report.killed.iter().enumerate().filter(first).map(|(_, killed)| one(killed)).collect()
}

fn of_task(kill: &oom::Kill) -> Victim {
    let pages = |at: usize| bytes(u64::try_from(kill.pages[at]).unwrap_or(0));
    Victim {
        who: task(&kill.victim),
        cmdline: None,
        uid: Some(kill.uid),
        oom_score_adj: Some(kill.oom_score_adj),
        memory: Some(Held {
            anon: pages(oom::ANON),
            file: pages(oom::FILE),
            shmem: pages(oom::SHMEM),
            swap: Some(pages(oom::SWAP)),
            pgtables: kill.pgtables_bytes,
            total_vm: bytes(kill.total_vm_pages),
            logged: false,
        }),
    }
}

/// What the log has is what other tools and people will see.
fn complete(victim: &mut Victim, killed: Option<&Killed>, candidate: Option<&Candidate>) {
    let Some(killed) = killed else { return };
    let swap = candidate.map(|candidate| bytes(candidate.swap_pages));
    victim.memory = Some(Held {
        anon: killed.anon_bytes,
        file: killed.file_bytes,
        shmem: killed.shmem_bytes,
        swap: swap.or(victim.memory.and_then(|memory| memory.swap)),
        pgtables: killed.pgtables_bytes,
        total_vm: killed.total_vm_bytes,
        logged: true,
    });
    victim.uid = victim.uid.or(Some(killed.uid));
    victim.oom_score_adj = victim.oom_score_adj.or(Some(killed.oom_score_adj));
    victim.who.comm.get_or_insert_with(|| killed.comm.clone());
}

fn allocation(report: &Report) -> Option<Allocation> {
    let trigger = report.trigger.as_ref()?;
    Some(Allocation { order: u32::try_from(trigger.order).ok(), gfp: trigger.gfp.clone() })
}

fn scope(report: &Report) -> Result<Scope, Reason> {
    let Some(summary) = &report.summary else {
        // The message alone tells a cgroup from the host, but not which.
        return match report.killed.first() {
            Some(killed) if !killed.memcg => {
                Ok(Scope { constraint: Constraint::None, cgroup: None, limit: None, nodes: None })
            }
            _ => Err(HELD_BACK.into()),
        };
    };
    let counter = report.counter("memory").filter(|_| summary.oom_memcg.is_some());
    // v1 limits memory with swap, too: where that one is reached and not the other, it is the reason.
    let full = |counter: &&Counter| counter.limit_bytes.is_some_and(|limit| counter.usage_bytes + MARGIN >= limit);
    let with_swap = report.counter("memory+swap").filter(full).filter(|_| !counter.as_ref().is_some_and(full));
    let counter = with_swap.or(counter);
    Ok(Scope {
        constraint: summary.constraint,
        cgroup: summary.oom_memcg.clone(),
        limit: counter.map(|counter| Limit {
            cgroup: summary.oom_memcg.clone(),
            usage_bytes: counter.usage_bytes,
            limit_bytes: counter.limit_bytes,
            failures: Some(counter.failures),
            ..Limit::default()
        }),
        nodes: match summary.constraint {
            Constraint::Cpuset | Constraint::MemoryPolicy => Some(summary.mems_allowed.clone()),
            Constraint::None | Constraint::Memcg => None,
        },
    })
}

/// Without the kernel's report: which cgroup, the victim's or one above it, was at its limit at that moment.
fn at_limit(kill: &oom::Kill) -> Option<Scope> {
    (kill.limit_cgroup != 0).then(|| Scope {
        constraint: Constraint::Memcg,
        cgroup: None,
        limit: Some(Limit {
            usage_bytes: bytes(kill.usage_pages),
            limit_bytes: Some(bytes(kill.limit_pages)),
            id: kill.limit_cgroup,
            ..Limit::default()
        }),
        nodes: None,
    })
}
