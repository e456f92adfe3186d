//! Rights are given up that a run does not need once everything is attached.

use std::sync::atomic::{AtomicBool, Ordering};

use caps::{CapSet, Capability, CapsHashSet, errors::CapsError};

use super::{features::privileges::kept, in_time};

/// `CAP_SYS_ADMIN` is only in use [`as_admin`]: nothing else needs it, where there are `CAP_BPF` and `CAP_PERFMON`.
static IS_LAID_DOWN: AtomicBool = AtomicBool::new(false);

/// This thread, and those that it will begin, have no other rights from now on, nor can any program that they execute.
pub fn keep() -> Result<(), CapsError> {
    // Rights are a thread's own: one that was begun before would have all of them.
    in_time::dismiss();
    let held = caps::read(None, CapSet::Permitted)?;
    let kept: CapsHashSet = kept().filter(|one| held.contains(one)).collect();
    // As long as we may.
    for capability in caps::all().difference(&kept) {
        if let Err(error) = caps::drop(None, CapSet::Bounding, *capability) {
            tracing::debug!("{capability}: {error}");
        }
    }
    caps::clear(None, CapSet::Ambient)?;
    caps::clear(None, CapSet::Inheritable)?;
    let needs_admin = ![Capability::CAP_BPF, Capability::CAP_PERFMON].iter().all(|one| kept.contains(one));
    let mut used = kept.clone();
    used.retain(|&capability| capability != Capability::CAP_SYS_ADMIN || needs_admin);
    caps::set(None, CapSet::Effective, &used)?;
    caps::set(None, CapSet::Permitted, &kept)?;
    IS_LAID_DOWN.store(!needs_admin && kept.contains(&Capability::CAP_SYS_ADMIN), Ordering::Relaxed);
    // SAFETY: no memory is involved.
    unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    Ok(())
}

/// Does something that takes `CAP_SYS_ADMIN`, if we have it; in the thread that [`keep`] was called in, or in one begun after that. No thread is
/// begun meanwhile: it would have it in use for ever.
pub fn as_admin<T>(work: impl FnOnce() -> T) -> T {
    if !IS_LAID_DOWN.load(Ordering::Relaxed) {
        return work();
    }
    let log = |result: Result<(), CapsError>| result.unwrap_or_else(|error| tracing::debug!("CAP_SYS_ADMIN: {error}"));
    log(caps::raise(None, CapSet::Effective, Capability::CAP_SYS_ADMIN));
    let result = work();
    log(caps::drop(None, CapSet::Effective, Capability::CAP_SYS_ADMIN));
    result
}
