//! The screen on a recording, in a real terminal.

use std::fs;

use anyhow::{Result, ensure};
use stillwatch_tests::{stillwatch, tmux::Tmux};

const RECORDING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recorded/format-1.swr");

/// Where one is, and the keys.
fn page(name: &str) -> impl Fn(&str) -> bool {
    move |text| text.lines().any(|line| line.contains(name) && line.contains("recorded"))
}

#[test]
fn a_recording_on_a_terminal() -> Result<()> {
    let Some(terminal) = Tmux::start("screen", 100, 30)? else {
        eprintln!("skipped: there is no tmux");
        return Ok(());
    };
    let folder = std::env::temp_dir().join(format!("stillwatch-screen-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let program = stillwatch().get_program().to_string_lossy().into_owned();
    terminal.line(&format!("cd {}; clear; stty -a > before", folder.display()))?;
    terminal.line(&format!("{program} replay {RECORDING}"))?;

    terminal.wait_until("overview", page("overview"))?;
    for probe in ["syscalls", "io", "tcp", "oom", "cpu"] {
        terminal.press(&["Tab"])?;
        terminal.wait_until(probe, page(probe))?;
    }
    terminal.press(&["/"])?;
    terminal.press(&["-l", "nobody-is-called-so"])?;
    terminal.press(&["Enter"])?;
    terminal.wait_for("is as the filter says")?;
    terminal.press(&["Escape"])?;
    terminal.wait_until("overview", page("overview"))?;
    terminal.press(&["Escape"])?;
    terminal.wait_until("no filter", |text| !text.contains("only nobody"))?;

    let first = terminal.wait_for("before its end")?;
    terminal.press(&["Right", "Right"])?;
    terminal.wait_until("another moment", |text| text.lines().next() != first.lines().next())?;
    terminal.press(&["Home"])?;
    terminal.wait_until("the first moment", |text| text.lines().next() == first.lines().next())?;

    terminal.press(&["w"])?;
    terminal.wait_for("written: /")?;
    terminal.press(&["Home"])?;

    // A smaller terminal, while it runs; and all of it is drawn again.
    terminal.resize(60, 16)?;
    terminal.wait_until("the last line where it is", |text| {
        text.lines().nth(15).is_some_and(|line| line.contains("Tab probes"))
    })?;
    terminal.resize(100, 30)?;
    terminal.wait_until("the last line where it was", |text| {
        text.lines().nth(29).is_some_and(|line| line.contains("q quit"))
    })?;

    terminal.press(&["C-z"])?;
    terminal.wait_for("Stopped")?;
    terminal.line("stty -a > stopped; fg")?;
    terminal.wait_until("overview", page("overview"))?;

    terminal.press(&["q"])?;
    terminal.wait_until("the shell", |text| !text.contains("q quit"))?;
    terminal.line("echo it ends with $?")?;
    let text = terminal.wait_for("it ends with 0")?;
    ensure!(!text.contains("recorded,"), "the screen is still there:\n{text}");
    terminal.line("stty -a > after")?;
    terminal.line("echo and so on")?;
    terminal.wait_until("the shell", |text| text.lines().any(|line| line == "and so on"))?;
    let settings = |name: &str| fs::read_to_string(folder.join(name));
    ensure!(settings("before")? == settings("after")?, "{}\n{}", settings("before")?, settings("after")?);
    ensure!(settings("before")? == settings("stopped")?, "{}\n{}", settings("before")?, settings("stopped")?);

    // What was written is a recording.
    let saved = fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let saved: Vec<_> = saved.filter(|path| path.extension().is_some_and(|kind| kind == "swr")).collect();
    ensure!(saved.len() == 1, "{saved:?}");
    let shown = stillwatch().args(["replay", "--findings", "recorded"]).arg(&saved[0]).output()?;
    let first = first.lines().next().unwrap_or_default().split("  ").next().unwrap_or_default().to_owned();
    ensure!(shown.status.success() && String::from_utf8(shown.stdout)?.contains(&first), "{first} is missing");
    fs::remove_dir_all(&folder)?;
    Ok(())
}
