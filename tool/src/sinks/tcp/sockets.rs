//! Who does not close what the other side has closed, ports for who connects, and network namespaces whose tables fill.

use super::{one, one_end, pair};
use crate::{
    escape::escape,
    format,
    sinks::{View, rows::Rows, table::Noted, values::Show, who},
    snapshot::{
        Snapshot,
        tcp::{Namespace, Ports, Sockets, Tcp},
    },
};

/// An empty table must not read as "everybody closes".
pub fn unknown(tcp: &Tcp) -> Option<String> {
    tcp.sockets.why().map(|why| format!("sockets by process unavailable: {}", escape(&why.to_string())))
}

pub fn draw(text: &mut String, tcp: &Tcp, snapshot: &Snapshot, view: &View) {
    let sockets: Vec<_> = tcp.sockets.value().into_iter().flatten().filter(|row| row.is_worth_a_line()).collect();
    if !sockets.is_empty() {
        text.push('\n');
        Rows::new(view, snapshot.interval).own(own).draw(text, &sockets);
    }
    if !tcp.ports.is_empty() {
        text.push('\n');
        Rows::new(view, snapshot.interval).own(own_of_ports).draw_bounded(text, &tcp.ports);
    }
    let namespaces: Vec<_> = tcp.namespaces.iter().filter(|row| row.is_worth_a_line()).collect();
    if !namespaces.is_empty() {
        text.push('\n');
        Rows::new(view, snapshot.interval).own(own_of_namespace).draw(text, &namespaces);
    }
}

/// Columns that only this table can put into words.
pub fn own(row: &Sockets, name: &str, _: &Show) -> Noted {
    match (name, &row.oldest, row.age) {
        ("oldest", Some(ends), Some(age)) => {
            let pair = pair(&ends.local, &ends.remote, row.netns);
            format!("{pair} for {}", format::duration(age.as_nanos() as u64)).into()
        }
        _ => Noted::default(),
    }
}

pub fn own_of_ports(row: &Ports, name: &str, _: &Show) -> Noted {
    match name {
        "remote" => one_end(&row.remote, row.netns).into(),
        _ => Noted::default(),
    }
}

pub fn own_of_namespace(row: &Namespace, name: &str, _: &Show) -> Noted {
    match name {
        "namespace" => row.netns.map_or_else(|| "ours".to_owned(), |netns| netns.to_string()).into(),
        "inhabitant" => who::noted(&row.inhabitant, one(&row.inhabitant)),
        _ => Noted::default(),
    }
}
