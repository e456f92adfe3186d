//! Every key, once: what `?` lists, what `docs/screen.md` says, and what a key does.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Up,
    Down,
    PageUp,
    PageDown,
    Open,
    Back,
    Next,
    Previous,
    Probe(usize),
    Freeze,
    Earlier,
    Later,
    /// So many on; back, if there are less than none.
    Minutes(i32),
    First,
    Newest,
    Jump,
    EventBefore,
    EventAfter,
    Sort,
    Turn,
    Columns,
    Group,
    Blame,
    Heat,
    Filter,
    More,
    Fewer,
    Mark,
    Save,
    Yank,
    YankJson,
    Help,
    Suspend,
    Quit,
}

pub struct Binding {
    /// As people write them.
    pub keys: &'static str,
    pub what: &'static str,
    /// Where it stands in the list.
    pub about: &'static str,
    codes: &'static [KeyCode],
    pub wish: Wish,
    /// Its word in the last line of the screen; empty: it is not there.
    pub hint: &'static str,
}

const fn key(
    keys: &'static str,
    codes: &'static [KeyCode],
    wish: Wish,
    about: &'static str,
    what: &'static str,
) -> Binding {
    Binding { keys, what, about, codes, wish, hint: "" }
}

impl Binding {
    pub fn codes(&self) -> &'static [KeyCode] {
        self.codes
    }

    const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = hint;
        self
    }
}

const MOVE: &str = "Moving";
const TIME: &str = "Time";
const TABLES: &str = "Tables";
const KEEP: &str = "Keeping";

pub const BINDINGS: &[Binding] = &[
    key("Enter", &[KeyCode::Enter], Wish::Open, MOVE, "opens what is selected: a finding, a row, a process, a probe")
        .hint("open"),
    key("Esc", &[KeyCode::Esc, KeyCode::Backspace], Wish::Back, MOVE, "goes back").hint("back"),
    key("↑ ↓ k j", &[KeyCode::Up, KeyCode::Char('k')], Wish::Up, MOVE, "selects another line"),
    key("", &[KeyCode::Down, KeyCode::Char('j')], Wish::Down, MOVE, ""),
    key("{ }", &[KeyCode::Char('{')], Wish::PageUp, MOVE, "a screen up, a screen down"),
    key("", &[KeyCode::Char('}')], Wish::PageDown, MOVE, ""),
    key("Tab", &[KeyCode::Tab], Wish::Next, MOVE, "the next probe; with Shift, the one before").hint("probes"),
    key("", &[KeyCode::BackTab], Wish::Previous, MOVE, ""),
    key("1 … 9", &[], Wish::Probe(0), MOVE, "the overview is 1, the probes follow in its order"),
    key(
        "mouse",
        &[],
        Wish::Open,
        MOVE,
        "the wheel and a click select, a second click opens, one on a name above goes there; with Shift, the terminal's own",
    ),
    key("b", &[KeyCode::Char('b')], Wish::Blame, MOVE, "who waits because of whom"),
    key(
        "h",
        &[KeyCode::Char('h')],
        Wish::Heat,
        MOVE,
        "latency over time as a heat map, of the selected row or of all; again: its next distribution",
    ),
    key(
        "Space",
        &[KeyCode::Char(' ')],
        Wish::Freeze,
        TIME,
        "freezes all that is shown, and lets it go on; measuring always goes on",
    )
    .hint("freeze"),
    key("← →", &[KeyCode::Left], Wish::Earlier, TIME, "an interval back, an interval on").hint("back in time"),
    key("", &[KeyCode::Right], Wish::Later, TIME, ""),
    key("PgUp PgDn", &[KeyCode::PageUp], Wish::Minutes(-1), TIME, "a minute back, a minute on"),
    key("", &[KeyCode::PageDown], Wish::Minutes(1), TIME, ""),
    key("< >", &[KeyCode::Char('<')], Wish::Minutes(-5), TIME, "five minutes back, five minutes on"),
    key("", &[KeyCode::Char('>')], Wish::Minutes(5), TIME, ""),
    key("Home End", &[KeyCode::Home], Wish::First, TIME, "the first interval that is kept, the newest"),
    key("", &[KeyCode::End], Wish::Newest, TIME, ""),
    key(
        ":",
        &[KeyCode::Char(':')],
        Wish::Jump,
        TIME,
        "jumps: 14:02:30 is a time of day, -90s is before the newest interval",
    ),
    key("[ ]", &[KeyCode::Char('[')], Wish::EventBefore, TIME, "to the finding, kill, mark or gap before, or after"),
    key("", &[KeyCode::Char(']')], Wish::EventAfter, TIME, ""),
    key(
        "/",
        &[KeyCode::Char('/')],
        Wish::Filter,
        TABLES,
        "only rows with a text, or pid:430 comm:nginx cgroup:web dev:sda port:443; empty: all",
    )
    .hint("filter"),
    key(
        "s",
        &[KeyCode::Char('s')],
        Wish::Sort,
        TABLES,
        "sorts the selected row's table by its next column; behind the last, as it was",
    )
    .hint("sort"),
    key("S", &[KeyCode::Char('S')], Wish::Turn, TABLES, "the other way round"),
    key(
        "c",
        &[KeyCode::Char('c')],
        Wish::Columns,
        TABLES,
        "which columns that table has: Enter takes one away, and brings it back",
    ),
    key(
        "g",
        &[KeyCode::Char('g')],
        Wish::Group,
        TABLES,
        "a line per process in that table, then per cgroup, then as it was",
    ),
    key("+ -", &[KeyCode::Char('+'), KeyCode::Char('=')], Wish::More, TABLES, "more rows per table, fewer"),
    key("", &[KeyCode::Char('-')], Wish::Fewer, TABLES, ""),
    key(
        "w",
        &[KeyCode::Char('w')],
        Wish::Save,
        KEEP,
        "writes all that is kept to a recording, for 'stillwatch replay' and 'report'",
    )
    .hint("save"),
    key("m", &[KeyCode::Char('m')], Wish::Mark, KEEP, "marks this moment with a note"),
    key("y", &[KeyCode::Char('y')], Wish::Yank, KEEP, "writes what is selected, with all its values, to a text file"),
    key("Y", &[KeyCode::Char('Y')], Wish::YankJson, KEEP, "the same as JSON"),
    key("?", &[KeyCode::Char('?'), KeyCode::F(1)], Wish::Help, KEEP, "these keys").hint("keys"),
    key("Ctrl-Z", &[], Wish::Suspend, KEEP, "leaves the screen to the shell until 'fg'; counting goes on"),
    key("q Ctrl-C", &[KeyCode::Char('q')], Wish::Quit, KEEP, "ends, and leaves the terminal as it was").hint("quit"),
];

/// What a key means where no text is typed.
pub fn wish(key: &KeyEvent) -> Option<Wish> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Wish::Quit),
            KeyCode::Char('z') => Some(Wish::Suspend),
            _ => None,
        };
    }
    if let KeyCode::Char(digit @ '1'..='9') = key.code {
        return Some(Wish::Probe(digit as usize - '1' as usize));
    }
    BINDINGS.iter().find(|binding| binding.codes.contains(&key.code)).map(|binding| binding.wish)
}
