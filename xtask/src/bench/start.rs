//! How long it takes from the start of the process until the last program is attached.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Bench;
use super::observer::{SETTLE, links};
use super::report::{Figure, Promise};
use super::stats::Spread;

const POLL: Duration = Duration::from_micros(500);
/// Attaching is over when nothing was attached for so long.
const OVER: Duration = Duration::from_millis(500);
const GIVE_UP: Duration = Duration::from_secs(10);

pub fn figure(bench: &Bench) -> Result<Figure> {
    let mut figure = Figure::new("From start to attached, milliseconds", &["process", "attached after"]);
    let variants = [
        (&["syscalls"][..], Some(("exact mode, start to attached", 150.0))),
        (&["syscalls", "--blocked"], None),
        (&["io"], Some(("`io`, start to attached", 350.0))),
        (&["io", "--devices"], None),
        (&["oom"], Some(("`oom`, start to attached", 250.0))),
        // Its first look follows half a second later.
        (&[], Some(("the overview, start to attached", 1000.0))),
    ];
    for (args, promise) in variants {
        let mut times = Vec::new();
        for _ in 0..bench.rounds.max(10) {
            bench.quiet.wait();
            times.push(measure(bench, args)?);
        }
        let spread = Spread::of(times);
        figure.row(&format!("`{}`", [&["stillwatch"], args].concat().join(" ")), &[spread], 0);
        if let Some((what, bound)) = promise {
            figure.promise(Promise::at_most(what, bound, "ms", spread));
        }
    }
    Ok(figure)
}

/// Watches the descriptors from outside: what the process says about itself would come later.
fn measure(bench: &Bench, args: &[&str]) -> Result<f64> {
    let mut command = Command::new(&bench.stillwatch);
    // With a count, it ends by itself should the bench be killed.
    command.args(args).args(["1", "10", "--plain"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let mut child = command.spawn().context("starting stillwatch")?;
    // When the number of links changed, and to what.
    let mut changes = vec![(Duration::ZERO, 0)];
    loop {
        let now = start.elapsed();
        let (since, count) = changes[changes.len() - 1];
        let held = links(child.id());
        if held != count {
            changes.push((now, held));
        } else if (count > 0 && now > since + OVER) || now > GIVE_UP {
            break;
        }
        sleep(POLL);
    }
    let _ = child.kill();
    child.wait()?;
    sleep(SETTLE);
    // The task iterator's link comes last and goes again: what counts is when the lasting ones were complete.
    let lasting = changes[changes.len() - 1].1;
    if lasting == 0 {
        bail!("stillwatch does not attach: try it by hand");
    }
    let attached = changes.iter().find(|&&(_, count)| count >= lasting).map_or(GIVE_UP, |&(at, _)| at);
    Ok(attached.as_secs_f64() * 1000.0)
}
