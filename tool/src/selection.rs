//! What of a snapshot was asked for: rows of some processes, and rows taken together.
//!
//! Findings are made of all rows, and what is kept of a run of the most of each table ([`bound`]), whoever was asked for.

mod changes;
mod cpu;
mod disk;
mod io;
mod log;
mod oom;
mod syscalls;
mod tcp;

pub use tcp::events;

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
};

use crate::{
    cli::plan::{Filter, Plan},
    snapshot::{
        Snapshot, Who,
        who::{About, ENDED},
    },
    table::{Bounded, Columns},
};

macro_rules! select {
    ($($probe:ident: $_part:ident),*) => {
        /// Leaves what was asked for.
        pub fn select(snapshot: &mut Snapshot, plan: &Plan) {
            $(if let Some(part) = &mut snapshot.$probe {
                $probe::select(part, plan);
            })*
        }
    };
}

probes!(select);

macro_rules! bound {
    ($($probe:ident: $_part:ident),*) => {
        /// Leaves of each table as many rows as it may have, once names and findings are made of all.
        pub fn bound(snapshot: &mut Snapshot, filter: &Filter) {
            $(if let Some(part) = &mut snapshot.$probe {
                $probe::bound(part, filter);
            })*
        }
    };
}

probes!(bound);

/// Those that a filter asks for stay, wherever they stand: all of them have their names. What is summed was asked for by nobody, and
/// is not shown where there is a filter.
fn bound_some<'a, R: About + Columns>(table: impl IntoIterator<Item = &'a mut Bounded<R>>, filter: &Filter) {
    for rows in table {
        rows.bound(|row| !filter.is_empty() && row.whom().any(|who| is_wanted(who, filter)));
    }
}

/// Of a table that was bounded.
fn keep_some<'a, R: About + 'a>(table: impl IntoIterator<Item = &'a mut Bounded<R>>, filter: &Filter) {
    for rows in table {
        if !filter.is_empty() {
            rows.forget_others();
        }
        keep(rows, filter);
    }
}

/// One row for each cgroup, and each of what else they are told apart by.
fn by_cgroup<R: Columns, K: Eq + Hash>(rows: &mut Vec<R>, who: fn(&mut R) -> &mut Who, key: fn(&R) -> K) {
    let mut sums: HashMap<(Option<String>, K), R> = HashMap::new();
    for mut row in rows.drain(..) {
        let Who { cgroup, unknown, .. } = std::mem::take(who(&mut row));
        let unknown = cgroup.is_none().then(|| unknown.unwrap_or(ENDED.into()));
        *who(&mut row) = Who { cgroup: cgroup.clone(), unknown, ..Who::default() };
        match sums.entry((cgroup, key(&row))) {
            Entry::Occupied(mut sum) => sum.get_mut().merge(&row),
            Entry::Vacant(place) => _ = place.insert(row),
        }
    }
    rows.extend(sums.into_values());
}

/// Rows about somebody who was asked for.
pub fn keep<R: About>(rows: &mut Vec<R>, filter: &Filter) {
    if !filter.is_empty() {
        rows.retain_mut(|row| row.whom().any(|who| is_wanted(who, filter)));
    }
}

/// The name that it had counts as well as the one it has.
fn is_wanted(who: &Who, filter: &Filter) -> bool {
    let pid = filter.pids.is_empty() || who.pid.is_some_and(|pid| filter.pids.contains(&pid));
    let comm = |wanted: &String| who.comm.as_ref() == Some(wanted) || who.noted.as_ref() == Some(wanted);
    let cgroup = who.cgroup.as_deref();
    pid && filter.comm.as_ref().is_none_or(comm)
        && filter.cgroup.as_ref().is_none_or(|wanted| cgroup.is_some_and(|path| wanted.holds(path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::plan::Cgroup, sinks::sample::who, snapshot::oom::Signal};

    #[test]
    fn all_that_was_asked_for_must_hold() {
        let nginx = Who { noted: Some("sh".into()), ..who(7, "nginx", "/web/a") };
        let wanted = |filter: Filter| is_wanted(&nginx, &filter);
        let cgroup = |path: &str| Some(Cgroup { dir: path.into(), path: path.into() });
        let comm = |name: &str| Some(name.to_owned());
        assert!(wanted(Filter { pids: vec![8, 7], comm: comm("nginx"), cgroup: cgroup("/web") }));
        assert!(!wanted(Filter { pids: vec![8], comm: comm("nginx"), cgroup: cgroup("/web") }));
        assert!(!wanted(Filter { pids: vec![7], comm: comm("sshd"), cgroup: cgroup("/web") }));
        assert!(!wanted(Filter { pids: vec![7], comm: comm("nginx"), cgroup: cgroup("/we") }));
        assert!(wanted(Filter { comm: comm("sh"), ..Filter::default() }));
        assert!(["/", "/web/a"].into_iter().all(|path| wanted(Filter { cgroup: cgroup(path), ..Filter::default() })));
        // Of whom it is not known is not it.
        assert!(!is_wanted(&Who::living(7), &Filter { cgroup: cgroup("/"), ..Filter::default() }));
    }

    #[test]
    fn a_row_about_several_is_there_for_each() {
        let signal = |sender, target| Signal {
            at: jiff::Timestamp::UNIX_EPOCH,
            sender: Who::living(sender),
            target: Who::living(target),
            by_oom: false,
        };
        let mut rows = vec![signal(1, 2), signal(2, 3), signal(3, 4)];
        keep(&mut rows, &Filter { pids: vec![2], ..Filter::default() });
        assert_eq!(rows, [signal(1, 2), signal(2, 3)]);
        keep(&mut rows, &Filter::default());
        assert_eq!(rows.len(), 2);
    }
}
