//! Names for what TCP retransmitted.

use std::collections::HashMap;

use super::all;
use crate::{
    cli::plan::Plan,
    names::Names,
    snapshot::tcp::{Events, Owners, Tcp},
};

pub fn resolve(tcp: &mut Tcp, names: &mut Names, plan: &Plan) {
    events(&mut tcp.events, names);
    owners(tcp.flows.iter_mut().map(|flow| &mut flow.owners), names);
    for flow in &mut tcp.flows {
        let here = flow.ends.filter(|_| plan.overview && flow.netns.is_none());
        flow.interface = here.and_then(|ends| names.interface(ends.local.address));
    }
    owners(tcp.listeners.value_mut().into_iter().flatten().map(|listener| &mut listener.owners), names);
    owners(tcp.closed_windows.value_mut().into_iter().flatten().map(|window| &mut window.owners), names);
    all(tcp.closed_windows.value_mut().into_iter().flatten().map(|window| &mut window.reader), names);
    all(tcp.sockets.value_mut().into_iter().flatten().map(|row| &mut row.who), names);
    all(tcp.namespaces.iter_mut().map(|row| &mut row.inhabitant), names);
    all(tcp.no_routes.iter_mut().map(|row| &mut row.inhabitant), names);
}

/// Where the firewall drops packets, its table of connections may be full.
fn full_tables(events: &mut Events, names: &mut Names) {
    let mut known = HashMap::new();
    for dropped in events.drops.iter_mut().filter(|dropped| dropped.cause.is_of_firewall()) {
        let look = || names.connections_full(dropped.netns);
        dropped.connections_full = known.entry(dropped.netns).or_insert_with(look).clone();
    }
}

/// The same for single events.
pub fn events(events: &mut Events, names: &mut Names) {
    owners(events.retransmits.iter_mut().map(|event| &mut event.owners), names);
    owners(events.resets.iter_mut().map(|reset| &mut reset.owners), names);
    owners(events.drops.iter_mut().map(|dropped| &mut dropped.owners), names);
    all(events.connects.iter_mut().map(|connect| &mut connect.who), names);
    full_tables(events, names);
}

fn owners<'a>(all_of: impl IntoIterator<Item = &'a mut Owners>, names: &mut Names) {
    let mut owners: Vec<&mut Owners> = all_of.into_iter().collect();
    all(owners.iter_mut().flat_map(|owners| std::iter::once(&mut owners.who).chain(&mut owners.shared)), names);
    owners.into_iter().flat_map(|owners| &mut owners.shared).for_each(|who| who.unknown = None);
}
