//! A real terminal: a server of tmux of our own, with one window.

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

/// A host may be busy: what is waited for may take that long.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Tmux {
    socket: PathBuf,
}

impl Tmux {
    /// With a shell in it, whose prompt is `$ `. None: there is no tmux.
    pub fn start(name: &str, width: u16, height: u16) -> Result<Option<Self>> {
        if Command::new("tmux").arg("-V").stdout(Stdio::null()).status().is_err() {
            return Ok(None);
        }
        let tmux = Self { socket: std::env::temp_dir().join(format!("stillwatch-tmux-{name}-{}", std::process::id())) };
        let (width, height) = (width.to_string(), height.to_string());
        let size = ["new-session", "-d", "-x", &width, "-y", &height];
        // Unlike a login shell it reads no files that say otherwise.
        tmux.run(&[&["-f", "/dev/null"][..], &size, &["env", "PS1=$ ", "LC_ALL=C.UTF-8", "sh"]].concat())?;
        tmux.wait_for("$")?;
        Ok(Some(tmux))
    }

    fn run(&self, words: &[&str]) -> Result<Output> {
        let output = Command::new("tmux").arg("-u").arg("-S").arg(&self.socket).args(words).output()?;
        ensure!(output.status.success(), "tmux {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(output)
    }

    /// As tmux names them: `Enter`, `Escape`, `C-z`, or letters.
    pub fn press(&self, keys: &[&str]) -> Result<()> {
        self.run(&[&["send-keys"], keys].concat()).map(drop)
    }

    /// A line for the shell.
    pub fn line(&self, text: &str) -> Result<()> {
        self.run(&["send-keys", "-l", text])?;
        self.press(&["Enter"])
    }

    pub fn resize(&self, width: u16, height: u16) -> Result<()> {
        self.run(&["resize-window", "-x", &width.to_string(), "-y", &height.to_string()]).map(drop)
    }

    pub fn text(&self) -> Result<String> {
        Ok(String::from_utf8(self.run(&["capture-pane", "-p"])?.stdout)?)
    }

    /// Until it is on the screen; what is there then.
    pub fn wait_for(&self, wanted: &str) -> Result<String> {
        self.wait_until(wanted, |text| text.contains(wanted))
    }

    pub fn wait_until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> Result<String> {
        let start = Instant::now();
        loop {
            let text = self.text()?;
            if is_so(&text) {
                return Ok(text);
            }
            if start.elapsed() > PATIENCE {
                bail!("no {what} on the screen:\n{text}");
            }
            sleep(Duration::from_millis(50));
        }
    }

    pub fn pid(&self) -> Result<i32> {
        let output = self.run(&["display-message", "-p", "#{pid}"])?;
        String::from_utf8(output.stdout)?.trim().parse().context("no pid")
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = self.run(&["kill-server"]);
        let _ = std::fs::remove_file(&self.socket);
    }
}
