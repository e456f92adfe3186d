//! The command line as clap sees it. One definition per flag feeds parsing, help, man page and completions.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::{
    examples::{
        CHANGES_EXAMPLES, CPU_EXAMPLES, DISK_EXAMPLES, IO_EXAMPLES, LOG_EXAMPLES, OOM_EXAMPLES, SYSCALLS_EXAMPLES,
        TCP_EXAMPLES, TOP_EXAMPLES,
    },
    plan, values,
};

pub use super::keep::{Export, Incidents, Note, Record, Replay, Report};

/// What the manual page adds to one line of help.
pub const DESCRIPTION: &str = "\
stillwatch only observes. It never kills, renices, throttles or drops anything, and every interval says what \
measuring it cost. It needs root, or the capabilities that `stillwatch doctor` names. Without a probe it watches \
everything: what matters now, and what it means: on a terminal as a screen with keys, otherwise in few lines per interval.";

/// Show what a struggling Linux host is doing, and which process is doing it
#[derive(Debug, Parser)]
#[command(
    name = "stillwatch",
    version,
    max_term_width = 80,
    override_usage = "stillwatch [PROBE] [INTERVAL [COUNT]] [FLAGS]",
    after_help = TOP_EXAMPLES,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    subcommand_value_name = "PROBE",
    subcommand_help_heading = "Probes and commands"
)]
pub struct Top {
    #[command(subcommand)]
    pub word: Option<Word>,
    /// Time every system call, not only those that sleep: costs something per call, and shows calls that fail
    #[arg(long, help_heading = "What")]
    pub exact: bool,
    /// Which file systems are a finding: those that are full within so long
    #[arg(long, value_name = "DURATION", value_parser = values::horizon, default_value = "1h", help_heading = "What")]
    #[arg(allow_negative_numbers = true)]
    pub horizon: Duration,
    #[command(flatten)]
    pub logs: Logs,
    #[command(flatten)]
    pub common: Common,
}

