//! Words that the sources have as constants: rules, areas, causes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Deserializer};

pub type Constant = &'static str;

/// One that was written, as what it was. What is read stays in memory, each word once: they are some hundred.
pub fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Constant, D::Error> {
    String::deserialize(from).map(kept)
}

/// Several such words.
pub fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Constant>, D::Error> {
    Ok(Vec::<String>::deserialize(from)?.into_iter().map(kept).collect())
}

/// Counts by such words.
pub fn counts<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<Constant, u64>, D::Error> {
    let counts = BTreeMap::<String, u64>::deserialize(from)?;
    Ok(counts.into_iter().map(|(word, count)| (kept(word), count)).collect())
}

fn kept(word: String) -> Constant {
    static KNOWN: Mutex<BTreeSet<Constant>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(word) = known.get(word.as_str()) {
        return word;
    }
    let word: Constant = word.leak();
    known.insert(word);
    word
}
