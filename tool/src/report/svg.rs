//! Pictures as SVG. It is stretched to the width that there is, so no text stands in it: labels are the page's.

use std::fmt::Write;

use super::content::{Curve, Drawing, Picture, SHADES, Shades, Unit};

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 160.0;

/// Labels of an axis, by their place: 0 is the bottom, 1 the top.
type Axis = Vec<(f64, String)>;
/// A style, and what is drawn in it.
type Legend = Vec<(String, String)>;

pub struct Drawn {
    pub svg: String,
    pub y: Axis,
    pub legend: Legend,
}

pub fn draw(picture: &Picture) -> Drawn {
    let mut inside = String::new();
    // Under shades it would be one of them.
    if !matches!(picture.drawing, Drawing::Heat(_)) {
        path(&mut inside, "harm", &bands(picture));
    }
    let (y, legend) = match &picture.drawing {
        Drawing::Heat(columns) => heat(&mut inside, picture, columns),
        Drawing::Curves(curves) => {
            let y = lines(&mut inside, picture);
            let legend = legend(picture, curves, |class, curve| path(&mut inside, class, &steps(picture, curve)));
            (y, legend)
        }
        Drawing::Stack(curves) => {
            let y = lines(&mut inside, picture);
            let mut below = Vec::new();
            let legend = legend(picture, curves, |class, curve| {
                let class = class.replace("line", "area");
                path(&mut inside, &class, &upon(picture, curve, &mut below));
            });
            (y, legend.into_iter().map(|(class, text)| (class.replace("line", "area"), text)).collect())
        }
    };
    let svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" aria-hidden=\"true\">{inside}</svg>"
    );
    Drawn { svg, y, legend }
}

fn path(inside: &mut String, class: &str, path: &str) {
    if !path.is_empty() {
        // Writing to a String can't fail.
        let _ = write!(inside, "<path class=\"{class}\" d=\"{path}\"/>");
    }
}

/// While harm was done.
fn bands(picture: &Picture) -> String {
    let band = |(from, to): &(_, _)| area(x(picture, *from), x(picture, *to), 0.0, HEIGHT);
    picture.harm.iter().map(band).collect()
}

/// Across, with their labels.
fn lines(inside: &mut String, picture: &Picture) -> Axis {
    let top = picture.top();
    let places = [0.0, 0.5, 1.0];
    let line = |place: f64| format!("M0 {:.1}H{WIDTH}", HEIGHT * (1.0 - place));
    path(inside, "grid", &places.map(line).concat());
    places.iter().map(|&place| (place, picture.unit.show(place * top))).collect()
}

fn legend(picture: &Picture, curves: &[Curve], mut draw: impl FnMut(&str, &Curve)) -> Legend {
    let mut legend = Vec::new();
    let mut colour = 0;
    for curve in curves {
        colour += usize::from(!curve.broken);
        let broken = if curve.broken { " broken" } else { "" };
        let class = format!("line c{colour}{broken}");
        draw(&class, curve);
        let most = curve
            .greatest()
            .map_or_else(|| "not measured".to_owned(), |most| format!("at most {}", picture.unit.show(most)));
        legend.push((class, format!("{} ({most})", curve.name)));
    }
    legend
}

/// Each value as long as it is the mean of; nothing between, where nothing was measured.
fn steps(picture: &Picture, curve: &Curve) -> String {
    let (mut path, mut last) = (String::new(), None);
    for point in &curve.points {
        let (from, to, y) = (x(picture, point.from), x(picture, point.to), y(picture, point.value));
        let _ = match last {
            Some(last) if from - last < 0.5 => write!(path, "V{y:.1}H{to:.1}"),
            _ => write!(path, "M{from:.1} {y:.1}H{to:.1}"),
        };
        last = Some(to);
    }
    path
}

/// On top of those below it.
fn upon(picture: &Picture, curve: &Curve, below: &mut Vec<f64>) -> String {
    below.resize(curve.points.len(), 0.0);
    let mut path = String::new();
    for (point, sum) in curve.points.iter().zip(below) {
        let bottom = y(picture, *sum);
        *sum += point.value;
        if point.value > 0.0 {
            path += &area(x(picture, point.from), x(picture, point.to), y(picture, *sum), bottom);
        }
    }
    path
}

fn heat(inside: &mut String, picture: &Picture, columns: &[Shades]) -> (Axis, Legend) {
    let Some((low, high)) = picture.octaves() else { return (Vec::new(), Vec::new()) };
    let height = HEIGHT / f64::from(high - low + 1);
    let mut paths = [const { String::new() }; SHADES.len()];
    for column in columns {
        let (from, to) = (x(picture, column.from), x(picture, column.to));
        for (octave, shade) in column.shades() {
            let top = HEIGHT - f64::from(octave - low + 1) * height;
            paths[shade] += &area(from, to, top, top + height);
        }
    }
    for (shade, cells) in paths.iter().enumerate() {
        path(inside, &format!("shade s{shade}"), cells);
    }
    let decades = (0..12).map(|decade| 10u64.pow(decade));
    let place = |ns: u64| (ns as f64).log2() - f64::from(low);
    let inside = decades.filter(|&ns| (0.0..=f64::from(high - low + 1)).contains(&place(ns)));
    let y = inside.map(|ns| (place(ns) / f64::from(high - low + 1), Unit::Nanoseconds.show(ns as f64))).collect();
    let from = |shade: usize| match SHADES[shade] {
        0 => "fewer".to_owned(),
        millionths => format!("{}% of them and more", millionths as f64 / 1e4),
    };
    (y, (0..SHADES.len()).rev().map(|shade| (format!("shade s{shade}"), from(shade))).collect())
}

fn area(left: f64, right: f64, top: f64, bottom: f64) -> String {
    format!("M{left:.1} {top:.1}H{right:.1}V{bottom:.1}H{left:.1}Z")
}

fn x(picture: &Picture, at: jiff::Timestamp) -> f64 {
    WIDTH * picture.place(at)
}

fn y(picture: &Picture, value: f64) -> f64 {
    HEIGHT * (1.0 - value / picture.top())
}
