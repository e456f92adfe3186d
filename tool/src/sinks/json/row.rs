//! Any row as an object, as its table declares it.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};

use super::latency::{self, Distribution};
use crate::table::{Absent, AnyRow, Bounded, Cell, Column, Columns, Others};

pub struct Row<'a, R>(pub &'a R);

/// Rows, and behind them the sum of those that were not kept.
pub struct Rows<'a, R> {
    rows: &'a [R],
    others: Option<&'a Others<R>>,
}

impl<'a, R> Rows<'a, R> {
    pub fn of(rows: &'a Bounded<R>) -> Self {
        Self { rows, others: rows.others() }
    }

    pub fn whole(rows: &'a [R]) -> Self {
        Self { rows, others: None }
    }
}

/// A row of whichever table.
pub struct Object<'a>(pub &'a dyn AnyRow);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let cells: Vec<_> = (0..self.0.columns().len()).map(|at| self.0.at(at)).collect();
        object(self.0.columns(), &cells, serializer)
    }
}

impl<R: Columns> Serialize for Row<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        object(R::COLUMNS, &self.0.cells(), serializer)
    }
}

impl<R: Columns> Serialize for Rows<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        self.rows.iter().try_for_each(|row| list.serialize_element(&Row(row)))?;
        if let Some(others) = self.others {
            list.serialize_element(&Summed(others))?;
        }
        list.end()
    }
}

/// What adds up of rows that were not kept, and how many they are.
pub struct Summed<'a, R>(pub &'a Others<R>);

impl<R: Columns> Serialize for Summed<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (columns, cells) = self.0.sums();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("others", &self.0.rows)?;
        entries(&mut map, &columns, &cells)?;
        map.end()
    }
}

fn object<S: Serializer>(columns: &[Column], cells: &[Cell<'_>], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    entries(&mut map, columns, cells)?;
    map.end()
}

fn entries<M: SerializeMap>(map: &mut M, columns: &[Column], cells: &[Cell<'_>]) -> Result<(), M::Error> {
    for (column, cell) in columns.iter().zip(cells).filter(|(column, cell)| {
        !column.json.hidden && is_there(column, cell) && !has(columns, cells, column.json.unless)
    }) {
        let json = &column.json;
        match cell {
            Cell::Unknown(why) if json.parts.iter().any(|(_, part)| *part == latency::WHY) => {
                latency::parts(map, json.parts, None, &why.to_string())?;
            }
            Cell::None | Cell::Unknown(_) => {
                keys(column).try_for_each(|key| map.serialize_entry(key, &()))?;
                let said = columns.iter().position(|other| other.name == json.as_of).and_then(|at| cells.get(at));
                if let Cell::Unknown(why) = cell
                    && said != Some(cell)
                {
                    map.serialize_entry(&*reason(column), &why.to_string())?;
                }
            }
            Cell::Row(columns, cells) if !json.parts.is_empty() => {
                for (key, part) in json.parts {
                    // A reason does not stand beside what is known.
                    let known = key.strip_suffix("_unknown").is_some_and(|of| has(columns, cells, of));
                    let inner = columns.iter().zip(cells).find(|(column, _)| column.name == *part && !known);
                    if let Some((_, cell)) = inner.filter(|(column, cell)| is_there(column, cell)) {
                        map.serialize_entry(key, &One(cell))?;
                    }
                }
            }
            Cell::Times(latency) if !json.parts.is_empty() => {
                latency::parts(map, json.parts, Some(latency), json.empty)?;
            }
            Cell::Times(latency) if json.flat => latency::entries(map, latency)?,
            Cell::Times(latency) if latency.count == 0 && !json.empty.is_empty() => {
                map.serialize_entry(json.key, &())?;
                map.serialize_entry(&*reason(column), json.empty)?;
            }
            Cell::Row(columns, cells) if json.flat => entries(map, columns, cells)?,
            cell => map.serialize_entry(json.key, &One(cell))?,
        }
    }
    Ok(())
}

fn has(columns: &[Column], cells: &[Cell<'_>], name: &str) -> bool {
    let mut all = columns.iter().zip(cells);
    all.any(|(column, cell)| column.name == name && !matches!(cell, Cell::None | Cell::Unknown(_)))
}

/// What is null where there is nothing: of what is flat, each.
fn keys(column: &Column) -> impl Iterator<Item = &'static str> {
    let json = column.json;
    let (parts, whole) = (!json.parts.is_empty(), !json.flat);
    let inner =
        column.columns.iter().map(|inner| inner.json).filter(|json| !json.hidden && json.absent == Absent::Never);
    let inner = inner.filter(move |_| !parts && !whole).map(|json| json.key);
    json.parts.iter().map(|(key, _)| *key).chain(inner).chain((!parts && whole).then_some(json.key))
}

fn is_there(column: &Column, cell: &Cell<'_>) -> bool {
    match column.json.absent {
        Absent::Never => true,
        Absent::None => *cell != Cell::None,
        Absent::Nothing => !cell.is_nothing(),
    }
}

/// `oldest_ns` is not known for the reason in `oldest_unknown`.
pub fn reason(column: &Column) -> std::borrow::Cow<'static, str> {
    if !column.json.reason.is_empty() {
        return column.json.reason.into();
    }
    let key = column.json.key;
    let unit = ["_ns", "_us", "_bytes", "_percent"].iter().find_map(|unit| key.strip_suffix(unit));
    format!("{}_unknown", unit.unwrap_or(key)).into()
}

pub struct One<'a>(pub &'a Cell<'a>);

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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        sinks::sample::{gone, latency, who},
        table::{Known, tests::Sample},
    };

    fn row() -> Sample {
        Sample {
            on: [(10, 3), (2, 5)].into(),
            outcomes: [("timed_out".into(), 4)].into(),
            trips: latency(&[(5_000_000, 2)]).into(),
            owner: Some(gone(7)),
            behind: Some(who(8, "b", "/")),
            age: std::time::Duration::from_millis(2),
            adj: Some(-17),
            small: 3,
        }
    }

    #[test]
    fn parts_maps_and_rows_within_rows() {
        let text = serde_json::to_string(&Row(&row())).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"on_ns":{"2":5,"10":3},"outcomes":{"timed_out":4},"waits":2,"srtt_p50_ns":4990368,"#,
                r#""histogram":[[4980736,2]],"pid":7,"#,
                r#""behind":{"pid":8,"comm":"b","cgroup":"/"},"age_ns":2000000,"adj":-17,"small":3}"#
            )
        );
    }

    #[test]
    fn what_is_not_known_and_what_is_none() {
        let trips = Known::unavailable("no connection");
        let row = Sample { outcomes: Default::default(), trips, owner: None, behind: None, adj: None, ..row() };
        let value = serde_json::to_value(Row(&row)).unwrap();
        assert_eq!(
            value,
            json!({
                "on_ns": {"2": 5, "10": 3}, "waits": null, "srtt_p50_ns": null, "histogram": null,
                "trips_unknown": "no connection", "pid": null, "pid_unknown": null, "behind": null, "age_ns": 2_000_000, "small": 3,
            })
        );
    }
}
