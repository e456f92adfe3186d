//! From what threads have read to the lines of an interval.

use jiff::SignedDuration;

use super::Span;
use crate::{
    cli::plan,
    sample::{self, LineCounts, Said},
    snapshot::{
        Who,
        log::{HarmKind, HarmLine, Log, LogLine, LogSource, STARTED, TOO_YOUNG, WAS_SILENT},
    },
    table::{Known, Why, in_order},
};

/// What is usual is known after that time.
const YOUNG: std::time::Duration = std::time::Duration::from_secs(10);
/// A clock that is set right goes faster or slower; one that is set makes a step.
const STEP: SignedDuration = SignedDuration::from_millis(500);

pub fn between(before: &sample::Log, after: &sample::Log, span: &Span, _: &plan::Log) -> Log {
    let mut sources: Vec<LogSource> = after.sources.iter().map(|now| source(before, now, span)).collect();
    in_order(&mut sources);
    let mut lines: Vec<LogLine> = after.lines.iter().map(|said| line(said, span)).collect();
    lines.sort_by_key(|line| line.at);
    let harm = after.harm.iter().map(|(said, harm)| HarmLine {
        at: said.moment(span.to),
        kind: harm.kind,
        on: harm.on.clone(),
        who: Who { pid: harm.pid, comm: harm.comm.clone(), ..Who::default() },
        number: harm.number.and_then(|number| i64::try_from(number).ok()),
        text: Some(said.text.clone()),
    });
    let mut harm: Vec<HarmLine> = harm.chain(step(span)).collect();
    harm.sort_by_key(|line| line.at);
    Log { sources, lines, harm }
}

fn line(said: &Said, span: &Span) -> LogLine {
    let Said { source, time_of, severity, unit, ident, pid, comm, cgroup, new, bytes, text, encoded, .. } =
        said.clone();
    let who = Who { pid, comm, cgroup, ..Who::default() };
    LogLine { at: said.moment(span.to), time_of, source, severity, unit, ident, who, new, bytes, encoded, text }
}

fn source(before: &sample::Log, now: &sample::LogSource, span: &Span) -> LogSource {
    let earlier = before.sources.iter().find(|source| source.name == now.name);
    let earlier = earlier.and_then(|source| source.counts.as_ref().ok()).copied();
    let of = |what: fn(&LineCounts) -> u64| match &now.counts {
        Ok(counts) => Known::Value(what(counts).saturating_sub(earlier.as_ref().map_or(0, what))),
        Err(why) => Known::Not(Why::Unknown(why.clone().into())),
    };
    let lines = of(|counts| counts.lines);
    let usual = usual(now, earlier, span);
    LogSource {
        source: now.name.clone(),
        louder: louder(&lines, &usual, span),
        lines,
        errors: of(|counts| counts.errors),
        harm: of(|counts| counts.harm),
        new: of(|counts| counts.new),
        left_out: of(|counts| counts.left_out),
        unread: of(|counts| counts.unread),
        skipped_bytes: of(|counts| counts.skipped_bytes),
        usual_per_s: usual,
    }
}

/// Each second, until this interval began.
fn usual(now: &sample::LogSource, before: Option<LineCounts>, span: &Span) -> Known<f64> {
    if let Err(why) = &now.counts {
        return Known::Not(Why::Unknown(why.clone().into()));
    }
    let Some(before) = before else { return Known::unknown(STARTED) };
    let interval = span.to.clock.saturating_sub(span.from.clock);
    let then = now.earlier.map(|(ago, lines)| (ago.saturating_sub(interval), lines));
    match then.filter(|(ago, _)| *ago >= YOUNG) {
        Some((ago, lines)) => Known::Value(before.lines.saturating_sub(lines) as f64 / ago.as_secs_f64()),
        None => Known::unknown(TOO_YOUNG),
    }
}

fn louder(lines: &Known<u64>, usual: &Known<f64>, span: &Span) -> Known<f64> {
    let seconds = span.ns() as f64 / 1e9;
    match (lines, usual) {
        (_, Known::Not(why)) | (Known::Not(why), _) => Known::Not(why.clone()),
        (Known::Value(_), Known::Value(usual)) if *usual <= 0.0 || seconds <= 0.0 => Known::unknown(WAS_SILENT),
        (Known::Value(lines), Known::Value(usual)) => Known::Value(*lines as f64 / seconds / usual),
    }
}

