//! What syslog would have of cron jobs, sudo, and units, where only journald writes it down.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    process::Stdio,
};

use jiff::{Timestamp, tz::TimeZone};

use super::{
    syslog::{self, FILES, Logged, Reading},
    watching::{Found, Glance, Watched},
};
use crate::{for_tests, probes::journalctl};

/// Of one look; what came after these is of the next one.
const ENTRIES: u32 = 1000;
const BYTES: u64 = 1 << 20;
/// What the journal calls who writes these lines.
const IDENTIFIERS: [&str; 6] = ["systemd", "sudo", "cron", "CRON", "crond", "CROND"];
/// Before the last entry's place, which `journalctl` tells at the end.
const CURSOR: &str = "-- cursor: ";
const SOURCE: &str = "journal";

#[derive(Default)]
pub struct Journal {
    /// The last entry that was read.
    cursor: Option<String>,
}

impl Watched for Journal {
    fn look(&mut self, glance: &Glance, found: &mut Found) {
        // Syslog has the same lines.
        if FILES.iter().any(|path| for_tests::in_place_of(path).exists()) {
            return;
        }
        let root = Some(for_tests::in_place_of("/")).filter(|root| root != Path::new("/"));
        if root.is_none() && journalctl::is_there().is_err() {
            return;
        }
        match self.ask(root, glance.before.unwrap_or(glance.since)) {
            Ok(text) => self.take(&text, glance, found),
            Err(error) => found.why = Some(journalctl::cannot_be_run(&error)),
        }
    }
}

impl Journal {
    fn ask(&self, root: Option<PathBuf>, since: Timestamp) -> io::Result<String> {
        let mut command = journalctl::command();
        command.args(["--output=short-iso-precise", "--show-cursor"]).arg(format!("--lines={ENTRIES}"));
        match &self.cursor {
            Some(cursor) => command.arg(format!("--after-cursor={cursor}")),
            None => command.arg(format!("--since=@{}", since.as_second())),
        };
        command.args(root.map(|root| format!("--root={}", root.display())));
        command.args(IDENTIFIERS.map(|name| format!("SYSLOG_IDENTIFIER={name}")));
        let mut child = command.stderr(Stdio::null()).spawn()?;
        let mut bytes = Vec::new();
        // What was read until an error is as good.
        let _ = child.stdout.take().map(|pipe| pipe.take(BYTES).read_to_end(&mut bytes));
        let _ = child.kill();
        child.wait()?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn take(&mut self, text: &str, glance: &Glance, found: &mut Found) {
        let reading = Reading { zone: TimeZone::system(), now: glance.now.wall };
        found.changes.extend(text.lines().filter_map(|line| syslog::change(&Logged::of(line, &reading)?, SOURCE)));
        let cursor = text.lines().next_back().and_then(|line| line.strip_prefix(CURSOR)).map(str::to_owned);
        let is_cut = text.len() as u64 >= BYTES;
        if is_cut {
            found.why = Some("entries of more than a mebibyte: some were not read".to_owned());
        }
        self.cursor = if is_cut { None } else { cursor.or(self.cursor.take()) };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sample::{ChangeKind, Did, Moment};

    #[test]
    fn units_and_jobs_are_told_and_the_place_is_kept() {
        let text = "\
2026-11-27T05:59:12.123456+0100 host systemd[1]: nginx.service: Failed with result 'exit-code'.
2026-11-27T05:59:13.000001+01:00 host systemd[77]: mine.service: Failed with result 'exit-code'.
2026-11-27T05:59:14.500000+0000 host sudo[812]:    alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/true
    systemd[1]: forged.service: Failed with result 'x'.
-- cursor: s=1;i=2
";
        let now = Moment {
            clock: Duration::from_secs(9),
            wall: "2026-11-27T06:00:00Z".parse().unwrap(),
            asleep: Duration::ZERO,
        };
        let glance = Glance { now, before: None, since: Timestamp::MIN };
        let (mut journal, mut found) = (Journal::default(), Found::default());
        journal.take(text, &glance, &mut found);
        let told: Vec<_> = found.changes.iter().map(|it| (it.kind, it.did, &*it.what, it.at.to_string())).collect();
        assert_eq!(
            told,
            [
                (ChangeKind::Unit, Did::Failed, "nginx.service", "2026-11-27T04:59:12.123456Z".to_owned()),
                (ChangeKind::Sudo, Did::Began, "/bin/true", "2026-11-27T05:59:14.5Z".to_owned()),
            ]
        );
        journal.take("", &glance, &mut found);
        assert_eq!(journal.cursor.as_deref(), Some("s=1;i=2"));
    }
}
