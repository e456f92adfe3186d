//! One kill: a paragraph.

use std::time::Duration;

use super::{cgroup, lead_up};
use crate::{
    escape::{escape, fit},
    oom_report::Constraint,
    sinks::{
        View,
        format::{self, bytes},
        who::one,
    },
    snapshot::oom::{Allocation, Held, Kill, Limit},
};

pub fn draw(text: &mut String, kill: &Kill, view: &View) {
    *text += &view.bold(&head(kill, view));
    text.push('\n');
    let mut line = |name: &str, what: String| *text += &format!("  {name:<9} {what}\n");
    line("victim", victim(kill, view));
    line("held", kill.victim.memory.as_ref().map_or_else(|| "unknown: only the kernel's log says it".to_owned(), held));
    line("because", because(kill));
    line("scope", scope(kill));
    if let Some(group) = &kill.group {
        line("together", format!("all of {} (memory.oom.group)", escape(group)));
    }
    line("free", free(kill));
    lead_up::draw(text, kill, view);
    candidates(text, kill, view);
    log(text, kill, view);
}

/// A kill that was shown, and whose memory is free at last.
pub fn freed(text: &mut String, kill: &Kill, view: &View) {
    let who = one(&kill.victim.who);
    *text += &view.bold(&format!("{}  MEMORY OF {who} IS FREE: {}", time(kill, view), free(kill)));
    text.push('\n');
}

fn time(kill: &Kill, view: &View) -> String {
    let format = if kill.reconstructed { "%F %H:%M:%S%.3f" } else { "%H:%M:%S%.3f" };
    kill.at.to_zoned(view.zone.clone()).strftime(format).to_string()
}

fn head(kill: &Kill, view: &View) -> String {
    let what = if kill.already_ending { "OOM, AND IT WAS ENDING" } else { "OOM KILL" };
    let from = if kill.reconstructed { " (reconstructed from the kernel's log)" } else { "" };
    format!("{}  {what}  {}{from}", time(kill, view), one(&kill.victim.who))
}

fn victim(kill: &Kill, view: &View) -> String {
    let victim = &kill.victim;
    let mut text = format!("{} in {}", one(&victim.who), cgroup(victim.who.cgroup.as_ref()));
    text += &victim.uid.map_or_else(String::new, |uid| format!(", uid {uid}"));
    text += &victim.oom_score_adj.map_or_else(String::new, |adj| format!(", oom_score_adj {adj}"));
    if let Some(cmdline) = &victim.cmdline {
        text += &format!(": {}", fit(cmdline, view.width.max(40)));
    }
    text
}

fn held(held: &Held) -> String {
    let about = if held.logged { "" } else { "about " };
    let swap = held.swap.map_or_else(|| "swap unknown".to_owned(), |swap| format!("{} in swap", bytes(swap)));
    format!(
        "{about}{} anonymous, {} of files, {} shared, {} page tables, {swap}",
        bytes(held.anon),
        bytes(held.file),
        bytes(held.shmem),
        bytes(held.pgtables)
    )
}

fn because(kill: &Kill) -> String {
    let trigger = &kill.trigger;
    let itself = if trigger.pid.is_some() && trigger.pid == kill.victim.who.pid { " itself" } else { "" };
    let who = format!("{}{itself} in {}", one(trigger), cgroup(trigger.cgroup.as_ref()));
    match &kill.allocation {
        Some(Allocation { order: Some(order), gfp }) => {
            format!("{who} needed {} (order {order}, {})", bytes(page_bytes() << order.min(&30)), escape(gfp))
        }
        Some(Allocation { order: None, .. }) => format!("{who} asked the kernel for a kill by hand"),
        None => format!("{who} needed memory"),
    }
}

