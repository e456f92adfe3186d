//! Time stamps that programs write at the begin of their lines.
//!
//! | | |
//! |---|---|
//! | `2026-11-27T06:00:00.123+01:00`, `2026-11-27 06:00:00,123 UTC`, `2026/11/27 06:00:00` | RFC 3339 and its kin |
//! | `Nov 27 06:00:00` | syslog |
//! | `27/Nov/2026:06:00:00 +0100`, `Fri Nov 27 06:00:00.123 2026` | web servers |
//! | `27 Nov 2026 06:00:00.123` | Redis |
//! | `E1127 06:00:00.123` | glog |
//! | `1795759200.123` | seconds since 1970 |
//!
//! Without an offset they are local time. What is not of the last week or the next hour is no time of its line.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time},
    tz::{Offset, TimeZone},
};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const PAST: SignedDuration = SignedDuration::from_hours(7 * 24);
const FUTURE: SignedDuration = SignedDuration::from_hours(1);

/// Where and when a line is read.
#[derive(Clone, Debug)]
pub struct Here {
    pub zone: TimeZone,
    pub now: Timestamp,
}

/// When, and how much of the text says that.
pub fn stamp(text: &str, here: &Here) -> Option<(Timestamp, usize)> {
    const FORMATS: [fn(&mut Cursor, &Here) -> Option<Timestamp>; 7] =
        [iso, syslog, day_first, clf, weekday, glog, epoch];
    FORMATS.iter().find_map(|format| {
        let mut cursor = Cursor { text, at: 0 };
        let at = format(&mut cursor, here)?;
        let is_near = at.duration_since(here.now) <= FUTURE && here.now.duration_since(at) <= PAST;
        is_near.then_some((at, cursor.at))
    })
}

fn iso(text: &mut Cursor, here: &Here) -> Option<Timestamp> {
    let year = text.digits(4)?;
    let between = text.one(&['-', '/'])?;
    let month = text.digits(2)?;
    text.one(&[between])?;
    let day = text.digits(2)?;
    text.one(&['T', ' '])?;
    let time = text.time()?;
    text.moment(date(year, month, day)?, time, here)
}

fn syslog(text: &mut Cursor, here: &Here) -> Option<Timestamp> {
    let month = text.month()?;
    text.one(&[' '])?;
    text.one(&[' ']);
    let day = text.number()?;
    text.one(&[' '])?;
    let with_year = text.clone().digits(4).filter(|_| text.rest().as_bytes().get(4) == Some(&b' '));
    if with_year.is_some() {
        text.at += 5;
    }
    let time = text.time()?;
    match with_year {
        Some(year) => text.moment(date(year, month, day)?, time, here),
        None => this_year(text, [month, day], time, here),
    }
}

fn glog(text: &mut Cursor, here: &Here) -> Option<Timestamp> {
    text.one(&['I', 'W', 'E', 'F'])?;
    let (month, day) = (text.digits(2)?, text.digits(2)?);
    text.one(&[' '])?;
    let time = text.time()?;
    this_year(text, [month, day], time, here)
}

fn day_first(text: &mut Cursor, here: &Here) -> Option<Timestamp> {
    let day = text.digits(2)?;
    text.one(&[' '])?;
    let month = text.month()?;
    text.one(&[' '])?;
    let year = text.digits(4)?;
    text.one(&[' '])?;
    let time = text.time()?;
    text.moment(date(year, month, day)?, time, here)
}

fn clf(text: &mut Cursor, here: &Here) -> Option<Timestamp> {
    let day = text.digits(2)?;
    text.one(&['/'])?;
    let month = text.month()?;
    text.one(&['/'])?;
    let year = text.digits(4)?;
    text.one(&[':'])?;
    let time = text.time()?;
    text.moment(date(year, month, day)?, time, here)
}

fn weekday(text: &mut Cursor, here: &Here) -> Option<Timestamp> {
    DAYS.iter().find(|day| text.word(day))?;
    text.one(&[' '])?;
    let month = text.month()?;
    text.one(&[' '])?;
    text.one(&[' ']);
    let day = text.number()?;
    text.one(&[' '])?;
    let time = text.time()?;
    text.one(&[' '])?;
    let year = text.digits(4)?;
    text.moment(date(year, month, day)?, time, here)
}

fn epoch(text: &mut Cursor, _: &Here) -> Option<Timestamp> {
    let seconds = i64::from(text.digits(5)?) * 100_000 + i64::from(text.digits(5)?);
    let nanoseconds = text.fraction();
    let ends = text.rest().is_empty() || text.rest().starts_with([' ', ',', '|', '\t']);
    Timestamp::new(seconds, nanoseconds).ok().filter(|_| ends)
}

