//! What the definition of the flags yields besides parsing: completions and the manual page.

use std::io::{self, Write};

use clap::{Arg, Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::args::{DESCRIPTION, Top};

/// The completion script for a shell.
pub fn completions(shell: Shell) -> Vec<u8> {
    // Through a buffer: clap_complete panics when a pipe it writes to is closed.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Top::command(), "stillwatch", &mut script);
    script
}

/// The manual page: one for all, with the flags of each probe in a section of their own.
pub fn man() -> io::Result<Vec<u8>> {
    let top = Top::command();
    let page = Man::new(Top::command().long_about(DESCRIPTION)).section("8").manual("System Administration");
    let mut out = Vec::new();
    page.render_title(&mut out)?;
    page.render_name_section(&mut out)?;
    page.render_synopsis_section(&mut out)?;
    page.render_description_section(&mut out)?;
    words(&top, &mut out)?;
    page.render_options_section(&mut out)?;
    for probe in with_examples(&top) {
        own_flags(probe, &top, &mut out)?;
    }
    examples(&top, &mut out)?;
    Ok(out)
}

/// Words with flags that take examples to tell.
fn with_examples(top: &Command) -> impl Iterator<Item = &Command> {
    top.get_subcommands().filter(|word| word.get_after_help().is_some())
}

/// The flags of a probe that others lack. Flags of two probes may have the same name, so they can't be added to one
/// command; and they may refer to flags that all have, so those are hidden only.
fn own_flags(probe: &Command, top: &Command, out: &mut dyn Write) -> io::Result<()> {
    let shared: Vec<_> = top.get_arguments().map(|arg| arg.get_id()).collect();
    let flag = |arg: Arg| {
        if shared.contains(&arg.get_id()) { arg.hide(true) } else { arg.help_heading(None::<&str>) }
    };
    let mut section = Vec::new();
    Man::new(probe.clone().disable_help_flag(true).mut_args(flag)).render_options_section(&mut section)?;
    // The heading of flags without one is clap_mangen's.
    let section = String::from_utf8_lossy(&section);
    let flags = section.split_once(".SH OPTIONS\n").map_or("", |(_, flags)| flags);
    Roff::default().control("SH", [format!("FLAGS OF {}", probe.get_name().to_uppercase()).as_str()]).to_writer(out)?;
    out.write_all(flags.as_bytes())
}

/// clap_mangen would refer to a page of its own for each word.
fn words(top: &Command, out: &mut dyn Write) -> io::Result<()> {
    let mut roff = Roff::default();
    roff.control("SH", ["PROBES AND COMMANDS"]);
    for word in top.get_subcommands() {
        let about = word.get_about().map(ToString::to_string).unwrap_or_default();
        roff.control("TP", []).text([bold(word.get_name())]).text([roman(about)]);
    }
    roff.to_writer(out)
}

/// Those of the help texts.
fn examples(top: &Command, out: &mut dyn Write) -> io::Result<()> {
    let mut roff = Roff::default();
    roff.control("SH", ["EXAMPLES"]).control("nf", []);
    for command in std::iter::once(top).chain(with_examples(top)) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in help.lines().filter(|line| line.starts_with("  ")) {
            roff.text([roman(line)]);
        }
    }
    roff.control("fi", []).to_writer(out)
}
