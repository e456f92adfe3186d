//! `screen.md`: every key, as `?` lists them.

use crate::screen::keys::BINDINGS;

const INTRODUCTION: &str = include_str!("screen.md");

pub fn all() -> String {
    let mut text = INTRODUCTION.to_owned();
    let mut about = "";
    for binding in BINDINGS.iter().filter(|binding| !binding.keys.is_empty()) {
        if binding.about != about {
            about = binding.about;
            text += &format!("\n## {about}\n\n| key | |\n|---|---|\n");
        }
        text += &format!("| `{}` | {} |\n", binding.keys, binding.what);
    }
    text
}
