//! Connections that are opened.

use super::{Ends, Opener};
use crate::hist;

/// How the opening of a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
#[repr(usize)]
pub enum Outcome {
    Established,
    /// The other side answered with a reset: nobody listens there.
    Refused,
    /// Nothing was heard.
    TimedOut,
    /// A router, or this host, knows no way (ICMP).
    Unreachable,
    /// All local ports are taken, for this remote.
    NoPort,
    /// This host could not send: no memory, or the wanted local port is taken.
    NotSent,
    /// The process closed the socket before there was an answer, or ended.
    GivenUp,
    Other,
}

impl Outcome {
    pub const ALL: [Outcome; 8] = [
        Outcome::Established,
        Outcome::Refused,
        Outcome::TimedOut,
        Outcome::Unreachable,
        Outcome::NoPort,
        Outcome::NotSent,
        Outcome::GivenUp,
        Outcome::Other,
    ];

    /// From its number.
    pub fn of(number: u8) -> Self {
        Self::ALL.get(number as usize).copied().unwrap_or(Self::Other)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::NoPort => "no_local_port",
            Self::NotSent => "not_sent",
            Self::GivenUp => "given_up",
            Self::Other => "other",
        }
    }
}

/// Connections that were opened to one remote: those that took as long as an octave of [`hist`] says, or in the octave
/// [`UNTIMED`] all others.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Hash)]
pub struct Remote {
    pub address: [u8; 16],
    /// Inode number of the network namespace.
    pub netns: u32,
    pub port: u16,
    pub octave: u16,
}

/// In place of an octave: counts by [`Outcome`] of connections that failed, or of which the beginning was not seen.
pub const UNTIMED: u16 = hist::ROWS as u16;

/// Counts of one [`Remote`]. Added to atomically.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Opened {
    pub counts: [u32; hist::ROW],
    pub total_ns: u64,
    pub max_ns: u64,
}

/// A connection that was slow to open or failed to, on its way through the ring.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Connect {
    pub at_ns: u64,
    /// From the call until the answer; 0: the beginning was not seen.
    pub waited_ns: u64,
    pub ends: Ends,
    /// Who opened it; all zeros: not seen.
    pub opener: Opener,
    /// `sk_err`.
    pub error: i32,
    /// [`Outcome`].
    pub outcome: u8,
    pub pad: [u8; 3],
}

const _: () = assert!(size_of::<Remote>() == 24 && size_of::<Opened>() == 80 && size_of::<Connect>() == 112);
