//! Cgroups of those who wrote lines, where the process with that number has that name.

use crate::{
    cli::plan::Plan,
    names::Names,
    snapshot::{Who, log::Log},
};

pub fn resolve(log: &mut Log, names: &mut Names, _: &Plan) {
    let lines = log.lines.iter_mut().map(|line| (&mut line.who, line.ident.as_deref()));
    let harm = log.harm.iter_mut().map(|line| (&mut line.who, None));
    // A journal says it itself.
    let mut all: Vec<(&mut Who, Option<&str>)> = lines.chain(harm).filter(|(who, _)| who.cgroup.is_none()).collect();
    names.prepare(all.iter().filter_map(|(who, _)| who.pid));
    for (who, ident) in &mut all {
        let Some(pid) = who.pid else { continue };
        let said = who.comm.as_deref().or(*ident);
        // A number may be another's by now, or that of another namespace.
        if let Some(comm) = names.comm(pid).filter(|comm| Some(comm.as_str()) == said) {
            who.comm = Some(comm);
            who.cgroup = names.cgroup(pid);
        }
    }
}
