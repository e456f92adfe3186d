//! `/`: which rows are shown. Words that all must hold: text anywhere in a row, or `pid:430`, `comm:nginx`, `cgroup:web`, `dev:sda`, `port:443`.

use crate::{
    screen::pages::tables::people,
    snapshot::Who,
    table::{AnyRow, Cell},
};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matcher {
    /// As it was typed.
    pub text: String,
    words: Vec<Word>,
}

#[derive(Clone, Debug, PartialEq)]
enum Word {
    Text(String),
    Pid(u32),
    Comm(String),
    Cgroup(String),
    Device(String),
    Port(String),
}

impl Matcher {
    /// Why it is none, in words.
    pub fn of(text: &str) -> Result<Self, String> {
        let words = text.split_whitespace().map(word).collect::<Result<_, _>>()?;
        Ok(Self { text: text.trim().to_owned(), words })
    }

    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    pub fn has(&self, row: &dyn AnyRow) -> bool {
        self.words.iter().all(|word| word.has(row))
    }
}

fn word(word: &str) -> Result<Word, String> {
    let Some((what, of)) = word.split_once(':') else { return Ok(Word::Text(word.to_lowercase())) };
    let of = of.to_owned();
    Ok(match what {
        "pid" => Word::Pid(of.parse().map_err(|_| format!("'{of}' is not a pid"))?),
        "comm" => Word::Comm(of),
        "cgroup" => Word::Cgroup(of),
        "dev" | "device" => Word::Device(of),
        "port" => Word::Port(of.parse::<u16>().map_err(|_| format!("'{of}' is not a port"))?.to_string()),
        // An address has colons, too.
        _ => Word::Text(word.to_lowercase()),
    })
}

impl Word {
    fn has(&self, row: &dyn AnyRow) -> bool {
        let cells = || (0..row.columns().len()).map(|at| (row.columns()[at].name, row.at(at)));
        let any = |of: &dyn Fn(&Who) -> bool| {
            let mut who = Vec::new();
            cells().for_each(|(_, cell)| people(&cell, &mut who));
            who.iter().any(of)
        };
        match self {
            Self::Text(text) => cells().any(|(_, cell)| says(&cell, text)),
            Self::Pid(pid) => any(&|who| who.pid == Some(*pid)),
            Self::Comm(comm) => any(&|who| who.comm.as_deref() == Some(comm) || who.noted.as_deref() == Some(comm)),
            Self::Cgroup(part) => {
                any(&|who| who.cgroup.as_ref().is_some_and(|path| path.contains(part.as_str())))
                    || cells().any(|(name, cell)| name == "cgroup" && says(&cell, &part.to_lowercase()))
            }
            Self::Device(device) => cells().any(|(name, cell)| {
                matches!(name, "device" | "disk" | "alias") && matches!(&cell, Cell::Text(text) if text == device)
            }),
            Self::Port(port) => cells().any(|(_, cell)| ends_in(&cell, port)),
        }
    }
}

fn says(cell: &Cell<'_>, wanted: &str) -> bool {
    match cell {
        Cell::Text(text) => text.to_lowercase().contains(wanted),
        Cell::Count(count) => count.to_string() == wanted,
        Cell::Named(counts) => counts.iter().any(|(name, _)| name.to_lowercase().contains(wanted)),
        Cell::List(cells) | Cell::Row(_, cells) => cells.iter().any(|cell| says(cell, wanted)),
        _ => false,
    }
}

/// An address with that port.
fn ends_in(cell: &Cell<'_>, port: &str) -> bool {
    match cell {
        Cell::Text(text) => text.rsplit_once(':').is_some_and(|(_, end)| end == port),
        Cell::List(cells) | Cell::Row(_, cells) => cells.iter().any(|cell| ends_in(cell, port)),
        _ => false,
    }
}
