//! What a line of a log says beside its text: how severe it is, when it was written and by whom, what harm it tells of, and what it is like.
//!
//! Nothing is read here. Lines are whatever anybody wrote: each is taken apart from its beginning, and what does not fit says nothing.

mod harm;
mod head;
mod stamp;
mod template;

use serde::{Deserialize, Serialize};

pub use self::{
    harm::{Harm, HarmKind, harm},
    head::{LineHead, head, program},
    stamp::Here,
    template::Templates,
};

/// Of a line that is longer only the first bytes are kept.
pub const LONGEST: usize = 4096;

/// As syslog numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    Emergency,
    Alert,
    Critical,
    Error,
    Warning,
    Notice,
    Info,
    Debug,
}

impl Severity {
    pub const ALL: [Self; 8] = [
        Self::Emergency,
        Self::Alert,
        Self::Critical,
        Self::Error,
        Self::Warning,
        Self::Notice,
        Self::Info,
        Self::Debug,
    ];

    pub fn name(self) -> &'static str {
        ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"][self as usize]
    }

    /// The lower three bits of a priority.
    pub fn of(priority: u32) -> Self {
        Self::ALL[(priority & 7) as usize]
    }

    pub fn is_error(self) -> bool {
        self <= Self::Error
    }
}

/// Whose time a line has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimeOf {
    /// It says so.
    Line,
    /// That of the line before, which it goes on.
    Before,
    /// It came then.
    Arrival,
}

impl TimeOf {
    pub const ALL: [Self; 3] = [Self::Line, Self::Before, Self::Arrival];

    pub fn name(self) -> &'static str {
        ["line", "line before", "arrival"][self as usize]
    }
}

/// Bytes that are not UTF-8, and backslashes beside them, as `\xff`; whether there are any. Otherwise the text is as it was.
pub fn text(bytes: &[u8]) -> (String, bool) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (text.to_owned(), false);
    }
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text += &chunk.valid().replace('\\', "\\x5c");
        chunk.invalid().iter().for_each(|byte| text += &format!("\\x{byte:02x}"));
    }
    (text, true)
}

/// `\x1b` → what it stands for.
pub fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, more)) = rest.split_first() {
        let escape = rest.strip_prefix(b"\\x").and_then(|digits| {
            let digits = std::str::from_utf8(digits.get(..2)?).ok()?;
            u8::from_str_radix(digits, 16).ok()
        });
        bytes.push(escape.unwrap_or(byte));
        rest = if escape.is_some() { &rest[4..] } else { more };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn priorities() {
        assert_eq!((Severity::of(3), Severity::of(30)), (Severity::Error, Severity::Info));
        assert!(Severity::Critical.is_error() && !Severity::Warning.is_error());
    }

    proptest! {
        #[test]
        fn bytes_are_kept(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let (text, encoded) = text(&bytes);
            let back = if encoded { unescaped(text.as_bytes()) } else { text.into_bytes() };
            prop_assert_eq!(back, bytes);
        }

        /// Whatever a line is, it is looked at, and nothing more.
        #[test]
        fn any_line_can_be_looked_at(line in "\\PC{0,200}|.{0,60}error, dev .{0,20}|.{0,9}\\[[0-9]{0,12}\\]: segfault at.{0,9}|[0-9TZ:,. +-]{0,40}") {
            let here = Here { zone: jiff::tz::TimeZone::UTC, now: jiff::Timestamp::UNIX_EPOCH };
            head(&line, &here);
            harm(&line);
            Templates::default().is_new(&line, std::time::Duration::ZERO);
        }
    }
}
