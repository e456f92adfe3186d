//! The live screen, in a real terminal.

use std::{fs, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stillwatch_tests::{stillwatch, tmux::Tmux};

use super::{Test, here, skip, workload::sleep};

pub const TESTS: &[Test] = &[here("screen_of_a_terminal_that_is_stopped", stopped), here("screen_is_frozen", frozen)];

/// Starts it, and waits until it shows something.
fn start(name: &str, flags: &str) -> Result<Option<Tmux>> {
    let Some(terminal) = Tmux::start(name, 120, 40)? else { return Ok(None) };
    let program = stillwatch().get_program().to_string_lossy().into_owned();
    terminal.line(&format!("clear; {program} {flags}; echo it ends with $?"))?;
    terminal.wait_for("live")?;
    Ok(Some(terminal))
}

/// The clock of the header.
fn time(text: &str) -> Option<String> {
    text.split_whitespace().next().map(str::to_owned)
}

/// Nothing is read for half a minute: the ticks come in time, and then the screen is up to date.
fn stopped() -> Result<()> {
    let file = std::env::temp_dir().join(format!("stillwatch-stopped-{}.swr", std::process::id()));
    let Some(terminal) = start("stopped", &format!("0.2 --save {}", file.display()))? else {
        return Err(skip("there is no tmux"));
    };
    let pid = terminal.pid()?;
    // SAFETY: a server of our own.
    unsafe { libc::kill(pid, libc::SIGSTOP) };
    sleep(Duration::from_secs(30));
    // SAFETY: as above.
    unsafe { libc::kill(pid, libc::SIGCONT) };
    let then = time(&terminal.text()?).context("no time")?;
    terminal.wait_until("later moment", |text| time(text).is_some_and(|now| now != then))?;
    terminal.press(&["q"])?;
    terminal.wait_for("it ends with 0")?;
    let output = stillwatch().args(["replay"]).arg(&file).args(["--json"]).output()?;
    let lines = String::from_utf8(output.stdout)?;
    let lines = lines.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let intervals: Vec<u64> = lines
        .iter()
        .filter(|line| line["type"] == "snapshot" && line["probe"] == "cpu")
        .filter_map(|line| line["interval_ns"].as_u64())
        .collect();
    fs::remove_file(&file)?;
    let late = intervals.iter().filter(|&&ns| ns > 450_000_000).count();
    ensure!(intervals.len() >= 140 && late <= 1, "{late} of {} ticks came late: {intervals:?}", intervals.len());
    Ok(())
}

/// What is shown stays while measuring goes on, and the newest is one key away; a mark is where it was set.
fn frozen() -> Result<()> {
    let Some(terminal) = start("frozen", "0.3")? else { return Err(skip("there is no tmux")) };
    terminal.press(&["Space"])?;
    let text = terminal.wait_for("FROZEN")?;
    let then = time(&text).context("no time")?;
    sleep(Duration::from_secs(3));
    let text = terminal.wait_for("ago")?;
    ensure!(time(&text).as_ref() == Some(&then), "{then} went on:\n{text}");
    terminal.press(&["m"])?;
    terminal.press(&["-l", "deploy 4711"])?;
    terminal.press(&["Enter"])?;
    terminal.press(&["End"])?;
    terminal.wait_until("the newest", |text| text.contains("live") && time(text).as_ref() != Some(&then))?;
    terminal.wait_until("a mark", |text| {
        text.lines().nth(1).is_some_and(|line| line.contains("─m") || line.contains("m─"))
    })?;
    terminal.press(&["C-c"])?;
    terminal.wait_for("it ends with 0").map(drop)
}
