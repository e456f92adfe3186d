//! Medians and their spread.

use std::fmt;

#[derive(Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// `None` without figures.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let upper = sorted.len() / 2;
        let lower = (sorted.len() - 1) / 2;
        Some(Self { median: (sorted[lower] + sorted[upper]) / 2.0, min, max })
    }
}

/// Takes a precision: `{:.2}`.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(0);
        // Rounded first, and 0 added: what rounds to nothing has no sign.
        let scale = 10f64.powi(digits as i32);
        let [median, min, max] = [self.median, self.min, self.max].map(|figure| (figure * scale).round() / scale + 0.0);
        write!(f, "{median:.digits$} ({min:.digits$} … {max:.digits$})")
    }
}

/// Of the medians, because a single round's divisor may be small by accident; its spread is of the rounds.
pub fn ratio(of: &[f64], to: &[f64]) -> Option<Spread> {
    let rounds = Spread::of(of.iter().zip(to).map(|(of, to)| of / to))?;
    let median = |figures: &[f64]| Spread::of(figures.iter().copied()).map(|spread| spread.median);
    Some(Spread { median: median(of)? / median(to)?, ..rounds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_numbers() {
        let median = |figures: &[f64]| Spread::of(figures.iter().copied()).map(|spread| spread.median);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn nothing_has_no_sign() {
        let spread = Spread { median: -0.4, min: -1.6, max: 0.2 };
        assert_eq!(format!("{spread} {spread:.1}"), "0 (-2 … 0) -0.4 (-1.6 … 0.2)");
    }
}
