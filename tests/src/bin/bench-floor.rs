//! `bench-floor clock|empty HOOK…`: the cheapest programs that there can be on tracepoints, one that reads the clock and does nothing with it,
//! and one that does nothing at all. What they cost are the floors that `cargo xtask bench` holds the probes against. They stay attached until
//! this is killed.

use std::{env, io};

use anyhow::{Context, Result, bail, ensure};
use aya::Btf;
use aya_obj::btf::BtfKind;

// From the kernel's `bpf.h`.
const BPF_PROG_LOAD: i32 = 5;
const BPF_RAW_TRACEPOINT_OPEN: i32 = 17;
const BPF_PROG_TYPE_TRACING: u32 = 26;
const BPF_TRACE_RAW_TP: u32 = 23;

/// Assembled by hand: no compiler can drop the call, and what is measured is all there is to see.
const CLOCK: [u64; 3] = [
    0x0000_0005_0000_0085, // call bpf_ktime_get_ns
    0x0000_0000_0000_00b7, // r0 = 0
    0x0000_0000_0000_0095, // exit
];
/// The same without the call.
const EMPTY: &[u64] = CLOCK.split_at(1).1;

/// `union bpf_attr` for `BPF_PROG_LOAD`, as far as it is used.
#[repr(C)]
#[derive(Default)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    unused: [u64; 3],
    /// How it is found among the programs of the host.
    prog_name: [u8; 16],
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
    let mut words = env::args().skip(1);
    let program = match words.next().as_deref() {
        Some("clock") => &CLOCK[..],
        Some("empty") => EMPTY,
        other => bail!("clock or empty, not {other:?}"),
    };
    for hook in words {
        attach(&btf, program, &hook).with_context(|| format!("attaching to {hook}"))?;
    }
    loop {
        std::thread::park();
    }
}

/// The descriptors stay open until the process ends.
fn attach(btf: &Btf, instructions: &[u64], hook: &str) -> Result<()> {
    let mut prog_name = [0; 16];
    // The last byte ends it.
    prog_name[..15].iter_mut().zip(hook.bytes()).for_each(|(to, from)| *to = from);
    let load = Load {
        prog_type: BPF_PROG_TYPE_TRACING,
        insn_cnt: instructions.len() as u32,
        insns: instructions.as_ptr() as u64,
        prog_name,
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
