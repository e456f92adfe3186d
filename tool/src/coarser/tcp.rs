//! TCP.

use super::{add, counts, each, together};
use crate::{
    snapshot::tcp::{NoRoute, Tcp, Totals},
    table::Then,
};

pub fn then(tcp: &mut Tcp, later: Tcp) {
    totals(&mut tcp.totals, later.totals);
    tcp.events.append(later.events);
    tcp.flows.then(later.flows);
    each(&mut tcp.reset_totals, later.reset_totals);
    tcp.remotes.then(later.remotes);
    each(&mut tcp.opened.0, later.opened.0);
    tcp.drops.then(later.drops);
    add(&mut tcp.dropped, later.dropped);
    tcp.listeners.then(later.listeners);
    tcp.closed_windows = later.closed_windows;
    tcp.sockets = later.sockets;
    tcp.namespaces = later.namespaces;
    tcp.ports = later.ports;
    counts(&mut tcp.network, later.network);
    tcp.no_routes = together(
        std::mem::take(&mut tcp.no_routes),
        later.no_routes,
        |one| one.netns,
        |sum: &mut NoRoute, one| {
            add(&mut sum.packets, one.packets);
            add(&mut sum.opened, one.opened);
        },
    );
    tcp.namespaces_left_out = tcp.namespaces_left_out.max(later.namespaces_left_out);
}

fn totals(sum: &mut Totals, later: Totals) {
    let Totals { segments, by_kind, attempts, failed, bytes, sampled } = later;
    add(&mut sum.segments, segments);
    each(&mut sum.by_kind, by_kind);
    add(&mut sum.attempts, attempts);
    add(&mut sum.failed, failed);
    add(&mut sum.bytes, bytes);
    add(&mut sum.sampled, sampled);
}
