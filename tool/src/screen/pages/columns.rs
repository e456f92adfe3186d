//! Which columns of a table are shown.

use super::{
    lines::{Item, PageLine, Role},
    sheet, tables,
};
use crate::screen::state::Machine;

pub fn lines(of: &Machine, wanted: &'static str) -> Vec<PageLine> {
    let Some((_, snapshot)) = &of.shown else { return Vec::new() };
    let look = of.settings.look(wanted);
    let mut lines = Vec::new();
    tables::each(snapshot, &of.view, &mut |table| {
        if table.name != wanted {
            return;
        }
        for (at, text) in sheet::heads(table, &of.view).into_iter().filter(|(_, text)| !text.head.is_empty()) {
            let tick = if look.hidden.contains(text.head) { "[ ]" } else { "[x]" };
            let line = PageLine::plain(format!("{tick} {:<16}", text.head));
            lines.push(line.and(Role::Dim, table.columns[at].meaning).on(Item::Column(wanted, text.head)));
        }
    });
    lines
}
