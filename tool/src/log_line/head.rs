//! What stands before the message of a line that a program wrote: time, host, program, process, severity.

use jiff::Timestamp;

use super::{
    Severity,
    stamp::{Here, stamp},
};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineHead {
    pub at: Option<Timestamp>,
    pub severity: Option<Severity>,
    /// What the program calls itself.
    pub ident: Option<String>,
    pub pid: Option<u32>,
}

/// So far into a line its severity is looked for.
const FAR: usize = 160;
/// Longest name of a program.
const IDENT: usize = 48;

pub fn head(line: &str, here: &Here) -> LineHead {
    let far = &line[..line.floor_char_boundary(FAR)];
    let (before, pid) = redis(far).map_or((0, None), |(before, pid)| (before, Some(pid)));
    let inside = &far[before..];
    let stamped =
        ["", "["].iter().find_map(|begin| stamp(inside.strip_prefix(begin)?, here).map(|it| (begin.len(), it)));
    // A web server's stands behind who asked.
    let stamped = stamped.map(|(before, (at, length))| (at, before + length)).or_else(|| {
        let place = inside.find(" [")? + 2;
        stamp(&inside[place..], here).map(|(at, length)| (at, place + length))
    });
    let Some((at, end)) = stamped else {
        return LineHead { severity: severity(far), pid, ..LineHead::default() };
    };
    let rest = inside[end..].trim_start_matches([']', ' ']);
    let (ident, own) = syslog(rest).unwrap_or_else(|| (None, bracketed(rest)));
    let glog = inside.chars().next().and_then(|char| match char {
        'F' => Some(Severity::Critical),
        'E' => Some(Severity::Error),
        'W' => Some(Severity::Warning),
        'I' => Some(Severity::Info),
        _ => None,
    });
    let glog = glog.filter(|_| inside.as_bytes().get(1).is_some_and(u8::is_ascii_digit));
    LineHead { at: Some(at), severity: glog.or_else(|| severity(rest)), ident, pid: own.or(pid) }
}

/// `1234:M ` before the time.
fn redis(line: &str) -> Option<(usize, u32)> {
    let (pid, rest) = line.split_once(':')?;
    let role = rest.as_bytes();
    let fits = role.first().is_some_and(u8::is_ascii_uppercase) && role.get(1) == Some(&b' ');
    Some((pid.len() + 3, pid.parse().ok().filter(|_| fits)?))
}

/// `web sshd[7]: …`: who, and the process, if it says so.
fn syslog(rest: &str) -> Option<(Option<String>, Option<u32>)> {
    let (host, rest) = rest.split_once(' ')?;
    let (ident, pid) = program(rest)?;
    (is_name(host) && word(host).is_none()).then_some((Some(ident), pid))
}

/// `sshd[7]: …`
pub fn program(text: &str) -> Option<(String, Option<u32>)> {
    let (tag, _) = text.split_once(": ").or_else(|| Some((text.strip_suffix(':')?, "")))?;
    let (ident, pid) = match tag.strip_suffix(']').and_then(|tag| tag.split_once('[')) {
        Some((ident, pid)) => (ident, Some(pid.parse().ok()?)),
        None => (tag, None),
    };
    is_name(ident).then(|| (ident.to_owned(), pid))
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && word.len() <= IDENT && !word.contains([' ', '[', ']', '"', '='])
}

/// `[1234] …`
fn bracketed(rest: &str) -> Option<u32> {
    rest.strip_prefix('[')?.split_once(']')?.0.parse().ok()
}

/// The first word that names one, if it is written as such a name: in capitals, in brackets or quotes, or with a colon or an equals sign.
fn severity(text: &str) -> Option<Severity> {
    let is_part = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let mut at = 0;
    while let Some(begin) = text[at..].find(is_part).map(|place| at + place) {
        let end = text[begin..].find(|char| !is_part(char)).map_or(text.len(), |length| begin + length);
        let (name, before, after) = (&text[begin..end], text[..begin].chars().next_back(), text[end..].chars().next());
        let is_marked = name.bytes().all(|byte| byte.is_ascii_uppercase())
            || matches!(before, Some('[' | '=' | '"' | '<'))
            || matches!(after, Some(']' | ':' | '>'));
        if let Some(severity) = word(name).filter(|_| is_marked) {
            return Some(severity);
        }
        at = end;
    }
    None
}

