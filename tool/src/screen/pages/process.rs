//! A process across all tables of all probes.

use super::{
    lines::{PageLine, Role, wrapped},
    probe::{separate, title},
    sheet,
    tables::{self, AnyTable, pids},
};
use crate::{
    screen::state::Machine,
    snapshot::{Snapshot, io::Stalled},
};

pub fn lines(of: &Machine, snapshot: &Snapshot, pid: u32) -> Vec<PageLine> {
    let width = usize::from(of.size.0);
    let mut name = None;
    tables::each(snapshot, &of.view, &mut |table| {
        let mut names = table.rows.iter().flat_map(|row| pids(*row)).filter(|(of, _)| *of == pid);
        name = name.take().or_else(|| names.next().map(|(_, name)| name));
    });
    let Some(name) = name else {
        return wrapped(Role::Dim, &format!("process {pid} is in no table of this interval"), width, 2);
    };
    let mut lines = vec![PageLine::of(Role::Strong, name)];
    let tables = self::tables(of, snapshot, &[pid]);
    separate(&mut lines);
    lines.extend(tables);
    lines
}

/// Rows about some processes, with the kernel's stacks of their waits.
pub fn tables(of: &Machine, snapshot: &Snapshot, wanted: &[u32]) -> Vec<PageLine> {
    let mut lines = Vec::new();
    tables::each(snapshot, &of.view, &mut |table| {
        // What findings say of them is said by the findings.
        if table.probe() == "overview" || table.texts().next().is_none() {
            return;
        }
        let about = |row: &&dyn crate::table::AnyRow| pids(*row).iter().any(|(pid, _)| wanted.contains(pid));
        let rows: Vec<_> = table.rows.iter().copied().filter(about).collect();
        if rows.is_empty() {
            return;
        }
        separate(&mut lines);
        lines.push(PageLine::dim(format!("{}: {}", table.probe(), title(table.name))));
        let stacks: Vec<String> = rows.iter().filter_map(|row| stack(*row)).collect();
        let some = AnyTable { rows, left_out: 0, why: None, ..*table };
        lines.extend(sheet::lines(&some, &of.settings, of.selected_row(), of.settings.top, &of.view));
        for stack in stacks {
            lines.extend(wrapped(Role::Dim, &format!("  {stack}"), usize::from(of.size.0), 4));
        }
    });
    lines
}

/// `a < b < c`
fn stack(row: &dyn crate::table::AnyRow) -> Option<String> {
    let stalled = row.any().downcast_ref::<Stalled>().filter(|row| !row.stack.is_empty())?;
    let frames: Vec<_> = stalled.stack.iter().map(|frame| crate::escape::escape(frame)).collect();
    Some(frames.join(" < "))
}
