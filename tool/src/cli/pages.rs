//! What the definition of the flags yields besides parsing: completions and the manual page.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::args::{DESCRIPTION, SYSCALLS_EXAMPLES, TOP_EXAMPLES, Top};

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
    let mut whole = Top::command().long_about(DESCRIPTION);
    if let Some(probe) = top.find_subcommand("syscalls") {
        let shared: Vec<_> = top.get_arguments().map(|arg| arg.get_id()).collect();
        let own = probe.get_arguments().filter(|arg| !shared.contains(&arg.get_id()));
        whole = whole.args(own.map(|arg| arg.clone().help_heading("Flags of syscalls")));
    }
    let page = Man::new(whole).section("8").manual("System Administration");
    let mut out = Vec::new();
    page.render_title(&mut out)?;
    page.render_name_section(&mut out)?;
    page.render_synopsis_section(&mut out)?;
    page.render_description_section(&mut out)?;
    probes(&top, &mut out)?;
    page.render_options_section(&mut out)?;
    examples(&mut out)?;
    Ok(out)
}

/// clap_mangen would refer to a page of its own for each word.
fn probes(top: &Command, out: &mut dyn Write) -> io::Result<()> {
    let mut roff = Roff::default();
    roff.control("SH", ["PROBES AND COMMANDS"]);
    for word in top.get_subcommands() {
        let about = word.get_about().map(ToString::to_string).unwrap_or_default();
        roff.control("TP", []).text([bold(word.get_name())]).text([roman(about)]);
    }
    roff.to_writer(out)
}

fn examples(out: &mut dyn Write) -> io::Result<()> {
    let mut roff = Roff::default();
    roff.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in TOP_EXAMPLES.lines().chain(SYSCALLS_EXAMPLES.lines()).filter(|line| line.starts_with("  ")) {
        roff.text([roman(line)]);
    }
    roff.control("fi", []).to_writer(out)
}