fn scope(kill: &Kill) -> String {
    let scope = match &kill.scope {
        Ok(scope) => scope,
        Err(why) => return format!("unknown: {why}"),
    };
    let nodes = scope.nodes.as_ref().map_or_else(String::new, |nodes| format!(" (nodes {})", escape(nodes)));
    match scope.constraint {
        Constraint::None => "the whole host had no memory left".to_owned(),
        Constraint::Cpuset => format!("the nodes of its cpuset had no memory left{nodes}"),
        Constraint::MemoryPolicy => format!("the nodes of its memory policy had no memory left{nodes}"),
        Constraint::Memcg => {
            let limit = scope.limit.as_ref().map_or_else(String::new, |found| format!(": {}", limit(found)));
            format!("cgroup {} was at its limit{limit}", cgroup(scope.cgroup.as_ref()))
        }
    }
}

fn limit(limit: &Limit) -> String {
    let allowed = limit.limit_bytes.map_or_else(|| "no limit".to_owned(), bytes);
    let failures = limit.failures.map_or_else(String::new, |failures| {
        format!(", which it ran into {} since it was made", format::plural(failures, "time", "times"))
    });
    format!("{} used of {allowed}{failures}", bytes(limit.usage_bytes))
}

fn free(kill: &Kill) -> String {
    let after = |what: &str, after: Option<Duration>| {
        after.map(|after| format!("{what} after {}", format::duration(after.as_nanos() as u64)))
    };
    if kill.reconstructed {
        return "not known: it was before we started".to_owned();
    }
    // Kernels that do not tell the end of its memory: the process's has to do.
    let ended = kill.exited.filter(|ended| kill.freed != Some(*ended));
    let steps = [after("taken away by the reaper", kill.reaped), after("ended", ended)];
    let steps: Vec<_> = steps.into_iter().flatten().collect();
    match after("all of it", kill.freed) {
        Some(all) if steps.is_empty() => all,
        Some(all) => format!("{all} ({})", steps.join(", ")),
        None if steps.is_empty() => "not yet".to_owned(),
        None => format!("not all of it yet ({})", steps.join(", ")),
    }
}

/// Who else could have been chosen, the largest first.
fn candidates(text: &mut String, kill: &Kill, view: &View) {
    let Some(report) = kill.report.as_ref().filter(|report| report.candidates.len() > 1) else { return };
    let mut all: Vec<_> = report.candidates.iter().collect();
    all.sort_by_key(|candidate| std::cmp::Reverse(candidate.rss_pages + candidate.swap_pages));
    let shown: Vec<_> = all
        .iter()
        .take(view.top.min(5))
        .map(|candidate| {
            let adj =
                if candidate.oom_score_adj == 0 { String::new() } else { format!(" adj {}", candidate.oom_score_adj) };
            format!("{} {} {}{adj}", escape(&candidate.comm), candidate.pid, bytes(candidate.rss_pages * page_bytes()))
        })
        .collect();
    let more = if all.len() > shown.len() { format!(" and {} more", all.len() - shown.len()) } else { String::new() };
    *text += &format!("  among     {}{more}\n", shown.join(", "));
}

fn log(text: &mut String, kill: &Kill, view: &View) {
    match (&kill.report, &kill.report_unknown) {
        (Some(report), _) if view.log => {
            *text += "  kernel log\n";
            for line in &report.lines {
                let (s, us) = (line.at.as_secs(), line.at.subsec_micros());
                // Old kernels write several lines as one record.
                for line in line.text.split('\n') {
                    *text += &view.dim(&format!("    [{s:5}.{us:06}] {}", escape(line)));
                    text.push('\n');
                }
            }
        }
        (Some(report), _) => {
            let lines = format::plural(report.lines.len() as u64, "line", "lines");
            *text +=
                &view.dim(&format!("  log       {lines} of the kernel's log (--log prints them, --json has them)"));
            text.push('\n');
        }
        (None, why) => {
            let why = why.as_deref().unwrap_or("nothing about it");
            *text += &format!("  log       unavailable: {}\n", escape(why));
        }
    }
}

fn page_bytes() -> u64 {
    // SAFETY: no precondition.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).unwrap_or(4096)
}
