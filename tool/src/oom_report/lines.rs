//! Single lines.

use super::{Candidate, Constraint, Counter, Killed, Summary, Trigger};

/// What stands before a kill, in all that the kernel has: other lines carry names that a user made, with these words in them or
/// not (`mm/oom_kill.c`).
const MESSAGES: [&str; 3] =
    ["Out of memory", "Out of memory (oom_kill_allocating_task)", "Memory cgroup out of memory"];
/// The kernel keeps so much of a task's name.
const COMM: usize = 15;
/// Limits of a cgroup, as the kernel calls them.
const COUNTERS: [&str; 4] = ["memory", "memory+swap", "swap", "kmem"];
/// A limit from here on is none: the kernel writes its largest number.
const UNLIMITED_KIB: u64 = 1 << 50;

/// `python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0`
pub fn trigger(text: &str) -> Option<Trigger> {
    let (comm, rest) = text.split_once(" invoked oom-killer: gfp_mask=")?;
    if comm.chars().count() > COMM {
        return None;
    }
    let (mask, rest) = rest.split_once('(')?;
    let (gfp, rest) = rest.split_once(')')?;
    let order = rest.split_once("order=")?.1.split(',').next()?;
    Some(Trigger {
        comm: comm.to_owned(),
        pid: None,
        order: order.trim().parse().ok()?,
        gfp: gfp.to_owned(),
        gfp_mask: u64::from_str_radix(mask.trim_start_matches("0x"), 16).ok()?,
    })
}

/// `CPU: 1 UID: 0 PID: 14951 Comm: python3 Not tainted …`
pub fn trigger_pid(text: &str) -> Option<u32> {
    if !text.starts_with("CPU: ") {
        return None;
    }
    let (_, rest) = text.split_once(" PID: ")?;
    rest.split_once(" Comm: ")?.0.parse().ok()
}

/// `oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a/b,task=x,pid=7,uid=0`
pub fn summary(text: &str) -> Option<Summary> {
    let rest = text.strip_prefix("oom-kill:constraint=")?;
    let (constraint, rest) = rest.split_once(',')?;
    let constraint = match constraint {
        "CONSTRAINT_NONE" => Constraint::None,
        "CONSTRAINT_CPUSET" => Constraint::Cpuset,
        "CONSTRAINT_MEMORY_POLICY" => Constraint::MemoryPolicy,
        "CONSTRAINT_MEMCG" => Constraint::Memcg,
        _ => return None,
    };
    let (rest, _uid) = rest.rsplit_once(",uid=")?;
    let (rest, pid) = rest.rsplit_once(",pid=")?;
    let (rest, _comm) = rest.rsplit_once(",task=")?;
    let (_, rest) = rest.split_once(",cpuset=")?;
    // A cpuset may be called like what follows it; nodes are numbers.
    let (cpuset, mems_allowed, memcgs) = splits(rest, ",mems_allowed=").find_map(|(cpuset, rest)| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '-' && c != ',').unwrap_or(rest.len());
        let end = rest[..end].trim_end_matches(',').len();
        let memcgs = rest.get(end..)?.strip_prefix(',')?;
        (memcgs.starts_with("oom_memcg=") || memcgs.starts_with("global_oom")).then_some((cpuset, &rest[..end], memcgs))
    })?;
    let (oom_memcg, task_memcg) = match memcgs.strip_prefix("global_oom,task_memcg=") {
        Some(task) => (None, task),
        None => {
            // The same again: the second path leads below the first.
            let rest = memcgs.strip_prefix("oom_memcg=")?;
            let below = |oom: &str, task: &str| oom == "/" || task == oom || task.starts_with(&format!("{oom}/"));
            let (oom, task) = splits(rest, ",task_memcg=").find(|&(oom, task)| below(oom, task))?;
            (Some(oom.to_owned()), task)
        }
    };
    Some(Summary {
        constraint,
        cpuset: cpuset.to_owned(),
        mems_allowed: mems_allowed.to_owned(),
        oom_memcg,
        task_memcg: task_memcg.to_owned(),
        pid: pid.parse().ok()?,
    })
}

/// Every way to split a text at a word.
fn splits<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    text.match_indices(word).map(move |(at, _)| (&text[..at], &text[at + word.len()..]))
}

