//! Which probes of a plan can run here: one that can't does not keep the others from it.

use anyhow::{Result, anyhow};

use crate::{cli::plan::Plan, kernel::loader::LoadError, probes, snapshot::Unavailable};

/// What is left of a plan.
pub struct Start {
    pub plan: Plan,
    pub unavailable: Vec<Unavailable>,
}

/// Why an attempt failed.
#[derive(Debug)]
pub struct Failed {
    pub of: Of,
    pub error: anyhow::Error,
}

/// Whose failure it is.
#[derive(Debug, PartialEq, Eq)]
pub enum Of {
    All,
    /// Of those that can't do without programs.
    Programs,
    One(&'static str),
    /// Of those that can't do without this hook.
    Hook(&'static str),
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self { of: Of::All, error }
    }
}

impl From<LoadError> for Failed {
    fn from(error: LoadError) -> Self {
        let owner = |map: &str| probes::ALL.iter().find(|probe| map.starts_with(probe.maps)).map(|probe| probe.name);
        let of = match &error {
            LoadError::Refused { hook, .. } => Of::Hook(hook.name),
            error if error.is_of_all() => Of::Programs,
            other => other.map().and_then(owner).map_or(Of::All, Of::One),
        };
        let error = match &error {
            // These say what their causes say.
            LoadError::Object(_) | LoadError::Refused { .. } => anyhow!("{error}"),
            _ => error.into(),
        };
        Self { of, error }
    }
}

impl Start {
    pub fn new(plan: &Plan) -> Self {
        Self { plan: plan.clone(), unavailable: Vec::new() }
    }

    /// Goes on without a probe. An error if none is left.
    pub fn leave_out(&mut self, probe: &'static str, error: anyhow::Error) -> Result<()> {
        self.plan = self.plan.clone().without(probe);
        if self.plan.probes().is_empty() && self.unavailable.is_empty() {
            return Err(error);
        }
        self.unavailable.push(Unavailable { probe, why: format!("{error:#}") });
        if self.plan.probes().is_empty() {
            return Err(none_left(&self.unavailable));
        }
        Ok(())
    }

    /// Goes on without those that need programs.
    pub fn without_programs(&mut self, error: anyhow::Error) -> Result<()> {
        self.leave_all_out(probes::in_need_of(&self.plan, |_| true), error)
    }

    fn leave_all_out(&mut self, probes: Vec<&'static str>, error: anyhow::Error) -> Result<()> {
        let text = format!("{error:#}");
        let mut error = Some(error);
        for probe in probes {
            self.leave_out(probe, error.take().unwrap_or_else(|| anyhow!("{text}")))?;
        }
        Ok(())
    }

    /// Tries until all probes that are left can run.
    pub fn attempt<T>(&mut self, mut load: impl FnMut(&Plan) -> Result<T, Failed>) -> Result<T> {
        loop {
            let failed = match load(&self.plan) {
                Ok(loaded) => return Ok(loaded),
                Err(failed) => failed,
            };
            let whose = whose(&failed.of, &self.plan, &mut load);
            if whose.is_empty() {
                return Err(failed.error);
            }
            self.leave_all_out(whose, failed.error)?;
        }
    }
}

/// A program that several probes share may be refused because of what one of them does in it: those are tried by themselves.
fn whose<T>(of: &Of, plan: &Plan, load: &mut impl FnMut(&Plan) -> Result<T, Failed>) -> Vec<&'static str> {
    let running = plan.probes();
    let hook = match *of {
        Of::All => return vec![],
        Of::Programs => return probes::in_need_of(plan, |_| true),
        Of::One(probe) => return running.into_iter().filter(|&name| name == probe).collect(),
        Of::Hook(hook) => hook,
    };
    let users = probes::in_need_of(plan, |own| own.name == hook);
    if users.len() < 2 {
        return users;
    }
    let alone = |probe: &str| {
        running.iter().filter(|&&other| other != probe).fold(plan.clone(), |plan, other| plan.without(other))
    };
    let refused: Vec<_> = users.iter().copied().filter(|probe| load(&alone(probe)).is_err()).collect();
    // Together they are too much.
    if refused.is_empty() { users.last().copied().into_iter().collect() } else { refused }
}

/// Why a run ends.
pub fn none_left(unavailable: &[Unavailable]) -> anyhow::Error {
    match &by_reason(unavailable)[..] {
        [(_, why)] => anyhow!("{why}"),
        all => {
            let all: Vec<_> = all.iter().map(|(probes, why)| format!("{probes}: {why}")).collect();
            anyhow!("no probe can run: {}", all.join("; "))
        }
    }
}

