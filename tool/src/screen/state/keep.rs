//! What is written to files.

use jiff::Timestamp;

use super::{Action, Machine};
use crate::screen::pages::{self, file};

impl Machine {
    /// A page as text or JSON, into a file.
    pub(super) fn yank(&mut self, json: bool) -> Action {
        let Some((_, snapshot)) = &self.shown else { return Action::None };
        let at = snapshot.at;
        let page = self.spot().selected.as_ref().and_then(pages::of).unwrap_or_else(|| self.page().clone());
        let bytes =
            if json { file::json(snapshot, &self.view, &page) } else { Some(file::text(self, snapshot, &page)) };
        match bytes {
            Some(bytes) => Action::Write { name: self.file_name(at, if json { "json" } else { "txt" }), bytes },
            None => {
                self.says = Some("only findings and rows are written as JSON".to_owned());
                Action::None
            }
        }
    }

    pub(super) fn save(&mut self) -> Action {
        match &self.shown {
            Some((_, snapshot)) => {
                Action::Write { name: self.file_name(snapshot.at, "swr"), bytes: self.timeline.recording() }
            }
            None => Action::None,
        }
    }

    fn file_name(&self, at: Timestamp, kind: &str) -> String {
        let at = at.to_zoned(self.view.zone.clone()).strftime("%Y%m%d-%H%M%S");
        format!("stillwatch-{at}.{kind}")
    }
}
