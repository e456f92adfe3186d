//! Who logged in and out, and boots before this one, as `/var/log/wtmp` has them.

use std::{collections::HashMap, ffi::c_char};

use jiff::Timestamp;

use super::{
    follow::LogFile,
    watching::{Found, Glance, Watched},
};
use crate::sample::{Change, ChangeKind, Did};

pub const WTMP: &str = "/var/log/wtmp";
const RECORD: usize = size_of::<libc::utmpx>();
/// Sessions that are remembered, to say whose it was that ended.
const SESSIONS: usize = 1024;

pub struct Logins {
    wtmp: LogFile,
    /// Users by terminal.
    sessions: HashMap<String, String>,
}

impl Default for Logins {
    fn default() -> Self {
        Self { wtmp: LogFile::records(WTMP, RECORD), sessions: HashMap::new() }
    }
}

impl Watched for Logins {
    fn look(&mut self, glance: &Glance, found: &mut Found) {
        let bytes = self.wtmp.bytes(glance.since);
        found.changes.extend(bytes.chunks_exact(RECORD).filter_map(|record| self.one(record)));
    }
}

impl Logins {
    fn one(&mut self, record: &[u8]) -> Option<Change> {
        // SAFETY: as many bytes as it has, and any are numbers and characters.
        let record: libc::utmpx = unsafe { record.as_ptr().cast::<libc::utmpx>().read_unaligned() };
        let micros = wide(record.ut_tv.tv_usec).clamp(0, 999_999) as i32;
        let at = Timestamp::new(wide(record.ut_tv.tv_sec), micros * 1000).ok()?;
        let [line, user, host] = [text(&record.ut_line), text(&record.ut_user), text(&record.ut_host)];
        let login = |did, user: &str| Glance::kept(at, ChangeKind::Login, did, format!("{user} on {line}"), WTMP);
        match record.ut_type {
            libc::USER_PROCESS => {
                if self.sessions.len() < SESSIONS {
                    self.sessions.insert(line.clone(), user.clone());
                }
                let from = Some(host).filter(|host| !host.is_empty());
                let pid = u32::try_from(record.ut_pid).ok();
                Some(Change { from, pid, author: Some(user.clone()), ..login(Did::Began, &user) })
            }
            libc::DEAD_PROCESS => {
                let user = self.sessions.remove(&line)?;
                Some(Change { author: Some(user.clone()), ..login(Did::Ended, &user) })
            }
            _ => None,
        }
    }
}

/// It has half as many bits on some machines.
fn wide(number: impl Into<i64>) -> i64 {
    number.into()
}

/// Filled up with zeros.
fn text(characters: &[c_char]) -> String {
    let bytes: Vec<u8> = characters.iter().flat_map(|char| char.to_ne_bytes()).take_while(|&byte| byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: i16, line: &str, user: &str, host: &[u8]) -> Vec<u8> {
        // SAFETY: all zeros are an empty record.
        let mut record: libc::utmpx = unsafe { std::mem::zeroed() };
        let fill =
            |to: &mut [c_char], from: &[u8]| to.iter_mut().zip(from).for_each(|(to, from)| *to = *from as c_char);
        fill(&mut record.ut_line, line.as_bytes());
        fill(&mut record.ut_user, user.as_bytes());
        fill(&mut record.ut_host, host);
        (record.ut_type, record.ut_pid) = (kind, 431);
        (record.ut_tv.tv_sec, record.ut_tv.tv_usec) = (1_772_366_400, 250_000);
        // SAFETY: all of it, for as long as it lives.
        unsafe { std::slice::from_raw_parts((&raw const record).cast::<u8>(), RECORD) }.to_vec()
    }

    #[test]
    fn sessions_begin_and_end() {
        let mut logins = Logins::default();
        let mut one = |kind, line: &str, user: &str, host: &[u8]| logins.one(&record(kind, line, user, host));
        let began = one(libc::USER_PROCESS, "pts/0", "alice", b"10.0.0.7\x1b\xff").unwrap();
        assert_eq!((began.did, began.what.as_str(), began.pid), (Did::Began, "alice on pts/0", Some(431)));
        assert_eq!(began.from.as_deref(), Some("10.0.0.7\u{1b}\u{fffd}"));
        assert_eq!(began.at.to_string(), "2026-03-01T12:00:00.25Z");
        assert_eq!(one(libc::DEAD_PROCESS, "pts/1", "", b""), None);
        let ended = one(libc::DEAD_PROCESS, "pts/0", "", b"").unwrap();
        assert_eq!(
            (ended.did, ended.what.as_str(), ended.author.as_deref()),
            (Did::Ended, "alice on pts/0", Some("alice"))
        );
        assert_eq!((one(libc::DEAD_PROCESS, "pts/0", "", b""), one(libc::BOOT_TIME, "~", "reboot", b"")), (None, None));
    }
}
