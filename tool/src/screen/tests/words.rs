//! What only a table itself can put into words, the screen says as the table does.

use std::collections::BTreeSet;

use super::*;
use crate::{
    screen::pages::tables,
    sinks::{self, View, values::Show},
    table::{Format, any::Dice},
};

#[test]
fn tables_have_words_for_all_that_is_declared_as_their_own() {
    let view = View::of(&plan(""));
    let (mut declared, mut said) = (BTreeSet::new(), BTreeSet::new());
    for seed in 0..100 {
        let snapshot: Snapshot = Dice::wide(seed).any();
        tables::each(&snapshot, &view, &mut |table| {
            let show = Show { view: &view, interval: table.interval };
            for (_, text) in table.texts() {
                let Format::Own(name) = text.format else { continue };
                declared.insert((table.name, name));
                let words = |row: &&dyn crate::table::AnyRow| sinks::own(row.any(), name, &show);
                if table.rows.iter().filter_map(words).any(|words| !words.into_text().is_empty()) {
                    said.insert((table.name, name));
                }
            }
        });
    }
    assert!(declared.len() > 30, "{declared:?}");
    assert_eq!(said, declared);
}
