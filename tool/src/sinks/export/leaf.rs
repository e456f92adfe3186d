//! Any row as a flat one: each of its parts that has a value of its own is a column.
//!
//! Names are those of JSON, joined by `_` where JSON has a row or a distribution within the row.

use std::borrow::Cow;

use crate::{
    sinks::json::{WHY, reason},
    table::{
        Cell, Column, ColumnKind, Columns, Latency,
        shape::{Shape, Shaped, Table},
    },
};

/// A column of flat rows.
#[derive(Debug)]
pub struct Leaf {
    pub name: String,
    pub meaning: String,
    pub kind: ColumnKind,
    pub unit: &'static str,
    pub source: &'static str,
    pub of: LeafType,
    /// Where its value may be: the first that is there counts.
    places: Vec<(Path, Take)>,
    /// Where that is there, this is not.
    unless: Option<Path>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeafType {
    Flag,
    Count,
    Signed,
    Real,
    Text,
    At,
    /// Counts by nanosecond.
    Histogram,
    /// Counts by name.
    Counts,
    /// Lists, as JSON has them.
    Json,
}

/// Which column; in the row that it is, which column; and so on.
type Path = Vec<usize>;

/// What of a cell.
#[derive(Clone, Copy, Debug)]
enum Take {
    All,
    Count,
    Sum,
    Time(fn(&Latency) -> u64),
    /// Why it is not known; why a distribution of nothing has no times.
    Why(&'static str),
}

/// All leaves of the rows of a table.
pub fn of<R: Columns + Shaped>() -> Vec<Leaf> {
    let mut leaves = Leaves::default();
    if let Shape::Row(table) = R::shape() {
        leaves.row(&table, "", &[]);
    }
    leaves.0
}

impl Leaf {
    /// Of a row.
    pub fn get<'a>(&self, cells: &'a [Cell<'a>]) -> Option<Cell<'a>> {
        let is_there = |path: &Path| at(cells, path).is_some_and(|cell| !matches!(cell, Cell::None | Cell::Unknown(_)));
        if self.unless.as_ref().is_some_and(is_there) {
            return None;
        }
        self.places.iter().find_map(|(path, take)| take.of(at(cells, path)?))
    }
}

fn at<'a>(cells: &'a [Cell<'a>], path: &Path) -> Option<&'a Cell<'a>> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(cells.get(*first)?, |cell, column| match cell {
        Cell::Row(_, cells) => cells.get(*column),
        _ => None,
    })
}

impl Take {
    fn of<'a>(self, cell: &'a Cell<'a>) -> Option<Cell<'a>> {
        match (self, cell) {
            (Self::Why(_), Cell::Unknown(why)) => Some(Cell::Text(why.to_string().into())),
            (_, Cell::None | Cell::Unknown(_)) => None,
            (Self::Why(empty), Cell::Times(times)) if times.count == 0 && !empty.is_empty() => {
                Some(Cell::Text(Cow::Borrowed(empty)))
            }
            (Self::Why(_), _) => None,
            (Self::Count, Cell::Times(times)) => Some(Cell::Count(times.count)),
            (Self::Sum, Cell::Times(times)) => Some(Cell::Count(times.total_ns)),
            (Self::Time(of), Cell::Times(times)) => (times.count > 0).then(|| Cell::Count(of(times))),
            (_, cell) => Some(cell.clone()),
        }
    }
}

#[derive(Default)]
struct Leaves(Vec<Leaf>);

impl Leaves {
    fn row(&mut self, table: &Table, prefix: &str, path: &[usize]) {
        for (number, (column, shape)) in table.columns.iter().enumerate() {
            if !column.json.hidden {
                let unless = position(table, column.json.unless).map(|other| below(path, other));
                let before = self.0.len();
                self.column(column, shape, prefix, column.json.key, &below(path, number));
                self.0.iter_mut().skip(before).for_each(|leaf| leaf.unless = leaf.unless.take().or(unless.clone()));
            }
        }
    }