fn word(name: &str) -> Option<Severity> {
    const WORDS: [(&str, Severity); 20] = [
        ("emerg", Severity::Emergency),
        ("emergency", Severity::Emergency),
        ("panic", Severity::Alert),
        ("alert", Severity::Alert),
        ("crit", Severity::Critical),
        ("critical", Severity::Critical),
        ("fatal", Severity::Critical),
        ("severe", Severity::Error),
        ("err", Severity::Error),
        ("error", Severity::Error),
        ("warn", Severity::Warning),
        ("warning", Severity::Warning),
        ("notice", Severity::Notice),
        ("info", Severity::Info),
        ("information", Severity::Info),
        ("log", Severity::Info),
        ("statement", Severity::Info),
        ("debug", Severity::Debug),
        ("trace", Severity::Debug),
        ("verbose", Severity::Debug),
    ];
    WORDS.iter().find(|(word, _)| name.eq_ignore_ascii_case(word)).map(|(_, severity)| *severity)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn of(line: &str) -> (Option<Severity>, Option<String>, Option<u32>, bool) {
        let here = Here { zone: TimeZone::UTC, now: "2026-11-27T12:00:00Z".parse().unwrap() };
        let LineHead { at, severity, ident, pid } = head(line, &here);
        (severity, ident, pid, at.is_some())
    }

    #[test]
    fn what_programs_write() {
        use Severity::*;
        let name = |name: &str| Some(name.to_owned());
        let cases = [
            ("Nov 27 11:00:00 web sshd[7]: Failed password", (None, name("sshd"), Some(7), true)),
            ("2026-11-27T11:00:00+00:00 web cron: error: bad", (Some(Error), name("cron"), None, true)),
            ("2026-11-27 11:00:00.123 UTC [4711] app@shop ERROR:  relation", (Some(Error), None, Some(4711), true)),
            ("2026-11-27 11:00:00.123 UTC [4711] LOG:  checkpoint", (Some(Info), None, Some(4711), true)),
            ("2026/11/27 11:00:00 [crit] 7#7: *1 open() failed", (Some(Critical), None, None, true)),
            ("2026-11-27 11:00:00,123 - WARNING - root - x", (Some(Warning), None, None, true)),
            ("2026-11-27T11:00:00.1Z 0 [Warning] [MY-010] x", (Some(Warning), None, None, true)),
            ("time=2026 level=error msg=\"x\"", (Some(Error), None, None, false)),
            ("{\"level\":\"info\",\"msg\":\"x\"}", (Some(Info), None, None, false)),
            ("10.0.0.1 - - [27/Nov/2026:11:00:00 +0000] \"GET / HTTP/1.1\" 500", (None, None, None, true)),
            ("[Fri Nov 27 11:00:00.25 2026] [core:error] [pid 7] x", (Some(Error), None, None, true)),
            ("77:M 27 Nov 2026 11:00:00.001 * Ready", (None, None, Some(77), true)),
            ("E1127 11:00:00.5   77 main.go:1] x", (Some(Error), None, None, true)),
            ("2026-11-27T11:00:00Z INFO module: no errors, error is a word", (Some(Info), None, None, true)),
            ("there was no error at all", (None, None, None, false)),
            ("Traceback (most recent call last):", (None, None, None, false)),
            ("ValueError: x", (None, None, None, false)),
            ("FATAL: x", (Some(Critical), None, None, false)),
            ("", (None, None, None, false)),
        ];
        for (line, expected) in cases {
            assert_eq!(of(line), expected, "{line}");
        }
    }
}
