//! Latency over time: time to the right, latency up, shades by count.

use super::{
    Distribution,
    lines::{Item, PageLine, Role, padded},
    tables,
};
use crate::{
    format,
    screen::state::{Machine, heat::BANDS},
    sinks::{bar, heat, values},
    snapshot::Snapshot,
};

/// Columns of the latencies.
const LABEL: usize = 8;
/// Columns of an interval, where there are few.
const WIDEST: usize = 4;
/// Lines of the page beside the picture.
const AROUND: usize = 4;

/// Counts of what has one column, and which intervals that is.
struct Strip {
    from: u64,
    to: u64,
    counts: Vec<u64>,
}

pub fn lines(of: &Machine, snapshot: &Snapshot, wanted: &Distribution) -> Vec<PageLine> {
    let width = usize::from(of.size.0);
    let room = width.saturating_sub(LABEL + 1).max(1);
    let strips = strips(of, room);
    let wide = (room / strips.len().max(1)).clamp(1, WIDEST);
    let mut lines = vec![title(of, snapshot, wanted)];
    let bands = bands(&strips, of.room().saturating_sub(lines.len() + AROUND).max(1));
    let count = |strip: &Strip, &(from, to): &(usize, usize)| strip.counts[from..to].iter().sum::<u64>();
    let most = strips.iter().flat_map(|strip| bands.iter().map(move |band| count(strip, band))).max().unwrap_or(0);
    if most == 0 {
        lines.push(PageLine::dim("it is in none of these intervals"));
        return lines;
    }
    for band in bands.iter().rev() {
        let shade = |strip: &Strip| std::iter::repeat_n(heat::shade(count(strip, band), most), wide);
        let shades: String = strips.iter().flat_map(shade).collect();
        let label = padded(&format::duration(bar::begin_ns(band.0, BANDS)), LABEL, true);
        lines.push(PageLine::dim(format!("{label} ")).and(Role::Plain, shades).on(Item::Band(band.0)));
    }
    let shown = of.shown.as_ref().map_or(0, |(number, _)| *number);
    let at = strips.iter().position(|strip| strip.to >= shown).unwrap_or(0);
    lines.push(axis(at * wide, strips.len() * wide));
    lines.push(times(of, &strips, strips.len() * wide));
    let selected = bands.iter().find(|band| of.spot().selected == Some(Item::Band(band.0)));
    lines.push(PageLine::of(Role::Strong, cursor(of, &strips[at], selected)));
    lines.push(PageLine::dim(format!("{} of the fullest, which has {}", heat::shades(), format::count(most))));
    lines
}

/// On one line: the picture needs all others.
fn title(of: &Machine, snapshot: &Snapshot, wanted: &Distribution) -> PageLine {
    let (mut name, mut meaning) = (String::new(), "");
    tables::each(snapshot, &of.view, &mut |table| {
        if table.name == wanted.table
            && let Some(column) = table.columns.get(wanted.column)
        {
            let row = wanted.row.as_ref().map_or(table.name, |row| &row.name);
            (name, meaning) = (format!("{row}: {}", column.name), column.meaning);
        }
    });
    PageLine::of(Role::Strong, name).and(Role::Dim, format!("  {meaning}"))
}

/// The intervals, side by side; where there are more than columns, several have one.
fn strips(of: &Machine, width: usize) -> Vec<Strip> {
    let all = &of.heat.counts;
    let per = all.len().div_ceil(width).max(1);
    let mut strips: Vec<Strip> = Vec::new();
    for (at, (&number, counts)) in all.iter().enumerate() {
        if at % per == 0 {
            strips.push(Strip { from: number, to: number, counts: vec![0; BANDS + 1] });
        }
        let Some(strip) = strips.last_mut() else { continue };
        strip.to = number;
        strip.counts.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    strips
}

/// From the lowest to the highest in which there is something, so many that they have room: first and last, beyond it.
fn bands(strips: &[Strip], room: usize) -> Vec<(usize, usize)> {
    let used = |band: &usize| strips.iter().any(|strip| strip.counts[*band] > 0);
    let (Some(first), Some(last)) = ((0..=BANDS).find(used), (0..=BANDS).rfind(used)) else { return Vec::new() };
    let per = (last + 1 - first).div_ceil(room);
    (first..=last).step_by(per).map(|from| (from, (from + per).min(BANDS + 1))).collect()
}

/// Where what is shown lies.
fn axis(at: usize, width: usize) -> PageLine {
    let line = |columns: usize| "─".repeat(columns);
    let line = PageLine::dim(format!("{:LABEL$} {}", "", line(at)))
        .and(Role::Strong, "●")
        .and(Role::Dim, line(width - at - 1));
    PageLine { item: None, ..line }
}

fn times(of: &Machine, strips: &[Strip], width: usize) -> PageLine {
    let (Some(first), Some(last)) = (strips.first(), strips.last()) else { return PageLine::empty() };
    let (first, last) = (clock(of, first.from), clock(of, last.to));
    let room = width.saturating_sub(first.len());
    PageLine::dim(format!(
        "{:LABEL$} {first}{}",
        "",
        if room > last.len() { padded(&last, room, true) } else { String::new() }
    ))
}

/// To the second.
fn clock(of: &Machine, number: u64) -> String {
    let at = of.timeline.digest(number).map(|digest| values::clock(digest.at, &of.view)).unwrap_or_default();
    at.split('.').next().unwrap_or_default().to_owned()
}

/// What is shown, and selected, in words.
fn cursor(of: &Machine, strip: &Strip, band: Option<&(usize, usize)>) -> String {
    let all: u64 = strip.counts.iter().sum();
    let mut text = clock(of, strip.to);
    if strip.from != strip.to {
        text = format!("{} to {text}", clock(of, strip.from));
    }
    let Some(&(from, to)) = band else { return format!("{text}: {}", format::count(all)) };
    let begin = format::duration(bar::begin_ns(from, BANDS));
    let range = match to > BANDS {
        true => format!("{begin} and longer"),
        false if from == 0 => format!("up to {}", format::duration(bar::begin_ns(to, BANDS))),
        false => format!("{begin} to {}", format::duration(bar::begin_ns(to, BANDS))),
    };
    let count: u64 = strip.counts[from..to].iter().sum();
    format!("{text}  {range}: {} of {}", format::count(count), format::count(all))
}
