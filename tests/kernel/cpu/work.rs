//! What tasks do to CPUs.

use std::{io, time::Duration};

use anyhow::{Result, ensure};

use super::super::{
    skip,
    workload::{Report, Workload, monotonic_ns},
};

/// The last CPU that we may run on, and that there is another.
pub fn last_processor() -> Result<usize> {
    // SAFETY: all zeros are an empty set, which the kernel fills.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: room for a set.
    let failed = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &mut set) };
    ensure!(failed == 0, "sched_getaffinity: {}", io::Error::last_os_error());
    // SAFETY: inside the set.
    let allowed: Vec<usize> = (0..1024).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) }).collect();
    match allowed[..] {
        [_, .., last] => Ok(last),
        _ => Err(skip("one CPU: nothing could watch it")),
    }
}

/// The process runs nowhere else from now on. Of one that sleeps: moving one that runs is a switch and a wake-up of its own.
pub fn pin(pid: u32, cpu: usize) {
    // SAFETY: all zeros are an empty set; the bit is inside.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(pid as i32, size_of_val(&set), &set);
    }
}

/// A process that is pinned before it begins.
pub fn pinned(cpu: usize, work: impl FnOnce() -> Report) -> Result<Workload> {
    let workload = Workload::new(work)?;
    // Until it sleeps.
    std::thread::sleep(Duration::from_millis(20));
    pin(workload.pid, cpu);
    Ok(workload)
}

/// Keeps the CPU busy. How many nanoseconds went by.
pub fn spin(time: Duration) -> u64 {
    let start = monotonic_ns();
    loop {
        let spun = monotonic_ns() - start;
        if spun >= time.as_nanos() as u64 {
            return spun;
        }
    }
}

/// A real-time task, which no ordinary one gets past. Whether that is allowed.
pub fn become_urgent() -> bool {
    let priority = libc::sched_param { sched_priority: 10 };
    // SAFETY: the structure lives here.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &priority) == 0 }
}

/// Sends itself datagrams of many fragments until it is killed.
pub fn flood() {
    static DATA: [u8; 60_000] = [0; 60_000];
    // SAFETY: addresses and data with their sizes.
    unsafe {
        let mut to: libc::sockaddr_in = std::mem::zeroed();
        (to.sin_family, to.sin_port) = (libc::AF_INET as _, 5000u16.to_be());
        to.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
        let (to, size) = ((&raw const to).cast(), size_of::<libc::sockaddr_in>() as u32);
        let [receiver, sender] = [(); 2].map(|()| libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0));
        libc::bind(receiver, to, size);
        loop {
            libc::sendto(sender, DATA.as_ptr().cast(), DATA.len(), 0, to, size);
        }
    }
}
