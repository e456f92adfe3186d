//! No key, in whatever order, panics or loses what is selected.

use proptest::prelude::*;

use super::*;
use crate::screen::{
    keys::BINDINGS,
    pages::{Page, lines::Item},
    tests::frames::frame,
    view::style::Look,
};

#[derive(Clone, Debug)]
enum Happens {
    Press(KeyEvent),
    Click(u16, u16),
    Interval(usize),
    Resize(u16, u16),
}

fn key() -> impl Strategy<Value = KeyEvent> {
    let bound: Vec<KeyCode> = BINDINGS.iter().flat_map(|binding| binding.codes()).copied().collect();
    let code = prop_oneof![
        8 => prop::sample::select(bound),
        2 => prop::sample::select(vec![KeyCode::Down, KeyCode::Enter, KeyCode::Up]),
        1 => prop::char::range('0', '9').prop_map(KeyCode::Char),
        1 => any::<char>().prop_map(KeyCode::Char),
    ];
    code.prop_map(|code| KeyEvent::new(code, KeyModifiers::NONE))
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        20 => key().prop_map(Happens::Press),
        2 => any::<usize>().prop_map(Happens::Interval),
        1 => (0_u16..200, 0_u16..60).prop_map(|(column, row)| Happens::Click(column, row)),
        1 => (10_u16..200, 4_u16..60).prop_map(|(width, height)| Happens::Resize(width, height)),
    ]
}

/// What is selected is on the screen, if it is there at all, and nobody went on to what cannot be selected.
fn in_sight(machine: &Machine) {
    let spot = machine.spot();
    let lines = || machine.lines.iter().map(|line| &line.item);
    let Some(first) = lines().position(|item| item.is_some() && *item == spot.selected) else { return };
    let seen = spot.top()..spot.top() + machine.room();
    assert!(
        spot.beyond != 0 || !spot.chosen || seen.contains(&first),
        "{:?} in line {first}, seen are {seen:?}",
        spot.selected
    );
    assert!(spot.top() == 0 || spot.top() + machine.room() <= machine.lines.len(), "{seen:?}");
}

proptest! {
    // 10^5 of them in all.
    #![proptest_config(ProptestConfig { max_shrink_iters: 2000, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn any_keys_at_any_size(all in prop::collection::vec(happens(), 1000), size in (10_u16..200, 4_u16..60)) {
        let intervals = incident!("retransmits");
        let mut machine = with(&intervals[..2], size);
        for (at, one) in all.into_iter().enumerate() {
            // A person has chosen it.
            if at == 0 {
                press(&mut machine, KeyCode::Down);
            }
            let (page, selected) = (machine.page().clone(), machine.spot().selected.clone());
            let moves = matches!(one, Happens::Press(_) | Happens::Click(..)) || !machine.spot().chosen;
            match one {
                Happens::Press(key) => _ = machine.on(Input::Key(key)),
                Happens::Click(column, row) => click(&mut machine, column, row),
                Happens::Interval(which) => see(&mut machine, &intervals[which % intervals.len()]),
                Happens::Resize(width, height) => _ = machine.on(Input::Resize(width, height)),
            }
            if !moves && selected.is_some() {
                assert_eq!((machine.page(), &machine.spot().selected), (&page, &selected));
            }
            in_sight(&machine);
            if at % 8 == 0 {
                frame(&machine, Look { colour: true, ascii: at % 16 == 0 });
            }
        }
    }
}

fn row(machine: &Machine) -> String {
    match &machine.spot().selected {
        Some(Item::Row(row)) => row.name.clone(),
        other => panic!("{other:?} is no row"),
    }
}

#[test]
fn the_selection_stays_with_the_row_while_rows_are_sorted_and_come_and_go() {
    let intervals = incident!("cpu_saturated");
    let (early, late) = intervals.split_at(2);
    let mut machine = with(early, (120, 40));
    write(&mut machine, "6");
    (0..3).for_each(|_| _ = press(&mut machine, KeyCode::Down));
    let selected = row(&machine);
    for _ in 0..5 {
        write(&mut machine, "s");
        assert_eq!(row(&machine), selected);
        in_sight(&machine);
    }
    write(&mut machine, "S");
    late.iter().for_each(|snapshot| see(&mut machine, snapshot));
    assert_eq!(row(&machine), selected);
}

#[test]
fn sorted_by_any_column() {
    let mut machine = with(&incident!("cpu_saturated"), (120, 40));
    write(&mut machine, "6");
    let heads = |machine: &Machine| machine.lines.iter().find(|line| line.head).unwrap().text();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..12 {
        write(&mut machine, "s");
        seen.extend(heads(&machine).split("by ").nth(1).map(str::to_owned));
    }
    assert!(seen.len() >= 6, "{seen:?}");
}

#[test]
fn a_filter_leaves_what_it_says_and_esc_takes_it_away() {
    let mut machine = with(&incident!("device_saturated"), (120, 40));
    write(&mut machine, "3");
    let before = page(&machine);
    write(&mut machine, "/pid:4294967295");
    press(&mut machine, KeyCode::Enter);
    assert!(page(&machine).contains("is as the filter says"), "{}", page(&machine));
    write(&mut machine, "/");
    (0..20).for_each(|_| _ = press(&mut machine, KeyCode::Backspace));
    press(&mut machine, KeyCode::Enter);
    assert_eq!(page(&machine), before);
    write(&mut machine, "/pid:x");
    press(&mut machine, KeyCode::Enter);
    assert_eq!(machine.says.as_deref(), Some("'x' is not a pid"));
}

