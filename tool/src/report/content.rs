//! What stands in a report. Its text is safe for a terminal.

mod cost;
mod evidence;
mod looked;
mod machine;
mod over_time;
mod people;
mod picture;
mod quoted;
mod summary;
mod timeline;
mod words;

use jiff::tz::TimeZone;

use super::story::Story;
use words::Clock;

pub use picture::{Curve, Drawing, Picture, Point, SHADES, Shades, Unit};

pub struct Content {
    pub title: String,
    /// The worst finding, as a sentence.
    pub lead: String,
    pub figures: Vec<Figure>,
    pub sections: Vec<Section>,
}

/// What is to be seen at the first glance.
pub struct Figure {
    pub name: &'static str,
    pub value: String,
    pub note: String,
    pub harm: bool,
}

pub struct Section {
    pub title: &'static str,
    pub blocks: Vec<Block>,
}

pub enum Block {
    Heading(String),
    Text(String),
    List(Vec<String>),
    Grid(Grid),
    Picture(Picture),
    /// As the kernel wrote it.
    Verbatim(Vec<String>),
    /// Room for people.
    ToWrite(&'static str),
}

pub struct Grid {
    pub captions: Vec<Caption>,
    pub rows: Vec<Vec<String>>,
}

#[derive(Clone, Copy)]
pub struct Caption {
    pub name: &'static str,
    pub is_number: bool,
}

impl Caption {
    pub const fn text(name: &'static str) -> Self {
        Self { name, is_number: false }
    }

    pub const fn number(name: &'static str) -> Self {
        Self { name, is_number: true }
    }
}

impl Grid {
    pub fn new<const N: usize>(captions: [Caption; N]) -> Self {
        Self { captions: captions.to_vec(), rows: Vec::new() }
    }

    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.to_vec());
    }
}

/// All that a story has to say.
pub fn of(story: &Story, zone: TimeZone, is_redacted: bool) -> Content {
    let clock = Clock::new(story, zone);
    Content {
        title: summary::title(story, &clock),
        lead: summary::lead(story),
        figures: summary::figures(story, &clock),
        sections: vec![
            summary::section(story, &clock),
            timeline::section(story, &clock, is_redacted),
            over_time::section(story, &clock),
            evidence::section(story, &clock),
            looked::section(story, &clock),
            cost::section(story, &clock),
            machine::section(story, &clock, is_redacted),
            people::section(),
        ],
    }
}
