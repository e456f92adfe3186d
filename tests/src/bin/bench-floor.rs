//! The cheapest way to time every system call exactly: a `tp_btf` pair that reads the clock, and nothing else. What it
//! costs is the floor that `cargo xtask bench` holds the `syscalls` probe against. Stays attached until it is killed.

use std::io;

use anyhow::{Context, Result, ensure};
use aya::Btf;
use aya_obj::btf::BtfKind;

// From the kernel's `bpf.h`.
const BPF_PROG_LOAD: i32 = 5;
const BPF_RAW_TRACEPOINT_OPEN: i32 = 17;
const BPF_PROG_TYPE_TRACING: u32 = 26;
const BPF_TRACE_RAW_TP: u32 = 23;

/// Assembled by hand: no compiler can drop the call, and what is measured is all there is to see.
const PROGRAM: [u64; 3] = [
    0x0000_0005_0000_0085, // call bpf_ktime_get_ns
    0x0000_0000_0000_00b7, // r0 = 0
    0x0000_0000_0000_0095, // exit
];

/// `union bpf_attr` for `BPF_PROG_LOAD`, as far as it is used.
#[repr(C)]
#[derive(Default)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    unused: [u64; 5],
    prog_ifindex: u32,
    expected_attach_type: u32,
    unused_too: [u64; 4],
    line_info_cnt: u32,
    attach_btf_id: u32,
}

/// The same for `BPF_RAW_TRACEPOINT_OPEN`, which attaches `tp_btf` programs, too.
#[repr(C)]
#[derive(Default)]
struct Open {
    name: u64,
    prog_fd: u32,
    pad: u32,
}

fn main() -> Result<()> {
    let btf = Btf::from_sys_fs()?;
    for hook in ["sys_enter", "sys_exit"] {
        attach(&btf, hook).with_context(|| format!("attaching to {hook}"))?;
    }
    loop {
        std::thread::park();
    }
}

/// The descriptors stay open until the process ends.
fn attach(btf: &Btf, hook: &str) -> Result<()> {
    let load = Load {
        prog_type: BPF_PROG_TYPE_TRACING,
        insn_cnt: PROGRAM.len() as u32,
        insns: PROGRAM.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        expected_attach_type: BPF_TRACE_RAW_TP,
        attach_btf_id: btf.id_by_type_name_kind(&format!("btf_trace_{hook}"), BtfKind::Typedef)?,
        ..Default::default()
    };
    let program = bpf(BPF_PROG_LOAD, &load)?;
    bpf(BPF_RAW_TRACEPOINT_OPEN, &Open { prog_fd: program, ..Default::default() })?;
    Ok(())
}

fn bpf<T>(command: i32, attr: &T) -> Result<u32> {
    // SAFETY: the kernel reads as many bytes as it is told; the pointers inside outlive the call.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attr), size_of::<T>()) };
    ensure!(fd >= 0, "bpf: {}", io::Error::last_os_error());
    Ok(fd as u32)
}
