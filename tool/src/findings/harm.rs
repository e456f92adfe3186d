//! What findings are ranked by: seconds of processes' time lost per second. What is not time is exchanged into it here.

/// A process that was killed: more than any wait, for as long as the finding is open.
pub const KILLED: f64 = 1000.0;
/// An operation that failed at once: the caller's time is not lost, but what it wanted to do is.
pub const FAILED: f64 = 0.1;
/// A segment that was retransmitted because nothing was heard: the least that the kernel waits for (`TCP_RTO_MIN`).
pub const TIMEOUT: f64 = 0.2;
/// A SYN that was retransmitted: the first wait for an answer (`TCP_TIMEOUT_INIT`).
pub const SYN: f64 = 1.0;
/// A file system without room: whoever writes to it fails.
pub const FULL: f64 = 10.0;
/// What will run out soon, as far as can be seen: nothing is lost yet.
pub const FILLING: f64 = 0.5;
/// Room that is not given back, on a file system that has little.
pub const HELD: f64 = 0.1;