/// `memory: usage 51200kB, limit 51200kB, failcnt 270`
pub fn counter(text: &str) -> Option<Counter> {
    let (name, rest) = text.split_once(": usage ").filter(|(name, _)| COUNTERS.contains(name))?;
    let (usage, rest) = rest.split_once("kB, limit ")?;
    let (limit, failures) = rest.split_once("kB, failcnt ")?;
    let limit: u64 = limit.parse().ok()?;
    Some(Counter {
        name: name.to_owned(),
        usage_bytes: usage.parse::<u64>().ok()?.checked_mul(1024)?,
        limit_bytes: (limit < UNLIMITED_KIB).then(|| limit * 1024),
        failures: failures.trim().parse().ok()?,
    })
}

/// The head of the table of candidates: what its columns are, the one in brackets left out.
pub fn candidates_head(text: &str) -> Option<Vec<String>> {
    let columns = text.trim_start().strip_prefix('[')?.trim_start().strip_prefix("pid")?.split_once(']')?.1;
    columns.contains("total_vm").then(|| columns.split_ascii_whitespace().map(str::to_owned).collect())
}

/// `[  14951]     0 14951    15192    14267    12704     1563         0   167936        0             0 python3`
pub fn candidate(text: &str, columns: &[String]) -> Option<Candidate> {
    let (pid, mut rest) = text.trim_start().strip_prefix('[')?.split_once(']')?;
    let mut found = Candidate { pid: pid.trim().parse().ok()?, ..Candidate::default() };
    let mut parts = [None; 3];
    for column in columns {
        rest = rest.trim_start_matches(' ');
        if column == "name" {
            // All of the rest: it may have blanks.
            found.comm = rest.to_owned();
            break;
        }
        let (cell, more) = rest.split_once(' ')?;
        rest = more;
        match column.as_str() {
            "uid" => found.uid = cell.parse().ok()?,
            "rss" => found.rss_pages = cell.parse().ok()?,
            "rss_anon" => parts[0] = cell.parse().ok(),
            "rss_file" => parts[1] = cell.parse().ok(),
            "rss_shmem" => parts[2] = cell.parse().ok(),
            "pgtables_bytes" => found.pgtables_bytes = cell.parse().ok()?,
            "swapents" => found.swap_pages = cell.parse().ok()?,
            "oom_score_adj" => found.oom_score_adj = cell.parse().ok()?,
            _ => {}
        }
    }
    if let [Some(anon), Some(file), Some(shmem)] = parts {
        found.parts_pages = Some([anon, file, shmem]);
    }
    Some(found)
}

/// `Memory cgroup out of memory: Killed process 14951 (python3) total-vm:60768kB, anon-rss:50816kB, file-rss:6252kB,
/// shmem-rss:0kB, UID:0 pgtables:164kB oom_score_adj:0`
pub fn killed(text: &str) -> Option<Killed> {
    let (message, rest) = text.split_once(": Killed process ").filter(|(message, _)| MESSAGES.contains(message))?;
    let (pid, rest) = rest.split_once(" (")?;
    let (comm, rest) = rest.rsplit_once(") total-vm:")?;
    let number = |before: &str| {
        let after = if before.is_empty() { rest } else { rest.split_once(before)?.1 };
        let end = after.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(after.len());
        after[..end].parse::<i64>().ok()
    };
    let bytes = |before: &str| Some(u64::try_from(number(before)?).ok()? * 1024);
    Some(Killed {
        at: std::time::Duration::ZERO,
        sequence: 0,
        pid: pid.parse().ok()?,
        comm: comm.to_owned(),
        total_vm_bytes: bytes("")?,
        anon_bytes: bytes("anon-rss:")?,
        file_bytes: bytes("file-rss:")?,
        shmem_bytes: bytes("shmem-rss:")?,
        uid: u32::try_from(number("UID:")?).ok()?,
        pgtables_bytes: bytes("pgtables:")?,
        oom_score_adj: i32::try_from(number("oom_score_adj:")?).ok()?,
        memcg: message.starts_with("Memory cgroup"),
    })
}

/// `Tasks in /a/b are going to be killed due to memory.oom.group set`
pub fn group(text: &str) -> Option<&str> {
    text.strip_prefix("Tasks in ")?.strip_suffix(" are going to be killed due to memory.oom.group set")
}

/// `oom_reaper: reaped process 7 (hog), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB`, or that it could not.
pub fn reaped(text: &str) -> Option<u32> {
    let rest = text.strip_prefix("oom_reaper: ")?;
    let rest = rest.strip_prefix("reaped process ").or_else(|| rest.strip_prefix("unable to reap pid:"))?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}
