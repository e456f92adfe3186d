//! The export format of journals: `FIELD=value` lines, or where a value has bytes that are no text, the name, eight bytes of length, and the value; an empty
//! line behind each entry.

use std::io::{self, BufRead, Read};

use jiff::Timestamp;

use crate::log_line::LONGEST;

/// Those that are asked for, beside the time.
pub const FIELDS: [&str; 8] = [
    "MESSAGE",
    "PRIORITY",
    "SYSLOG_IDENTIFIER",
    "_PID",
    "_COMM",
    "_SYSTEMD_UNIT",
    "_SYSTEMD_CGROUP",
    "_SOURCE_REALTIME_TIMESTAMP",
];

/// Of one entry.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fields {
    pub at: Option<Timestamp>,
    pub message: Vec<u8>,
    /// Of all of the message.
    pub length: u64,
    pub priority: Option<u32>,
    pub ident: Option<Vec<u8>>,
    pub pid: Option<u32>,
    pub comm: Option<Vec<u8>>,
    pub unit: Option<Vec<u8>>,
    pub cgroup: Option<Vec<u8>>,
}

/// The next one; none: there is no more.
pub fn entry(from: &mut impl BufRead) -> io::Result<Option<Fields>> {
    let mut fields = Fields::default();
    let mut is_empty = true;
    loop {
        let Some((line, length)) = line(from)? else { return Ok(None) };
        if line.is_empty() {
            if is_empty {
                continue;
            }
            return Ok(Some(fields));
        }
        is_empty = false;
        match line.iter().position(|byte| *byte == b'=') {
            Some(end) => fields.set(&line[..end], line[end + 1..].to_vec(), length - end as u64 - 1),
            None => {
                let (value, length) = binary(from)?;
                fields.set(&line, value, length);
            }
        }
    }
}

/// The begin of a line, and its length.
fn line(from: &mut impl BufRead) -> io::Result<Option<(Vec<u8>, u64)>> {
    let mut line = Vec::new();
    let most = LONGEST as u64 + 64;
    if from.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.pop_if(|byte| *byte == b'\n').is_some() {
        let length = line.len() as u64;
        return Ok(Some((line, length)));
    }
    let rest = from.skip_until(b'\n')? as u64;
    let length = line.len() as u64 + rest.saturating_sub(1);
    Ok(Some((line, length)))
}

fn binary(from: &mut impl BufRead) -> io::Result<(Vec<u8>, u64)> {
    let mut length = [0; 8];
    from.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    let mut value = Vec::new();
    from.by_ref().take(length.min(LONGEST as u64)).read_to_end(&mut value)?;
    let rest = length - value.len() as u64;
    io::copy(&mut from.by_ref().take(rest.saturating_add(1)), &mut io::sink())?;
    Ok((value, length))
}

impl Fields {
    fn set(&mut self, name: &[u8], value: Vec<u8>, length: u64) {
        let number = || std::str::from_utf8(&value).ok()?.parse::<u64>().ok();
        let small = || number()?.try_into().ok();
        let at = || Timestamp::from_microsecond(number()?.try_into().ok()?).ok();
        match name {
            b"MESSAGE" => (self.message, self.length) = (value, length),
            b"PRIORITY" => self.priority = small(),
            b"_PID" => self.pid = small(),
            b"SYSLOG_IDENTIFIER" => self.ident = Some(value),
            b"_COMM" => self.comm = Some(value),
            b"_SYSTEMD_UNIT" => self.unit = Some(value),
            b"_SYSTEMD_CGROUP" => self.cgroup = Some(value),
            b"_SOURCE_REALTIME_TIMESTAMP" => self.at = at(),
            b"__REALTIME_TIMESTAMP" => self.at = self.at.or(at()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(bytes: &[u8]) -> Vec<Fields> {
        let mut from = bytes;
        std::iter::from_fn(|| entry(&mut from).ok().flatten()).collect()
    }

    #[test]
    fn entries() {
        let mut bytes = b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=1795759200123456\nPRIORITY=3\n_PID=7\n_COMM=app\n\
            SYSLOG_IDENTIFIER=app\n_SYSTEMD_UNIT=app.service\n_SYSTEMD_CGROUP=/system.slice/app.service\nMESSAGE=a=b\n\nMESSAGE\n"
            .to_vec();
        bytes.extend(4_u64.to_le_bytes());
        bytes.extend(b"x\n\xff=\n\n");
        let found = all(&bytes);
        let [first, second] = &found[..] else { panic!("{found:?}") };
        assert_eq!((&*first.message, first.length, first.priority, first.pid), (&b"a=b"[..], 3, Some(3), Some(7)));
        assert_eq!(first.at.map(|at| at.to_string()).as_deref(), Some("2026-11-27T06:00:00.123456Z"));
        assert_eq!(first.cgroup.as_deref(), Some(&b"/system.slice/app.service"[..]));
        assert_eq!((&*second.message, second.length, second.at), (&b"x\n\xff="[..], 4, None));
    }

    #[test]
    fn what_is_long_is_cut_and_counted() {
        let text = vec![b'x'; 1 << 20];
        let plain = [b"MESSAGE=".as_slice(), &text, b"\n\nMESSAGE=next\n\n"].concat();
        let binary = [b"MESSAGE\n".as_slice(), &(1_u64 << 20).to_le_bytes(), &text, b"\n\nMESSAGE=next\n\n"].concat();
        for bytes in [plain, binary] {
            let found = all(&bytes);
            assert_eq!((found.len(), found[0].length, &*found[1].message), (2, 1 << 20, &b"next"[..]));
            assert!(found[0].message.len() <= LONGEST + 64);
        }
    }

    proptest! {
        /// Whatever comes has an end, and takes little room.
        #[test]
        fn anything(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'=')], 0..300)) {
            prop_assert!(all(&bytes).len() <= bytes.len());
        }

        #[test]
        fn any_message(message in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = [b"MESSAGE\n".as_slice(), &(message.len() as u64).to_le_bytes(), &message, b"\n\n"].concat();
            let found = all(&bytes);
            prop_assert_eq!(&found[0].message, &message);
        }
    }
}
