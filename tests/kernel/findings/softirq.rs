//! A CPU that does nothing but receive.

use std::{
    ffi::{CStr, CString},
    time::Instant,
};

use anyhow::{Result, ensure};

use super::{
    super::{
        Test,
        cpu::work::{flood, last_processor, pinned},
        here, skip,
        stillwatch::Watch,
        tcp::net::Net,
    },
    LATE, is_sound, only, wait_for, wait_until_over,
};

pub const TESTS: &[Test] = &[here("findings_softirq", softirq).alone()];

/// Datagrams of many fragments over a loopback interface, which another CPU has to put together.
fn softirq() -> Result<()> {
    let cpu = last_processor()?;
    ensure!(cpu != 0, "the sender and the receiver share a CPU");
    let net = Net::new()?;
    let mask = CString::new(format!("{:x}\n", 1u64 << cpu))?;
    let sender = pinned(0, || {
        if net.enter().is_ok() && received_on(&mask) {
            flood();
        }
        [0; 2]
    })?;
    let mut watch = Watch::everything(&[])?;
    let start = Instant::now();
    sender.go();
    watch.next()?;
    if sender.has_reported() {
        return Err(skip("no way to choose the CPU that receives (RPS)"));
    }
    let found = wait_for(&mut watch, "softirq", |finding| finding["subject"].as_str() == Some(&*cpu.to_string()))?;
    drop(sender);
    let fault = start.elapsed();
    is_sound(&found)?;
    wait_until_over(&mut watch, &found, fault, LATE)?;
    only(&watch, &["softirq"])
}

/// What comes in at the loopback interface is worked off by these CPUs from now on. In mounts of its own.
fn received_on(mask: &CStr) -> bool {
    let none = std::ptr::null();
    // SAFETY: strings that end.
    unsafe {
        libc::unshare(libc::CLONE_NEWNS);
        libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast());
        // The interfaces that /sys shows are those of the namespace that mounted it.
        if libc::mount(c"sysfs".as_ptr(), c"/sys".as_ptr(), c"sysfs".as_ptr(), 0, none.cast()) != 0 {
            return false;
        }
        let file = libc::open(c"/sys/class/net/lo/queues/rx-0/rps_cpus".as_ptr(), libc::O_WRONLY);
        libc::write(file, mask.as_ptr().cast(), mask.count_bytes()) == mask.count_bytes() as isize
    }
}
