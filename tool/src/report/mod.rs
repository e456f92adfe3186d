//! The report of an incident: what happened, written down afterwards, as one file.
//!
//! ```text
//! recording → (redact) → Story → Content → HTML, Markdown
//! ```
//!
//! - [`redact`]: names of the host become stand-ins, before anything else is looked at.
//! - [`story`]: entries of a recording, one after the other, become what is told of them; it does not grow with their number.
//! - [`content`]: what stands in the report, in words, tables and pictures that know nothing of their looks.
//! - [`html`] and [`markdown`] write that down. All text in a content is safe for a terminal; what their own language would obey, they
//!   escape themselves.
//!
//! No number is made here: each is a column of a snapshot, added up or averaged over time, or a figure of a finding.

mod content;
mod html;
mod markdown;
mod redact;
mod story;
mod svg;
#[cfg(test)]
mod tests;

use std::{
    fs::{OpenOptions, Permissions},
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use anyhow::Result;
use jiff::tz::TimeZone;

use self::{redact::Redaction, story::Story};
use crate::{
    cli::Report,
    record::{self, Problem, Recording},
};

/// Writes it, and with it what stands for what, where names are not to be told.
pub fn write(asked: &Report) -> Result<()> {
    let (story, redaction) = tell(&record::open(&asked.recording)?, asked)?;
    // Where somebody works is a name, too.
    let content = content::of(&story, if asked.redact { TimeZone::UTC } else { TimeZone::system() }, asked.redact);
    let is_html = asked.output.extension().is_some_and(|ending| ending == "html");
    save(&asked.output, &if is_html { html::page(&content) } else { markdown::page(&content) }, false)?;
    match redaction {
        Some(redaction) => save(&asked.output.with_extension("redaction.json"), &redaction.map()?, true),
        None => Ok(()),
    }
}

fn tell(recording: &Recording, asked: &Report) -> Result<(Story, Option<Redaction>)> {
    let range = recording.range(&asked.excerpt)?;
    let mut redaction = asked.redact.then(Redaction::default);
    let head = match &mut redaction {
        Some(redaction) => redaction.head(recording.head())?,
        None => recording.head().clone(),
    };
    let mut story = Story::new(head, range.0);
    let mut entries = recording.entries_and_before(range);
    for entry in entries.by_ref() {
        story.add(match &mut redaction {
            Some(redaction) => redaction.entry(&entry)?,
            None => entry,
        });
    }
    let skipped = entries.skipped();
    story.unreadable = skipped.damaged + skipped.without_key + skipped.not_understood + skipped.unreadable.len() as u64;
    Ok((story, redaction))
}

/// Whoever may not read names may not read the file that has them either, whatever it was before.
fn save(path: &Path, text: &str, is_private: bool) -> Result<()> {
    let write = || {
        let mode = if is_private { 0o600 } else { 0o666 };
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
        if is_private {
            file.set_permissions(Permissions::from_mode(mode))?;
        }
        file.write_all(text.as_bytes())
    };
    write().map_err(|error| Problem::Unwritable { path: path.to_owned(), error }.into())
}
