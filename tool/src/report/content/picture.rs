//! Values over time, to be drawn.

use jiff::Timestamp;

use crate::format;

/// Share of a time's requests from which a shade is used, in parts per million.
pub const SHADES: [u64; 4] = [0, 1_000, 10_000, 100_000];

/// Something over time. Where nothing was measured, nothing is drawn.
pub struct Picture {
    pub title: String,
    pub unit: Unit,
    /// Where the numbers come from.
    pub source: String,
    pub from: Timestamp,
    pub to: Timestamp,
    /// The time of day at some places between.
    pub times: Vec<(Timestamp, String)>,
    /// While a finding of harm held.
    pub harm: Vec<(Timestamp, Timestamp)>,
    pub drawing: Drawing,
}

pub enum Drawing {
    Curves(Vec<Curve>),
    /// Upon each other.
    Stack(Vec<Curve>),
    Heat(Vec<Shades>),
}

pub struct Curve {
    pub name: String,
    /// Drawn as a broken line of the colour of the curve before it.
    pub broken: bool,
    pub points: Vec<Point>,
}

/// The mean of some time.
#[derive(Clone, Copy)]
pub struct Point {
    pub from: Timestamp,
    pub to: Timestamp,
    pub value: f64,
}

/// A distribution of some time: how many were from 2^n up to 2^(n + 1) ns long.
pub struct Shades {
    pub from: Timestamp,
    pub to: Timestamp,
    pub counts: Vec<(u32, u64)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Percent,
    Bytes,
    SegmentsPerSecond,
    SecondsPerSecond,
    Nanoseconds,
}

impl Unit {
    pub fn name(self) -> &'static str {
        match self {
            Self::Percent => "percent of time",
            Self::Bytes => "bytes",
            Self::SegmentsPerSecond => "segments per second",
            Self::SecondsPerSecond => "seconds lost per second",
            Self::Nanoseconds => "requests by how long they took",
        }
    }

    pub fn show(self, value: f64) -> String {
        match self {
            Self::Percent => format::percent(value),
            Self::Bytes => format::bytes(value as u64),
            Self::SegmentsPerSecond => format::rate_of(value),
            Self::SecondsPerSecond => format::duration((value * 1e9) as u64),
            Self::Nanoseconds => format::duration(value as u64),
        }
    }
}

impl Curve {
    pub fn greatest(&self) -> Option<f64> {
        self.points.iter().map(|point| point.value).reduce(f64::max)
    }

    /// Over the time in which it was measured.
    pub fn mean(&self) -> Option<f64> {
        let time: f64 = self.points.iter().map(Point::seconds).sum();
        let sum: f64 = self.points.iter().map(|point| point.value * point.seconds()).sum();
        (time > 0.0).then(|| sum / time)
    }
}

impl Point {
    fn seconds(&self) -> f64 {
        self.to.duration_since(self.from).as_secs_f64()
    }
}

impl Shades {
    /// With the shade of each, from 0.
    pub fn shades(&self) -> impl Iterator<Item = (u32, usize)> + '_ {
        let all = self.counts.iter().map(|(_, count)| count).sum::<u64>().max(1);
        let shade = move |count: u64| {
            let millionths = (u128::from(count) * 1_000_000 / u128::from(all)) as u64;
            SHADES.iter().rposition(|&from| millionths >= from).unwrap_or(0)
        };
        self.counts.iter().map(move |&(octave, count)| (octave, shade(count)))
    }
}

impl Picture {
    /// 0 to 1.
    pub fn place(&self, at: Timestamp) -> f64 {
        let all = self.to.duration_since(self.from).as_secs_f64().max(1e-9);
        (at.duration_since(self.from).as_secs_f64() / all).clamp(0.0, 1.0)
    }

    /// The greatest value, rounded up to what an axis ends with.
    pub fn top(&self) -> f64 {
        let greatest = |curves: &[Curve]| curves.iter().filter_map(Curve::greatest).fold(0.0, f64::max);
        let most = match &self.drawing {
            Drawing::Curves(curves) => greatest(curves),
            Drawing::Stack(curves) => {
                let points = curves.first().map_or(0, |curve| curve.points.len());
                let sum =
                    |at: usize| curves.iter().filter_map(|curve| curve.points.get(at)).map(|point| point.value).sum();
                (0..points).map(sum).fold(0.0, f64::max)
            }
            Drawing::Heat(_) => 1.0,
        };
        self.unit.round_up(most)
    }

    /// Octaves of a heat map, the lowest and the highest.
    pub fn octaves(&self) -> Option<(u32, u32)> {
        let Drawing::Heat(columns) = &self.drawing else { return None };
        let all = || columns.iter().flat_map(|column| &column.counts).map(|(octave, _)| *octave);
        Some((all().min()?, all().max()?))
    }
}

impl Unit {
    /// To 1, 2 or 5 of a power of ten; of bytes, to a power of two.
    fn round_up(self, value: f64) -> f64 {
        if value <= 0.0 {
            return 1.0;
        }
        if self == Self::Bytes {
            return value.log2().ceil().exp2();
        }
        let ten = 10f64.powf(value.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * ten >= value * 0.999).unwrap_or(10.0);
        step * ten
    }
}
