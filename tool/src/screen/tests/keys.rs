//! The table of keys.

use std::collections::BTreeSet;

use super::*;
use crate::screen::keys::{BINDINGS, wish};

#[test]
fn every_key_does_one_thing() {
    let mut seen = BTreeSet::new();
    for code in BINDINGS.iter().flat_map(|binding| binding.codes()) {
        assert!(seen.insert(format!("{code:?}")), "{code:?} twice");
        assert!(wish(&KeyEvent::new(*code, KeyModifiers::NONE)).is_some());
    }
    assert!(wish(&KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)).is_some());
    assert!(wish(&KeyEvent::new(KeyCode::Char('s'), KeyModifiers::CONTROL)).is_none());
}
