//! `screen.svg`: the overview of an incident that was recorded, as a terminal shows it.

use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::Cell,
    style::{Color, Modifier},
};

use crate::screen::{
    tests::{incident, with},
    view::{self, style::Look},
};

const SIZE: (u16, u16) = (100, 24);
/// Of a cell.
const WIDE: u16 = 8;
const HIGH: u16 = 17;

pub fn svg() -> String {
    let machine = with(&incident!("device_saturated"), SIZE);
    let mut terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).unwrap();
    let look = Look { colour: true, ascii: false };
    terminal.draw(|frame| view::draw(&machine, &look, frame.area(), frame.buffer_mut())).unwrap();
    let buffer = terminal.backend().buffer();
    let (width, height) = (SIZE.0 * WIDE + 16, SIZE.1 * HIGH + 16);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"monospace\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"#16181d\"/>\n"
    );
    for y in 0..SIZE.1 {
        let cells: Vec<&Cell> = (0..SIZE.0).map(|x| &buffer[(x, y)]).collect();
        let mut x = 0;
        for run in cells.chunk_by(|a, b| a.modifier == b.modifier && a.fg == b.fg) {
            text += &self::run(run, x, y);
            x += run.len() as u16;
        }
    }
    text + "</svg>\n"
}

/// Cells that look alike.
fn run(cells: &[&Cell], x: u16, y: u16) -> String {
    let words: String = cells.iter().map(|cell| cell.symbol()).collect();
    let (left, top, width) = (8 + x * WIDE, 8 + y * HIGH, cells.len() as u16 * WIDE);
    let has = |modifier| cells[0].modifier.contains(modifier);
    let ink = match cells[0].fg {
        _ if has(Modifier::REVERSED) => "#16181d",
        Color::Red => "#ff6b68",
        _ if has(Modifier::DIM) => "#8a909c",
        _ => "#e6e8ec",
    };
    let mut text = String::new();
    if has(Modifier::REVERSED) {
        let paper = if cells[0].fg == Color::Red { "#ff6b68" } else { "#e6e8ec" };
        text += &format!("<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{HIGH}\" fill=\"{paper}\"/>\n");
    }
    if words.trim().is_empty() {
        return text;
    }
    let weight = if has(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text + &format!(
        "<text x=\"{left}\" y=\"{}\" textLength=\"{width}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{ink}\"{weight} xml:space=\"preserve\">{words}</text>\n",
        top + 13
    )
}
