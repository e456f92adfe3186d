//! Looks: one colour for harm, one way to show what is selected; the terminal's own colours for all else.

use std::borrow::Cow;

use ratatui::style::{Color, Modifier, Style};

use crate::screen::pages::lines::Role;

#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub colour: bool,
    /// The terminal, or its font, has nothing but ASCII.
    pub ascii: bool,
}

impl Look {
    pub fn style(&self, role: Role, selected: bool) -> Style {
        let style = match role {
            Role::Plain => Style::new(),
            Role::Head => Style::new().add_modifier(Modifier::BOLD),
            Role::Dim if selected => Style::new(),
            Role::Dim => Style::new().add_modifier(Modifier::DIM),
            Role::Strong => Style::new().add_modifier(Modifier::BOLD),
            Role::Harm if self.colour => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
            Role::Harm => Style::new().add_modifier(Modifier::BOLD),
        };
        if selected { style.add_modifier(Modifier::REVERSED) } else { style }
    }

    /// As wide as the text.
    pub fn glyphs<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !self.ascii || text.is_ascii() {
            return Cow::Borrowed(text);
        }
        Cow::Owned(text.chars().flat_map(ascii).collect())
    }
}

fn ascii(char: char) -> impl Iterator<Item = char> {
    let plain = match char {
        _ if char.is_ascii() => char,
        '▁' | '░' => '.',
        '▂' | '▏' => ':',
        '▃' | '▎' => '-',
        '▒' => '+',
        '▓' => '%',
        '▄' | '▍' => '=',
        '▅' | '▌' => '+',
        '▆' | '▋' => '*',
        '▇' | '▊' => '%',
        '█' | '▉' => '#',
        '·' => ' ',
        '─' | '–' => '-',
        '›' => '>',
        '←' => '<',
        '→' => '>',
        '↑' => '^',
        '↓' => 'v',
        '●' => 'o',
        '…' => '~',
        '×' => 'x',
        '≥' => '>',
        _ => '?',
    };
    std::iter::repeat_n(plain, unicode_width::UnicodeWidthChar::width(char).unwrap_or(0))
}
