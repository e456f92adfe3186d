//! The same as text that people go on writing in: Markdown, as forges and wikis show it.

use super::content::{Block, Content, Curve, Drawing, Grid, Picture, Shades};
use crate::format;

/// Columns of a picture.
const WIDTH: usize = 72;
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const SHADED: [char; 4] = ['░', '▒', '▓', '█'];

pub fn page(content: &Content) -> String {
    let mut text = format!("# {}\n\n**{}**\n", plain(&content.title), plain(&content.lead));
    if !content.figures.is_empty() {
        text.push('\n');
    }
    for one in &content.figures {
        text += &format!("- {}: **{}**, {}\n", one.name, plain(&one.value), plain(&one.note));
    }
    for section in &content.sections {
        text += &format!("\n## {}\n", section.title);
        for one in &section.blocks {
            text.push('\n');
            block(&mut text, one);
        }
    }
    text
}

fn block(text: &mut String, block: &Block) {
    match block {
        Block::Heading(heading) => *text += &format!("### {}\n", plain(heading)),
        Block::Text(words) => *text += &format!("{}\n", plain(words)),
        Block::List(items) => items.iter().for_each(|item| *text += &format!("- {}\n", plain(item))),
        Block::Grid(rows) => grid(text, rows),
        Block::Picture(one) => picture(text, one),
        Block::Verbatim(lines) => lines.iter().for_each(|line| *text += &format!("    {line}\n")),
        Block::ToWrite(hint) => *text += &format!("_{hint}_\n\n&nbsp;\n"),
    }
}

fn grid(text: &mut String, grid: &Grid) {
    let mut row = |cells: &mut dyn Iterator<Item = String>| {
        *text += &format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
    };
    row(&mut grid.captions.iter().map(|it| it.name.to_owned()));
    row(&mut grid.captions.iter().map(|it| if it.is_number { "---:" } else { "---" }.to_owned()));
    for cells in &grid.rows {
        row(&mut cells.iter().map(|cell| plain(cell)));
    }
}

fn picture(text: &mut String, picture: &Picture) {
    *text +=
        &format!("### {}\n\n{}. Source: {}\n\n", plain(&picture.title), picture.unit.name(), plain(&picture.source));
    match &picture.drawing {
        Drawing::Curves(curves) | Drawing::Stack(curves) => {
            let mut rows = Grid::new(["Mean", "Most"].map(super::content::Caption::number));
            rows.captions.insert(0, super::content::Caption::text("Curve"));
            let show =
                |value: Option<f64>| value.map_or_else(|| format::UNKNOWN.to_owned(), |it| picture.unit.show(it));
            for curve in curves {
                rows.rows.push(vec![curve.name.clone(), show(curve.mean()), show(curve.greatest())]);
            }
            grid(text, &rows);
            text.push('\n');
            for curve in curves {
                *text += &format!("    {}  {}\n", sparks(picture, curve), curve.name);
            }
        }
        Drawing::Heat(columns) => heat(text, picture, columns),
    }
    let ends = [picture.times.first(), picture.times.last()].into_iter().flatten();
    let ends: Vec<_> = ends.map(|(_, label)| label.as_str()).collect();
    *text += &format!("\n{}\n", ends.join(" to "));
}

/// The greatest value of each column; a dot: not measured.
fn sparks(picture: &Picture, curve: &Curve) -> String {
    let mut columns = [None::<f64>; WIDTH];
    for point in &curve.points {
        for column in &mut columns[range(picture, point.from, point.to)] {
            *column = Some(column.map_or(point.value, |most| most.max(point.value)));
        }
    }
    let top = picture.top();
    let height = |value: f64| HEIGHTS[((value / top * 8.0).ceil() as usize).clamp(1, 8) - 1];
    columns.iter().map(|column| column.map_or('·', |value| if value <= 0.0 { ' ' } else { height(value) })).collect()
}

/// The longest above.
fn heat(text: &mut String, picture: &Picture, columns: &[Shades]) {
    let Some((low, high)) = picture.octaves() else { return };
    let mut rows = vec![[' '; WIDTH]; (high - low + 1) as usize];
    for column in columns {
        for (octave, shade) in column.shades() {
            rows[(octave - low) as usize][range(picture, column.from, column.to)].fill(SHADED[shade]);
        }
    }
    for (at, row) in rows.iter().enumerate().rev() {
        let from = picture.unit.show(f64::from(low + at as u32).exp2());
        *text += &format!("    {from:>6} {}\n", row.iter().collect::<String>().trim_end());
    }
}

fn range(picture: &Picture, from: jiff::Timestamp, to: jiff::Timestamp) -> std::ops::Range<usize> {
    let column = |at| (picture.place(at) * WIDTH as f64) as usize;
    let from = column(from).min(WIDTH - 1);
    from..column(to).clamp(from + 1, WIDTH)
}

/// Characters that Markdown, or HTML inside it, would obey.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' => out.extend(['\\', char]),
            char => out.push(char),
        }
    }
    out
}
