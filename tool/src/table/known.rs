//! What is known, or why it is not.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

/// A reason in words.
pub type Reason = Cow<'static, str>;

/// A value, zero included, or the reason why there is none. There is no default to fall back on: who reads it has to say what
/// not knowing means.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Known<T> {
    Value(T),
    Not(Why),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Why {
    /// Not asked for: with or without this flag.
    NotMeasured(Reason),
    /// This host cannot tell.
    Unavailable(Reason),
    Lost,
    /// There were too many: which bound was reached.
    NotLookedAt(Reason),
    Unknown(Reason),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMeasured(flag) => write!(f, "not measured: {flag}"),
            Self::Unavailable(why) | Self::Unknown(why) => f.write_str(why),
            Self::Lost => f.write_str("lost"),
            Self::NotLookedAt(bound) => write!(f, "not looked at: {bound}"),
        }
    }
}

/// Of a column that came later than the recording.
pub const NOT_RECORDED: &str = "not recorded";

impl<T> Known<T> {
    pub const fn not_measured(flag: &'static str) -> Self {
        Self::Not(Why::NotMeasured(Cow::Borrowed(flag)))
    }

    pub const fn unavailable(why: &'static str) -> Self {
        Self::Not(Why::Unavailable(Cow::Borrowed(why)))
    }

    pub const fn unknown(why: &'static str) -> Self {
        Self::Not(Why::Unknown(Cow::Borrowed(why)))
    }

    pub fn of(value: Option<T>, why_not: &'static str) -> Self {
        value.map_or(Self::unknown(why_not), Self::Value)
    }

    pub fn map<U>(self, of: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Self::Value(value) => Known::Value(of(value)),
            Self::Not(why) => Known::Not(why),
        }
    }

    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Not(_) => None,
        }
    }

    pub fn why(&self) -> Option<&Why> {
        match self {
            Self::Value(_) => None,
            Self::Not(why) => Some(why),
        }
    }

    pub fn value_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Not(_) => None,
        }
    }

    pub fn is_known(&self) -> bool {
        self.value().is_some()
    }
}

impl<T> From<T> for Known<T> {
    fn from(value: T) -> Self {
        Self::Value(value)
    }
}
