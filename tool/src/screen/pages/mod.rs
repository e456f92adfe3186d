//! What a page says: lines of words, each with what they mean for the eye, and what is selected when one stands on them.
//!
//! No drawing: [`super::view`] paints the lines, [`super::state`] moves among them.

pub mod blame;
pub mod columns;
pub mod file;
pub mod finding;
pub mod groups;
pub mod heat;
pub mod help;
pub mod lines;
pub mod overview;
pub mod probe;
pub mod process;
pub mod row;
pub mod sheet;
pub mod tables;

use self::lines::{Item, PageLine};
use super::state::Machine;
use crate::{cli::plan::By, escape::escape, snapshot::Snapshot};

/// Where one is.
#[derive(Clone, Debug, PartialEq)]
pub enum Page {
    Overview,
    Probe(&'static str),
    /// Of a rule and a subject.
    Finding(&'static str, String),
    Row(RowId),
    Process(u32),
    /// Who waits because of whom.
    Blame,
    Heat(Distribution),
    /// Which columns of a table are shown.
    Columns(&'static str),
    Help,
}

/// A row, wherever it stands: its table, and the cells that tell it apart.
#[derive(Clone, Debug)]
pub struct RowId {
    pub table: &'static str,
    /// It stands for all rows of a process, or of a cgroup.
    pub by: Option<By>,
    pub labels: String,
    /// For people; a process may change it.
    pub name: String,
}

/// A histogram of a row; none: of all rows of the table together.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    pub table: &'static str,
    pub row: Option<RowId>,
    pub column: usize,
}

impl PartialEq for RowId {
    fn eq(&self, other: &Self) -> bool {
        self.table == other.table && self.by == other.by && self.labels == other.labels
    }
}

pub fn lines(of: &Machine, page: &Page, snapshot: Option<&Snapshot>) -> Vec<PageLine> {
    if *page == Page::Help {
        return help::lines(of);
    }
    let Some(snapshot) = snapshot else { return vec![PageLine::dim("waiting for the first interval")] };
    match page {
        Page::Overview => overview::lines(of, snapshot),
        Page::Probe(probe) => probe::lines(of, snapshot, probe),
        Page::Finding(rule, subject) => finding::lines(of, snapshot, rule, subject),
        Page::Row(row) => row::lines(of, snapshot, row),
        Page::Process(pid) => process::lines(of, snapshot, *pid),
        Page::Blame => blame::lines(of, snapshot),
        Page::Heat(wanted) => heat::lines(of, snapshot, wanted),
        Page::Columns(table) => columns::lines(of, table),
        Page::Help => Vec::new(),
    }
}

/// In the breadcrumb.
pub fn name(page: &Page) -> String {
    match page {
        Page::Overview => "overview".to_owned(),
        Page::Probe(probe) => (*probe).to_owned(),
        Page::Finding(rule, subject) if subject.is_empty() => rule.replace('_', " "),
        Page::Finding(rule, subject) => format!("{}: {}", rule.replace('_', " "), escape(subject)),
        Page::Row(row) => row.name.clone(),
        Page::Process(pid) => format!("process {pid}"),
        Page::Blame => "blame".to_owned(),
        Page::Heat(wanted) => format!("heat map of {}", wanted.row.as_ref().map_or(wanted.table, |row| &row.name)),
        Page::Columns(table) => format!("columns of {table}"),
        Page::Help => "keys".to_owned(),
    }
}

/// What Enter opens.
pub fn of(item: &Item) -> Option<Page> {
    Some(match item {
        Item::Finding(rule, subject) => Page::Finding(rule, subject.clone()),
        Item::Probe(probe) => Page::Probe(probe),
        Item::Row(row) => Page::Row(row.clone()),
        Item::Process(pid) | Item::Part { pid, .. } => Page::Process(*pid),
        Item::Column(..) | Item::Band(_) => return None,
    })
}
