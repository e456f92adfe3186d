//! One change of tasks, as all probes see it.

use super::task::Task;

/// What several ask for is loaded once: a field of a task costs some ten instructions, whose checks the compiler may
/// not leave out the second time.
pub struct Switch {
    pub prev: Task,
    pub next: Task,
    pub prev_tid: u32,
    pub next_tid: u32,
    /// The state that `prev` leaves in.
    pub state: u32,
    /// `prev` waits for something; a preempted task is still runnable, whatever its state says.
    pub sleeps: bool,
    /// `prev` has ended.
    pub dead: bool,
}
