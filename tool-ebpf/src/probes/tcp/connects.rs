//! How long it takes to open connections, and why it fails.
//!
//! The answer comes in an interrupt, or never; the process is the one that was noted when it called `connect`.

use stillwatch_common::{
    hist,
    tcp::{Connect, Opener, Outcome, Remote, UNTIMED},
};

use super::{sockets, tables};
use crate::{
    facts,
    support::{
        count::{add_shared, add_shared_half, raise_shared},
        memory::read_or_zero,
        now_ns, opaque,
    },
};

const ENETUNREACH: i32 = 101;
const ETIMEDOUT: i32 = 110;
const ECONNREFUSED: i32 = 111;
const EHOSTUNREACH: i32 = 113;
/// `socket.state` until `connect` has returned: the call itself fails.
const SS_UNCONNECTED: u32 = 1;

/// A power of two that holds all of [`Outcome`].
const OUTCOMES: usize = 8;

/// The socket leaves `SYN_SENT`.
#[inline(always)]
pub fn opened(cpu: tables::CpuPtr, sk: u64, established: bool) {
    // SAFETY: map values; this program's room in this CPU's block.
    unsafe {
        let connect = &raw mut (*cpu).connect;
        sockets::ends(sk, &raw mut (*connect).ends);
        let local_port = sockets::local_port(sk);
        (*connect).ends.local_port = local_port;
        (*connect).at_ns = now_ns();
        (*connect).error = read_or_zero(sk, facts::SK_ERROR.load());
        let outcome = outcome(sk, (*connect).error, local_port, established);
        (*connect).outcome = outcome as u8;
        // An address is used again, and so the number of an inode tells whether the socket is the same.
        (*connect).waited_ns = 0;
        (*connect).opener = core::mem::zeroed::<Opener>();
        if let Some(opener) = tables::opener(sk)
            && (*opener).inode == sockets::inode(sk)
        {
            (*connect).opener = *opener;
            (*connect).waited_ns = (*connect).at_ns.wrapping_sub((*opener).at_ns);
        }
        let waited_ns = (*connect).waited_ns;
        let place = opaque(outcome as usize) & (OUTCOMES - 1);
        add_shared(&raw mut (*cpu).outcomes[place], 1);

        let timed = established && waited_ns != 0;
        let bucket = hist::bucket(waited_ns) as usize;
        let (octave, place) =
            if timed { ((bucket / hist::ROW) as u16, bucket % hist::ROW) } else { (UNTIMED, outcome as usize) };
        let ends = &raw const (*connect).ends;
        let remote = Remote { address: (*ends).remote, netns: (*ends).netns, port: (*ends).remote_port, octave };
        if let Some(opened) = tables::remote(cpu, &remote) {
            let place = opaque(place) & (hist::ROW - 1);
            add_shared_half(&raw mut (*opened).counts[place], 1);
            if timed {
                add_shared(&raw mut (*opened).total_ns, waited_ns);
                raise_shared(&raw mut (*opened).max_ns, waited_ns);
            }
        }
        let is_told = || tables::is_told::<Connect>(cpu, (*connect).at_ns);
        if (!established || waited_ns >= facts::TCP_SLOW_NS.load()) && is_told() {
            tables::hand_over(cpu, connect);
        }
    }
}

#[inline(always)]
fn outcome(sk: u64, error: i32, local_port: u16, established: bool) -> Outcome {
    if established {
        return Outcome::Established;
    }
    match error {
        ECONNREFUSED => Outcome::Refused,
        ETIMEDOUT => Outcome::TimedOut,
        ENETUNREACH | EHOSTUNREACH => Outcome::Unreachable,
        0 => {
            let socket: u64 = read_or_zero(sk, facts::SK_SOCKET.load());
            let state: u32 = read_or_zero(socket, facts::SOCKET_STATE.load());
            match state {
                SS_UNCONNECTED if local_port == 0 => Outcome::NoPort,
                SS_UNCONNECTED => Outcome::NotSent,
                _ => Outcome::GivenUp,
            }
        }
        _ => Outcome::Other,
    }
}