/// The wall's clock was set: it went another way than that of the programs.
fn step(span: &Span) -> Option<HarmLine> {
    let passed = span.to.clock.saturating_sub(span.from.clock) + span.to.asleep.saturating_sub(span.from.asleep);
    let step = span.to.wall.duration_since(span.from.wall) - SignedDuration::try_from(passed).ok()?;
    let number = i64::try_from(step.as_millis()).ok();
    (step.abs() >= STEP).then(|| HarmLine {
        at: span.to.wall,
        kind: HarmKind::TimeStepped,
        on: None,
        who: Who::default(),
        number,
        text: None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::{
        log_line::{Severity, TimeOf},
        sample::{LineAt, Moment},
    };

    fn at(second: u64) -> Moment {
        let wall = Timestamp::from_second(1_795_759_200 + second as i64).unwrap();
        Moment { wall, clock: Duration::from_secs(second), asleep: Duration::ZERO }
    }

    fn source(counts: LineCounts, earlier: Option<(u64, u64)>) -> sample::LogSource {
        let earlier = earlier.map(|(ago, lines)| (Duration::from_secs(ago), lines));
        sample::LogSource { name: "a.log".into(), counts: Ok(counts), earlier }
    }

    fn of(sources: Vec<sample::LogSource>) -> sample::Log {
        sample::Log { sources, ..sample::Log::default() }
    }

    fn counts(lines: u64, errors: u64) -> LineCounts {
        LineCounts { lines, errors, ..LineCounts::default() }
    }

    #[test]
    fn a_source_is_as_loud_as_it_was_before_the_interval() {
        let before = of(vec![source(counts(120, 3), None)]);
        let now = of(vec![source(counts(220, 7), Some((62, 0)))]);
        let log = between(&before, &now, &Span { from: at(100), to: at(102) }, &plan::Log::default());
        let row = &log.sources[0];
        assert_eq!((row.lines.value(), row.errors.value()), (Some(&100), Some(&4)));
        assert_eq!((row.usual_per_s.value(), row.louder.value()), (Some(&2.0), Some(&25.0)));
        let now = of(vec![source(counts(120, 3), Some((5, 0)))]);
        let log = between(&before, &now, &Span { from: at(100), to: at(102) }, &plan::Log::default());
        assert_eq!(log.sources[0].louder, Known::unknown(TOO_YOUNG));
    }

    #[test]
    fn lines_of_all_sources_are_in_order_of_time() {
        let said = |at, text: &str| Said {
            source: "a".into(),
            at,
            time_of: TimeOf::Line,
            severity: Some(Severity::Error),
            unit: None,
            ident: None,
            pid: None,
            comm: None,
            cgroup: None,
            new: None,
            bytes: 3,
            text: text.into(),
            encoded: false,
        };
        let second = 1_000_000_000;
        let lines = vec![
            said(LineAt::Clock(11 * second), "third"),
            said(LineAt::Wall(at(10).wall), "first"),
            said(LineAt::Clock(10 * second), "second"),
        ];
        let now = sample::Log { lines, ..sample::Log::default() };
        let log = between(&sample::Log::default(), &now, &Span { from: at(10), to: at(12) }, &plan::Log::default());
        let texts: Vec<_> = log.lines.iter().map(|line| (line.at, line.text.as_str())).collect();
        assert_eq!(texts, [(at(10).wall, "first"), (at(10).wall, "second"), (at(11).wall, "third")]);
    }

    #[test]
    fn a_clock_that_is_set_is_seen_and_sleep_is_none() {
        let none = sample::Log::default();
        let steps = |to: Moment| between(&none, &none, &Span { from: at(10), to }, &plan::Log::default()).harm;
        assert!(steps(at(12)).is_empty());
        let asleep = Moment { wall: at(72).wall, asleep: Duration::from_secs(60), ..at(12) };
        assert!(steps(asleep).is_empty());
        let back = steps(Moment { wall: at(9).wall, ..at(12) });
        assert_eq!((back[0].kind, back[0].number), (HarmKind::TimeStepped, Some(-3000)));
    }
}
