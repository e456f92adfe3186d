//! Which device is slow, who waits for it, and because of whom?
//!
//! [`requests`], [`bios`]: what devices do. The kernel keeps both moments of a request in it, so that its completion alone tells
//! queue time and service time; a table of requests adds those in flight and their owners. [`owners`]: whose a request is: who
//! dirtied its pages ([`dirtiers`]), or who submitted it ([`submitters`]). [`done`]: what all of it adds up to. [`stalls`]: who sleeps uninterruptibly, for how long and on what.
//!
//! Hooks: `block_rq_complete`; with owners and stalls also `block_rq_insert`, `block_rq_issue`, `block_rq_merge`,
//! `block_getrq`, `writeback_dirty_folio`, `sched_switch`, `sched_waking`, and the task iterator once at start; where there are
//! devices without a request queue, `block_bio_queue` and `block_bio_complete`.
//! Maps: [`tables`]. Cost per request: three entries into BPF, two clock reads, two look-ups in a hash map.
//! Blind spots: `docs/probes/io.md`.

mod bios;
mod dirtiers;
mod done;
mod fields;
mod owners;
mod requests;
mod stacks;
mod stalls;
mod submitters;
mod tables;

pub use bios::{bio_complete, bio_queue};
pub use dirtiers::dirty;
pub use requests::{complete, insert, issue, merge};
pub use stalls::{switch, visit, waking};
pub use submitters::getrq;
