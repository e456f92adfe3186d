//! The wheel, and clicks.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use unicode_width::UnicodeWidthStr;

use super::Machine;
use crate::screen::pages::{self, Page};

/// Columns between two names of the breadcrumb.
const BETWEEN: usize = 3;

impl Machine {
    pub(super) fn mouse(&mut self, event: &MouseEvent) {
        if self.prompt.is_some() {
            return;
        }
        match event.kind {
            MouseEventKind::ScrollUp => self.step(-1),
            MouseEventKind::ScrollDown => self.step(1),
            MouseEventKind::Down(MouseButton::Left) => self.click(usize::from(event.column), usize::from(event.row)),
            _ => {}
        }
    }

    fn click(&mut self, column: usize, row: usize) {
        let place = self.header.len();
        if row < place {
            self.headed(row, column);
        } else if row == place {
            self.crumb(column);
        } else if (place + 1..=place + self.room()).contains(&row) {
            self.line(self.spot().top() + row - place - 1);
        }
    }

    /// Opens the probe whose name, or whose figures behind it, stand there.
    fn headed(&mut self, row: usize, column: usize) {
        let (mut end, mut probe) = (0, None);
        for word in self.header[row].split_inclusive(' ') {
            end += word.width();
            let figure = word.starts_with(|first: char| first.is_ascii_digit() || first == '<');
            if !figure {
                let name = if word.trim() == "mem" { "oom" } else { word.trim() };
                probe = self.tabs().iter().position(|tab| matches!(tab, Page::Probe(probe) if *probe == name));
            }
            if column < end {
                break;
            }
        }
        if let Some(tab) = probe.filter(|_| column < end) {
            self.probe(|_, _| tab);
        }
    }

    /// Goes back to the page of that name, in the line that says where one is.
    fn crumb(&mut self, column: usize) {
        let mut end = 0;
        for at in 0..self.spots.len() {
            end += pages::name(&self.spots[at].page).width();
            if column < end {
                return self.spots.truncate(at + 1);
            }
            end += BETWEEN;
        }
    }

    /// Selects what stands there, and opens it if it is selected already.
    fn line(&mut self, at: usize) {
        let Some(item) = self.lines.get(at).and_then(|line| line.item.clone()) else { return };
        if self.spot().chosen && self.spot().selected.as_ref() == Some(&item) {
            return self.open();
        }
        let above = self.spot().top();
        let spot = self.spot_mut();
        (spot.line, spot.selected, spot.chosen) = (at, Some(item), true);
        (spot.above, spot.beyond) = (above, 0);
    }
}
