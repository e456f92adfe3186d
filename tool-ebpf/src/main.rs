//! The programs that stillwatch runs inside the kernel: hooks call probes, probes count into maps.
#![no_std]
#![no_main]
// Only for `lock xadd`, which has no stable spelling on this target; rustc is told to accept it by tool/build.rs.
#![feature(asm_experimental_arch)]

mod facts;
mod hooks;
mod probes;
mod support;

/// The helpers we call are open to GPL-compatible programs only.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
pub static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Never reached: a program with a path to it is refused by the verifier.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
