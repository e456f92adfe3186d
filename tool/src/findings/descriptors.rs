//! A process, or the host, that can hardly open another file.
//!
//! Holds at nine tenths of the limit, of processes with a limit of 64 and more: those with less have it on purpose.

use super::{Scene, harm, space::of, words::name};
use crate::{
    format,
    snapshot::{
        disk::Descriptors,
        finding::{Finding, Value},
    },
};

const RULE: &str = "descriptors";
pub const NEAR: f64 = 0.9;
const FEW: u64 = 64;

pub fn look(scene: &Scene) -> Vec<Finding> {
    let Some(disk) = &scene.now.disk else { return Vec::new() };
    let rows = disk.descriptors.value().into_iter().flatten();
    let near = rows.filter(|row| row.limit >= FEW && row.used_share >= NEAR).map(process);
    let host = disk.host.open.zip(disk.host.limit).filter(|&(open, limit)| open as f64 >= NEAR * limit as f64);
    near.chain(host.map(|(open, limit)| of_host(open, limit))).collect()
}

fn process(row: &Descriptors) -> Finding {
    let grew = match row.grew {
        1.. => format!(", {} more than at the look before", row.grew),
        _ => String::new(),
    };
    Finding {
        subject: name(&row.who),
        victims: vec![row.who.clone()],
        next: row.who.pid.map_or_else(|| "stillwatch disk".to_owned(), |pid| format!("stillwatch disk -p {pid}")),
        ..near(&format!("{} has", name(&row.who)), row.open, row.limit, &grew)
    }
}

fn of_host(open: u64, limit: u64) -> Finding {
    Finding {
        subject: "host".into(),
        unknown: vec!["whether a limit of a process is reached first".into()],
        next: "stillwatch disk".into(),
        ..near("this host has", open, limit, " (fs.file-max)")
    }
}

fn near(who: &str, open: u64, limit: u64, more: &str) -> Finding {
    Finding {
        rule: RULE,
        statement: format!(
            "{who} {} of {} files open that it may have{more}",
            format::count(open),
            format::count(limit)
        ),
        harm: harm::FILLING,
        evidence: vec![of("open", Value::Count(open)), of("limit", Value::Count(limit))],
        ..Finding::default()
    }
}