#[test]
fn esc_goes_back_to_where_one_was() {
    let mut machine = with(&incident!("device_saturated"), (120, 40));
    press(&mut machine, KeyCode::Enter);
    assert!(matches!(machine.page(), Page::Finding(..)));
    press(&mut machine, KeyCode::Enter);
    press(&mut machine, KeyCode::Esc);
    press(&mut machine, KeyCode::Esc);
    press(&mut machine, KeyCode::Esc);
    assert_eq!((machine.page(), machine.spots().len()), (&Page::Overview, 1));
}

#[test]
fn a_column_goes_and_comes_back() {
    let mut machine = with(&incident!("device_saturated"), (120, 40));
    write(&mut machine, "3c");
    let Page::Columns(_) = machine.page() else { panic!("{:?}", machine.page()) };
    press(&mut machine, KeyCode::Down);
    press(&mut machine, KeyCode::Enter);
    assert!(page(&machine).contains("[ ] OP"), "{}", page(&machine));
    press(&mut machine, KeyCode::Esc);
    assert!(!machine.lines.iter().find(|line| line.head).unwrap().text().contains("OP "), "{}", page(&machine));
    write(&mut machine, "c");
    press(&mut machine, KeyCode::Down);
    press(&mut machine, KeyCode::Enter);
    press(&mut machine, KeyCode::Esc);
    assert!(machine.lines.iter().find(|line| line.head).unwrap().text().contains("OP "), "{}", page(&machine));
}

#[test]
fn what_is_selected_is_written_as_text_and_as_json() {
    let mut machine = with(&incident!("device_saturated"), (120, 40));
    for (keys, key) in [("1", "\"statement\""), ("3", "\"device\"")] {
        write(&mut machine, keys);
        let Action::Write { name, bytes } = press(&mut machine, KeyCode::Char('Y')) else { panic!("nothing") };
        let json = String::from_utf8(bytes).unwrap();
        let _: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert!(name.ends_with(".json") && json.contains(key), "{name}: {json}");
        let Action::Write { name, bytes } = press(&mut machine, KeyCode::Char('y')) else { panic!("nothing") };
        assert!(name.ends_with(".txt") && bytes.len() > 200, "{}", String::from_utf8_lossy(&bytes));
    }
}

/// A page goes on behind the last line that can be selected, and comes back.
#[test]
fn all_of_a_page_can_be_seen() {
    let mut machine = with(&incident!("device_saturated"), (80, 12));
    write(&mut machine, "3");
    press(&mut machine, KeyCode::Enter);
    assert!(machine.lines.len() > 20, "{}", page(&machine));
    (0..100).for_each(|_| _ = press(&mut machine, KeyCode::Down));
    assert_eq!(machine.spot().top() + machine.room(), machine.lines.len());
    (0..100).for_each(|_| _ = press(&mut machine, KeyCode::Up));
    assert_eq!(machine.spot().top(), 0);
}

/// Where a line with that text is on the screen.
fn row_with(machine: &Machine, text: &str) -> u16 {
    let frame = frame(machine, Look { colour: false, ascii: false });
    let row = frame.lines().position(|line| line.contains(text));
    row.unwrap_or_else(|| panic!("no {text} in\n{frame}")) as u16
}

#[test]
fn the_mouse_selects_and_opens() {
    let mut machine = with(&incident!("device_saturated"), (120, 40));
    let cpu = row_with(&machine, " busy");
    click(&mut machine, 4, cpu);
    assert_eq!((machine.page(), &machine.spot().selected), (&Page::Overview, &Some(Item::Probe("cpu"))));
    click(&mut machine, 4, cpu);
    assert_eq!(machine.page(), &Page::Probe("cpu"));
    let selected = machine.spot().selected.clone();
    mouse(&mut machine, MouseEventKind::ScrollDown, 0, 20);
    assert_ne!(machine.spot().selected, selected);
    mouse(&mut machine, MouseEventKind::ScrollUp, 0, 20);
    assert_eq!(machine.spot().selected, selected);
    // A name in the line that says where one is.
    let place = row_with(&machine, "overview › cpu");
    click(&mut machine, "overview › cpu".chars().count() as u16, place);
    assert_eq!(machine.page(), &Page::Probe("cpu"));
    click(&mut machine, 2, place);
    assert_eq!(machine.page(), &Page::Overview);
    // The host's pressure is that of a probe.
    for (name, probe) in [("io ", "io"), ("mem ", "oom")] {
        let column = machine.header[0].find(name).unwrap() as u16;
        click(&mut machine, column + 4, 0);
        assert_eq!(machine.page(), &Page::Probe(probe));
    }
    let before = machine.page().clone();
    let own = machine.header[0].find("self").unwrap() as u16;
    click(&mut machine, own, 0);
    click(&mut machine, 119, 0);
    assert_eq!(machine.page(), &before);
}
