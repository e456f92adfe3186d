//! What the screen is about: a machine without drawing and without I/O. Inputs come in, and what is to be done outside comes out.

pub mod filter;
pub mod heat;
pub mod history;
mod keep;
mod mouse;
mod moves;
mod prompt;
pub mod settings;
pub mod time;

use crossterm::event::{KeyEvent, MouseEvent};

pub use self::prompt::Prompt;
use self::{heat::Heat, history::History, settings::Settings};
use super::{
    keys::{self, Wish},
    pages::{
        self, Page, RowId, groups,
        lines::{Item, PageLine},
        sheet, tables,
    },
    timeline::Timeline,
};
use crate::{
    cli::plan::Plan,
    record::{Entry, Payload},
    selection,
    sinks::{Note, View, notes},
    snapshot::Snapshot,
};

/// What comes in.
pub enum Input {
    Key(KeyEvent),
    Mouse(MouseEvent),
    /// Something was measured, or read of a recording.
    Kept(Payload),
    Resize(u16, u16),
    /// Something that is to be said.
    Said(String),
    /// A recording is read to its end.
    Loaded,
}

/// What is to be done outside.
#[derive(Debug, PartialEq)]
pub enum Action {
    None,
    Quit,
    Suspend,
    /// Notes something in the run.
    Mark(String),
    /// Writes a new file, and says so.
    Write {
        name: String,
        bytes: Vec<u8>,
    },
}

/// Where one is on a page.
#[derive(Clone, Debug)]
pub struct Spot {
    pub page: Page,
    pub selected: Option<Item>,
    /// A person did that.
    pub chosen: bool,
    /// The line on which it was last.
    line: usize,
    /// Lines above the screen, as far as that is for the selection to be seen, and how far one went on from there.
    above: usize,
    pub beyond: isize,
}

pub struct Machine {
    plan: Plan,
    pub view: View,
    pub timeline: Timeline,
    /// What is shown stays as it is: the number of its entry. None: the newest is shown.
    pub at: Option<u64>,
    /// The number of what is shown, and itself.
    pub shown: Option<(u64, Box<Snapshot>)>,
    pub settings: Settings,
    pub prompt: Option<Prompt>,
    /// The last that is to be said, until a key is pressed.
    pub says: Option<String>,
    /// What a recording still brings is read.
    pub loading: bool,
    /// It is a recording.
    pub recorded: bool,
    /// From the overview to where one is; never empty.
    spots: Vec<Spot>,
    /// Of the row that is shown in full.
    pub history: History,
    pub heat: Heat,
    pub header: Vec<String>,
    pub lines: Vec<PageLine>,
    pub size: (u16, u16),
}

impl Machine {
    pub fn new(plan: &Plan, timeline: Timeline, recorded: bool, size: (u16, u16)) -> Self {
        let first = match &plan.probes()[..] {
            [probe, ..] if !plan.overview => Page::Probe(probe),
            _ => Page::Overview,
        };
        let mut machine = Self {
            view: View::of(plan),
            plan: plan.clone(),
            timeline,
            at: None,
            shown: None,
            settings: Settings::new(plan.top),
            prompt: None,
            says: None,
            loading: recorded,
            recorded,
            spots: vec![Spot::of(first)],
            history: History::default(),
            heat: Heat::default(),
            header: Vec::new(),
            lines: Vec::new(),
            size,
        };
        machine.resize(size);
        machine
    }

    pub fn on(&mut self, input: Input) -> Action {
        let action = match input {
            Input::Key(key) => self.key(&key),
            Input::Mouse(event) => {
                self.mouse(&event);
                Action::None
            }
            Input::Kept(payload) => {
                self.keep(&payload);
                Action::None
            }
            Input::Resize(width, height) => {
                self.resize((width, height));
                Action::None
            }
            Input::Said(text) => {
                self.says = Some(text);
                Action::None
            }
            Input::Loaded => {
                self.loading = false;
                Action::None
            }
        };
        self.lay_out();
        action
    }

    fn resize(&mut self, size: (u16, u16)) {
        self.size = size;
        let width = usize::from(size.0);
        (self.view.width, self.view.limit) = (width, width);
        self.lay_out();
    }

