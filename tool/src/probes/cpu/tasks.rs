//! From what the kernel keeps of each task to what processes did in an interval.

use std::collections::HashMap;

use stillwatch_common::{
    cpu::{Ended, EndedKey, Times, Walked},
    io::OwnerId,
};

use crate::sample::{Ran, RanKey, WaitsNow};

/// Address and start.
type TaskId = (u64, u64);

/// What was known of a task at the last walk at which it was seen.
#[derive(Clone, Copy)]
struct Known {
    times: Times,
    migrations: u64,
}

#[derive(Default)]
pub struct Tasks {
    known: HashMap<TaskId, Known>,
    /// Of names that tasks ended with, at the last tick.
    ended: HashMap<EndedKey, Ended>,
    /// When the walk before the one that is looked at began.
    before_ns: u64,
    /// And the one before that.
    earlier_ns: u64,
    pub ran: HashMap<RanKey, Ran>,
    pub waiting: Vec<WaitsNow>,
}

impl Tasks {
    /// A walk ends the interval that began at `before_ns` with another; 0: it is the first.
    pub fn begin(&mut self, before_ns: u64) {
        // The same again where the last walk was not whole.
        if before_ns != self.before_ns {
            self.earlier_ns = if self.before_ns == 0 { before_ns } else { self.before_ns };
            self.before_ns = before_ns;
        }
        self.ran.clear();
        self.waiting.clear();
    }

    pub fn is_known(&self, tasks: usize) -> bool {
        self.known.len() <= tasks * 2
    }

    /// Forgets all tasks but those that the next walk finds.
    pub fn renew(&mut self, walked: &[Walked]) {
        self.known = walked.iter().filter_map(|task| Some((id(task), *self.known.get(&id(task))?))).collect();
    }

    pub fn walked(&mut self, task: &Walked) {
        let now = Known { times: task.times, migrations: task.migrations };
        let before = self.known.insert(id(task), now).or_else(|| unseen(task.start_ns, self.before_ns));
        let Some(before) = before.filter(|_| self.before_ns != 0) else { return self.note_waiting(task) };
        let did = since(&task.times, &before.times);
        if did != Times::default() {
            let ran = self.ran.entry(RanKey::Process(task.owner)).or_default();
            let place = (task.migrations == before.migrations).then_some(task.cpu);
            ran.add(&did, place);
            ran.name(&task.comm, task.tid == tgid(task.owner), 0);
            ran.kernel_thread |= task.kernel_thread != 0;
            ran.schedule(task.scheduling, did.ran_ns);
        }
        self.note_waiting(task);
    }

    fn note_waiting(&mut self, task: &Walked) {
        if task.waits_ns > 0 {
            self.waiting.push(WaitsNow {
                owner: task.owner,
                tid: task.tid,
                cpu: task.cpu,
                comm: task.comm,
                kernel_thread: task.kernel_thread != 0,
                scheduling: task.scheduling,
                waits_ns: task.waits_ns,
            });
        }
    }

    /// Tasks that have ended, all that the table has. Returns entries that nothing is added to any more.
    pub fn take_ended(&mut self, ended: HashMap<EndedKey, Ended>) -> Vec<EndedKey> {
        let mut over = Vec::new();
        let mut lasting = HashMap::new();
        for (key, value) in ended {
            let before = if key.task != 0 {
                over.push(key);
                // One that was about to end at the last walk was left out there, and had not ended yet.
                let known = self.known.remove(&(key.task, key.start_ns));
                match known.or_else(|| unseen(key.start_ns, self.earlier_ns)) {
                    Some(known) => Ended { tasks: 0, times: known.times },
                    None => continue,
                }
            } else {
                lasting.insert(key, value);
                self.ended.get(&key).copied().unwrap_or_default()
            };
            let did = since(&value.times, &before.times);
            let tasks = value.tasks.saturating_sub(before.tasks);
            // Without an interval there is nothing to be said of it.
            if self.before_ns == 0 || (tasks == 0 && did == Times::default()) {
                continue;
            }
            let of = match key.owner {
                0 => RanKey::Ended(key.comm, key.cgroup),
                owner => RanKey::Process(owner),
            };
            let ran = self.ran.entry(of).or_default();
            ran.add(&did, None);
            ran.name(&key.comm, false, key.cgroup);
            ran.ended += tasks;
        }
        self.ended = lasting;
        over
    }

    /// Entries of names that no task has ended with since the last tick.
    pub fn at_rest(&self, key: &EndedKey, now: &Ended, last: &HashMap<EndedKey, Ended>) -> bool {
        key.task == 0 && last.get(key).is_some_and(|last| last == now)
    }

    /// Entries that were removed begin anew.
    pub fn keep_ended(&mut self, left: &HashMap<EndedKey, Ended>) {
        self.ended.retain(|key, _| left.contains_key(key));
    }

    pub fn last_ended(&self) -> HashMap<EndedKey, Ended> {
        self.ended.clone()
    }
}

/// One that began in this interval had done nothing before. Of any other that is not known, nothing can be said.
fn unseen(start_ns: u64, before_ns: u64) -> Option<Known> {
    (start_ns > before_ns).then_some(Known { times: Times::default(), migrations: 0 })
}

fn id(task: &Walked) -> TaskId {
    (task.task, task.start_ns)
}

fn tgid(owner: OwnerId) -> u32 {
    stillwatch_common::io::tgid_of(owner)
}

fn since(now: &Times, before: &Times) -> Times {
    Times {
        ran_ns: now.ran_ns.saturating_sub(before.ran_ns),
        waited_ns: now.waited_ns.saturating_sub(before.waited_ns),
        voluntary: now.voluntary.saturating_sub(before.voluntary),
        involuntary: now.involuntary.saturating_sub(before.involuntary),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said to have ended of a task that began then, and that no walk has seen, at the third tick.
    fn ended_of(start_ns: u64) -> Vec<u64> {
        let mut tasks = Tasks::default();
        for before_ns in [0, 100, 200] {
            tasks.begin(before_ns);
        }
        let key = EndedKey { task: 7, start_ns, ..EndedKey::default() };
        let times = Times { ran_ns: 5, ..Times::default() };
        tasks.take_ended(HashMap::from([(key, Ended { tasks: 1, times })]));
        tasks.ran.values().map(|ran| ran.times.ran_ns * ran.ended).collect()
    }

    #[test]
    fn a_task_that_was_about_to_end_at_a_walk_is_not_lost() {
        assert_eq!([ended_of(250), ended_of(150)], [[5], [5]]);
        assert!(ended_of(50).is_empty(), "it may have run long before");
    }
}
