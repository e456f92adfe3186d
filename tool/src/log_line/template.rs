//! Which lines are alike, and whether one like it was there lately.
//!
//! The rule: a line's words are what stands between blanks and punctuation. A word with a digit in it is any word; what stands in quotes is too.
//! Lines whose first 32 words are the same are alike.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

const WORDS: usize = 32;
/// Templates that are kept of a source; of more, those that were not there for the longest time are forgotten.
const KEPT: usize = 4096;
/// What was not there for so long is new.
const LATELY: Duration = Duration::from_secs(3600);

/// When each was there last.
#[derive(Debug, Default)]
pub struct Templates(HashMap<u64, Duration>);

impl Templates {
    /// Notes that there is a line like it.
    pub fn is_new(&mut self, line: &str, now: Duration) -> bool {
        let before = self.0.insert(template(line), now);
        if self.0.len() > KEPT {
            let mut times: Vec<Duration> = self.0.values().copied().collect();
            let (_, median, _) = times.select_nth_unstable(KEPT / 2);
            let median = *median;
            self.0.retain(|_, at| *at > median);
        }
        before.is_none_or(|at| now.saturating_sub(at) > LATELY)
    }
}

fn template(line: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    let plain = line.split('"').enumerate().filter(|(at, _)| at % 2 == 0).map(|(_, text)| text);
    let words = plain.flat_map(|text| text.split(|char: char| !char.is_alphanumeric() && char != '_'));
    for word in words.filter(|word| !word.is_empty()).take(WORDS) {
        let word = if word.bytes().any(|byte| byte.is_ascii_digit()) { "#" } else { word };
        word.hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_in_numbers_and_quotes_are_alike() {
        let alike = |a: &str, b: &str| template(a) == template(b);
        assert!(alike("connection 17 from 10.0.0.1:80 took 3ms", "connection 4 from 192.168.7.1:443 took 250ms"));
        assert!(alike("relation \"orders\" does not exist at 15", "relation \"carts and more\" does not exist at 3"));
        assert!(alike("id=7f3a9c done", "id=11aa22 done"));
        assert!(!alike("connection 17 opened", "connection 17 closed"));
        assert!(!alike("a", "a b") && alike("", "  "));
    }

    #[test]
    fn what_was_not_there_for_an_hour_is_new() {
        let mut known = Templates::default();
        let at = Duration::from_secs;
        assert!(known.is_new("a 1", at(10)) && !known.is_new("a 2", at(11)) && known.is_new("b", at(12)));
        assert!(!known.is_new("a 3", at(3611)) && known.is_new("a 4", at(7212)));
    }

    #[test]
    fn however_many_there_are() {
        let mut known = Templates::default();
        let words =
            |number: usize| number.to_string().bytes().map(|byte| char::from(byte - b'0' + b'a')).collect::<String>();
        for number in 0..3 * KEPT {
            assert!(known.is_new(&words(number), Duration::from_millis(number as u64)));
            assert!(known.0.len() <= KEPT);
        }
        let last = words(3 * KEPT - 1);
        assert!(!known.is_new(&last, Duration::from_secs(60)));
    }
}