    fn keep(&mut self, payload: &Payload) {
        // Who stands at the end of a recording that is still written goes on with it.
        let newest = |of: &Self| of.timeline.span().map(|(_, newest)| newest);
        let at_end = self.recorded && !self.loading && self.at == newest(self);
        match self.timeline.keep(payload) {
            Ok(Some(Entry::Kills(kills))) if !self.recorded => {
                self.says = kills.last().map(|kill| notes::kill(kill, &self.plain()).trim_end().to_owned());
            }
            Ok(Some(Entry::Dropped(gap))) if !self.recorded => {
                let note = Note::Gap { entries: gap.entries, why: &gap.why };
                self.says = Some(note.line(gap.at, &self.plain()).trim_end().to_owned());
            }
            Ok(_) => {}
            Err(error) => self.says = Some(format!("an interval cannot be kept: {error}")),
        }
        if at_end {
            self.at = newest(self);
        }
        // Of a recording the first interval is shown, of a run the newest.
        if self.recorded && self.at.is_none() && self.shown.is_none() {
            self.at = self.timeline.span().map(|(first, _)| first);
        }
        self.show();
    }

    /// Words without colours of their own.
    pub fn plain(&self) -> View {
        View { colour: false, ..self.view.clone() }
    }

    /// Unpacks what is to be shown, if that is not what is shown already.
    fn show(&mut self) {
        let Some((first, newest)) = self.timeline.span() else { return };
        if let Some(at) = &mut self.at
            && *at < first
        {
            *at = first;
            self.says = Some("what was shown is not kept any more: this is the oldest that is".to_owned());
        }
        let at = self.at.unwrap_or(newest);
        if self.shown.as_ref().is_some_and(|(number, _)| *number == at) {
            return;
        }
        if let Some(mut snapshot) = self.timeline.snapshot(at) {
            selection::select(&mut snapshot, &self.plan);
            self.shown = Some((at, snapshot));
        }
    }

    fn key(&mut self, key: &KeyEvent) -> Action {
        self.says = None;
        if let Some(prompt) = self.prompt.take() {
            return self.typed(prompt, key);
        }
        let Some(wish) = keys::wish(key) else { return Action::None };
        match wish {
            Wish::Quit => return Action::Quit,
            Wish::Suspend => return Action::Suspend,
            Wish::Up => self.step(-1),
            Wish::Down => self.step(1),
            Wish::PageUp => self.step(-(self.room() as isize)),
            Wish::PageDown => self.step(self.room() as isize),
            Wish::Open => self.open(),
            Wish::Back => self.back(),
            Wish::Next => self.probe(|at, count| (at + 1) % count),
            Wish::Previous => self.probe(|at, count| (at + count - 1) % count),
            Wish::Probe(number) => self.probe(|at, count| if number < count { number } else { at }),
            Wish::Freeze
            | Wish::Earlier
            | Wish::Later
            | Wish::Minutes(_)
            | Wish::First
            | Wish::Newest
            | Wish::EventBefore
            | Wish::EventAfter => self.travel(wish),
            Wish::Jump => self.prompt = Some(Prompt::jump()),
            Wish::Filter => self.prompt = Some(Prompt::filter(&self.settings.filter.text)),
            Wish::Mark if self.recorded => self.says = Some("a recording has the marks that it has".to_owned()),
            Wish::Mark => self.prompt = Some(Prompt::mark()),
            Wish::Sort | Wish::Turn | Wish::Columns => self.table(wish),
            Wish::Group => self.group(),
            Wish::More => self.settings.top = self.settings.top.saturating_mul(2).min(1 << 20),
            Wish::Fewer => self.settings.top = (self.settings.top / 2).max(1),
            Wish::Save => return self.save(),
            Wish::Yank => return self.yank(false),
            Wish::YankJson => return self.yank(true),
            Wish::Blame => self.go(Page::Blame),
            Wish::Heat => self.open_heat(),
            Wish::Help => self.go(Page::Help),
        }
        Action::None
    }

