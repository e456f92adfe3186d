//! Out of memory: kills, and who waits.

use std::{cmp::Reverse, collections::BTreeMap, rc::Rc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
pub use stillwatch_common::oom::Kind;

use super::{Latency, Who, who::about};
pub use crate::lead_up::{LeadUp, Memory, Series};
use crate::{
    constant::{self, Constant},
    oom_report::{Constraint, Report},
    table::{Bounded, Reason, named, placed, table},
};

named!(Kind);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Oom {
    pub kills: Vec<Kill>,
    /// Kills shown earlier, whose memory is free since.
    pub freed: Vec<Kill>,
    pub signals: Vec<Signal>,
    /// Who waited, the longest first.
    pub reclaim: Bounded<Reclaim>,
    /// Waits of everybody, by [`Kind`].
    pub totals: [Total; Kind::ALL.len()],
    /// Who waits now, the oldest first.
    pub inside: Bounded<Inside>,
    /// Cgroups with a limit, the fullest first.
    pub limits: Bounded<Limit>,
    /// The kernel's own counters, in this interval.
    #[serde(deserialize_with = "constant::counts")]
    pub vm: BTreeMap<Constant, u64>,
    pub memory: Memory,
    pub log_unavailable: Option<String>,
    pub residents_unavailable: Option<String>,
    /// What could not be done for the tool to survive.
    pub unprotected: Rc<[String]>,
}

impl Oom {
    pub fn waits(&self) -> u64 {
        self.totals.iter().map(|total| total.waits).sum()
    }
}

/// A process that the kernel killed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kill {
    pub at: Timestamp,
    pub victim: Victim,
    /// The task that needed memory.
    pub trigger: Who,
    /// Ids of the cgroups that the memory of victim and trigger is charged to; 0: not known.
    pub memory_cgroups: [u64; 2],
    pub scope: Result<Scope, Reason>,
    /// What the trigger wanted.
    pub allocation: Option<Allocation>,
    /// Killed together with others, because their cgroup asks for that.
    pub group: Option<String>,
    /// How long after the kill each was so. `None`: not yet, or not seen.
    pub reaped: Option<Duration>,
    pub exited: Option<Duration>,
    pub freed: Option<Duration>,
    pub report: Option<Rc<Report>>,
    /// Why there is none.
    pub report_unknown: Option<String>,
    /// It was ending anyway: the kernel only gave it what it needs for that.
    pub already_ending: bool,
    pub lead_up: Option<Rc<LeadUp>>,
    /// From the kernel's log only: it was before we started.
    pub reconstructed: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Victim {
    pub who: Who,
    pub cmdline: Option<String>,
    pub uid: Option<u32>,
    pub oom_score_adj: Option<i32>,
    pub memory: Option<Held>,
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub anon: u64,
    pub file: u64,
    pub shmem: u64,
    pub pgtables: u64,
    /// `None`: the kernel's log does not say.
    pub swap: Option<u64>,
    pub total_vm: u64,
    /// As the kernel's log has it. Otherwise from counters of which each CPU keeps a part back.
    pub logged: bool,
}

impl Held {
    pub fn rss(&self) -> u64 {
        self.anon.saturating_add(self.file).saturating_add(self.shmem)
    }
}

/// Which memory had run out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    pub constraint: Constraint,
    /// The cgroup whose limit was reached.
    pub cgroup: Option<String>,
    pub limit: Option<Limit>,
    /// Of a cpuset or policy: which nodes.
    pub nodes: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// 2^order pages. `None`: somebody asked for a kill by hand.
    pub order: Option<u32>,
    pub gfp: String,
}

table! {
    /// A cgroup with a limit.
    pub struct Limit in "oom.limits" derive(Default, Eq) {
        /// Its path; none where that is not known.
        cgroup: Option<String> = label(), text [cgroup("CGROUP AT ITS LIMIT")];
        /// What it uses now.
        usage_bytes: u64 = gauge("bytes"), text [bytes("USED").least(8)];
        /// What it may use; none where none is set.
        limit_bytes: Option<u64> = gauge("bytes"), text [bytes("LIMIT").least(8)];
        /// How often an allocation ran into it: in the interval, or, of a kill, since the cgroup was made; none where that is not
        /// known.
        failures: Option<u64> = counter("allocations"), text [count("RAN INTO IT").least(11)];
        /// Of the cgroup, in the hierarchy that memory is charged in; 0: not known.
        id: u64 = label().hidden();
    }

    /// SIGKILL that a process sent.
    pub struct Signal in "oom.sigkill" {
        /// When it was sent.
        at: Timestamp = label().hidden(), text [clock("TIME")];
        /// Who sent it.
        sender: Who = label().columns(Who::COLUMNS), text [own("FROM", "from").after("target")];
        /// Whom it was sent to.
        target: Who = label().columns(Who::COLUMNS), text [own("SIGKILL TO", "to")];
        /// The kernel itself sent it, because of a kill that is shown.
        by_oom: bool = flag().key("oom");
    }

    /// One process that waited for memory in one way.
    pub struct Reclaim in "oom.reclaim" {
        /// Who waited.
        who: Who = label().columns(Who::COLUMNS).parts(&[
            ("pid", "pid"), ("comm", "comm"), ("cgroup", "cgroup"), ("unknown", "unknown"), ("kernel_thread", "kernel_thread"),
        ]), text [comm("WAITED"), pid("PID"), cgroup("CGROUP")];
        /// In which way.
        kind: Kind = label(), text [own("FOR", "for").after("latency")];
        /// Of waits that ended in the interval, whole.
        latency: Latency = histogram().parts(&[
            ("count", "count"), ("total_ns", "total_ns"), ("p50_ns", "p50_ns"), ("p99_ns", "p99_ns"), ("max_ns", "max_ns"),
            ("histogram", "histogram"),
        ]), text [
            count("WAITS").least(5),
            duration("TOTAL").least(5),
            q99("p99").close().least(5),
            longest("MAX").close().least(5),
        ];
        /// Of these, the time of this interval.
        lost_ns: u64 = counter("ns").hidden();
    }

    /// A task that waits now.
    pub struct Inside in "oom.in_reclaim" {
        /// Its process.
        who: Who = label().columns(Who::COLUMNS).flat(), text [comm("WAITS NOW"), pid("PID"), cgroup("CGROUP")];
        /// Its own number.
        tid: u32 = label(), text [number("TID").least(7)];
        /// In which way it waits.
        kind: Kind = label(), text [own("FOR", "for").after("age")];
        /// How long it has been waiting.
        age: Duration = gauge("ns").max().key("age_ns"), text [duration("SINCE").least(5)];
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    #[serde(rename = "count")]
    pub waits: u64,
    pub total_ns: u64,
}

about! { Kill: victim.who, trigger; Signal: sender, target; Reclaim: who; Inside: who; }

placed! {
    Reclaim: row => (Reverse(row.latency.total_ns), row.who.pid, row.kind);
    Inside: row => Reverse(row.age);
    // The fullest first.
    Limit: row => (Reverse(row.failures), row.limit_bytes.unwrap_or(u64::MAX).saturating_sub(row.usage_bytes));
}
