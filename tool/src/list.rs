//! The one list of probes. A probe's modules and fields have its name, so whoever does something with each of them hands a macro over
//! that does it with one.

/// Calls a macro with the names of all probes, in the order in which they are shown.
macro_rules! probes {
    ($each:ident) => {
        $each! { syscalls, io, tcp, oom, cpu }
    };
}
