//! Stopping a machine for a while. One whose clock counts its own instructions does not notice.

use std::process::Command;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// For one machine.
#[derive(Default)]
pub struct Pause {
    state: Mutex<State>,
    over: Condvar,
}

#[derive(Default)]
struct State {
    paused: bool,
    /// The machine that runs now.
    machine: Option<u32>,
}

impl Pause {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The machine that runs stands still from now on, and none is started.
    pub fn begin(&self) {
        let mut state = self.state();
        state.paused = true;
        signal(state.machine, "STOP");
    }

    pub fn end(&self) {
        let mut state = self.state();
        state.paused = false;
        signal(state.machine, "CONT");
        self.over.notify_all();
    }

    /// Before a machine is started.
    pub fn wait(&self) {
        let paused = self.over.wait_while(self.state(), |state| state.paused);
        drop(paused.unwrap_or_else(PoisonError::into_inner));
    }

    /// Which one runs, once it was started and once it has ended.
    pub fn runs(&self, machine: Option<u32>) {
        let mut state = self.state();
        state.machine = machine;
        if state.paused {
            signal(machine, "STOP");
        }
    }
}

fn signal(machine: Option<u32>, name: &str) {
    if let Some(machine) = machine {
        // The shell has it built in; not every host has the program.
        let _ = Command::new("sh").arg("-c").arg(format!("kill -{name} {machine}")).status();
    }
}
