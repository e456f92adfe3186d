//! The screen on a recording, in a real terminal.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use stillwatch_tests::{stillwatch, tmux::Tmux};

const RECORDING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recorded/format-1.swr");

/// A folder of our own, gone at the end however that comes.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("stillwatch-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    fn text(&self, name: &str) -> Result<String> {
        fs::read_to_string(self.0.join(name)).with_context(|| format!("no {name}"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A shell in that folder, which has noted how its terminal is.
fn shell(name: &str, folder: &Path) -> Result<Tmux> {
    let missing = "tmux is not installed: 'cargo xtask test' as root installs it, or apt-get install tmux";
    let terminal = Tmux::start(name, 100, 30)?.context(missing)?;
    terminal.line(&format!("cd {}; clear; stty -a > before", folder.display()))?;
    Ok(terminal)
}

/// A command says so. What was typed before the shell had asked for it stands in front of the prompt, and what it says behind that.
fn says(text: &str, words: &str) -> bool {
    text.lines().any(|line| line.trim_start_matches("$ ").starts_with(words))
}

/// Where one is, and the keys.
fn page(name: &str) -> impl Fn(&str) -> bool {
    move |text| text.lines().any(|line| line.contains(name) && line.contains("recorded"))
}

#[test]
fn a_recording_on_a_terminal() -> Result<()> {
    let folder = Folder::new("screen")?;
    let terminal = shell("screen", &folder.0)?;
    let program = stillwatch().get_program().to_string_lossy().into_owned();
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
    // Two of them at once would be another key.
    terminal.wait_until("overview alone", |text| page("overview")(text) && !text.contains('›'))?;
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
    terminal.line("fg")?;
    terminal.wait_until("overview", page("overview"))?;

    terminal.press(&["q"])?;
    // Before its prompt, what is typed is still ours.
    terminal.wait_until("the shell", |text| text.trim_end().ends_with('$'))?;
    terminal.line("echo it ends with $?")?;
    let text = terminal.wait_for("it ends with 0")?;
    ensure!(!text.contains("recorded,"), "the screen is still there:\n{text}");
    terminal.line("stty -a > after")?;
    terminal.line("echo and so on")?;
    terminal.wait_until("the shell", |text| says(text, "and so on"))?;
    ensure!(folder.text("before")? == folder.text("after")?, "{}\n{}", folder.text("before")?, folder.text("after")?);

    // What was written is a recording.
    let saved = fs::read_dir(&folder.0)?.filter_map(|entry| Some(entry.ok()?.path()));
    let saved: Vec<_> = saved.filter(|path| path.extension().is_some_and(|kind| kind == "swr")).collect();
    ensure!(saved.len() == 1, "{saved:?}");
    let shown = stillwatch().args(["replay", "--findings", "recorded"]).arg(&saved[0]).output()?;
    let first = first.lines().next().unwrap_or_default().split("  ").next().unwrap_or_default().to_owned();
    ensure!(shown.status.success() && String::from_utf8(shown.stdout)?.contains(&first), "{first} is missing");
    Ok(())
}

const SAY: &str = "echo it ends with $?";

/// The shell has the terminal.
fn ended(text: &str) -> bool {
    says(text, "it ends with ")
}

/// Ctrl-Z and stops from outside, signals and a defect: each time the terminal is as it was.
#[test]
fn however_it_ends() -> Result<()> {
    let folder = Folder::new("endings")?;
    let terminal = shell("endings", &folder.0)?;
    let program = stillwatch().get_program().to_string_lossy().into_owned();
    let mut seen = 0;
    let mut settings = |words: &str| -> Result<()> {
        seen += 1;
        terminal.line(&format!("{words} stty -a > after; echo noted {seen}"))?;
        terminal.wait_until("the shell", |text| says(text, &format!("noted {seen}")))?;
        let (before, after) = (folder.text("before")?, folder.text("after")?);
        ensure!(before == after, "{seen}: {before}\n{after}");
        Ok(())
    };
    let start = |before: &str| {
        terminal.line(&format!("clear; sh -c 'echo $$ > pid; {before} exec {program} replay {RECORDING}'; {SAY}"))?;
        if before.is_empty() {
            terminal.wait_until("overview", page("overview"))?;
        }
        Ok::<_, anyhow::Error>(())
    };
    let kill = |signal: i32| -> Result<()> {
        let pid = folder.text("pid")?.trim().parse()?;
        // SAFETY: a process of ours.
        ensure!(unsafe { libc::kill(pid, signal) } == 0, "there is no {pid}");
        Ok(())
    };

    start("")?;
    terminal.press(&["C-z"])?;
    terminal.wait_for("Stopped")?;
    settings("clear;")?;
    terminal.line(&format!("fg; {SAY}"))?;
    terminal.wait_until("overview", page("overview"))?;
    kill(libc::SIGTSTP)?;
    terminal.wait_for("Stopped")?;
    settings("clear;")?;
    terminal.line(&format!("fg; {SAY}"))?;
    terminal.wait_until("overview", page("overview"))?;
    // It works as before.
    terminal.press(&["Tab"])?;
    terminal.wait_until("syscalls", page("syscalls"))?;
    kill(libc::SIGTERM)?;
    terminal.wait_until("the shell", ended)?;
    settings("")?;

    for signal in [libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
        start("")?;
        kill(signal)?;
        terminal.wait_until("the shell", ended)?;
        settings("")?;
    }

    start("STILLWATCH_PANIC=screen")?;
    terminal.wait_for("panicked")?;
    terminal.wait_until("the shell", ended)?;
    settings("")
}

/// What is written to a recording while it is looked at appears at its end.
#[test]
fn a_recording_that_grows() -> Result<()> {
    let folder = Folder::new("grows")?;
    let terminal = shell("grows", &folder.0)?;
    let program = stillwatch().get_program().to_string_lossy().into_owned();
    let whole = fs::read(RECORDING)?;
    // Cut within an entry.
    let (begin, rest) = whole.split_at(whole.len() * 2 / 3);
    let path = folder.0.join("grows.swr");
    fs::write(&path, begin)?;
    terminal.line(&format!("clear; {program} replay {}", path.display()))?;
    // It is read to its end.
    terminal.wait_for("before its end")?;
    terminal.press(&["End"])?;
    let then = terminal.wait_for("recorded, the end")?;
    let mut file = fs::File::options().append(true).open(&path)?;
    file.write_all(rest)?;
    terminal.wait_until("a later moment", |text| {
        text.lines().next() != then.lines().next() && text.contains("recorded, the end")
    })?;
    terminal.press(&["q"])?;
    terminal.wait_until("the shell", |text| !text.contains("q quit")).map(drop)
}
