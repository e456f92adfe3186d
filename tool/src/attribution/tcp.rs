//! Names for what TCP retransmitted.

use std::collections::HashMap;

use super::name;
use crate::{
    cli::plan::Plan,
    names::Names,
    snapshot::tcp::{Events, Owners, Tcp},
};

pub fn resolve(tcp: &mut Tcp, names: &mut Names, plan: &Plan) {
    events(&mut tcp.events, names);
    for flow in &mut tcp.flows {
        all(&mut flow.owners, names);
        let here = flow.ends.filter(|_| plan.overview && flow.netns.is_none());
        flow.interface = here.and_then(|ends| names.interface(ends.local.address));
    }
    for listener in tcp.listeners.value_mut().into_iter().flatten() {
        all(&mut listener.owners, names);
    }
    for window in tcp.closed_windows.value_mut().into_iter().flatten() {
        all(&mut window.owners, names);
        name(&mut window.reader, names);
    }
    tcp.no_routes.iter_mut().for_each(|row| name(&mut row.inhabitant, names));
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
    events.retransmits.iter_mut().for_each(|event| all(&mut event.owners, names));
    events.resets.iter_mut().for_each(|reset| all(&mut reset.owners, names));
    events.drops.iter_mut().for_each(|dropped| all(&mut dropped.owners, names));
    events.connects.iter_mut().for_each(|connect| name(&mut connect.who, names));
    full_tables(events, names);
}

fn all(owners: &mut Owners, names: &mut Names) {
    name(&mut owners.who, names);
    for who in &mut owners.shared {
        name(who, names);
        who.unknown = None;
    }
}
