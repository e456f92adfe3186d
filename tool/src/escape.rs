//! Text that comes from the host, made safe to print.
//!
//! Any user can name a process, a file or a cgroup so that a terminal obeys it: escape sequences that repaint the
//! screen or answer in the operator's name, direction overrides that make one path look like another, characters
//! that can't be seen. All of those are shown instead of sent:
//!
//! | in the text | printed |
//! |---|---|
//! | control characters below U+0080 (ESC, newline, DEL …) | `\x1b` |
//! | bytes that are not UTF-8 | `\xff` |
//! | C1 controls, direction marks, invisible characters, line separators | `\u{202e}` |
//! | backslash | `\\` |
//!
//! The backslash is doubled so that what is printed says exactly what was there: a process really called `\x1b`
//! prints as `\\x1b`.

use std::{borrow::Cow, fmt::Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Makes text printable. Borrows when there is nothing to escape, which is nearly always.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(needs_escape) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    text.chars().for_each(|char| push(&mut out, char));
    Cow::Owned(out)
}

/// Makes bytes printable that ought to be UTF-8 and may not be, such as a path.
pub fn escape_bytes(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return escape(text);
    }
    let mut out = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|char| push(&mut out, char));
        for byte in chunk.invalid() {
            hex(&mut out, *byte);
        }
    }
    Cow::Owned(out)
}

/// Text made printable and cut to `width` terminal columns, with `…` in place of what was cut. Escapes are kept whole.
pub fn fit(text: &str, width: usize) -> String {
    let escaped = escape(text);
    if escaped.width() <= width {
        return escaped.into_owned();
    }
    let Some(room) = width.checked_sub(1) else { return String::new() };
    let (mut out, mut used, mut piece) = (String::new(), 0, String::new());
    for char in text.chars() {
        piece.clear();
        push(&mut piece, char);
        // By character: never less than the width of the whole, which knows ligatures.
        used += piece.chars().map(|char| char.width().unwrap_or(0)).sum::<usize>();
        if used > room {
            break;
        }
        out.push_str(&piece);
    }
    out.push('…');
    out
}

fn push(out: &mut String, char: char) {
    match char {
        '\\' => out.push_str("\\\\"),
        char if char.is_ascii_control() => hex(out, char as u8),
        char if needs_escape(char) => {
            // Writing to a String can't fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(char));
        }
        char => out.push(char),
    }
}

fn hex(out: &mut String, byte: u8) {
    let _ = write!(out, "\\x{byte:02x}");
}

fn needs_escape(char: char) -> bool {
    char == '\\' || char.is_control() || turns_direction(char) || is_invisible(char)
}

/// Marks, embeddings, overrides and isolates of writing direction.
fn turns_direction(char: char) -> bool {
    matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Characters without width that would let two different names look alike, and the two line separators.
fn is_invisible(char: char) -> bool {
    matches!(
        char,
        '\u{ad}' // soft hyphen
            | '\u{34f}' // combining grapheme joiner
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers
            | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200d}' // zero-width space and joiners
            | '\u{2028}' | '\u{2029}' // line and paragraph separators
            | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' // variation selectors
            | '\u{feff}' // byte order mark
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}' // tags, and more selectors
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_names_are_borrowed() {
        for plain in ["", "postgres", "kworker/0:1-events", "naïve", "数据库", "🚒"] {
            assert!(matches!(escape(plain), Cow::Borrowed(text) if text == plain));
        }
    }

    #[test]
    fn dangerous_names_are_shown() {
        for (given, shown) in [
            ("\x1b[2J\x07", r"\x1b[2J\x07"),
            ("a\nb\tc\x7f", r"a\x0ab\x09c\x7f"),
            ("\u{9b}31m", r"\u{9b}31m"),
            ("gpj\u{202e}exe", r"gpj\u{202e}exe"),
            ("\u{2066}\u{2069}\u{200f}\u{61c}", r"\u{2066}\u{2069}\u{200f}\u{61c}"),
            ("a\u{200b}\u{2028}\u{feff}", r"a\u{200b}\u{2028}\u{feff}"),
            (r"\x1b", r"\\x1b"),
        ] {
            assert_eq!(escape(given), shown);
            assert_eq!(escape_bytes(given.as_bytes()), shown);
        }
        assert_eq!(escape_bytes(b"a\xff\x1b\xc3"), r"a\xff\x1b\xc3");
    }

    #[test]
    fn cutting_counts_columns_and_keeps_escapes_whole() {
        assert_eq!(fit("postgres", 8), "postgres");
        assert_eq!(fit("postgres", 5), "post…");
        assert_eq!(fit("数据库", 5), "数据…");
        assert_eq!(fit("数据库", 4), "数…");
        assert_eq!(fit("ab\x1b[2J", 6), "ab…");
        assert_eq!((fit("ab", 1), fit("ab", 0)), ("…".into(), String::new()));
    }

    /// Undoes the table at the top of this file.
    fn unescape(mut text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(char) = text.chars().next() {
            let length = if text.starts_with(r"\\") {
                out.push(b'\\');
                2
            } else if let Some(rest) = text.strip_prefix(r"\x") {
                out.push(u8::from_str_radix(&rest[..2], 16).unwrap());
                4
            } else if let Some(rest) = text.strip_prefix(r"\u{") {
                let (code, _) = rest.split_once('}').unwrap();
                let char = char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap();
                out.extend(char.encode_utf8(&mut [0; 4]).bytes());
                4 + code.len()
            } else {
                out.extend(char.encode_utf8(&mut [0; 4]).bytes());
                char.len_utf8()
            };
            text = &text[length..];
        }
        out
    }

    /// Mostly what needs care; `any` alone rarely makes it.
    fn host_text() -> impl Strategy<Value = String> {
        let nasty = prop::sample::select(
            "\\x1bu{}\x1b\n\u{9b}\u{202e}\u{200d}\u{fe0f}é数👩🚒\u{301}".chars().collect::<Vec<_>>(),
        );
        prop::collection::vec(prop_oneof![nasty, any::<char>()], 0..24).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn nothing_dangerous_passes(text in host_text()) {
            prop_assert!(escape(&text).chars().all(|char| char == '\\' || !needs_escape(char)));
        }

        #[test]
        fn what_is_printed_says_what_was_there(text in host_text()) {
            prop_assert_eq!(unescape(&escape(&text)), text.as_bytes());
        }

        #[test]
        fn bytes_too(bytes in prop::collection::vec(any::<u8>(), 0..24)) {
            prop_assert_eq!(unescape(&escape_bytes(&bytes)), bytes);
        }

        #[test]
        fn never_wider_than_asked(text in host_text(), width in 0_usize..30) {
            let cut = fit(&text, width);
            prop_assert!(cut.width() <= width, "{cut:?} takes {} columns", cut.width());
            prop_assert!(cut == escape(&text) || cut.ends_with('…') || width == 0);
        }
    }
}