fn date(year: u32, month: u32, day: u32) -> Option<Date> {
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Of this year, or of the last: nobody writes what is to come.
fn this_year(text: &mut Cursor, [month, day]: [u32; 2], time: Time, here: &Here) -> Option<Timestamp> {
    let year = here.now.to_zoned(here.zone.clone()).year().unsigned_abs().into();
    let begin = text.at;
    let at = text.moment(date(year, month, day)?, time, here)?;
    if at.duration_since(here.now) <= FUTURE {
        return Some(at);
    }
    text.at = begin;
    text.moment(date(year - 1, month, day)?, time, here)
}

#[derive(Clone)]
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl Cursor<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn one(&mut self, of: &[char]) -> Option<char> {
        let char = self.rest().chars().next().filter(|char| of.contains(char))?;
        self.at += char.len_utf8();
        Some(char)
    }

    fn word(&mut self, word: &str) -> bool {
        let is_there = self.rest().starts_with(word);
        self.at += if is_there { word.len() } else { 0 };
        is_there
    }

    /// Exactly so many.
    fn digits(&mut self, count: usize) -> Option<u32> {
        let digits = self.rest().get(..count).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        let number = digits.parse().ok()?;
        self.at += count;
        Some(number)
    }

    /// One digit or two.
    fn number(&mut self) -> Option<u32> {
        self.digits(2).or_else(|| self.digits(1))
    }

    fn month(&mut self) -> Option<u32> {
        let month = MONTHS.iter().position(|month| self.word(month))?;
        Some(month as u32 + 1)
    }

    fn time(&mut self) -> Option<Time> {
        let hour = self.digits(2)?;
        self.one(&[':'])?;
        let minute = self.digits(2)?;
        self.one(&[':'])?;
        let second = self.digits(2)?;
        let nanosecond = self.fraction();
        // A leap second is the second before it.
        Time::new(hour as i8, minute as i8, second.min(59) as i8, nanosecond).ok().filter(|_| second <= 60)
    }

    /// Nanoseconds; what is finer is left out.
    fn fraction(&mut self) -> i32 {
        let mut ahead = self.clone();
        if ahead.one(&['.', ',']).is_none() {
            return 0;
        }
        let digits = ahead.rest().bytes().take_while(u8::is_ascii_digit).count();
        let known = &ahead.rest()[..digits.min(9)];
        let Ok(number) = known.parse::<i32>() else { return 0 };
        let nanoseconds = number * 10_i32.pow(9 - known.len() as u32);
        self.at = ahead.at + digits;
        nanoseconds
    }

    /// With the offset that may follow, or else local time.
    fn moment(&mut self, date: Date, time: Time, here: &Here) -> Option<Timestamp> {
        let zone = self.offset().map_or_else(|| here.zone.clone(), TimeZone::fixed);
        Some(DateTime::from_parts(date, time).to_zoned(zone).ok()?.timestamp())
    }

    fn offset(&mut self) -> Option<Offset> {
        let mut ahead = self.clone();
        ahead.one(&[' ']);
        if ["UTC", "GMT", "Z"].iter().any(|name| ahead.word(name)) {
            self.at = ahead.at;
            return Some(Offset::UTC);
        }
        let sign = if ahead.one(&['+', '-'])? == '+' { 1 } else { -1 };
        let hours = ahead.digits(2)?;
        ahead.one(&[':']);
        let minutes = ahead.digits(2).unwrap_or(0);
        let offset = Offset::from_seconds(sign * (hours * 3600 + minutes * 60) as i32).ok()?;
        self.at = ahead.at;
        Some(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<(String, String)> {
        let zone = TimeZone::fixed(Offset::constant(1));
        let here = Here { zone, now: "2026-11-27T12:00:00Z".parse().unwrap() };
        stamp(text, &here).map(|(at, end)| (at.to_string(), text[end..].to_owned()))
    }

    #[test]
    fn what_programs_write() {
        let cases = [
            ("2026-11-27T06:00:00.123456789+02:00 web app[1]: x", "2026-11-27T04:00:00.123456789Z", " web app[1]: x"),
            ("2026-11-27 06:00:00.5 UTC [12] LOG:  x", "2026-11-27T06:00:00.5Z", " [12] LOG:  x"),
            ("2026-11-27 06:00:00,123 - root - x", "2026-11-27T05:00:00.123Z", " - root - x"),
            ("2026/11/27 06:00:00 [error] 7#7: x", "2026-11-27T05:00:00Z", " [error] 7#7: x"),
            ("Nov 27 06:00:00 web sshd[7]: x", "2026-11-27T05:00:00Z", " web sshd[7]: x"),
            ("Nov 27 2026 06:00:00: x", "2026-11-27T05:00:00Z", ": x"),
            ("27/Nov/2026:06:00:00 -0130] x", "2026-11-27T07:30:00Z", "] x"),
            ("Fri Nov 27 06:00:00.25 2026] x", "2026-11-27T05:00:00.25Z", "] x"),
            ("27 Nov 2026 06:00:00.001 * x", "2026-11-27T05:00:00.001Z", " * x"),
            ("E1127 06:00:00.5   77 main.go:1] x", "2026-11-27T05:00:00.5Z", "   77 main.go:1] x"),
            ("1795759200.75 x", "2026-11-27T06:00:00.75Z", " x"),
        ];
        for (text, at, rest) in cases {
            assert_eq!(of(text), Some((at.to_owned(), rest.to_owned())), "{text}");
        }
        assert_eq!(of("Nov  3 06:00:00 web x"), None, "that is weeks ago");
        for text in [
            "",
            "at 2026-11-27 06:00:00",
            "2026-13-01 00:00:00",
            "2026-11-27",
            "2021-11-27 06:00:00 x",
            "12",
            "1795759200x",
            "Nov 27",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn the_turn_of_the_year() {
        let here = Here { zone: TimeZone::UTC, now: "2027-01-01T00:00:03Z".parse().unwrap() };
        let at = |text| stamp(text, &here).map(|(at, _)| at.to_string());
        assert_eq!(at("Dec 31 23:59:59 x"), Some("2026-12-31T23:59:59Z".to_owned()));
        assert_eq!(at("Jan  1 00:00:01 x"), Some("2027-01-01T00:00:01Z".to_owned()));
    }
}
