//! The last line: what is typed, what is to be said, or what keys do here.

use unicode_width::UnicodeWidthStr;

use crate::screen::{
    keys::{BINDINGS, Wish},
    pages::lines::{PageLine, Role, fit_printable},
    state::Machine,
};

pub fn line(of: &Machine, width: usize) -> PageLine {
    if let Some(prompt) = &of.prompt {
        // The end of what is typed stays in sight.
        let text = crate::escape::escape(&prompt.text).into_owned();
        let room = width.saturating_sub(prompt.label().width() + 1);
        let skipped = text.chars().count().saturating_sub(room);
        let text: String = text.chars().skip(skipped).collect();
        return PageLine::of(Role::Strong, prompt.label()).and(Role::Plain, text).and(Role::Strong, "_");
    }
    if let Some(says) = &of.says {
        return PageLine::of(Role::Strong, fit_printable(&crate::escape::escape(says), width));
    }
    let mut line = PageLine::empty();
    let mut used = 0;
    if !of.settings.filter.is_empty() {
        let only = format!("only {}  ", crate::escape::escape(&of.settings.filter.text));
        let only = fit_printable(&only, width);
        used += only.width();
        line = line.and(Role::Strong, only);
    }
    for binding in BINDINGS.iter().filter(|binding| !binding.hint.is_empty()) {
        let useless = match binding.wish {
            Wish::Back => of.spots().len() < 2,
            Wish::Sort => of.selected_row().is_none(),
            Wish::Open => of.spot().selected.is_none(),
            Wish::Freeze => of.recorded,
            _ => false,
        };
        let key = binding.keys.split(' ').next().unwrap_or(binding.keys);
        let wide = key.width() + 1 + binding.hint.width() + 2;
        if useless || used + wide > width + 2 {
            continue;
        }
        used += wide;
        line = line.and(Role::Strong, key).and(Role::Dim, format!(" {}  ", binding.hint));
    }
    line
}
