//! The command line of what keeps and reads recordings.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::Args;

use super::{
    args::Logs,
    plan::{Exported, Keep, Limits, On, Pins, Told, When},
    values,
};

/// Where a recorder writes to, and everything else reads from, if nothing else is said.
pub const DIR: &str = "/var/lib/stillwatch";

pub const RECORD_EXAMPLES: &str = "\
Examples:
  stillwatch record                        a day, in /var/lib/stillwatch
  stillwatch record --keep 72h --max 2GiB
  stillwatch record ./incident 250ms       here, four times a second
  stillwatch record --on finding           kills alone keep nothing longer

A finding of harm that begins, a kill, SIGUSR1 or 'stillwatch mark' begin an
incident: what was before and after it is kept for longer than the rest.";

pub const REPORT_EXAMPLES: &str = "\
Examples:
  stillwatch report /var/lib/stillwatch --incident 3 -o incident.html
  stillwatch report . --from 14:02 --to 14:20 -o incident.html
  stillwatch report run.swr -o incident.md
  stillwatch report run.swr --redact -o incident.html

The report is one file, without network and scripts, and ends with empty parts
for people. It needs no rights, and not the machine that was recorded.";

pub const REPLAY_EXAMPLES: &str = "\
Examples:
  stillwatch replay /var/lib/stillwatch --from 14:02 --to 14:20
  stillwatch replay . --incident 3          from before it began until after
  stillwatch replay day.swr io -p 430       with the probes' flags and filters
  stillwatch replay day.swr 1m              minutes instead of seconds
  stillwatch replay day.swr --json          as --json printed it live
  stillwatch replay day.swr --plain         lines, not the screen

PROBE and all flags but these are those of a live run: 'stillwatch io --help'.
It needs no root, and no BPF.";

pub const EXPORT_EXAMPLES: &str = "\
Examples:
  stillwatch export web1.swr                          all tables, a row a line
  stillwatch export web1.swr --table io.devices --format csv
  stillwatch export web1.swr --table io.devices --format parquet -o web1.parquet
  stillwatch export /var/lib/stillwatch --table overview.findings
  stillwatch export web1.swr --tables      what its columns mean

Each row begins with its time, the interval's length and the host. Tables and
their columns: docs/tables.md; a TABLE that is not there lists all.";

/// Keep what the overview sees, and what was before something went wrong
#[derive(Debug, Args)]
#[command(override_usage = "stillwatch record [DIR] [INTERVAL] [FLAGS]", after_help = RECORD_EXAMPLES, max_term_width = 80)]
pub struct Record {
    /// Folder to keep it in [default: /var/lib/stillwatch]
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Time between two looks: 1, 0.5, 250ms, 2s, 1m [default: 1s]
    #[arg(value_name = "INTERVAL", value_parser = values::interval, allow_negative_numbers = true)]
    pub interval: Option<Duration>,
    /// How far back it reaches
    #[arg(long, value_name = "DURATION", value_parser = values::keep, default_value = "24h")]
    pub keep: Duration,
    /// How much room it may take
    #[arg(long, value_name = "SIZE", value_parser = values::size, default_value = "512MiB")]
    pub max: u64,
    /// What begins an incident
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',', default_value = "finding,kill")]
    pub on: Vec<On>,
    /// How much of what was before an incident is kept with it
    #[arg(long, value_name = "DURATION", value_parser = values::keep, default_value = "5m")]
    pub before: Duration,
    /// How much of what was after it
    #[arg(long, value_name = "DURATION", value_parser = values::keep, default_value = "2m")]
    pub after: Duration,
    /// How much room incidents may take, besides
    #[arg(long, value_name = "SIZE", value_parser = values::size, default_value = "2GiB")]
    pub incidents: u64,
    /// Write to the disk itself at most so often, where nothing begins or ends
    #[arg(long, value_name = "DURATION", value_parser = values::interval, default_value = "30s")]
    pub sync: Duration,
    /// What measuring may cost, of all CPUs together
    #[arg(long, value_name = "PERCENT", value_parser = values::percent, default_value = "1")]
    #[arg(allow_negative_numbers = true)]
    pub budget: f64,
    #[command(flatten)]
    pub logs: Logs,
}

impl Record {
    pub fn keep(&self) -> Keep {
        let pins = |on| self.on.contains(&on) && !self.on.contains(&On::None);
        let Self { keep, max: bytes, before, after, incidents: incident_bytes, sync, .. } = *self;
        Keep {
            limits: Limits { keep, bytes, before, after, incident_bytes, sync },
            pins: Pins { findings: pins(On::Finding), kills: pins(On::Kill) },
        }
    }
}

