//! What interrupts take.

use std::net::UdpSocket;

use anyhow::{Result, ensure};

use super::{
    super::{Test, every_kernel},
    is_sound, rows, sum, watch,
};

pub const TESTS: &[Test] = &[every_kernel("cpu_times_as_many_softirqs_as_the_kernel_counts", softirqs)];

/// Each makes a softirq on the way through the loopback interface, or joins one that is still to come.
const PACKETS: u64 = 2003;

fn softirqs() -> Result<()> {
    let mut watch = watch(&["--interrupts"])?;
    let (from, to) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    for _ in 0..PACKETS {
        from.send_to(&[7], to.local_addr()?)?;
    }
    watch.next()?;
    watch.next()?;
    watch.stop()?;
    is_sound(&watch)?;
    let own = || rows(&watch, "interrupts").filter(|row| row["kind"] == "softirq" && row["name"] == "net_rx");
    let (timed, total, longest) = (sum(own(), "count"), sum(own(), "total_ns"), sum(own(), "max_ns"));
    let counted: u64 = watch.snapshots.iter().filter_map(|snapshot| snapshot["softirqs"]["net_rx"].as_u64()).sum();
    // Both are read one after the other.
    ensure!(timed >= PACKETS / 10 && timed.abs_diff(counted) <= 5 + counted / 50, "{timed} timed, {counted} counted");
    ensure!(total > timed * 50 && longest > 0, "{timed} took {total} ns");
    Ok(())
}
