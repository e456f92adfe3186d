//! What the loader knows about this kernel and this run, set before the programs are loaded: a read-only global for each setting and
//! each fact of `stillwatch_common::facts`.
//!
//! The maps behind these are frozen, so the verifier takes every value for a constant and removes the branches that are
//! off: a feature that nobody asked for costs nothing, and neither does asking whether a fact is there.

use aya_ebpf::Global;
use stillwatch_common::facts::{BitField, Fact, Flag, Number, Offset, Presence};

/// A probe's programs are not loaded without it.
type Needed<T> = Global<T>;

/// This kernel may not have it.
#[repr(transparent)]
pub struct Optional<T>(Global<T>);
type OneOf<T> = Optional<T>;

impl<T: Fact> Optional<T> {
    const fn new(value: T) -> Self {
        Self(Global::new(value))
    }

    #[inline(always)]
    pub fn get(&self) -> Option<T> {
        let value = self.0.load();
        if value == T::ABSENT { None } else { Some(value) }
    }

    #[inline(always)]
    pub fn is_there(&self) -> bool {
        self.get().is_some()
    }
}

impl Optional<Flag> {
    /// Needs no question: where the flag is not there, no bit is.
    #[inline(always)]
    pub fn mask(&self) -> u64 {
        self.0.load().mask()
    }
}

macro_rules! globals {
    (
        settings { $($(#[$what:meta])* $setting:ident: $of:ty = $default:expr;)* }
        $($group:ident $probe:ident $($lost:literal)? {
            $($(#[$doc:meta])* $name:ident: $type:ty = $($formula:literal)|+;)*
        })*
    ) => {
        $($(#[$what])* #[unsafe(no_mangle)] pub static $setting: Global<$of> = Global::new($default);)*
        $($($(#[$doc])* #[unsafe(no_mangle)] pub static $name: $group<$type> = $group::<$type>::new(<$type>::ABSENT);)*)*
    };
}

stillwatch_common::facts!(globals);

/// A setting, as a condition.
#[inline(always)]
pub fn on(setting: &Global<u8>) -> bool {
    setting.load() != 0
}
