//! What stands in a column of the tables of `tcp`.

use std::{
    net::{IpAddr, SocketAddr},
    ops::{Deref, DerefMut},
};

use super::Outcome;
use crate::table::{Cell, Merge, Value};

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct End {
    pub address: IpAddr,
    pub port: u16,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        SocketAddr::new(self.address, self.port).fmt(f)
    }
}

impl Value for End {
    fn cell(&self) -> Cell<'_> {
        Cell::Text(self.to_string().into())
    }

    fn of(cell: &Cell<'_>) -> Option<Self> {
        let Cell::Text(text) = cell else { return None };
        let end: SocketAddr = text.parse().ok()?;
        Some(Self { address: end.ip(), port: end.port() })
    }

    fn join(&mut self, later: &Self, how: Merge) {
        if how != Merge::Same {
            *self = *later;
        }
    }
}

/// Connections by [`Outcome`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcomes(pub [u64; Outcome::ALL.len()]);

/// Of these, how many failed.
pub fn failed(outcomes: &[u64]) -> u64 {
    outcomes.iter().skip(Outcome::Established as usize + 1).sum()
}

impl Deref for Outcomes {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        &self.0
    }
}

impl DerefMut for Outcomes {
    fn deref_mut(&mut self) -> &mut [u64] {
        &mut self.0
    }
}

impl Value for Outcomes {
    /// Those that there were, by name.
    fn cell(&self) -> Cell<'_> {
        let all = Outcome::ALL.into_iter().zip(self.0).filter(|&(_, count)| count > 0);
        let mut named: Vec<_> = all.map(|(outcome, count)| (outcome.name().into(), count)).collect();
        named.sort_unstable();
        Cell::Named(named)
    }

    fn of(cell: &Cell<'_>) -> Option<Self> {
        let Cell::Named(named) = cell else { return None };
        let mut outcomes = Self::default();
        for (name, count) in named {
            let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.name() == name)?;
            outcomes[outcome as usize] = *count;
        }
        Some(outcomes)
    }

    fn join(&mut self, later: &Self, how: Merge) {
        self.0.iter_mut().zip(later.0).for_each(|(count, later)| count.join(&later, how));
    }
}

#[cfg(test)]
mod any {
    use super::*;
    use crate::table::any::{Any, Dice};

    impl Any for End {
        fn any(dice: &mut Dice) -> Self {
            let (v4, v6) = (dice.throw() as u32, u128::from(dice.throw()) << 64 | u128::from(dice.throw()));
            let address = if bool::any(dice) { IpAddr::V4(v4.into()) } else { IpAddr::V6(v6.into()) };
            Self { address, port: dice.throw() as u16 }
        }
    }

    impl Any for Outcomes {
        fn any(dice: &mut Dice) -> Self {
            Self(std::array::from_fn(|_| u64::any(dice) >> 1))
        }
    }
}