    pub fn page(&self) -> &Page {
        &self.spot().page
    }

    pub fn spots(&self) -> &[Spot] {
        &self.spots
    }

    pub fn spot(&self) -> &Spot {
        // There is always one.
        &self.spots[self.spots.len() - 1]
    }

    fn spot_mut(&mut self) -> &mut Spot {
        let last = self.spots.len() - 1;
        &mut self.spots[last]
    }

    /// The overview, if there is one, and the probes.
    pub fn tabs(&self) -> Vec<Page> {
        let overview = self.plan.overview.then_some(Page::Overview);
        overview.into_iter().chain(self.plan.probes().into_iter().map(Page::Probe)).collect()
    }

    fn probe(&mut self, to: impl Fn(usize, usize) -> usize) {
        let tabs = self.tabs();
        let at = self.spots.iter().rev().find_map(|spot| tabs.iter().position(|tab| *tab == spot.page)).unwrap_or(0);
        if let Some(page) = tabs.get(to(at, tabs.len().max(1))) {
            let overview = self.plan.overview && *page != Page::Overview;
            self.spots = overview.then(|| Spot::of(Page::Overview)).into_iter().collect();
            self.spots.push(Spot::of(page.clone()));
        }
    }

    fn go(&mut self, page: Page) {
        if *self.page() != page {
            self.spots.push(Spot::of(page));
        }
    }

    fn open(&mut self) {
        match &self.spot().selected {
            Some(Item::Column(table, head)) => {
                let (table, head) = (*table, *head);
                self.settings.look_mut(table).toggle(head);
            }
            Some(item) => {
                if let Some(page) = pages::of(item) {
                    self.spot_mut().chosen = true;
                    self.go(page);
                }
            }
            None => {}
        }
    }

    fn back(&mut self) {
        if self.spots.len() > 1 {
            self.spots.pop();
        } else if !self.settings.filter.is_empty() {
            self.settings.filter = Default::default();
        }
    }

    /// Sorts the table of the selected row, or chooses its columns.
    fn table(&mut self, wish: Wish) {
        let wanted = match &self.spot().selected {
            Some(Item::Row(row)) => Some(row.table),
            _ => None,
        };
        let (Some(wanted), Some((_, snapshot))) = (wanted, &self.shown) else {
            self.says = Some("select a row of a table first".to_owned());
            return;
        };
        if wish == Wish::Columns {
            return self.go(Page::Columns(wanted));
        }
        let mut heads = Vec::new();
        tables::each(snapshot, &self.view, &mut |table| {
            if table.name == wanted {
                heads = sheet::heads(table, &self.view).into_iter().map(|(_, text)| text.head).collect();
            }
        });
        heads.retain(|head| !head.is_empty());
        let look = self.settings.look_mut(wanted);
        if wish == Wish::Sort { look.sort_by_next(&heads) } else { look.turn(&heads) }
    }

    /// The rows of its table are grouped in the next way, and what it is in then is selected.
    fn group(&mut self) {
        let (Some(wanted), Some((_, snapshot))) = (self.selected_row().cloned(), &self.shown) else {
            self.says = Some("select a row of a table first".to_owned());
            return;
        };
        let look = self.settings.look_mut(wanted.table);
        let mut selected = None;
        tables::each(snapshot, &self.view, &mut |table| {
            if table.name != wanted.table {
                return;
            }
            let next = groups::next(table, look.by);
            if next == look.by {
                self.says = Some("its rows are of no process".to_owned());
            }
            let row = table.rows.iter().find(|row| groups::id(table, **row, look.by) == wanted);
            selected = row.map(|row| Item::Row(groups::id(table, *row, next)));
            look.by = next;
        });
        if selected.is_some() {
            self.spot_mut().selected = selected;
        }
    }

    /// A row that is selected.
    pub fn selected_row(&self) -> Option<&RowId> {
        match &self.spot().selected {
            Some(Item::Row(row)) => Some(row),
            _ => None,
        }
    }
}

impl Spot {
    pub fn of(page: Page) -> Self {
        Self { page, selected: None, chosen: false, line: 0, above: 0, beyond: 0 }
    }
}