/// What may stand in the place of PROBE.
#[derive(Debug, Subcommand)]
pub enum Word {
    /// Latency, errors and slow callers of system calls
    Syscalls(Syscalls),
    /// Block I/O: devices, who is stalled on what, and because of whom
    Io(Io),
    /// TCP: what is retransmitted, dropped, slow to connect or fails, and whose
    Tcp(Tcp),
    /// Out of memory: who was killed, because of whom, and who waits
    Oom(Oom),
    /// CPU: who waits in run queues, for how long, and who runs
    Cpu(Cpu),
    Disk(Disk),
    /// What has changed on this host, and when: packages, files, units, mounts …
    Changes(Changes),
    Log(Log),
    /// Keep what the overview sees, and what was before something went wrong
    Record(Record),
    /// Show what was kept, as if it were now
    Replay(Replay),
    /// List what went wrong while it was recorded
    Incidents(Incidents),
    /// Note something in a recording, and keep that part of it
    Mark(Note),
    /// Write down what a recording has of an incident
    Report(Report),
    /// Tables of a recording, as NDJSON, CSV or Parquet
    Export(Export),
    /// What can be measured on this machine, and why not the rest
    Doctor {
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// Print a completion script for a shell
    Completions {
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

/// Flags that every probe has.
#[derive(Debug, Args)]
pub struct Common {
    /// Time between outputs: 1, 0.5, 250ms, 2s, 1m [default: 1s]
    #[arg(value_name = "INTERVAL", value_parser = values::interval, allow_negative_numbers = true)]
    pub interval: Option<Duration>,
    /// Outputs before ending; without it, runs until Ctrl-C
    #[arg(value_name = "COUNT", value_parser = values::at_least_one, allow_negative_numbers = true)]
    pub count: Option<u64>,

    /// Only these processes, with all their threads (repeat, or use commas)
    #[arg(short, long, value_name = "PID", value_delimiter = ',', value_parser = values::pid)]
    #[arg(allow_negative_numbers = true, help_heading = "Whose")]
    pub pid: Vec<u32>,
    /// Only threads of this name, as ps -L shows it (at most 15 bytes)
    #[arg(long, value_name = "NAME", value_parser = values::comm, help_heading = "Whose")]
    pub comm: Option<String>,
    /// Only this cgroup and those below it, by path or name
    #[arg(short, long, value_name = "CGROUP", help_heading = "Whose")]
    pub cgroup: Option<String>,

    /// What measuring may cost, of all CPUs together; above it the dearest signals are left out for a while
    #[arg(long, value_name = "PERCENT", value_parser = values::percent, default_value = "1")]
    #[arg(allow_negative_numbers = true, help_heading = "Cost")]
    pub budget: f64,

    /// Rows per table; JSON always has all
    #[arg(long, value_name = "N", value_parser = values::at_least_one, default_value = "10")]
    #[arg(allow_negative_numbers = true, help_heading = "Output")]
    pub top: u64,
    /// One JSON object per line
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// Text per interval on a terminal, too, in place of the live screen
    #[arg(long, help_heading = "Output", conflicts_with = "json")]
    pub plain: bool,
    /// Draw the screen with ASCII only, as where the locale is not UTF-8
    #[arg(long, help_heading = "Output")]
    pub ascii: bool,
    /// Leave the mouse to the terminal
    #[arg(long, help_heading = "Output")]
    pub no_mouse: bool,
    /// Keep what is seen in FILE, for 'stillwatch replay'
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub save: Option<PathBuf>,
    /// Colour; auto obeys NO_COLOR and wants a terminal
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    pub color: Color,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

/// Where system call latency goes
#[derive(Debug, Args)]
#[command(override_usage = "stillwatch syscalls [INTERVAL [COUNT]] [FLAGS]", after_help = SYSCALLS_EXAMPLES)]
#[command(max_term_width = 80)]
pub struct Syscalls {
    /// Count and time only calls that sleep, at no cost per call
    #[arg(long, help_heading = "What", conflicts_with = "errors")]
    pub blocked: bool,
    /// List callers of calls that took at least this long
    #[arg(long, value_name = "DURATION", value_parser = values::slow, default_value = "10ms", help_heading = "What")]
    #[arg(allow_negative_numbers = true)]
    pub slow: Duration,
    /// List also calls that wait by design (poll, futex, accept ...)
    #[arg(long, help_heading = "What")]
    pub idle: bool,
    /// Add up all calls by process or by cgroup (costs more per call)
    #[arg(long, value_enum, value_name = "WHOSE", help_heading = "What")]
    pub by: Option<plan::By>,
    /// Only these calls (repeat, or use commas)
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = values::syscall, help_heading = "What")]
    pub syscall: Vec<u32>,
    /// Only calls that failed
    #[arg(long, help_heading = "What")]
    pub errors: bool,

    /// Draw the full histogram of one call, or of all: 'total'
    #[arg(long, value_name = "NAME", value_parser = values::histogram, help_heading = "Output")]
    #[arg(conflicts_with_all = ["json", "by"])]
    pub hist: Option<String>,
    /// One line per interval: latency across, shade by count
    #[arg(long, help_heading = "Output", conflicts_with_all = ["json", "hist", "by"])]
    pub heat: bool,

    #[command(flatten)]
    pub common: Common,
}

/// Block I/O: devices, who is stalled on what, and because of whom
#[derive(Debug, Args)]
#[command(override_usage = "stillwatch io [INTERVAL [COUNT]] [FLAGS]", after_help = IO_EXAMPLES)]
#[command(max_term_width = 80)]
pub struct Io {
    /// Only these devices or partitions (repeat, or use commas)
    #[arg(short, long, value_name = "DEVICE", value_delimiter = ',')]
    #[arg(help_heading = "What")]
    pub device: Vec<String>,
    /// Only the table of devices: one hook per request, no owners, no stalls
    #[arg(long, help_heading = "What")]
    #[arg(conflicts_with_all = ["stall", "slow", "blame", "stacks", "kernel_threads", "syscalls", "pid", "comm", "cgroup"])]
    pub devices: bool,
    /// Name the reason of waits that took at least this long
    #[arg(long, value_name = "DURATION", value_parser = values::stall, default_value = "1ms", help_heading = "What")]
    #[arg(allow_negative_numbers = true)]
    pub stall: Duration,
    /// Print requests that took at least this long, one by one
    #[arg(long, value_name = "DURATION", value_parser = values::slow_request, help_heading = "What")]
    #[arg(allow_negative_numbers = true)]
    pub slow: Option<Duration>,
    /// Split each stalled process's wait over those who kept the device busy
    #[arg(long, help_heading = "What")]
    pub blame: bool,
    /// Print the kernel stacks behind the reasons
    #[arg(long, help_heading = "What")]
    pub stacks: bool,
    /// List the waits of kernel threads, too
    #[arg(long, help_heading = "What")]
    pub kernel_threads: bool,
    /// Show system calls that sleep, too, as 'syscalls --blocked' does
    #[arg(long, help_heading = "What")]
    pub syscalls: bool,

    #[command(flatten)]
    pub common: Common,
}

/// TCP: what is retransmitted, dropped, slow to connect or fails, and whose
#[derive(Debug, Args)]
#[command(override_usage = "stillwatch tcp [INTERVAL [COUNT]] [FLAGS]", after_help = TCP_EXAMPLES)]
#[command(max_term_width = 80)]
pub struct Tcp {
    /// Only single events, as they come, no tables
    #[arg(long, help_heading = "What")]
    pub events: bool,
    /// Do not look at dropped packets
    #[arg(long, help_heading = "What")]
    pub no_drops: bool,
    /// List connections that took at least this long to open
    #[arg(long, value_name = "DURATION", value_parser = values::slow_connect, default_value = "500ms")]
    #[arg(allow_negative_numbers = true, help_heading = "What")]
    pub slow: Duration,
    /// What the rows of the tables of flows and remotes stand for
    #[arg(long, value_name = "WHAT", value_enum, default_value = "flow", help_heading = "What")]
    pub by: plan::FlowsBy,
    /// Only connections with this port at either end (repeat, or use commas)
    #[arg(long, value_name = "PORT", value_delimiter = ',', value_parser = values::port, help_heading = "What")]
    #[arg(allow_negative_numbers = true)]
    pub port: Vec<u16>,
    /// Only connections with this address or prefix at either end
    #[arg(long, value_name = "ADDRESS[/BITS]", value_delimiter = ',', value_parser = values::prefix)]
    #[arg(help_heading = "What")]
    pub address: Vec<plan::Prefix>,
    /// Keep the last packets of connections that retransmit, fail or are reset in FILE (pcapng)
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub pcap: Option<PathBuf>,
    /// Of each packet, so much of what it carries; 0: only headers
    #[arg(long, value_name = "BYTES", value_parser = values::payload, default_value = "128", requires = "pcap")]
    #[arg(allow_negative_numbers = true, help_heading = "Output")]
    pub payload: usize,

    #[command(flatten)]
    pub common: Common,
}

/// Out of memory: who was killed, because of whom, and who waits
#[derive(Debug, Args)]
#[command(override_usage = "stillwatch oom [INTERVAL [COUNT]] [FLAGS]", after_help = OOM_EXAMPLES)]
#[command(max_term_width = 80)]
pub struct Oom {
    /// Explain kills that the kernel's log still has, and end
    #[arg(long, help_heading = "What", conflicts_with_all = ["signals", "lead_up", "no_sleeps", "interval", "count"])]
    pub last: bool,
    /// Show who sends SIGKILL, too: not every kill is the kernel's
    #[arg(long, help_heading = "What")]
    pub signals: bool,
    /// Keep so much of what was before a kill: 1m to 1h
    #[arg(long, value_name = "DURATION", value_parser = values::lead_up, default_value = "5m", help_heading = "What")]
    #[arg(allow_negative_numbers = true)]
    pub lead_up: Duration,
    /// No program on switches: waits for swap and at memory.high are not seen
    #[arg(long, help_heading = "What")]
    pub no_sleeps: bool,
    /// Print all of the kernel's own report of a kill
    #[arg(long, help_heading = "Output")]
    pub log: bool,

    #[command(flatten)]
    pub common: Common,
}

/// CPU: who waits in run queues, for how long, and who runs
#[derive(Debug, Args)]
#[command(override_usage = "stillwatch cpu [INTERVAL [COUNT]] [FLAGS]", after_help = CPU_EXAMPLES)]
#[command(max_term_width = 80)]
pub struct Cpu {
    /// List processes with waits of at least this long
    #[arg(long, value_name = "DURATION", value_parser = values::slow_wait, default_value = "1ms", help_heading = "What")]
    #[arg(allow_negative_numbers = true)]
    pub slow: Duration,
    /// Histograms of waits by process or by cgroup (costs more per switch)
    #[arg(long, value_enum, value_name = "WHOSE", help_heading = "What")]
    pub by: Option<plan::By>,
    /// Time softirqs and interrupts of devices (two more hooks for each)
    #[arg(long, help_heading = "What")]
    pub interrupts: bool,
    /// Show block I/O, too, as 'io' does
    #[arg(long, help_heading = "What")]
    pub io: bool,
    /// Show system calls that sleep, too, as 'syscalls --blocked' does
    #[arg(long, help_heading = "What")]
    pub syscalls: bool,

    #[command(flatten)]
    pub common: Common,
}

/// File systems: what fills, which process grows which file, and when it is full
#[derive(Debug, Args)]
#[command(override_usage = "stillwatch disk [INTERVAL [COUNT]] [FLAGS]", after_help = DISK_EXAMPLES)]
#[command(max_term_width = 80)]
pub struct Disk {
    /// Say who holds a path, a mount, a device or a port, and end
    #[arg(long, value_name = "WHAT", help_heading = "What")]
    #[arg(conflicts_with_all = ["interval", "count", "pid", "comm", "cgroup", "save"])]
    pub find: Option<String>,
    /// Tell who writes where several have a file open, and files that are soon closed (a hook on pages that become dirty)
    #[arg(long, help_heading = "What", conflicts_with = "find")]
    pub writers: bool,

    #[command(flatten)]
    pub common: Common,
}

/// What has changed on this host: packages, files, units, containers, mounts, settings, addresses
#[derive(Debug, Args)]
#[command(override_usage = "stillwatch changes [INTERVAL [COUNT]] [FLAGS]", after_help = CHANGES_EXAMPLES)]
#[command(max_term_width = 80)]
pub struct Changes {
    /// Begin with what the host keeps of so much time: 10m, 2h, 3d
    #[arg(long, value_name = "DURATION", value_parser = values::keep, default_value = "2h", help_heading = "What")]
    #[arg(allow_negative_numbers = true)]
    pub since: Duration,
    /// Look at the files below this folder, too, beside those of /etc (repeat)
    #[arg(long, value_name = "DIR", value_parser = values::folder, help_heading = "What")]
    pub watch: Vec<PathBuf>,

    #[command(flatten)]
    pub common: Common,
}

/// What was said then: the kernel's log, the journal and files, in one stream by time
#[derive(Debug, Args)]
#[command(override_usage = "stillwatch log [INTERVAL [COUNT]] [FLAGS]", after_help = LOG_EXAMPLES)]
#[command(max_term_width = 80)]
pub struct Log {
    #[command(flatten)]
    pub logs: Logs,
    /// Show what the kernel's log and the journal have of so long before, too
    #[arg(long, value_name = "DURATION", value_parser = values::keep, help_heading = "What")]
    pub since: Option<Duration>,
    /// Only lines with these words
    #[arg(long, value_name = "TEXT", help_heading = "What")]
    pub grep: Option<String>,

    #[command(flatten)]
    pub common: Common,
}

/// Which logs are followed, beside the kernel's and the journal of this host.
#[derive(Debug, Default, Args)]
pub struct Logs {
    /// Follow these files, too; a pattern finds those that come later
    #[arg(long, value_name = "FILE", num_args = 1.., help_heading = "What")]
    pub log: Vec<String>,
    /// The journal in this folder, in place of this host's
    #[arg(long, value_name = "DIR", help_heading = "What")]
    pub journal: Option<PathBuf>,
}

/// What a probe measures without any flag. The definitions above hold the only defaults.
macro_rules! defaults {
    ($($probe:ident),*) => {$(
        impl Default for $probe {
            fn default() -> Self {
                #[derive(Parser)]
                struct Bare {
                    #[command(flatten)]
                    probe: $probe,
                }
                Bare::parse_from(["stillwatch"]).probe
            }
        }
    )*};
}

defaults!(Syscalls, Io, Tcp, Oom, Cpu);
