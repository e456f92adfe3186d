//! The keys that a column has in JSON: the mirror of `sinks/json/row.rs`.

use serde_json::{Value, json};

use crate::{
    sinks::json::{WHY, reason},
    snapshot::Latency,
    table::{Absent, Column, shape::Shape},
};

pub struct Key {
    pub name: String,
    pub meaning: String,
    pub schema: Value,
    /// It is there in every row.
    pub always: bool,
}

impl Key {
    fn new(name: &str, meaning: &str, schema: Value) -> Self {
        Self { name: name.to_owned(), meaning: meaning.to_owned(), schema, always: true }
    }

    fn or_null(mut self) -> Self {
        self.schema = or_null(self.schema);
        self
    }

    fn sometimes(mut self) -> Self {
        self.always = false;
        self
    }
}

/// In order.
pub fn of(column: &Column, shape: &Shape) -> Vec<Key> {
    let json = &column.json;
    if json.hidden {
        return Vec::new();
    }
    let mut keys = match (shape.value(), json.parts) {
        (Shape::Times, []) if json.flat => distribution(),
        (Shape::Row(table), []) if json.flat => {
            table.columns.iter().flat_map(|(column, shape)| of(column, shape)).collect()
        }
        (_, []) => vec![Key::new(json.key, column.meaning, value(shape.value()))],
        (Shape::Row(table), parts) => parts
            .iter()
            .filter_map(|(key, part)| table.columns.iter().find(|(column, _)| column.name == *part).map(|it| (key, it)))
            .map(|(key, (column, shape))| named(key, column, shape))
            .collect(),
        (_, parts) => parts.iter().map(|(key, part)| self::part(key, part)).collect(),
    };
    if may_be_null(column, shape) {
        keys = keys.into_iter().map(Key::or_null).collect();
    }
    // A flat distribution that is not there has no keys.
    let elsewhere = json.absent != Absent::Never || !json.unless.is_empty();
    if elsewhere || json.flat && shape.may_lack() && matches!(shape.value(), Shape::Times) {
        keys = keys.into_iter().map(Key::sometimes).collect();
    }
    let told = json.parts.iter().any(|(_, part)| *part == WHY);
    if !told && (shape.has_reason() || !json.empty.is_empty()) {
        let meaning = format!("Why `{}` is not known; absent where it is.", json.key);
        keys.push(Key::new(&reason(column), &meaning, json!({ "type": "string" })).sometimes());
    }
    keys
}

/// Where a key may be absent instead, null only comes with a reason.
pub fn may_be_null(column: &Column, shape: &Shape) -> bool {
    shape.has_reason() || shape.may_lack() && column.json.absent == Absent::Never
}

/// One column of a row that is shown in part.
fn named(key: &str, column: &Column, shape: &Shape) -> Key {
    let named = Key::new(key, column.meaning, value(shape));
    // A reason does not stand beside what is known.
    if column.json.absent == Absent::Never && !key.ends_with("_unknown") { named } else { named.sometimes() }
}

/// One part of a distribution.
fn part(key: &str, part: &str) -> Key {
    match part {
        "count" => Key::new(key, "How many.", value(&Shape::Count)),
        "sum_ns" => Key::new(key, "All together; of none, 0.", value(&Shape::Count)),
        "histogram" => Key::new(key, HISTOGRAM, histogram()),
        WHY => {
            Key::new(key, "Why there are no times; absent where there are.", json!({ "type": "string" })).sometimes()
        }
        _ => {
            let time = Latency::PARTS.iter().find(|time| time.name == part);
            let meaning = time.map(|time| time.meaning).unwrap_or_default();
            Key::new(key, meaning, value(&Shape::Count)).or_null()
        }
    }
}

const HISTOGRAM: &str = "How many from which nanosecond on.";

/// All of one, as its keys.
pub fn distribution() -> Vec<Key> {
    let times = Latency::PARTS.iter().map(|part| Key::new(part.name, part.meaning, value(&Shape::Count)));
    times.chain([Key::new("histogram", HISTOGRAM, histogram())]).collect()
}

fn histogram() -> Value {
    json!({ "$ref": "#/$defs/histogram" })
}

fn value(shape: &Shape) -> Value {
    match shape {
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Count => json!({ "type": "integer", "minimum": 0 }),
        Shape::Signed => json!({ "type": "integer" }),
        Shape::Real => json!({ "type": "number" }),
        Shape::Text => json!({ "type": "string" }),
        Shape::At => json!({ "type": "string", "format": "date-time" }),
        Shape::Times => json!({ "oneOf": [{ "$ref": "#/$defs/distribution" }, { "type": "null" }] }),
        Shape::Named => json!({ "$ref": "#/$defs/counts" }),
        Shape::Word(words) => json!({ "type": "string", "enum": words }),
        Shape::List(each) => json!({ "type": "array", "items": value(each) }),
        Shape::Row(table) => {
            json!({ "$ref": format!("#/$defs/{}", table.name), "unevaluatedProperties": false })
        }
        Shape::Maybe(inner) | Shape::Known(inner) => or_null(value(inner)),
    }
}

fn or_null(mut schema: Value) -> Value {
    if let Some(name) = schema["type"].as_str() {
        schema["type"] = json!([name, "null"]);
        if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
            words.push(Value::Null);
        }
        return schema;
    }
    let nullable = schema.get("type").or_else(|| schema.get("oneOf")).is_some();
    if nullable { schema } else { json!({ "oneOf": [schema, { "type": "null" }] }) }
}
