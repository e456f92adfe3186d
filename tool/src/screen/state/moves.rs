//! What is selected, and what of a page is seen.

use unicode_width::UnicodeWidthStr;

use super::{Machine, Spot};
use crate::{
    screen::pages::{
        self,
        lines::{Item, fit_printable},
    },
    sinks::header,
};

/// Lines beside the header and the page: where one is, and what keys do.
const AROUND: usize = 2;

impl Spot {
    /// The first line that is seen.
    pub fn top(&self) -> usize {
        self.above.saturating_add_signed(self.beyond)
    }
}

impl Machine {
    /// Lines for the page.
    pub fn room(&self) -> usize {
        usize::from(self.size.1).saturating_sub(self.header.len() + AROUND).max(1)
    }

    /// Selects what is so many lines away; at the ends of what can be selected, the page moves on.
    pub(super) fn step(&mut self, by: isize) {
        let places = self.places();
        let line = self.spot().line;
        let at = places.partition_point(|&place| place < line);
        let first = at == 0 || places.is_empty();
        let last = at + 1 >= places.len();
        let beyond = self.spot().beyond;
        if (by > 0 && (last || beyond < 0)) || (by < 0 && (first || beyond > 0)) {
            self.spot_mut().beyond += by;
            return;
        }
        let to = match by {
            1 => at + 1,
            -1 => at - 1,
            _ => places.partition_point(|&place| place < line.saturating_add_signed(by)).min(places.len() - 1),
        };
        let item = self.lines[places[to]].item.clone();
        let spot = self.spot_mut();
        (spot.line, spot.selected, spot.chosen, spot.beyond) = (places[to], item, true, 0);
    }

    /// First lines of what can be selected.
    fn places(&self) -> Vec<usize> {
        let item = |at: usize| self.lines[at].item.as_ref();
        (0..self.lines.len()).filter(|&at| item(at).is_some() && (at == 0 || item(at - 1) != item(at))).collect()
    }

    /// Makes the lines of the page, and finds what is selected among them.
    pub(super) fn lay_out(&mut self) {
        let header = self.shown.as_ref().map(|(_, snapshot)| header::line(snapshot, &self.plain()));
        self.header = header.map_or_else(Vec::new, |header| shortened(&header, usize::from(self.size.0)));
        self.follow();
        self.heat_up();
        self.lines = pages::lines(self, self.page(), self.shown.as_ref().map(|(_, snapshot)| &**snapshot));
        let places = self.places();
        let (room, length) = (self.room(), self.lines.len());
        let found = places.iter().copied().find(|&at| self.lines[at].item == self.spot().selected);
        // What is gone stays selected, and so it is when it comes back. Until somebody chooses, a finding that comes is the first.
        let finding = matches!(self.spot().selected, Some(Item::Finding(..))) && found.is_some();
        let first = places.first().copied().filter(|_| !self.spot().chosen && !finding);
        let item = first.and_then(|at| self.lines[at].item.clone());
        let spot = self.spot_mut();
        if first.is_some() {
            spot.selected = item;
        }
        if let Some(line) = first.or(found) {
            spot.line = line;
            spot.above = spot.above.min(line).max((line + 1).saturating_sub(room));
            // A page is read from its beginning.
            if !spot.chosen || places.first() == Some(&line) && line < room {
                spot.above = 0;
            }
        }
        let most = length.saturating_sub(room);
        spot.above = spot.above.min(most);
        spot.beyond = spot.top().min(most) as isize - spot.above as isize;
    }
}

/// On one line where that has room; on two at the most, without what has no room there.
fn shortened(header: &str, width: usize) -> Vec<String> {
    let Some((host, own)) = header.split_once("   ").filter(|_| header.width() > width) else {
        return vec![fit_printable(header, width)];
    };
    let host = match host.split("  ").collect::<Vec<_>>()[..] {
        // The interval's length, and a word, for the figures.
        [time, _, pressure] if host.width() > width => {
            format!("{time}  {}", pressure.strip_prefix("pressure ").unwrap_or(pressure))
        }
        _ => host.to_owned(),
    };
    [host.as_str(), own.trim_start()].into_iter().map(|part| fit_printable(part, width)).collect()
}
