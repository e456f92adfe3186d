//! The kernel matrix: the kernel tests on Debian's kernels, in virtual machines without KVM.

mod boot;
mod console;
mod cpio;
mod guest;
mod initramfs;
mod kernels;
mod matrix;
mod modules;
mod options;
mod pause;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Result, bail};

pub use guest::{Binaries, PROFILE, all_tests, cargo_for_tests};
pub use matrix::{Part, build, matrix, prepare};
pub use options::Choice;

use crate::report::Report;
use crate::setup;
use boot::{End, Machine};
use kernels::{KERNELS, Kernel};
use options::Options;

pub fn command(args: Vec<OsString>) -> Result<ExitCode> {
    let options = Options::parse(args)?;
    if options.list {
        KERNELS.iter().for_each(|kernel| println!("{}", kernel.name));
        return Ok(ExitCode::SUCCESS);
    }
    setup::build()?;
    let Some(kernel) = options.shell else {
        let mut report = Report::default();
        let binaries = build(&options.choice)?;
        matrix(&mut report, &options.choice, prepare(&options.choice), &binaries, |_, _| (), || ());
        return Ok(report.finish());
    };
    setup::machines()?;
    shell(kernel, &options)
}

/// One command in one kernel's machine, its output as it comes.
fn shell(kernel: &Kernel, options: &Options) -> Result<ExitCode> {
    let binaries =
        guest::Binaries { stillwatch: guest::stillwatch(options.choice.build)?, tests: guest::built_tests() };
    let kernel = kernels::fetch(kernel)?;
    let command = if options.command.is_empty() { "uname -a".to_owned() } else { options.command.join(" ") };
    let machine = Machine {
        kernel: &kernel,
        binaries: &binaries,
        files: &options.files,
        command: &command,
        timeout: options.choice.timeout,
        pause: None,
    };
    let run = machine.run(|line| {
        // The reader may have gone (a pipe into head); the machine still has to end.
        let _ = writeln!(std::io::stdout(), "{line}");
    })?;
    match run.end {
        End::Exited(0) => Ok(ExitCode::SUCCESS),
        End::Exited(code) => {
            eprintln!("exit status {code}");
            Ok(ExitCode::from(code))
        }
        end => {
            eprintln!("{}", run.console);
            bail!("{end}")
        }
    }
}
