//! How tables are shown.

use std::collections::{BTreeMap, BTreeSet};

use super::filter::Matcher;
use crate::cli::plan::By;

pub struct Settings {
    pub filter: Matcher,
    /// Of tables that are not shown as declared.
    looks: BTreeMap<&'static str, Look>,
    /// Rows per table.
    pub top: usize,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    /// None: as declared, the most first.
    pub sort: Option<Sort>,
    /// A line stands for all rows of a process, or of a cgroup.
    pub by: Option<By>,
    /// Heads of columns that are left out.
    pub hidden: BTreeSet<&'static str>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sort {
    pub head: &'static str,
    pub falling: bool,
}

impl Settings {
    pub fn new(top: usize) -> Self {
        Self { filter: Matcher::default(), looks: BTreeMap::new(), top }
    }

    pub fn look(&self, table: &str) -> Look {
        self.looks.get(table).cloned().unwrap_or_default()
    }

    pub fn look_mut(&mut self, table: &'static str) -> &mut Look {
        self.looks.entry(table).or_default()
    }
}

impl Look {
    /// By the next of these columns; behind the last one, as declared.
    pub fn sort_by_next(&mut self, heads: &[&'static str]) {
        let next = match &self.sort {
            None => heads.first(),
            Some(sort) => heads.iter().skip_while(|head| **head != sort.head).nth(1),
        };
        self.sort = next.map(|head| Sort { head, falling: true });
    }

    /// The other way round.
    pub fn turn(&mut self, heads: &[&'static str]) {
        match &mut self.sort {
            Some(sort) => sort.falling = !sort.falling,
            None => self.sort_by_next(heads),
        }
    }

    pub fn toggle(&mut self, head: &'static str) {
        if !self.hidden.remove(head) {
            self.hidden.insert(head);
        }
    }
}
