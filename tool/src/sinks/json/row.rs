//! Any row as an object, as its table declares it.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};

use super::latency::Distribution;
use crate::table::{Cell, Column, Columns};

pub struct Row<'a, R>(pub &'a R);

impl<'a, R> Row<'a, R> {
    pub fn of(row: &'a R) -> Self {
        Self(row)
    }
}

pub struct Rows<'a, R>(pub &'a [R]);

impl<R: Columns> Serialize for Row<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        object(R::COLUMNS, &self.0.cells(), serializer)
    }
}

impl<R: Columns> Serialize for Rows<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Row))
    }
}

fn object<S: Serializer>(columns: &[Column], cells: &[Cell<'_>], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    entries(&mut map, columns, cells)?;
    map.end()
}

fn entries<M: SerializeMap>(map: &mut M, columns: &[Column], cells: &[Cell<'_>]) -> Result<(), M::Error> {
    for (column, cell) in columns.iter().zip(cells) {
        let json = &column.json;
        match cell {
            _ if json.hidden || json.sparse && cell.is_nothing() => {}
            Cell::Row(columns, cells) if json.flat => entries(map, columns, cells)?,
            Cell::Unknown(why) => {
                map.serialize_entry(json.key, &())?;
                let said = columns.iter().position(|other| other.name == json.as_of).and_then(|at| cells.get(at));
                if said != Some(cell) {
                    map.serialize_entry(&*reason(column), &why.to_string())?;
                }
            }
            cell => map.serialize_entry(json.key, &One(cell))?,
        }
    }
    Ok(())
}

/// `oldest_ns` is not known for the reason in `oldest_unknown`.
fn reason(column: &Column) -> std::borrow::Cow<'static, str> {
    if !column.json.reason.is_empty() {
        return column.json.reason.into();
    }
    let key = column.json.key;
    let unit = ["_ns", "_us", "_bytes", "_percent"].iter().find_map(|unit| key.strip_suffix(unit));
    format!("{}_unknown", unit.unwrap_or(key)).into()
}

struct One<'a>(&'a Cell<'a>);

impl Serialize for One<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Cell::None | Cell::Unknown(_) => serializer.serialize_none(),
            Cell::Flag(flag) => serializer.serialize_bool(*flag),
            Cell::Count(count) => serializer.serialize_u64(*count),
            Cell::Signed(number) => serializer.serialize_i64(*number),
            Cell::Real(number) => serializer.serialize_f64(*number),
            Cell::Text(text) => serializer.serialize_str(text),
            Cell::At(at) => serializer.collect_str(at),
            Cell::Times(latency) => Distribution::of(latency).serialize(serializer),
            Cell::Named(counts) => serializer.collect_map(counts.iter().map(|(name, count)| (name, count))),
            Cell::List(cells) => {
                let mut list = serializer.serialize_seq(Some(cells.len()))?;
                for cell in cells {
                    list.serialize_element(&One(cell))?;
                }
                list.end()
            }
            Cell::Row(columns, cells) => object(columns, cells, serializer),
        }
    }
}
