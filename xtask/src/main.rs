//! What cargo cannot do for stillwatch: `cargo xtask help` lists it.

mod audit;
mod bench;
mod changed;
mod docs;
mod ebpf;
mod libtest;
mod lint;
mod report;
mod retries;
mod run;
mod setup;
mod stages;
mod test;
mod vm;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask COMMAND

  setup            Install what building needs: the standard library's sources, bpf-linker
  run [ARGS]       Build stillwatch and start it (without ARGS: the overview)
  lint             Formatting and clippy, for the host and for the BPF target
  test [PATTERN]   Lints, builds, all tests, the kernel matrix; with PATTERN only matching tests
  test --changed [REV]
                   What a change can touch: of the files that differ from REV (HEAD)
  vm [PATTERN…]    The kernel tests in virtual machines; PATTERN: kernels (5.10 sid) or part of a
                   test's name
  vm --list        The kernels of the matrix
  vm --shell KERNEL [--file PATH]… [-- COMMAND]
                   One command in that kernel's machine, stillwatch on its PATH and every PATH
                   copied to /root
  bench [PATTERN]  Every promised cost, measured on this host; PATTERN: services, compile, calls,
                   switches, io, writes, tcp, packets, losses, user, record, screen, start, memory.
                   --rounds N (7); --write puts the tables into BUDGET.md; --all-peers compares
                   services with bpftrace, perf trace and strace, too
  audit [LOAD…]    The ledger against the kernel's own sums, under twelve loads of this host
                   (docs/audit.md)
  docs             What is declared of tables and keys, into docs/tables.md, docs/stillwatch.schema.json,
                   docs/screen.md and docs/screen.svg
  help             This text

  Options of vm:  --no-build       take the binaries of the last build as they are
                  --anywhere       tests that belong on the host or in one machine, too
                  --timeout SECS   stop a machine after that long (300)

Everything is kept below target/. Remove target/vm to fetch newer kernels.
";

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let command = args.next().unwrap_or_else(|| "help".into());
    match start(&command.to_string_lossy(), args.collect()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(command: &str, args: Vec<OsString>) -> Result<ExitCode> {
    match command {
        "setup" => {
            setup::build()?;
            setup::machines()?;
            println!("ready");
        }
        "run" => run::run(args)?,
        "lint" => return lint::command(),
        "test" => return test::command(args),
        "vm" => return vm::command(args),
        "audit" => return audit::command(args),
        "bench" => return bench::command(args),
        "docs" => docs::write()?,
        "help" | "-h" | "--help" => print!("{HELP}"),
        unknown => bail!("no command `{unknown}`: `cargo xtask help` lists them"),
    }
    Ok(ExitCode::SUCCESS)
}
