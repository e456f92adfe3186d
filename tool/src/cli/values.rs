//! One word of the command line → one checked value. Each error says what to write instead.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use jiff::{
    Timestamp,
    civil::{DateTime, Time},
    tz::TimeZone,
};

use stillwatch_common::tcp::PAYLOAD;

use super::plan::{Prefix, When};
use crate::{
    kernel::features::{FOREIGN, first_pid_namespace},
    syscall_names,
};

/// The name of `--hist` that stands for all calls together.
pub const TOTAL: &str = "total";

/// Shorter intervals would measure mostly ourselves.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// The kernel keeps 16 bytes for a thread's name, the last of them 0.
const COMM_MAX: usize = 15;

pub fn interval(word: &str) -> Result<Duration, String> {
    let interval = duration(word)?;
    if (SHORTEST..=LONGEST).contains(&interval) { Ok(interval) } else { Err("give 10ms to 24h".into()) }
}

/// Zero would list every call, at a cost per call that nobody asked for.
pub fn slow(word: &str) -> Result<Duration, String> {
    let slow = duration(word)?;
    if slow >= Duration::from_micros(1) && slow <= LONGEST {
        Ok(slow)
    } else {
        Err("give 1us to 24h; for all calls there is --by process".into())
    }
}

/// Below this a stack costs more than the wait is worth.
pub fn stall(word: &str) -> Result<Duration, String> {
    let stall = duration(word)?;
    let possible = Duration::from_micros(100)..=LONGEST;
    if possible.contains(&stall) { Ok(stall) } else { Err("give 100us to 24h".into()) }
}

pub fn slow_request(word: &str) -> Result<Duration, String> {
    let slow = duration(word)?;
    let possible = Duration::from_micros(100)..=LONGEST;
    if possible.contains(&slow) {
        Ok(slow)
    } else {
        Err("give 100us to 24h; all requests are in the histograms".into())
    }
}

/// A point a second at most, and not more points than are kept.
pub fn lead_up(word: &str) -> Result<Duration, String> {
    let lead_up = duration(word)?;
    let possible = Duration::from_secs(60)..=Duration::from_secs(3600);
    if possible.contains(&lead_up) { Ok(lead_up) } else { Err("give 1m to 1h".into()) }
}

/// Findings look ahead as far as they have looked back, and somewhat further.
pub fn horizon(word: &str) -> Result<Duration, String> {
    let horizon = duration(word)?;
    let possible = Duration::from_secs(60)..=LONGEST;
    if possible.contains(&horizon) { Ok(horizon) } else { Err("give 1m to 24h".into()) }
}

pub fn payload(word: &str) -> Result<usize, String> {
    let bytes = word.parse().ok().filter(|bytes| *bytes <= PAYLOAD);
    bytes.ok_or_else(|| format!("give 0 to {PAYLOAD} bytes"))
}

pub fn slow_connect(word: &str) -> Result<Duration, String> {
    let slow = duration(word)?;
    let possible = Duration::from_micros(10)..=LONGEST;
    if possible.contains(&slow) {
        Ok(slow)
    } else {
        Err("give 10us to 24h; all connections are in the histograms".into())
    }
}

pub fn slow_wait(word: &str) -> Result<Duration, String> {
    let slow = duration(word)?;
    let possible = Duration::from_micros(10)..=LONGEST;
    if possible.contains(&slow) {
        Ok(slow)
    } else {
        Err("give 10us to 24h; for all waits there is --by process".into())
    }
}

/// A block device or partition that exists now, as the kernel names it. Its path is understood too, links included, and
/// the name that device mapper and md give it.
pub fn device(word: &str) -> Result<String, String> {
    let names = ["", "/dev/", "/dev/mapper/", "/dev/md/"].into_iter().filter_map(|below| {
        let path = format!("{below}{word}");
        path.starts_with("/dev/").then(|| std::fs::canonicalize(path).ok())?
    });
    // The kernel writes `!` where the path has a slash.
    let names = names.filter_map(|path| Some(path.strip_prefix("/dev").ok()?.to_str()?.replace('/', "!")));
    std::iter::once(word.to_owned()).chain(names).find(|name| is_device(name)).ok_or_else(|| {
        let all: Vec<_> =
            std::fs::read_dir(DEVICES).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
        match syscall_names::nearest(word.trim_start_matches("/dev/"), all.iter().filter_map(|name| name.to_str())) {
            Some(near) => format!("there is no such block device; did you mean '{near}'?"),
            None => format!("there is no such block device (ls {DEVICES} lists them)"),
        }
    })
}

const DEVICES: &str = "/sys/class/block";

/// Every one has a size, hidden paths to a disk too; the folders `.` and `..` have none.
fn is_device(name: &str) -> bool {
    !name.is_empty() && !name.contains('/') && std::path::Path::new(DEVICES).join(name).join("size").exists()
}

