//! Log-linear histograms: sixteen buckets per power of two, so a bucket is at most 1/16 of its value wide and its
//! midpoint is off by at most 3.2 %.
//!
//! Values below 16 have a bucket each (row 0); above, row `r` holds the sixteen buckets of the octave
//! `2^(r+3) ..= 2^(r+4) - 1`. A row is 16 counters of 4 bytes, which is one cache line: the kernel side stores
//! only the rows that occur.

/// Buckets in one row: one octave, one cache line of `u32`.
pub const ROW: usize = 16;

/// One octave of a histogram.
#[repr(C, align(64))]
#[derive(Clone, Copy, Default, Debug)]
pub struct Octave {
    pub counts: [u32; ROW],
}

/// Bits of a value that choose the bucket inside its octave.
const SUB_BITS: u32 = ROW.trailing_zeros();
/// Values from `2^MAX_BITS` on (18 minutes, in nanoseconds) share the last bucket.
const MAX_BITS: u32 = 40;
/// Rows of a histogram.
pub const ROWS: usize = (MAX_BITS - SUB_BITS + 1) as usize;
/// Buckets of a histogram.
pub const BUCKETS: usize = ROWS * ROW;

const LAST: u64 = (1 << MAX_BITS) - 1;

/// Position of the highest set bit; `value` is not 0. The BPF instruction set cannot count leading zeros, and every branch of a
/// search for the bit would double the ways that the verifier follows from here on: so all bits below it are set, and what is
/// left, one of 64 values, is looked up by a product whose upper six bits differ for each of them.
#[inline(always)]
const fn log2(mut value: u64) -> u32 {
    value |= value >> 1;
    value |= value >> 2;
    value |= value >> 4;
    value |= value >> 8;
    value |= value >> 16;
    value |= value >> 32;
    LOG2[(value.wrapping_mul(PERFECT) >> 58) as usize] as u32
}

const PERFECT: u64 = 0x03f7_9d71_b4cb_0a89;

static LOG2: [u8; 64] = {
    let (mut table, mut bit) = ([0; 64], 0);
    while bit < 64 {
        table[((u64::MAX >> (63 - bit)).wrapping_mul(PERFECT) >> 58) as usize] = bit as u8;
        bit += 1;
    }
    table
};

/// The bucket that counts `value`.
#[inline(always)]
pub const fn bucket(value: u64) -> u32 {
    let value = if value > LAST { LAST } else { value };
    if value < ROW as u64 {
        return value as u32;
    }
    let shift = log2(value) - SUB_BITS;
    // The sixteen sub-buckets of an octave start at 16, not 0: the leading one is part of `value >> shift`.
    shift * ROW as u32 + (value >> shift) as u32
}

/// The smallest value that `bucket` counts.
pub const fn from(bucket: u32) -> u64 {
    let row = bucket / ROW as u32;
    let sub = (bucket % ROW as u32) as u64;
    if row == 0 { sub } else { (sub + ROW as u64) << (row - 1) }
}

/// The largest value that `bucket` counts; the last bucket has no upper end, and answers with `u64::MAX`.
pub const fn upto(bucket: u32) -> u64 {
    if bucket as usize + 1 >= BUCKETS { u64::MAX } else { from(bucket + 1) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_touch_and_cover_everything() {
        assert_eq!(from(0), 0);
        for b in 0..BUCKETS as u32 - 1 {
            assert_eq!(bucket(from(b)), b);
            assert_eq!(bucket(upto(b)), b);
            assert_eq!(upto(b) + 1, from(b + 1));
        }
        assert_eq!(bucket(u64::MAX), BUCKETS as u32 - 1);
    }

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket(bits in 0u32..64, low in any::<u64>()) {
            let value = low >> bits;
            let b = bucket(value);
            prop_assert!((b as usize) < BUCKETS);
            prop_assert!(from(b) <= value && value <= upto(b));
        }

        #[test]
        fn a_bucket_is_at_most_a_sixteenth_wide(value in 16u64..from(BUCKETS as u32 - 1)) {
            let b = bucket(value);
            prop_assert!((upto(b) - from(b) + 1) * 16 <= from(b));
        }
    }
}
