//! Draws the machine's state into a buffer. No I/O, and no decision but what things look like.

mod foot;
pub mod style;
mod time;

use ratatui::{buffer::Buffer, layout::Rect};

use self::style::Look;
use super::{
    pages::lines::{PageLine, Role},
    state::Machine,
};

pub fn draw(of: &Machine, look: &Look, area: Rect, buffer: &mut Buffer) {
    let width = usize::from(area.width);
    let mut y = area.y;
    let mut put = |line: &PageLine, selected: bool, fill: bool| {
        if y < area.bottom() {
            self::line(line, selected, fill, look, Rect { y, height: 1, ..area }, buffer);
            y += 1;
        }
    };
    for header in &of.header {
        put(&PageLine::of(Role::Dim, header.clone()), false, false);
    }
    put(&time::line(of, width), false, false);
    let spot = of.spot();
    for at in spot.top()..spot.top() + of.room() {
        let empty = PageLine::empty();
        let line = of.lines.get(at).unwrap_or(&empty);
        put(line, line.item.is_some() && line.item == spot.selected, true);
    }
    put(&foot::line(of, width), false, false);
}

/// One line of the screen.
fn line(line: &PageLine, selected: bool, fill: bool, look: &Look, area: Rect, buffer: &mut Buffer) {
    let mut x = area.x;
    for (role, text) in &line.parts {
        let style = look.style(*role, selected);
        (x, _) = buffer.set_stringn(x, area.y, look.glyphs(text), usize::from(area.right().saturating_sub(x)), style);
    }
    if selected && fill {
        // To the end of the line, like its last words.
        let role = line.parts.last().map_or(Role::Plain, |(role, _)| *role);
        let rest = Rect { x, width: area.right().saturating_sub(x), ..area };
        buffer.set_style(rest, look.style(role, true));
    }
}
