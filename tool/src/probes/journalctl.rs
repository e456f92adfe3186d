//! `journalctl`, as a child that runs when nobody else wants to, and ends with us.

use std::{
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

/// Where journald listens.
const SOCKET: &str = "/run/systemd/journal/socket";

/// Whether this host has a journal.
pub fn is_there() -> Result<(), String> {
    if Path::new(SOCKET).exists() { Ok(()) } else { Err("journald does not run here".to_owned()) }
}

pub fn can_be_run() -> Result<(), String> {
    Command::new("journalctl").arg("--version").output().map(drop).map_err(|error| cannot_be_run(&error))
}

pub fn cannot_be_run(error: &io::Error) -> String {
    format!("journalctl cannot be run: {error}")
}

/// What it writes is for us.
pub fn command() -> Command {
    let mut command = Command::new("journalctl");
    command.arg("--quiet").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    // SAFETY: two system calls.
    unsafe {
        command.pre_exec(|| {
            libc::setpriority(libc::PRIO_PROCESS, 0, 19);
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    command
}
