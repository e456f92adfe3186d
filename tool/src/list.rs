//! The one list of probes. A probe's modules and fields have its name, and its parts of plan, sample and snapshot are types of the other
//! one: whoever does something with each of them hands a macro over that does it with one.

/// Calls a macro with the names of all probes, in the order in which they are shown.
macro_rules! probes {
    ($each:ident) => {
        $each! { syscalls: Syscalls, io: Io, tcp: Tcp, oom: Oom, cpu: Cpu, disk: Disk, log: Log, changes: Changes }
    };
}