    fn column(&mut self, column: &Column, shape: &Shape, prefix: &str, key: &str, path: &Path) {
        let (json, name) = (&column.json, format!("{prefix}{key}"));
        let inside = if json.flat || !json.parts.is_empty() { prefix.to_owned() } else { format!("{name}_") };
        match (shape.value(), json.parts) {
            (Shape::Times, []) => self.distribution(column, &inside, path),
            (Shape::Times, parts) => {
                for (key, part) in parts {
                    self.part(column, &format!("{prefix}{key}"), part, path);
                }
            }
            (Shape::Row(table), []) => self.row(table, &inside, path),
            (Shape::Row(table), parts) => {
                for (key, part) in parts {
                    self.named(table, prefix, key, part, path);
                }
            }
            (value, _) => self.add(&name, column.meaning, column, value, (path.clone(), Take::All)),
        }
        let told = json.parts.iter().any(|(_, part)| *part == WHY);
        if !told && (shape.has_reason() || !json.empty.is_empty()) {
            self.why(column, &format!("{prefix}{}", reason(column)), path);
        }
    }

    /// One column of a row that is shown in part.
    fn named(&mut self, table: &Table, prefix: &str, key: &str, part: &str, path: &Path) {
        let Some(number) = position(table, part) else { return };
        let (column, shape) = &table.columns[number];
        let before = self.0.len();
        self.column(column, shape, prefix, key, &below(path, number));
        // A reason does not stand beside what is known.
        let known = key.strip_suffix("_unknown").and_then(|of| position(table, of));
        self.0.iter_mut().skip(before).for_each(|leaf| leaf.unless = known.map(|other| below(path, other)));
    }

    fn distribution(&mut self, column: &Column, prefix: &str, path: &Path) {
        let times = Latency::PARTS.iter().map(|part| part.name);
        for part in ["count"].into_iter().chain(times).chain(["histogram"]) {
            self.part(column, &format!("{prefix}{part}"), part, path);
        }
    }

    fn part(&mut self, column: &Column, name: &str, part: &str, path: &Path) {
        let time = Latency::PARTS.iter().find(|time| time.name == part);
        let (meaning, take, shape) = match (part, time) {
            (WHY, _) => return self.why(column, name, path),
            ("histogram", _) => ("How many from which nanosecond on.", Take::All, Shape::Times),
            ("count", _) => ("How many.", Take::Count, Shape::Count),
            (_, Some(time)) => (time.meaning, Take::Time(time.of), Shape::Count),
            _ => ("All together.", Take::Sum, Shape::Count),
        };
        let meaning = format!("{} {meaning}", column.meaning);
        self.add(name, &meaning, column, &shape, (path.clone(), take));
        if let (Take::Count, Some(leaf)) = (take, self.0.last_mut()) {
            leaf.unit = "";
        }
    }

    fn why(&mut self, column: &Column, name: &str, path: &Path) {
        let meaning = format!("Why `{}` is not known.", column.json.key);
        let reason = Column { kind: ColumnKind::Info, unit: "", ..column.clone() };
        self.add(name, &meaning, &reason, &Shape::Text, (path.clone(), Take::Why(column.json.empty)));
    }

    /// Two reasons may have one name.
    fn add(&mut self, name: &str, meaning: &str, column: &Column, shape: &Shape, place: (Path, Take)) {
        if let Some(leaf) = self.0.iter_mut().find(|leaf| leaf.name == name) {
            leaf.places.push(place);
            return;
        }
        self.0.push(Leaf {
            name: name.to_owned(),
            meaning: meaning.to_owned(),
            kind: column.kind,
            unit: column.unit,
            source: column.source,
            of: LeafType::of(shape),
            places: vec![place],
            unless: None,
        });
    }
}

fn position(table: &Table, name: &str) -> Option<usize> {
    table.columns.iter().position(|(column, _)| column.name == name)
}

fn below(path: &[usize], column: usize) -> Path {
    path.iter().copied().chain([column]).collect()
}

impl LeafType {
    fn of(shape: &Shape) -> Self {
        match shape.value() {
            Shape::Flag => Self::Flag,
            Shape::Count => Self::Count,
            Shape::Signed => Self::Signed,
            Shape::Real => Self::Real,
            Shape::At => Self::At,
            Shape::Times => Self::Histogram,
            Shape::Named => Self::Counts,
            Shape::Text | Shape::Word(_) => Self::Text,
            _ => Self::Json,
        }
    }
}
