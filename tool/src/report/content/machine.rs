//! The machine, and where this report is from.

use super::{Block, Clock, Section, words::length};
use crate::{escape::escape, format, report::story::Story};

const NOT_RECORDED: &str = "not recorded";

pub fn section(story: &Story, clock: &Clock, is_redacted: bool) -> Section {
    let head = &story.head;
    let known = |text: &str| if text.is_empty() { NOT_RECORDED.to_owned() } else { escape(text).into_owned() };
    let number = |number: u64, words: String| if number == 0 { NOT_RECORDED.to_owned() } else { words };
    let disks: Vec<_> =
        head.disks.iter().map(|disk| format!("{} ({})", escape(&disk.name), format::bytes(disk.bytes))).collect();
    let mut facts = vec![
        format!("Host: {}", known(&head.host)),
        format!("Kernel: {}", known(&head.kernel)),
        format!("Architecture: {}", known(&head.architecture)),
        format!("CPUs: {}", number(head.cpus.into(), head.cpus.to_string())),
        format!("Memory: {}", number(head.memory_bytes, format::bytes(head.memory_bytes))),
        format!("Disks: {}", if disks.is_empty() { NOT_RECORDED.to_owned() } else { disks.join(", ") }),
        format!("Boot: {}", known(&head.boot_id)),
        format!("Recorded by stillwatch {}, flags: {}", known(&head.version), known(&head.flags.join(" "))),
        format!("Report by stillwatch {}", env!("CARGO_PKG_VERSION")),
    ];
    let looked = story.always();
    if let Some((from, to)) = story.span() {
        let intervals = format::plural(looked.intervals, "interval", "intervals");
        let (time, measured) = (format!("{} to {}", clock.time(from), clock.time(to)), length(looked.length));
        facts.push(format!("{time}: {intervals}, {measured} measured"));
    }
    if is_redacted {
        facts.push("Names of hosts, users, processes, cgroups, paths and addresses are stand-ins; the same name has the same one".to_owned());
    }
    Section { title: "The machine", blocks: vec![Block::List(facts)] }
}
