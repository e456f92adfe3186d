//! The last step of all text, of the log, too: no line is wider than the screen.

use std::io::{self, Write};

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm, core::display_width};

use super::View;

/// A label of a line, with the blanks behind it, takes at most this much; what is wrapped goes on under the text.
const LABEL: usize = 16;
/// Of a line without a label.
const INDENT: usize = 2;

/// Hands a whole block over at once.
pub fn print(out: &mut impl Write, text: &str, view: &View) -> io::Result<()> {
    out.write_all(fit(text, view.limit).as_bytes())?;
    out.flush()
}

/// Lines as they are; those that are too wide, on as many as it takes.
pub fn fit(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        if display_width(line) <= limit {
            out += line;
            out.push('\n');
            continue;
        }
        let (paint, plain, end) = unpainted(line);
        for part in parted(plain, limit) {
            debug_assert!(display_width(&part) <= limit, "{part:?} is wider than {limit} columns");
            out += &format!("{paint}{part}{end}\n");
        }
    }
    out
}

/// Three blanks stand between what belongs together: rather there than at any other.
fn parted(line: &str, limit: usize) -> Vec<String> {
    let hang = hang(line);
    match line.split_once("   ") {
        Some((first, rest)) if (LABEL..=limit).contains(&display_width(first)) => {
            let rest = wrap(&format!("{:hang$}{}", "", rest.trim_start()), limit, hang);
            std::iter::once(first.to_owned()).chain(rest).collect()
        }
        _ => wrap(line, limit, hang),
    }
}

/// At blanks, and inside of what is wider than a line; lines after the first begin in column `hang`.
pub fn wrap(line: &str, width: usize, hang: usize) -> Vec<String> {
    let indent = " ".repeat(hang);
    let options = Options::new(width)
        .subsequent_indent(&indent)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    textwrap::wrap(line, options).into_iter().map(std::borrow::Cow::into_owned).collect()
}

/// A line that is painted as a whole: what paints it, itself, and what ends that.
fn unpainted(line: &str) -> (&str, &str, &str) {
    const END: &str = "\x1b[0m";
    let body = line.strip_prefix("\x1b[").and_then(|rest| rest.split_once('m')).map(|(_, body)| body);
    match body.and_then(|body| body.strip_suffix(END)) {
        Some(plain) if !plain.contains('\x1b') => (&line[..line.len() - plain.len() - END.len()], plain, END),
        _ => ("", line, ""),
    }
}

/// The column under which a wrapped line goes on: `  victim    nginx 430 in …` under `nginx`.
fn hang(line: &str) -> usize {
    let text = line.trim_start();
    let leading = display_width(line) - display_width(text);
    let label = text.split_once("  ").map(|(label, rest)| {
        let blanks = 2 + rest.len() - rest.trim_start().len();
        leading + display_width(label) + blanks
    });
    label.filter(|&column| column <= LABEL).unwrap_or(leading + INDENT)
}

#[cfg(test)]
mod tests;