/// Which part of a recording; none of it set: all.
#[derive(Debug, Default, Args)]
pub struct Excerpt {
    /// From this moment on: 14:02, 14:02:11, or with the day: 2026-03-01T14:02
    #[arg(long, value_name = "TIME", value_parser = values::when)]
    pub from: Option<When>,
    /// Until this one
    #[arg(long, value_name = "TIME", value_parser = values::when)]
    pub to: Option<When>,
    /// Only this incident, with what was before and after it
    #[arg(long, value_name = "N", value_parser = values::number, conflicts_with_all = ["from", "to"])]
    pub incident: Option<u32>,
}

/// Show what was kept, as if it were now
#[derive(Debug, Args)]
#[command(
    override_usage = "stillwatch replay FILE|DIR [FLAGS] [PROBE] [INTERVAL] [FLAGS OF PROBE]",
    after_help = REPLAY_EXAMPLES,
    max_term_width = 80
)]
pub struct Replay {
    /// What --save or 'stillwatch record' made
    #[arg(value_name = "FILE|DIR")]
    pub path: PathBuf,
    #[command(flatten)]
    pub excerpt: Excerpt,
    /// Findings: drawn again by this version, or as they were told
    #[arg(long, value_enum, value_name = "HOW", default_value = "again")]
    pub findings: Told,
    /// Probe and flags of a live run
    #[arg(value_name = "PROBE", trailing_var_arg = true, allow_hyphen_values = true)]
    pub rest: Vec<OsString>,
}

/// Write down what a recording has of an incident
#[derive(Debug, Args)]
#[command(override_usage = "stillwatch report RECORDING [FLAGS] -o FILE", after_help = REPORT_EXAMPLES)]
#[command(max_term_width = 80)]
pub struct Report {
    /// A file that --save wrote, or a folder that 'stillwatch record' writes
    #[arg(value_name = "RECORDING")]
    pub recording: PathBuf,
    /// Where to: .html, or .md
    #[arg(short, long, value_name = "FILE", value_parser = values::report_file, help_heading = "Output")]
    pub output: PathBuf,
    /// Stand-ins for names of hosts, users, processes, cgroups, paths and addresses; what stands for what is kept beside it
    #[arg(long, help_heading = "Output")]
    pub redact: bool,
    #[command(flatten, next_help_heading = "What")]
    pub excerpt: Excerpt,
}

/// Tables of a recording, as NDJSON, CSV or Parquet
#[derive(Debug, Args)]
#[command(override_usage = "stillwatch export FILE [FLAGS]", after_help = EXPORT_EXAMPLES)]
#[command(max_term_width = 80)]
pub struct Export {
    /// A recording: a file, or a folder of 'stillwatch record'
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// CSV and Parquet are of one table
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "ndjson", help_heading = "Output")]
    pub format: Exported,
    /// Only this table
    #[arg(long, value_name = "TABLE", help_heading = "What")]
    pub table: Option<String>,
    /// No rows: what the columns are, with unit and meaning, as the recording itself says
    #[arg(long, conflicts_with_all = ["table", "format"], help_heading = "What")]
    pub tables: bool,
    /// Into a file, which is overwritten
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
}

/// List what went wrong while it was recorded
#[derive(Debug, Args)]
#[command(max_term_width = 80)]
pub struct Incidents {
    /// The recording's folder
    #[arg(value_name = "DIR", default_value = DIR)]
    pub dir: PathBuf,
}

/// Note something in a recording, and keep that part of it
#[derive(Debug, Args)]
#[command(override_usage = "stillwatch mark [DIR] TEXT", max_term_width = 80)]
pub struct Note {
    /// The recording's folder [default: /var/lib/stillwatch], and what to note, as in: stillwatch mark "deploy 4711"
    #[arg(value_name = "TEXT", num_args = 1..=2, required = true)]
    pub words: Vec<String>,
}

/// Flags of `replay` itself may stand behind the probe, too.
pub fn in_order(words: Vec<OsString>) -> Vec<OsString> {
    const OWN: [&str; 4] = ["--from", "--to", "--incident", "--findings"];
    if words.get(1).is_none_or(|word| word != "replay") {
        return words;
    }
    let mut words = words.into_iter();
    let mut own: Vec<OsString> = words.by_ref().take(2).collect();
    let (mut path, mut rest) = (None, Vec::new());
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        let name = text.split_once('=').map_or(&*text, |(name, _)| name);
        if OWN.contains(&name) {
            let value = if text.contains('=') { None } else { words.next() };
            own.extend([word.clone()].into_iter().chain(value));
        } else if path.is_none() && (!text.starts_with('-') || text == "--help" || text == "-h") {
            path = Some(word);
        } else {
            rest.push(word);
        }
    }
    own.extend(path.into_iter().chain(rest));
    own
}
