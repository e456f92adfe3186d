//! A recording's tables, for other tools: `stillwatch export`.

use std::{
    fs::File,
    io::{self, BufWriter, ErrorKind, IsTerminal, Write},
};

use anyhow::{Context, Result};

use crate::{
    cli::{Export, Refusal, plan::Exported},
    record::{self, ColumnWords, Entry, Recording},
    sinks::export::{self, Exporter},
};

enum Format {
    /// None: all.
    Ndjson(Option<&'static str>),
    Csv(&'static str),
    #[cfg(feature = "parquet")]
    Parquet(&'static str),
}

impl Format {
    fn of(asked: &Export) -> Result<Self, Refusal> {
        let table = asked.table.as_deref().map(known).transpose()?;
        let one = || {
            let why = || format!("CSV and Parquet are of one table: write --table and one of {}", names());
            table.ok_or_else(|| Refusal::new(why()))
        };
        Ok(match asked.format {
            Exported::Ndjson => Self::Ndjson(table),
            Exported::Csv => Self::Csv(one()?),
            #[cfg(feature = "parquet")]
            Exported::Parquet if asked.output.is_none() && io::stdout().is_terminal() => {
                return Err(Refusal::new("Parquet is nothing for a terminal: write it with -o FILE"));
            }
            #[cfg(feature = "parquet")]
            Exported::Parquet => Self::Parquet(one()?),
            #[cfg(not(feature = "parquet"))]
            Exported::Parquet => return Err(Refusal::new("this build has no Parquet; write --format csv or ndjson")),
        })
    }
}

/// Writes what is asked for. Nothing is written where that does not fit the recording.
pub fn export(asked: &Export) -> Result<()> {
    let form = Format::of(asked)?;
    let recording = record::open(&asked.file)?;
    if asked.tables {
        let words = recording.words()?;
        return unless_closed(tables(output(asked)?, &words));
    }
    let host = Some(recording.head().host.clone()).filter(|host| !host.is_empty());
    let out = output(asked)?;
    let exporter = match form {
        Format::Ndjson(table) => Ok(Exporter::ndjson(out, table, host)),
        Format::Csv(table) => Exporter::csv(out, table, host),
        #[cfg(feature = "parquet")]
        Format::Parquet(table) => Exporter::parquet(out, table, host),
    };
    unless_closed(exporter.and_then(|exporter| write(&recording, exporter)))
}

fn unless_closed(result: io::Result<()>) -> Result<()> {
    match result {
        // The reader has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("writing"),
    }
}

/// A column a line.
fn tables(mut out: impl Write, words: &[ColumnWords]) -> io::Result<()> {
    for column in words {
        serde_json::to_writer(&mut out, column)?;
        out.write_all(b"\n")?;
    }
    out.flush()
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

fn output(asked: &Export) -> Result<Box<dyn Write + Send>, Refusal> {
    let Some(path) = &asked.output else { return Ok(Box::new(BufWriter::new(io::stdout()))) };
    let file = File::create(path)
        .map_err(|error| Refusal::value("--output <FILE>", &path.display().to_string(), &error.to_string()))?;
    Ok(Box::new(BufWriter::new(file)))
}

fn write(recording: &Recording, mut exporter: Exporter) -> io::Result<()> {
    let mut entries = recording.entries(..);
    for entry in &mut entries {
        match entry {
            Entry::Snapshot(snapshot) => exporter.snapshot(&snapshot)?,
            Entry::Events(events) => exporter.events(&events)?,
            Entry::Kills(kills) => exporter.kills(&kills)?,
            Entry::Dropped(gap) => {
                tracing::warn!("not recorded before {}: {} entries, {}", gap.at, gap.entries, gap.why)
            }
            Entry::Mark(_) => {}
        }
    }
    exporter.finish()?;
    let skipped = entries.skipped();
    if !skipped.is_nothing() {
        tracing::warn!("not exported: {skipped}");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
