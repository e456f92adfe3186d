//! The vocabulary that the kernel side and the user side share: bucket arithmetic and the layout of every
//! map value. Nothing here depends on anything, so that both sides mean the same by the same name.
#![no_std]

#[macro_use]
mod named;

pub mod cpu;
pub mod disk;
pub mod facts;
pub mod hist;
pub mod io;
pub mod oom;
pub mod syscalls;
pub mod tcp;