/// How far back something reaches.
pub fn keep(word: &str) -> Result<Duration, String> {
    let keep = match word.strip_suffix('d').and_then(|days| days.parse::<u32>().ok()) {
        Some(days) => DAY * days,
        None => duration(word)?,
    };
    if (Duration::from_secs(1)..=3660 * DAY).contains(&keep) { Ok(keep) } else { Err("give 1s to 3660d".into()) }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Less would hold hardly anything.
pub fn size(word: &str) -> Result<u64, String> {
    let wrong = || "write a size like 512MiB or 2GiB".to_owned();
    let unit = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    let (number, unit) = word.split_at(unit);
    let shift = match unit {
        "MiB" | "M" => 20,
        "GiB" | "G" => 30,
        "TiB" | "T" => 40,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    match number.checked_mul(1 << shift) {
        Some(bytes) if (1 << 20..=1 << 50).contains(&bytes) => Ok(bytes),
        _ => Err("give 1MiB to 1024TiB".into()),
    }
}

/// A moment: with a zone, of this zone, or of the last day that has it.
pub fn when(word: &str) -> Result<When, String> {
    if let Ok(at) = word.parse::<Timestamp>() {
        return Ok(When::At(at));
    }
    let here = |at: DateTime| at.to_zoned(TimeZone::system()).map(|at| When::At(at.timestamp()));
    match (word.parse::<Time>(), word.parse::<DateTime>().map(here)) {
        (Ok(time), _) if !word.contains('-') => Ok(When::Clock(time)),
        (_, Ok(Ok(at))) => Ok(at),
        _ => Err("write a time like 14:02, 14:02:11 or 2026-03-01T14:02".into()),
    }
}

pub fn number(word: &str) -> Result<u32, String> {
    word.parse().map_err(|_| "write a whole number".into())
}

/// Its whole path, as no process that is looked at is where we are.
pub fn folder(word: &str) -> Result<PathBuf, String> {
    std::path::absolute(word).map_err(|error| error.to_string())
}

/// Its ending says what it is.
pub fn report_file(word: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(word);
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("html" | "md") => Ok(path),
        _ => Err("a name that ends in .html or .md says what to write".into()),
    }
}

/// A bare number is seconds.
fn duration(word: &str) -> Result<Duration, String> {
    let wrong = || "write a duration like 1, 0.5, 250ms, 2s or 1m".to_owned();
    let unit = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
    let (number, unit) = word.split_at(unit);
    let scale = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * scale).map_err(|_| wrong())
}

/// Of all CPUs.
pub fn percent(word: &str) -> Result<f64, String> {
    let percent: f64 = word.trim_end_matches('%').parse().map_err(|_| "give a number, as in 0.5".to_owned())?;
    if (0.01..=100.0).contains(&percent) { Ok(percent) } else { Err("give 0.01 to 100".into()) }
}

pub fn at_least_one(word: &str) -> Result<u64, String> {
    match word.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("write a whole number, 1 or more".into()),
    }
}

pub fn pid(word: &str) -> Result<u32, String> {
    word.parse().ok().filter(|pid| *pid > 0).ok_or_else(|| "write a process number, 1 or more".into())
}

/// A process that exists now; a thread's number is refused with the one to use.
pub fn lives(pid: u32) -> Result<u32, String> {
    lives_in(first_pid_namespace() != Some(false), pid)
}

fn lives_in(first_namespace: bool, pid: u32) -> Result<u32, String> {
    if !first_namespace {
        return Err(format!("{FOREIGN}: choose by --comm or --cgroup, or run in the host's (--pid=host)"));
    }
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else {
        return Err("there is no such process".into());
    };
    let group = status.lines().find_map(|line| line.strip_prefix("Tgid:")).map(str::trim);
    match group {
        Some(group) if group != pid.to_string() => Err(format!("that is a thread; its process is {group}")),
        _ => Ok(pid),
    }
}

pub fn port(word: &str) -> Result<u16, String> {
    word.parse().ok().filter(|port| *port > 0).ok_or_else(|| "write a port number, 1 to 65535".into())
}

