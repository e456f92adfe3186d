//! What interrupts take, by vector. Two entries and two clock reads for each: only where asked for.
//!
//! Softirqs do not interrupt each other on a CPU, nor do handlers of devices. A handler interrupts a softirq, whose time
//! it is part of.

use stillwatch_common::cpu::{SOFTIRQS, Vector};

use super::tables;
use crate::support::{
    count::{add_shared, raise_shared},
    now_ns, opaque,
};

#[inline(always)]
pub fn softirq_begins() {
    if let Some(own) = tables::interrupts() {
        // SAFETY: this CPU's block.
        unsafe { (*own).softirq_since_ns = now_ns() };
    }
}

#[inline(always)]
pub fn softirq_ends(vector: u32) {
    let Some(own) = tables::interrupts() else { return };
    let vector = opaque(vector as usize);
    if vector >= SOFTIRQS {
        return;
    }
    // SAFETY: this CPU's block; the index was just bounded.
    unsafe {
        let since_ns = core::mem::replace(&mut (*own).softirq_since_ns, 0);
        // It began before the hook for that was attached.
        if since_ns != 0 {
            add(&raw mut (*own).softirqs[vector], now_ns().wrapping_sub(since_ns));
        }
    }
}

#[inline(always)]
pub fn irq_begins() {
    if let Some(own) = tables::interrupts() {
        // SAFETY: this CPU's block.
        unsafe { (*own).irq_since_ns = now_ns() };
    }
}

#[inline(always)]
pub fn irq_ends(irq: u32) {
    let Some(own) = tables::interrupts() else { return };
    // SAFETY: this CPU's block.
    let since_ns = unsafe { core::mem::replace(&mut (*own).irq_since_ns, 0) };
    if since_ns == 0 {
        return;
    }
    if let Some(vector) = tables::irq(irq) {
        // SAFETY: a map value.
        unsafe { add(vector, now_ns().wrapping_sub(since_ns)) };
    }
}

/// # Safety
/// `vector` points into a map value.
#[inline(always)]
unsafe fn add(vector: *mut Vector, took_ns: u64) {
    // SAFETY: promised by the caller; CPUs may share it.
    unsafe {
        add_shared(&raw mut (*vector).count, 1);
        add_shared(&raw mut (*vector).total_ns, took_ns);
        raise_shared(&raw mut (*vector).max_ns, took_ns);
    }
}
