//! Sockets by process and state, and what there is in network namespaces.

use stillwatch_common::tcp::Ends;

use super::{end, ends, foreign};
use crate::{
    cli::plan,
    sample::{self, ProcessSockets},
    snapshot::{
        Who,
        tcp::{Namespace, Ports, Sockets},
        who::text,
    },
    table::{Bounded, Known, Why, in_order},
};

/// Of a process that is shown in the overview, unless it keeps what the other side has closed.
const MANY: u64 = 256;

pub fn sockets(after: &sample::Tcp, plan: &plan::Tcp) -> Known<Bounded<Sockets>> {
    if let Some(why) = &after.no_sockets {
        return Known::Not(Why::Unavailable(why.clone().into()));
    }
    let all = after.sockets.processes.iter().map(|process| row(process, after));
    let mut rows: Vec<_> = all.filter(|row| plan.all || row.lasting > 0 || row.all() >= MANY).collect();
    in_order(&mut rows);
    rows.into()
}

fn row(process: &ProcessSockets, after: &sample::Tcp) -> Sockets {
    // 1 is `TCP_ESTABLISHED`, 12 `TCP_NEW_SYN_RECV`.
    let [_, established, syn_sent, syn_received, fin_wait1, fin_wait2, _, closed, close_wait, last_ack, listening, ..] =
        process.states;
    let closing = fin_wait1 + fin_wait2 + last_ack + process.states[11];
    Sockets {
        who: Who { comm: Some(text(&process.comm)), ..Who::living(process.pid) },
        netns: foreign(process.netns, after),
        listening,
        syn_sent,
        established: established + syn_received,
        closing,
        closed,
        close_wait,
        lasting: process.lasting,
        grew: process.growth.map(|growth| growth.grew()),
        grew_in: process.growth.map(|growth| growth.lasted()),
        rises: process.growth.map(|growth| growth.rises),
        age: process.oldest.map(|(_, age)| age),
        oldest: process.oldest.map(|(oldest, _)| ends(&oldest)),
    }
}

pub fn namespaces(after: &sample::Tcp) -> Vec<Namespace> {
    let row = |(&number, namespace): (&u32, &sample::Namespace)| {
        let netns = foreign(number, after);
        Namespace {
            netns,
            inhabitant: Who::living(namespace.inhabitant),
            sockets: namespace.sockets,
            time_wait: namespace.time_wait,
            time_wait_limit: after.limits.time_wait.filter(|_| netns.is_none()),
            tracked: namespace.tracked,
            tracked_limit: after.limits.tracked.filter(|_| namespace.tracked.is_some()),
        }
    };
    let mut rows: Vec<_> = after.namespaces.iter().map(row).collect();
    in_order(&mut rows);
    rows
}

pub fn ports(after: &sample::Tcp, shown: impl Fn(&Ends) -> bool) -> Bounded<Ports> {
    let row = |used: &sample::PortsUsed| Ports {
        address: end(used.ends.local, 0).address.to_string(),
        remote: end(used.ends.remote, used.ends.remote_port),
        netns: foreign(used.ends.netns, after),
        used: used.ports,
        range: used.range,
        time_wait: used.time_wait,
        used_share: used.ports.saturating_sub(used.reused) as f64 / used.range.max(1) as f64,
        assumed: used.is_assumed,
    };
    let mut rows: Vec<_> = after.ports.iter().filter(|used| shown(&used.ends)).map(row).collect();
    in_order(&mut rows);
    rows.into()
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn the_overview_has_processes_with_many_sockets_or_with_those_that_it_does_not_close() {
        let process = |pid, established, lasting| {
            let mut states = [0; 16];
            (states[1], states[5], states[8], states[10]) = (established, 2, lasting, 1);
            ProcessSockets { pid, states, lasting, netns: 7, ..ProcessSockets::default() }
        };
        let processes = vec![process(1, 4, 0), process(2, MANY, 0), process(3, 0, 5)];
        let sockets = Rc::new(sample::SocketsSeen { processes, ..Default::default() });
        let after = sample::Tcp { sockets, netns: Some(7), ..sample::Tcp::default() };
        let pids = |all| -> Vec<_> {
            let rows = super::sockets(&after, &plan::Tcp { all, ..plan::Tcp::default() });
            rows.value().unwrap().iter().filter_map(|row| row.who.pid).collect()
        };
        assert_eq!((pids(true), pids(false)), (vec![3, 2, 1], vec![3, 2]));
        let row = row(&after.sockets.processes[2], &after);
        assert_eq!((row.netns, row.established, row.closing, row.close_wait, row.listening), (None, 0, 2, 5, 1));
        assert_eq!(row.all(), 8);
    }

    #[test]
    fn where_they_cannot_be_looked_at_none_is_fine() {
        let refused = sample::Tcp { no_sockets: Some("refused".into()), ..sample::Tcp::default() };
        assert_eq!(sockets(&refused, &plan::Tcp::default()).why(), Some(&Why::Unavailable("refused".into())));
    }

    #[test]
    fn ports_that_are_given_away_again_are_not_taken() {
        let octets = |last| std::net::Ipv4Addr::new(127, 0, 0, last).to_ipv6_mapped().octets();
        let ends = Ends { local: octets(1), remote: octets(2), remote_port: 80, netns: 7, local_port: 0 };
        let used = sample::PortsUsed { ends, ports: 30, time_wait: 20, reused: 5, range: 50, is_assumed: false };
        let after = sample::Tcp { ports: Rc::new(vec![used]), netns: Some(7), ..sample::Tcp::default() };
        let rows = ports(&after, |_| true);
        assert_eq!((rows[0].address.as_str(), rows[0].remote.to_string().as_str()), ("127.0.0.1", "127.0.0.2:80"));
        assert_eq!((rows[0].netns, rows[0].used, rows[0].time_wait, rows[0].used_share), (None, 30, 20, 0.5));
        assert!(ports(&after, |ends| ends.remote_port == 81).is_empty());
    }

    #[test]
    fn limits_of_another_namespace_are_not_ours() {
        let namespace = |tracked| sample::Namespace { time_wait: Some(3), tracked, ..sample::Namespace::default() };
        let limits = sample::NetworkLimits { time_wait: Some(100), tracked: Some(200) };
        let namespaces = [(7, namespace(None)), (8, namespace(Some(5)))].into();
        let after = sample::Tcp { namespaces, limits, netns: Some(7), ..sample::Tcp::default() };
        let rows: Vec<_> =
            super::namespaces(&after).iter().map(|row| (row.netns, row.time_wait_limit, row.tracked_limit)).collect();
        assert_eq!(rows, [(None, Some(100), None), (Some(8), None, Some(200))]);
    }
}
