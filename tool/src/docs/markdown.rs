//! `tables.md`: tables by probe, a line per column.

use super::{keys, probe};
use crate::{
    snapshot::Latency,
    table::{
        Absent, Column,
        shape::{Shape, Table},
    },
};

const INTRODUCTION: &str = include_str!("introduction.md");

pub fn all(tables: &[Table]) -> String {
    let mut text = INTRODUCTION.to_owned();
    text += "\nA **distribution** is of nanoseconds:\n\n| in JSON | |\n|---|---|\n";
    for part in &Latency::PARTS {
        row(&mut text, &[&code(part.name), part.meaning]);
    }
    row(&mut text, &[&code("histogram"), "`[[from, count], …]`: how many are in each bucket, without empty buckets."]);
    let mut last = "";
    for table in tables {
        let probe = probe(table.name);
        if probe != last {
            text += &format!("\n## {}\n", if probe == "who" { "In all probes" } else { probe });
            last = probe;
        }
        self::table(&mut text, table);
    }
    text
}

fn table(text: &mut String, table: &Table) {
    *text += &format!("\n### {}\n\n{}\n\n", table.name, table.meaning);
    let heads = ["in JSON", "kind", "type", "unit", "meaning", "kernel source", "in text"];
    row(text, &heads);
    row(text, &["---"; 7]);
    for (column, shape) in &table.columns {
        let heads = heads_of(column);
        // What only stillwatch itself needs.
        if column.json.hidden && heads.is_empty() {
            continue;
        }
        let (kind, keys) = (format!("{:?}", column.kind).to_lowercase(), keys_of(column, shape));
        let source = if column.source.is_empty() { String::new() } else { code(column.source) };
        row(text, &[&keys, &kind, &type_of(column, shape), column.unit, column.meaning, &source, &heads]);
    }
}

fn row(text: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    *text += &format!("| {} |\n", cells.join(" | "));
}

fn code(word: &str) -> String {
    format!("`{word}`")
}

fn keys_of(column: &Column, shape: &Shape) -> String {
    let keys = keys::of(column, shape);
    let names: Vec<String> = keys.iter().map(|key| code(&key.name)).collect();
    if names.is_empty() { "–".to_owned() } else { names.join(" ") }
}

/// The same head twice, as of two widths, is one.
fn heads_of(column: &Column) -> String {
    let mut heads: Vec<String> = Vec::new();
    for head in column.text.iter().map(|text| text.head).filter(|head| !head.is_empty()) {
        if !heads.contains(&code(head)) {
            heads.push(code(head));
        }
    }
    heads.join(" ")
}

fn type_of(column: &Column, shape: &Shape) -> String {
    let whole = !column.json.flat && column.json.parts.is_empty();
    let null = whole && (matches!(shape.value(), Shape::Times) || keys::may_be_null(column, shape));
    let absent = match column.json.absent {
        Absent::Never => "",
        Absent::None => "; absent where there is none",
        Absent::Nothing => "; absent where there is nothing",
    };
    format!("{}{}{absent}", words(shape), if null { " or null" } else { "" })
}

fn words(shape: &Shape) -> String {
    match shape {
        Shape::Flag => "boolean".to_owned(),
        Shape::Count | Shape::Signed => "integer".to_owned(),
        Shape::Real => "number".to_owned(),
        Shape::Text => "string".to_owned(),
        Shape::At => "time".to_owned(),
        Shape::Times => "distribution".to_owned(),
        Shape::Named => "integers by name".to_owned(),
        Shape::Word(words) => words.iter().map(|word| code(word)).collect::<Vec<_>>().join(" "),
        Shape::List(each) => format!("list of: {}", words(each)),
        Shape::Row(table) => format!("[{0}](#{1})", table.name, table.name.replace('.', "")),
        Shape::Maybe(value) | Shape::Known(value) => words(value),
    }
}
