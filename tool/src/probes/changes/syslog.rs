//! What syslog has of cron jobs, sudo, and units that fail or are reloaded, where it writes files.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use super::{
    follow::LogFile,
    watching::{Found, Glance, Watched},
};
use crate::sample::{Change, ChangeKind, Did};

/// Debian's, then Red Hat's.
pub const FILES: [&str; 5] =
    ["/var/log/auth.log", "/var/log/syslog", "/var/log/secure", "/var/log/messages", "/var/log/cron"];

pub struct Syslog(Vec<(&'static str, LogFile)>);

impl Default for Syslog {
    fn default() -> Self {
        Self(FILES.into_iter().map(|path| (path, LogFile::new(path))).collect())
    }
}

impl Watched for Syslog {
    fn look(&mut self, glance: &Glance, found: &mut Found) {
        let reading = Reading { zone: TimeZone::system(), now: glance.now.wall };
        let first = found.changes.len();
        for (path, followed) in &mut self.0 {
            let lines = followed.lines(glance.since);
            found.changes.extend(lines.iter().filter_map(|line| change(&Logged::of(line, &reading)?, path)));
        }
        // The same line may stand in two files.
        let mut known: Vec<Change> = Vec::new();
        for change in found.changes.split_off(first) {
            let is_same = |other: &Change| (other.at, &other.what, other.did) == (change.at, &change.what, change.did);
            if !known.iter().rev().take(64).any(is_same) {
                known.push(change);
            }
        }
        found.changes.extend(known);
    }
}

/// What a time without year and zone is read by.
pub struct Reading {
    pub zone: TimeZone,
    pub now: Timestamp,
}

pub struct Logged<'a> {
    at: Timestamp,
    tag: &'a str,
    pid: Option<u32>,
    text: &'a str,
}

impl<'a> Logged<'a> {
    /// `2026-11-27T05:59:12.123456+00:00 host tag[7]: text`, or `Nov 27 05:59:12 host tag: text`.
    pub fn of(line: &'a str, reading: &Reading) -> Option<Self> {
        let (at, rest) = match line.split_once(' ') {
            Some((at, rest)) if at.len() > 15 => (at.parse().ok()?, rest),
            _ => (reading.at(line.get(..15)?)?, line.get(16..)?),
        };
        let (head, text) = rest.split_once(' ')?.1.split_once(": ")?;
        let (tag, pid) = match head.split_once('[') {
            Some((tag, pid)) => (tag, pid.trim_end_matches(']').parse().ok()),
            None => (head, None),
        };
        Some(Self { at, tag, pid, text })
    }
}

impl Reading {
    /// `Nov 27 05:59:12` of this year, or of the last where that is to come.
    fn at(&self, text: &str) -> Option<Timestamp> {
        let year = self.now.to_zoned(self.zone.clone()).year();
        let of = |year: i16| {
            let at = DateTime::strptime("%Y %b %d %H:%M:%S", format!("{year} {text}")).ok()?;
            Some(at.to_zoned(self.zone.clone()).ok()?.timestamp())
        };
        let day = jiff::SignedDuration::from_hours(24);
        of(year).filter(|at| at.duration_since(self.now) < day).or_else(|| of(year - 1))
    }
}

pub fn change(line: &Logged, source: &'static str) -> Option<Change> {
    let of = |kind, did, what: &str| Glance::kept(line.at, kind, did, what, source);
    match line.tag {
        "sudo" => {
            let (user, rest) = line.text.trim_start().split_once(" : ")?;
            let (before, command) = rest.split_once("COMMAND=")?;
            let to = before.split(" ; ").find_map(|part| part.strip_prefix("USER="));
            let to = to.map(|to| format!("as {}", to.trim_end()));
            Some(Change { author: Some(user.to_owned()), to, ..of(ChangeKind::Sudo, Did::Began, command) })
        }
        "cron" | "CRON" | "crond" | "CROND" => {
            let (user, rest) = line.text.strip_prefix('(')?.split_once(") CMD ")?;
            let command = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(rest);
            Some(Change { author: Some(user.to_owned()), pid: line.pid, ..of(ChangeKind::Job, Did::Began, command) })
        }
        "systemd" if line.pid == Some(1) => {
            if let Some((unit, why)) = line.text.split_once(": Failed with result ") {
                let to = Some(why.trim_end_matches('.').trim_matches('\'').to_owned());
                return Some(Change { to, ..of(ChangeKind::Unit, Did::Failed, unit) });
            }
            let unit = line.text.strip_prefix("Reloaded ")?.split(" - ").next()?.trim_end_matches('.');
            Some(of(ChangeKind::Unit, Did::Reloaded, unit))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Option<Change> {
        let now = "2026-01-01T01:00:00Z".parse().unwrap();
        change(&Logged::of(line, &Reading { zone: TimeZone::UTC, now })?, "/var/log/syslog")
    }

    #[test]
    fn lines_that_are_changes() {
        let sudo = one(
            "2025-12-31T23:59:12.123456+00:00 web sudo:    alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/vim /etc/x",
        )
        .unwrap();
        assert_eq!(
            (sudo.kind, sudo.what.as_str(), sudo.author.as_deref()),
            (ChangeKind::Sudo, "/usr/bin/vim /etc/x", Some("alice"))
        );
        assert_eq!(
            (sudo.to.as_deref(), sudo.at.to_string().as_str()),
            (Some("as root"), "2025-12-31T23:59:12.123456Z")
        );
        let job =
            one("Dec 31 23:17:01 web CRON[4711]: (root) CMD (cd / && run-parts --report /etc/cron.hourly)").unwrap();
        assert_eq!((job.kind, job.pid, job.author.as_deref()), (ChangeKind::Job, Some(4711), Some("root")));
        assert_eq!(
            (job.what.as_str(), job.at.to_string().as_str()),
            ("cd / && run-parts --report /etc/cron.hourly", "2025-12-31T23:17:01Z")
        );
        let failed = one("Jan  1 00:30:01 web systemd[1]: db.service: Failed with result 'exit-code'.").unwrap();
        assert_eq!(
            (failed.did, failed.what.as_str(), failed.to.as_deref()),
            (Did::Failed, "db.service", Some("exit-code"))
        );
        assert_eq!(failed.at.to_string(), "2026-01-01T00:30:01Z");
        let reloaded =
            one("Jan  1 00:30:01 web systemd[1]: Reloaded nginx.service - A high performance web server.").unwrap();
        assert_eq!((reloaded.did, reloaded.what.as_str()), (Did::Reloaded, "nginx.service"));
    }

    #[test]
    fn other_lines_are_none() {
        for line in [
            "",
            "Dec 31 23:17:01",
            "Dec 31 23:17:01 web",
            "é".repeat(15).as_str(),
            "Dec 31 23:17:01 web CRON[4711]: pam_unix(cron:session): session opened",
            "Dec 31 23:17:01 web app[7]: (root) CMD (x)",
            "Dec 31 23:17:01 web systemd[900]: x.service: Failed with result 'exit-code'.",
            "Dec 99 23:17:01 web systemd[1]: x.service: Failed with result 'exit-code'.",
            "2025-12-31T23:59:12.123456+00:00 web sudo: pam_unix(sudo:session): session opened",
        ] {
            assert_eq!(one(line), None, "{line}");
        }
    }
}
