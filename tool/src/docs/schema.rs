//! The schema of every line: tables as they are declared, and around them what `lines.schema.json` says by hand.

use serde_json::{Map, Value, json};

use super::keys::{self, Key};
use crate::{sinks::export, table::shape::Table};

const LINES: &str = include_str!("lines.schema.json");

pub fn all(tables: &[Table]) -> String {
    let mut schema: Value = serde_json::from_str(LINES).unwrap();
    schema["$defs"]["distribution"] = object("Times, in nanoseconds.", keys::distribution());
    for table in tables {
        schema["$defs"][table.name] = row(table);
    }
    schema["$defs"]["exported"] = exported();
    // A row that has it is of the last of these.
    if let Some(stamp) = schema["$defs"]["export"]["properties"].as_object_mut() {
        stamp.remove("others");
    }
    serde_json::to_string_pretty(&schema).unwrap() + "\n"
}

/// A line of `stillwatch export --format ndjson`.
fn exported() -> Value {
    let part = |name: &str| json!({ "$ref": format!("#/$defs/{name}") });
    let row = |name: &str, table: Value, closed: bool| {
        json!({
            "allOf": [part("export"), part(name)], "properties": { "table": table }, "required": ["table"],
            "unevaluatedProperties": !closed,
        })
    };
    let rows = export::names().into_iter().map(|table| row(table, json!({ "const": table }), true));
    let all: Vec<_> = rows.chain([row("others", json!({ "type": "string" }), false)]).collect();
    json!({ "description": "A line of stillwatch export: a row of any table, with `table`, its name.", "oneOf": all })
}

/// Not closed: a row may stand among other keys.
pub fn row(table: &Table) -> Value {
    object(table.meaning, table.columns.iter().flat_map(|(column, shape)| keys::of(column, shape)).collect())
}

fn object(meaning: &str, keys: Vec<Key>) -> Value {
    let required: Vec<String> = keys.iter().filter(|key| key.always).map(|key| key.name.clone()).collect();
    let mut properties = Map::new();
    for Key { name, meaning, mut schema, .. } in keys {
        schema["description"] = meaning.into();
        properties.insert(name, schema);
    }
    json!({ "description": meaning, "type": "object", "properties": properties, "required": required })
}
