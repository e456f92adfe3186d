//! The line that says where one is: on which page, and when.

use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use crate::{
    format,
    screen::{
        digest::What,
        pages::{
            self,
            lines::{PageLine, Role, fit_printable},
        },
        state::Machine,
    },
};

/// Columns of the minutes, where there is room.
const MOST: usize = 60;
const LEAST: usize = 10;

pub fn line(of: &Machine, width: usize) -> PageLine {
    let (role, when) = when(of);
    let place = of.spots().iter().map(|spot| pages::name(&spot.page)).collect::<Vec<_>>().join(" › ");
    let place = fit_printable(&place, width.saturating_sub(when.width() + 2));
    let room = width.saturating_sub(place.width() + when.width() + 4).min(MOST);
    let line = PageLine::of(Role::Strong, place.clone());
    if room < LEAST {
        let blank = " ".repeat(width.saturating_sub(place.width() + when.width()));
        return line.and(role, blank + &when);
    }
    let blank = " ".repeat(width.saturating_sub(place.width() + room + when.width() + 2));
    let mut line = line.and(Role::Plain, blank);
    for (role, glyph) in scrubber(of, room) {
        match line.parts.last_mut() {
            Some((last, text)) if *last == role => text.push(glyph),
            _ => line = line.and(role, glyph),
        }
    }
    line.and(role, format!("  {when}"))
}

/// How what is shown lies to now.
fn when(of: &Machine) -> (Role, String) {
    let Some((_, snapshot)) = &of.shown else { return (Role::Dim, String::new()) };
    let newest = of.timeline.span().and_then(|(_, newest)| of.timeline.digest(newest));
    let ago = newest.map(|newest| Duration::try_from(newest.at.duration_since(snapshot.at)).unwrap_or_default());
    let ago = ago.map_or(0, |ago| ago.as_nanos() as u64);
    match (of.recorded, of.at) {
        (true, _) if of.loading => (Role::Dim, "recorded, being read".to_owned()),
        (true, _) if ago == 0 => (Role::Dim, "recorded, the end".to_owned()),
        (true, _) => (Role::Dim, format!("recorded, {} before its end", format::duration(ago))),
        (false, None) => (Role::Dim, "live".to_owned()),
        (false, Some(_)) if ago == 0 => (Role::Strong, "FROZEN".to_owned()),
        (false, Some(_)) => (Role::Strong, format!("FROZEN {} ago", format::duration(ago))),
    }
}

/// What is kept from end to end, with what happened, and where one is.
fn scrubber(of: &Machine, width: usize) -> Vec<(Role, char)> {
    let mut glyphs = vec![(Role::Dim, '─'); width];
    let timeline = &of.timeline;
    let Some((first, newest)) = timeline.span() else { return glyphs };
    let at = |number: u64| timeline.digest(number).map_or(0, |digest| digest.at.as_nanosecond());
    let (from, to) = (at(first), at(newest));
    let column = |ns: i128| {
        let share = (ns - from).max(0) as f64 / (to - from).max(1) as f64;
        ((share * (width - 1) as f64) as usize).min(width - 1)
    };
    for (_, digest) in timeline.digests() {
        let (role, glyph) = match digest.what {
            What::Kill => (Role::Harm, 'x'),
            What::Begins => (Role::Harm, '!'),
            What::Mark => (Role::Strong, 'm'),
            What::Gap => (Role::Strong, '?'),
            What::Interval | What::Events => continue,
        };
        let glyph_there = &mut glyphs[column(digest.at.as_nanosecond())];
        // A kill is not hidden by what comes of it.
        if glyph_there.1 != 'x' {
            *glyph_there = (role, glyph);
        }
    }
    let shown = of.shown.as_ref().map_or(newest, |(number, _)| *number);
    glyphs[column(at(shown))] = (Role::Strong, '●');
    glyphs
}
