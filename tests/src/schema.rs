//! Lines against `docs/stillwatch.schema.json`: a validator of what that schema uses, and no more; whole ones are eighty crates.

use std::{collections::BTreeSet, sync::LazyLock};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

static SCHEMA: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../docs/stillwatch.schema.json")).unwrap_or_default());

/// Any line that `--json` prints.
pub fn validate(line: &Value) -> Result<()> {
    ensure!(SCHEMA.is_object(), "the schema is no JSON");
    check(&SCHEMA, line, "").with_context(|| line.to_string())
}

/// Anything by another schema, which may refer to that of lines.
pub fn validate_by(schema: &Value, value: &Value) -> Result<()> {
    check(schema, value, "").with_context(|| value.to_string())
}

const DEFINITIONS: &str = "#/$defs/";

/// What only explains.
const WORDS: [&str; 6] = ["$schema", "$id", "$defs", "title", "description", "format"];

/// `at`: where the value stands, for the complaint.
fn check(schema: &Value, value: &Value, at: &str) -> Result<()> {
    let rules = schema.as_object().with_context(|| format!("{at}: the schema is {schema}"))?;
    for (rule, wanted) in rules.iter().filter(|(rule, _)| !WORDS.contains(&rule.as_str())) {
        match rule.as_str() {
            "$ref" => check(definition(wanted)?, value, at)?,
            "type" => ensure!(is(wanted, value), "{at}: {value} is not of type {wanted}"),
            "const" => ensure!(value == wanted, "{at}: {value} is not {wanted}"),
            "enum" => ensure!(list(wanted).any(|one| one == value), "{at}: {value} is none of {wanted}"),
            "minimum" => {
                ensure!(!value.is_number() || value.as_f64() >= wanted.as_f64(), "{at}: {value} is below {wanted}")
            }
            "minItems" => ensure!(list(value).count() as u64 >= wanted.as_u64().unwrap_or(0), "{at}: too short"),
            "items" => (list(value).enumerate().skip(list(&schema["prefixItems"]).count()))
                .try_for_each(|(number, item)| allowed(wanted, item, &format!("{at}/{number}")))?,
            "prefixItems" => (list(wanted).zip(list(value)).enumerate())
                .try_for_each(|(number, (one, item))| check(one, item, &format!("{at}/{number}")))?,
            "allOf" => list(wanted).try_for_each(|one| check(one, value, at))?,
            "oneOf" => one_of(wanted, value, at)?,
            "required" => list(wanted).try_for_each(|key| required(key, value, at))?,
            "properties" => properties(wanted, value, at)?,
            "additionalProperties" => {
                let declared = schema["properties"].as_object();
                let more = entries(value).filter(|(key, _)| declared.is_none_or(|all| !all.contains_key(*key)));
                more.into_iter().try_for_each(|(key, value)| allowed(wanted, value, &format!("{at}/{key}")))?;
            }
            "unevaluatedProperties" => {
                let known = known(schema)?;
                let more = entries(value).filter(|(key, _)| !known.contains(key.as_str()));
                more.into_iter().try_for_each(|(key, value)| allowed(wanted, value, &format!("{at}/{key}")))?;
            }
            _ => bail!("{at}: `{rule}` of the schema is not understood"),
        }
    }
    Ok(())
}

/// A schema, or whether there may be anything at all.
fn allowed(wanted: &Value, value: &Value, at: &str) -> Result<()> {
    if wanted.is_boolean() {
        ensure!(*wanted == true, "{at} is not in the schema");
        return Ok(());
    }
    check(wanted, value, at)
}

fn definition(name: &Value) -> Result<&'static Value> {
    let name = name.as_str().and_then(|name| name.strip_prefix(DEFINITIONS)).context("a reference to elsewhere")?;
    SCHEMA["$defs"].get(name).with_context(|| format!("the schema has no {name}"))
}

fn is(wanted: &Value, value: &Value) -> bool {
    let one = |name: &Value| match name.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => false,
    };
    one(wanted) || list(wanted).any(one)
}

fn one_of(choices: &Value, value: &Value, at: &str) -> Result<()> {
    let complaints: Vec<_> = list(choices).filter_map(|one| check(one, value, at).err()).collect();
    let fit = list(choices).count() - complaints.len();
    let all: Vec<_> = complaints.iter().map(ToString::to_string).collect();
    ensure!(fit > 0, "{at}: neither\n  {}", all.join("\n  nor "));
    ensure!(fit == 1, "{at}: {fit} of the choices fit");
    Ok(())
}

fn required(key: &Value, value: &Value, at: &str) -> Result<()> {
    ensure!(value.is_object() && value.get(key.as_str().unwrap_or_default()).is_some(), "{at}: {key} is missing");
    Ok(())
}

fn properties(declared: &Value, value: &Value, at: &str) -> Result<()> {
    for (key, schema) in entries(declared) {
        if let Some(value) = value.get(key) {
            check(schema, value, &format!("{at}/{key}"))?;
        }
    }
    Ok(())
}

/// Keys that the schema says something of, itself or by those that it refers to.
fn known(schema: &Value) -> Result<BTreeSet<&str>> {
    let mut known: BTreeSet<&str> = entries(&schema["properties"]).map(|(key, _)| key.as_str()).collect();
    for part in list(&schema["allOf"]) {
        known.append(&mut self::known(part)?);
    }
    if let Some(name) = schema.get("$ref") {
        known.append(&mut self::known(definition(name)?)?);
    }
    Ok(known)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}
