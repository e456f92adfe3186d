//! What is written of tables: `docs/tables.md` for people, `docs/stillwatch.schema.json` for programs; and of keys: `docs/screen.md`. `cargo xtask docs` writes both
//! by the test that otherwise compares them, so that nothing of this is in the binary.

mod keys;
mod markdown;
mod picture;
mod schema;
mod screen;

use std::{env, fs, path::Path};

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use stillwatch_tests::schema::validate_by;

use crate::{
    sinks::json::Row,
    table::{
        Columns,
        any::Dice,
        shape::{Shape, Shaped, Table},
        tests::*,
    },
};

/// Says that the files are to be written.
const WRITE: &str = "STILLWATCH_WRITE_DOCS";

/// Every table but those that only tests have.
fn tables() -> Vec<Table> {
    let mut tables = Vec::new();
    each_table!(add, &mut tables);
    tables
}

fn add<R: Columns + Shaped>(tables: &mut Vec<Table>) {
    match R::shape() {
        Shape::Row(table) if probe(table.name) != "tests" => tables.push(table),
        _ => {}
    }
}

/// `io` of `io.devices`.
fn probe(table: &'static str) -> &'static str {
    table.split('.').next().unwrap_or(table)
}

#[test]
fn files_say_what_is_declared() {
    let tables = tables();
    let schema = schema::all(&tables);
    let texts = [
        ("tables.md", markdown::all(&tables)),
        ("stillwatch.schema.json", schema),
        ("screen.md", screen::all()),
        ("screen.svg", picture::svg()),
    ];
    for (name, text) in texts {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
        if env::var_os(WRITE).is_some() {
            fs::write(&file, text).unwrap();
        } else {
            let stale = fs::read_to_string(&file).is_ok_and(|written| written != text);
            assert!(!stale && file.exists(), "docs/{name} is not what is declared: cargo xtask docs writes it");
        }
    }
}

proptest! {
    // Each is one row of every table.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_row_is_as_the_schema_says(seed in any::<u64>()) {
        each_table!(fits, seed);
    }
}

fn fits<R: Columns + DeserializeOwned + Shaped>(seed: u64) {
    if let Shape::Row(table) = R::shape() {
        let mut schema = schema::row(&table);
        schema["unevaluatedProperties"] = false.into();
        let row = serde_json::to_value(Row(&Dice::new(seed).any::<R>())).unwrap();
        validate_by(&schema, &row).unwrap_or_else(|error| panic!("{}: {error:#}", R::NAME));
    }
}

/// Otherwise what it says of a table means nothing.
#[test]
fn every_table_stands_in_some_line() {
    let text = schema::all(&tables());
    for table in tables() {
        let reference = format!("\"#/$defs/{}\"", table.name);
        assert!(text.contains(&reference), "tool/src/docs/lines.schema.json does not refer to {}", table.name);
    }
}