/// An address, or all that begin with as many bits of it.
pub fn prefix(word: &str) -> Result<Prefix, String> {
    let wrong = || "write an address or a prefix, such as 10.0.0.7, 10.0.0.0/8 or fd00::/64".to_owned();
    let (address, bits) = word.split_once('/').map_or((word, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.trim_matches(['[', ']']).parse().map_err(|_| wrong())?;
    let (address, outside) = match address {
        IpAddr::V4(address) => (address.to_ipv6_mapped(), 96),
        IpAddr::V6(address) => (address, 0),
    };
    let bits = match bits {
        Some(bits) => bits.parse::<u32>().ok().filter(|bits| bits + outside <= 128).ok_or_else(wrong)?,
        None => 128 - outside,
    };
    Ok(Prefix { address: address.octets(), bits: bits + outside })
}

pub fn comm(word: &str) -> Result<String, String> {
    match word.len() {
        0 => Err("write the name of a thread, as ps -L shows it".into()),
        1..=COMM_MAX => Ok(word.into()),
        _ => {
            let kept = word.floor_char_boundary(COMM_MAX);
            Err(format!("the kernel keeps only {COMM_MAX} bytes of a name: write '{}'", &word[..kept]))
        }
    }
}

/// Number of a native call.
pub fn syscall(word: &str) -> Result<u32, String> {
    syscall_names::number(word).ok_or_else(|| match syscall_names::closest(word) {
        Some(name) => format!("no such system call here; did you mean '{name}'?"),
        None => "no such system call on this architecture".into(),
    })
}

/// Name of a native call, or [`TOTAL`].
pub fn histogram(word: &str) -> Result<String, String> {
    if word != TOTAL {
        syscall(word)?;
    }
    Ok(word.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_write_them() {
        let good = [("1", 1000), ("0.5", 500), (".5", 500), ("250ms", 250), ("2s", 2000), ("1m", 60_000), ("10ms", 10)];
        for (word, ms) in good {
            assert_eq!(interval(word), Ok(Duration::from_millis(ms)), "{word}");
        }
        for word in ["", "0", "0s", "9ms", "-1", "-250ms", "1d", "ms", "1..5", "1e3", "nan", "inf", "1 s", "25h"] {
            assert!(interval(word).is_err(), "{word:?}");
        }
        assert!(interval(&"9".repeat(400)).is_err());
        assert_eq!(slow("50us"), Ok(Duration::from_micros(50)));
        assert!(slow("0").is_err_and(|why| why.contains("--by process")));
    }

    #[test]
    fn thresholds_of_io() {
        assert_eq!(stall("100us"), Ok(Duration::from_micros(100)));
        assert_eq!(slow_request("2"), Ok(Duration::from_secs(2)));
        for word in ["0", "99us", "25h", "-1", "-5ms", "much"] {
            assert!(stall(word).is_err() && slow_request(word).is_err(), "{word}");
        }
        assert!(slow_request("0").is_err_and(|why| why.contains("histograms")));
    }

    #[test]
    fn devices_by_name_and_path() {
        for word in ["", ".", "..", "/dev", "/dev/", "/dev/null", "null", "/etc", "../block", "nosuch", "/dev/nosuch"] {
            assert!(device(word).is_err_and(|why| why.starts_with("there is no such block device")), "{word}");
        }
        // Where there are any.
        let devices = std::fs::read_dir(DEVICES).into_iter().flatten().flatten();
        for name in devices.filter_map(|entry| entry.file_name().into_string().ok()) {
            assert_eq!(device(&name), Ok(name.clone()));
            let path = format!("/dev/{}", name.replace('!', "/"));
            if std::path::Path::new(&path).exists() {
                assert_eq!(device(&path), Ok(name.clone()));
            }
            assert!(device(&format!("{name}0x")).is_err_and(|why| why.contains("did you mean '")), "{name}");
        }
    }

    #[test]
    fn a_thread_is_told_from_a_process() {
        let here = std::process::id();
        assert_eq!((pid(&here.to_string()), lives(here)), (Ok(here), Ok(here)));
        let (tid, here_again) = std::thread::spawn(|| {
            // SAFETY: gettid has no arguments and cannot fail.
            let tid = unsafe { libc::gettid() };
            (tid, lives(tid as u32))
        })
        .join()
        .unwrap();
        assert_ne!(tid as u32, here);
        assert_eq!(here_again, Err(format!("that is a thread; its process is {here}")));
        assert!(lives_in(false, here).is_err_and(|why| why.starts_with(FOREIGN)));
        assert!(lives(u32::MAX).is_err() && pid("0").is_err() && pid("-3").is_err() && pid("init").is_err());
    }

    #[test]
    fn a_name_longer_than_the_kernel_keeps_is_refused_with_what_it_keeps() {
        assert_eq!(comm("fifteen-bytes-x"), Ok("fifteen-bytes-x".into()));
        assert!(comm("sixteen-bytes-xx").is_err_and(|why| why.ends_with("write 'sixteen-bytes-x'")));
        assert!(comm("fourteen-byteé").is_ok_and(|name| name.len() == 15));
        assert!(comm("fifteen-bytes-é").is_err_and(|why| why.ends_with("write 'fifteen-bytes-'")));
        assert!(comm("").is_err());
    }

    #[test]
    fn syscalls_by_name() {
        assert_eq!(syscall("read"), Ok(syscall_names::number("read").unwrap()));
        assert_eq!(syscall("raed"), Err("no such system call here; did you mean 'read'?".into()));
        assert_eq!(histogram("total"), Ok("total".into()));
        assert!(histogram("totl").is_err());
    }
}
