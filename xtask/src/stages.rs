//! Where the time of a run went.

use std::time::{Duration, Instant};

/// A test that ran for long enough to be worth a look.
struct Slow {
    took: Duration,
    name: String,
}

#[derive(Default)]
pub struct Stages {
    stages: Vec<(String, Duration)>,
    tests: Vec<Slow>,
}

const SLOWEST: usize = 10;

impl Stages {
    /// Stages may run at the same time: their sum is then more than the whole.
    pub fn stage(&mut self, name: impl Into<String>, took: Duration) {
        self.stages.push((name.into(), took));
    }

    /// The time of something that is done here and now.
    pub fn timed<T>(&mut self, name: &str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.stage(name, start.elapsed());
        result
    }

    pub fn append(&mut self, other: Self) {
        self.stages.extend(other.stages);
        self.tests.extend(other.tests);
    }

    pub fn test(&mut self, name: &str, took: Duration) {
        self.tests.push(Slow { took, name: name.to_owned() });
    }

    pub fn print(&mut self) {
        for (name, took) in &self.stages {
            println!("time     {:>7.1}s  {name}", took.as_secs_f64());
        }
        self.tests.sort_by_key(|test| std::cmp::Reverse(test.took));
        for Slow { took, name } in self.tests.iter().take(SLOWEST) {
            println!("slowest  {:>7.1}s  {name}", took.as_secs_f64());
        }
    }
}
