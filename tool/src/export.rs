//! A recording's tables, for other tools: `stillwatch export`.

use std::{
    fs::File,
    io::{self, BufWriter, ErrorKind, IsTerminal, Write},
};

use anyhow::{Context, Result};

use crate::{
    cli::{
        Refusal,
        plan::{self, Exported},
    },
    record::{self, Entry, Recording},
    sinks::export::{self, Exporter},
};

/// What is to be done, once nothing is wrong with what was asked for.
pub struct Work {
    recording: Recording,
    sink: Exporter,
}

enum Format {
    /// None: all.
    Ndjson(Option<&'static str>),
    Csv(&'static str),
    #[cfg(feature = "parquet")]
    Parquet(&'static str),
}

impl Format {
    fn of(plan: &plan::Export) -> Result<Self, Refusal> {
        let table = plan.table.as_deref().map(known).transpose()?;
        let one = || {
            let why = || format!("CSV and Parquet are of one table: write --table and one of {}", names());
            table.ok_or_else(|| Refusal::new(why()))
        };
        Ok(match plan.format {
            Exported::Ndjson => Self::Ndjson(table),
            Exported::Csv => Self::Csv(one()?),
            #[cfg(feature = "parquet")]
            Exported::Parquet if plan.output.is_none() && io::stdout().is_terminal() => {
                return Err(Refusal::new("Parquet is nothing for a terminal: write it with -o FILE"));
            }
            #[cfg(feature = "parquet")]
            Exported::Parquet => Self::Parquet(one()?),
            #[cfg(not(feature = "parquet"))]
            Exported::Parquet => return Err(Refusal::new("this build has no Parquet; write --format csv or ndjson")),
        })
    }
}

pub fn prepare(plan: &plan::Export) -> Result<Work, Refusal> {
    let format = Format::of(plan)?;
    let recording = record::open(&plan.file).map_err(|problem| Refusal::new(problem.to_string()))?;
    let host = Some(recording.head().host.clone()).filter(|host| !host.is_empty());
    let out = output(plan)?;
    let sink = match format {
        Format::Ndjson(table) => Ok(Exporter::ndjson(out, table, host)),
        Format::Csv(table) => Exporter::csv(out, table, host),
        #[cfg(feature = "parquet")]
        Format::Parquet(table) => Exporter::parquet(out, table, host),
    };
    Ok(Work { recording, sink: sink.map_err(|error| Refusal::new(error.to_string()))? })
}

/// The table of this name.
fn known(name: &str) -> Result<&'static str, Refusal> {
    let found = export::names().into_iter().find(|table| *table == name);
    let why = || format!("there is no such table; there are {}", names());
    found.ok_or_else(|| Refusal::value("--table <TABLE>", name, &why()))
}

fn names() -> String {
    export::names().join(", ")
}

fn output(plan: &plan::Export) -> Result<Box<dyn Write + Send>, Refusal> {
    let Some(path) = &plan.output else { return Ok(Box::new(BufWriter::new(io::stdout()))) };
    let file = File::create(path)
        .map_err(|error| Refusal::value("--output <FILE>", &path.display().to_string(), &error.to_string()))?;
    Ok(Box::new(BufWriter::new(file)))
}

impl Work {
    pub fn run(self) -> Result<()> {
        match self.write() {
            // The reader has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            result => result.context("writing"),
        }
    }

    fn write(self) -> io::Result<()> {
        let Self { recording, mut sink } = self;
        let mut entries = recording.entries(..);
        for entry in &mut entries {
            match entry {
                Entry::Snapshot(snapshot) => sink.snapshot(&snapshot)?,
                Entry::Events(events) => sink.events(&events)?,
                Entry::Kills(kills) => sink.kills(&kills)?,
                Entry::Dropped(gap) => {
                    tracing::warn!("not recorded before {}: {} entries, {}", gap.at, gap.entries, gap.why)
                }
                Entry::Mark(_) => {}
            }
        }
        sink.finish()?;
        let skipped = entries.skipped();
        if !skipped.is_nothing() {
            tracing::warn!("not exported: {skipped}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
