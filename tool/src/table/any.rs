//! Random values of all that can be read back, rows and whole snapshots, for tests.

use serde::{
    de::{
        DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess,
        SeqAccess, VariantAccess, Visitor, value::U32Deserializer,
    },
    forward_to_deserialize_any,
};
use serde_json::{Error, Result};
use stillwatch_common::hist;

use super::Latency;

/// Numbers that look random, from a seed; and what is made of them, as if it were read.
pub struct Dice {
    seed: u64,
    /// Text is as wide as it may be, and products of two numbers are numbers, too.
    wide: bool,
    /// Of the struct that is made.
    field: &'static str,
}

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self { seed, wide: false, field: "" }
    }

    pub fn wide(seed: u64) -> Self {
        Self { wide: true, ..Self::new(seed) }
    }

    pub fn any<T: DeserializeOwned>(&mut self) -> T {
        T::deserialize(self).expect("a type that can be made of numbers, text and parts")
    }

    fn throw(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.throw() % end as u64) as usize
    }

    /// Of all sizes.
    fn number(&mut self) -> u64 {
        let number = self.throw() >> self.below(64);
        if self.wide { number & ((1 << 30) - 1) } else { number }
    }

    /// A name of 15 wide characters, a path of 300, reasons with and without blanks; or any few characters.
    fn text(&mut self) -> String {
        match (self.wide, self.field) {
            (true, "comm") => "数据库服务器进程名字很长很长啊".to_owned(),
            (true, "cgroup") => format!("/系统.slice/{}", "kubepods-burstable-pod数据/".repeat(12)),
            (true, _) => format!("a reason of 数据 words that goes on and on, {}", "unbroken-词".repeat(12)),
            (false, _) => {
                (0..self.below(9)).map(|_| char::from_u32(self.throw() as u32 % 0x300).unwrap_or('x')).collect()
            }
        }
    }

    fn latency(&mut self) -> Latency {
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..self.below(9) {
            counts.insert(hist::bucket(self.number() >> 20), 1 + self.throw() % 1000);
        }
        Latency::new(counts.into_iter().collect(), self.throw() >> 20, self.number())
    }

    fn several<'a>(&'a mut self, fields: &'static [&'static str]) -> Several<'a> {
        let left = self.below(4);
        Several { dice: self, left, fields }
    }
}

macro_rules! numbers {
    ($($deserialize:ident $visit:ident $type:ty;)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            visitor.$visit(self.number() as $type)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Dice {
    type Error = Error;

    numbers! {
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_bool(self.below(2) == 0)
    }

    /// A quotient has all digits.
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_f64(self.number() as f64 / 7.0)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_f32(self.number() as f32 / 7.0)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_string(self.text())
    }

    /// Moments alone are read as such: what has text owns it.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let at = jiff::Timestamp::from_nanosecond(i128::from(self.throw())).map_err(Error::custom)?;
        visitor.visit_string(at.to_string())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.below(2) == 0 { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_seq(self.several(&[]))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_map(self.several(&[]))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value> {
        visitor.visit_seq(Several { dice: self, left, fields: &[] })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        // Its parts have to agree with each other.
        if name == "Latency" {
            return serde_json::to_value(self.latency())?.deserialize_struct(name, fields, visitor);
        }
        visitor.visit_seq(Several { dice: self, left: fields.len(), fields })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let variant = self.below(variants.len()) as u32;
        visitor.visit_enum(Variant { dice: self, variant })
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        Err(Error::custom("of a type that no snapshot has"))
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u128 char bytes byte_buf unit unit_struct tuple_struct identifier ignored_any
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Items, entries or fields.
struct Several<'a> {
    dice: &'a mut Dice,
    left: usize,
    fields: &'static [&'static str],
}

impl<'de> SeqAccess<'de> for Several<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        if let Some(field) = self.fields.len().checked_sub(self.left).and_then(|at| self.fields.get(at)) {
            self.dice.field = field;
        }
        self.left = left;
        seed.deserialize(&mut *self.dice).map(Some)
    }
}

impl<'de> MapAccess<'de> for Several<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        seed.deserialize(&mut *self.dice)
    }
}

struct Variant<'a> {
    dice: &'a mut Dice,
    variant: u32,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let variant: U32Deserializer<Error> = self.variant.into_deserializer();
        Ok((seed.deserialize(variant)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<()> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self.dice)
    }

    fn tuple_variant<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value> {
        visitor.visit_seq(Several { dice: self.dice, left, fields: &[] })
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value> {
        visitor.visit_seq(Several { dice: self.dice, left: fields.len(), fields })
    }
}
