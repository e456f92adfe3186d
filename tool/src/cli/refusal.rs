//! A command line that can't be followed: what is wrong and what to do, in one line.

use std::{ffi::OsString, io::Write};

use clap::{
    CommandFactory,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::args::Top;
use crate::{escape::escape, syscall_names::nearest};

/// Why there is nothing to run.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Help or version, for stdout.
    #[error("{0}")]
    Asked(String),
    /// One line, for stderr.
    #[error("{0}")]
    Wrong(String),
}

impl Refusal {
    pub fn new(wrong: impl Into<String>) -> Self {
        Self::Wrong(wrong.into())
    }

    /// In clap's words, for what clap itself could not check.
    pub fn value(flag: &str, value: &str, why: &str) -> Self {
        Self::new(format!("invalid value '{value}' for '{flag}': {why}"))
    }

    pub(super) fn from_clap(error: &clap::Error, words: &[OsString]) -> Self {
        let text = error.render();
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            return Self::Asked(if colour() { text.ansi().to_string() } else { text.to_string() });
        }
        Self::new(special(error, words).unwrap_or_else(|| one_line(&text.to_string())))
    }

    /// Says it, and ends the process: 0 when asked for, else 2.
    pub fn exit(self) -> ! {
        // Nobody is left to be told when stdout or stderr is closed.
        let code = match self {
            Self::Asked(text) => {
                let _ = std::io::stdout().write_all(text.as_bytes());
                0
            }
            Self::Wrong(line) => {
                let _ = std::io::stderr().write_all(format!("stillwatch: {}\n", escape(&line)).as_bytes());
                2
            }
        };
        std::process::exit(code)
    }
}

fn colour() -> bool {
    let here = super::Surroundings::of_this_process();
    here.terminal && !here.no_color
}

/// Mistakes that clap describes from its own point of view, which is not the user's.
fn special(error: &clap::Error, words: &[OsString]) -> Option<String> {
    let words: Vec<_> = words.iter().skip(1).map(|word| word.to_string_lossy()).collect();
    let top = Top::command();
    let probe = words.first().and_then(|word| top.find_subcommand(word.as_ref()));
    let said = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    match error.kind() {
        // `-250ms` reads as a bundle of short flags.
        ErrorKind::UnknownArgument => {
            let flag = said(ContextKind::InvalidArg)?;
            if flag.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '.')) {
                let word = words.iter().find(|word| word.starts_with(flag))?;
                return Some(format!("'{word}' is negative; write a duration like 1, 0.5, 250ms or 1m"));
            }
            if !flag.starts_with('-') {
                return Some(format!("'{flag}' is one word too many; see --help"));
            }
            let has = |word: &&clap::Command| word.get_arguments().any(|arg| is(arg, flag));
            let owners: Vec<_> = top.get_subcommands().filter(has).map(|word| word.get_name()).collect();
            let longs = probe.unwrap_or(&top).get_arguments().filter_map(|arg| arg.get_long());
            Some(match (probe, &owners[..], nearest(flag.trim_start_matches('-'), longs)) {
                (None, [_, ..], _) => {
                    let lines: Vec<_> = owners.iter().map(|name| format!("stillwatch {name} ... {flag}")).collect();
                    format!("'{flag}' belongs to a probe: write {}", lines.join(" or "))
                }
                (Some(_), [_, ..], _) => format!("'{flag}' belongs to {}; see --help", owners.join(" and ")),
                (.., Some(near)) => format!("there is no flag '{flag}'; did you mean '--{near}'?"),
                _ => format!("there is no flag '{flag}' here; see --help"),
            })
        }
        ErrorKind::ValueValidation if probe.is_none() => {
            let word = said(ContextKind::InvalidValue)?;
            let positional = said(ContextKind::InvalidArg)?.starts_with('[');
            if !positional || !word.starts_with(|c: char| c.is_alphabetic()) {
                return None;
            }
            let names: Vec<_> = top.get_subcommands().map(|word| word.get_name().to_owned()).collect();
            if names.iter().any(|name| name == word) {
                return Some(format!("'{word}' has to come first: write stillwatch {word} ..."));
            }
            let near = nearest(word, names.iter().map(String::as_str));
            let near = near.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
            Some(format!("there is no probe '{word}'{near} (stillwatch --help lists them)"))
        }
        _ => None,
    }
}

/// Whether a flag, as it was written, is this one.
fn is(arg: &clap::Arg, flag: &str) -> bool {
    let long = arg.get_long().map(|long| format!("--{long}"));
    let short = arg.get_short().map(|short| format!("-{short}"));
    [long, short].iter().flatten().any(|name| name == flag)
}

/// clap's report without its headings, blank lines and usage.
fn one_line(text: &str) -> String {
    let (text, more) = match text.split_once("\n\nUsage:").or_else(|| text.split_once("\n\nFor more")) {
        Some((text, _)) => (text, "; see --help"),
        None => (text, ""),
    };
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ").replace(" tip: ", "; ");
    // What our own checks say is complete.
    if line.starts_with("invalid value") { line } else { line + more }
}