/// Those that are missing for the same reason, together.
pub fn by_reason(unavailable: &[Unavailable]) -> Vec<(String, &str)> {
    let mut all: Vec<(String, &str)> = Vec::new();
    for Unavailable { probe, why } in unavailable {
        match all.iter_mut().find(|(_, known)| known == why) {
            Some((probes, _)) => *probes += &format!(", {probe}"),
            None => all.push(((*probe).to_owned(), why)),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Command, Surroundings, parse_from};

    fn plan(words: &[&str]) -> Plan {
        let words = ["stillwatch"].iter().chain(words);
        match parse_from(words.copied(), Surroundings::default(), |_| Err(String::new())) {
            Ok(Command::Run(plan)) => *plan,
            _ => panic!("no plan"),
        }
    }

    fn fails(of: Of) -> Failed {
        Failed { of, error: anyhow!("no memory") }
    }

    fn names(start: &Start) -> Vec<&str> {
        start.unavailable.iter().map(|one| one.probe).collect()
    }

    #[test]
    fn others_go_on_without_a_probe_that_fails() {
        let mut start = Start::new(&plan(&[]));
        let left =
            start.attempt(|plan| if plan.tcp.is_some() { Err(fails(Of::One("tcp"))) } else { Ok(plan.probes()) });
        assert_eq!(left.unwrap(), ["syscalls", "io", "oom", "cpu", "disk", "log", "changes"]);
        assert_eq!(start.unavailable, [Unavailable { probe: "tcp", why: "no memory".into() }]);
    }

    #[test]
    fn a_shared_program_is_loaded_without_the_probe_that_spoils_it() {
        let mut start = Start::new(&plan(&[]));
        let load = |plan: &Plan| if plan.io.is_some() { Err(fails(Of::Hook("sched_switch"))) } else { Ok(()) };
        start.attempt(load).unwrap();
        assert_eq!(names(&start), ["io"]);
        // Each of them could do with it.
        let mut start = Start::new(&plan(&[]));
        let many = |plan: &Plan| plan.probes().len() > 6;
        start.attempt(|plan| if many(plan) { Err(fails(Of::Hook("sched_switch"))) } else { Ok(()) }).unwrap();
        assert_eq!(names(&start), ["cpu", "io"]);
    }

    #[test]
    fn a_hook_of_one_probe_costs_only_that_one() {
        let mut start = Start::new(&plan(&[]));
        let load = |plan: &Plan| if plan.oom.is_some() { Err(fails(Of::Hook("mark_victim"))) } else { Ok(()) };
        start.attempt(load).unwrap();
        assert_eq!(names(&start), ["oom"]);
    }

    #[test]
    fn what_concerns_all_or_the_only_one_ends_the_run() {
        let mut start = Start::new(&plan(&[]));
        assert_eq!(start.attempt(|_| Err::<(), _>(fails(Of::All))).unwrap_err().to_string(), "no memory");
        let mut start = Start::new(&plan(&["io"]));
        assert_eq!(start.attempt(|_| Err::<(), _>(fails(Of::One("io")))).unwrap_err().to_string(), "no memory");
        let mut start = Start::new(&plan(&["io", "--syscalls"]));
        let each = |plan: &Plan| Err::<(), _>(fails(Of::One(plan.probes().first().copied().unwrap_or_default())));
        let error = start.attempt(each).unwrap_err().to_string();
        assert_eq!(error, "no memory");
        let both = [("syscalls", "no memory"), ("io", "not allowed")];
        let both = both.map(|(probe, why)| Unavailable { probe, why: why.into() });
        assert_eq!(none_left(&both).to_string(), "no probe can run: syscalls: no memory; io: not allowed");
    }

    #[test]
    fn what_needs_no_programs_goes_on_without_any() {
        let mut start = Start::new(&plan(&[]));
        let needs = |plan: &Plan| plan.tcp.is_some() || plan.io.is_some();
        start.attempt(|plan| if needs(plan) { Err(fails(Of::Programs)) } else { Ok(()) }).unwrap();
        assert_eq!(start.plan.probes(), ["disk", "log", "changes"]);
        assert_eq!(by_reason(&start.unavailable), [("syscalls, io, tcp, oom, cpu".to_owned(), "no memory")]);
    }
}
