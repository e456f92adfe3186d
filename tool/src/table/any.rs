//! Random rows, for tests.

use std::borrow::Cow;

use jiff::Timestamp;
use stillwatch_common::hist;

use super::Latency;
use super::{Known, Why};

/// Numbers that look random, from a seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.throw() % end as u64) as usize
    }
}

pub trait Any {
    fn any(dice: &mut Dice) -> Self;
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Any for $type {
            /// Of all sizes.
            fn any(dice: &mut Dice) -> Self {
                (dice.throw() >> dice.below(64)) as $type
            }
        }
    )*};
}

numbers!(u64, u32, u16, u8, i64, i32, f64);

impl Any for bool {
    fn any(dice: &mut Dice) -> Self {
        dice.below(2) == 0
    }
}

impl Any for String {
    fn any(dice: &mut Dice) -> Self {
        (0..dice.below(9)).map(|_| char::from_u32(dice.throw() as u32 % 0x300).unwrap_or('x')).collect()
    }
}

impl Any for Cow<'static, str> {
    fn any(dice: &mut Dice) -> Self {
        Self::Owned(String::any(dice))
    }
}

impl Any for Timestamp {
    fn any(dice: &mut Dice) -> Self {
        Timestamp::from_nanosecond(i128::from(dice.throw())).unwrap_or_default()
    }
}

impl Any for std::time::Duration {
    fn any(dice: &mut Dice) -> Self {
        Self::from_nanos(dice.throw())
    }
}

impl Any for Latency {
    fn any(dice: &mut Dice) -> Self {
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..dice.below(9) {
            counts.insert(hist::bucket(u64::any(dice) >> 20), 1 + dice.throw() % 1000);
        }
        Latency::new(counts.into_iter().collect(), dice.throw() >> 20, u64::any(dice))
    }
}

impl<T: Any> Any for Option<T> {
    fn any(dice: &mut Dice) -> Self {
        bool::any(dice).then(|| T::any(dice))
    }
}

impl<K: Any + Ord> Any for std::collections::BTreeMap<K, u64> {
    fn any(dice: &mut Dice) -> Self {
        (0..dice.below(4)).map(|_| (K::any(dice), dice.throw())).collect()
    }
}

impl<T: Any> Any for Vec<T> {
    fn any(dice: &mut Dice) -> Self {
        (0..dice.below(4)).map(|_| T::any(dice)).collect()
    }
}

impl<T: Any> Any for Known<T> {
    fn any(dice: &mut Dice) -> Self {
        Self::Not(match dice.below(10) {
            0 => Why::NotMeasured(Any::any(dice)),
            1 => Why::Unavailable(Any::any(dice)),
            2 => Why::Lost,
            3 => Why::NotLookedAt(Any::any(dice)),
            4 => Why::Unknown(Any::any(dice)),
            _ => return Self::Value(T::any(dice)),
        })
    }
}
