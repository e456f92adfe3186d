//! What stands in a column of the tables of `tcp`.

use std::{
    net::{IpAddr, SocketAddr},
    ops::{Deref, DerefMut},
};

use serde::{Deserialize, Serialize};

use super::Outcome;
use crate::table::{
    Cell, Merge, Value,
    shape::{Shape, Shaped},
};

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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
    fn missing() -> Self {
        Self { address: IpAddr::from([0; 4]), port: 0 }
    }

    fn cell(&self) -> Cell<'_> {
        Cell::Text(self.to_string().into())
    }

    fn join(&mut self, later: &Self, how: Merge) {
        if how != Merge::Same {
            *self = *later;
        }
    }
}

impl Shaped for End {
    fn shape() -> Shape {
        Shape::Text
    }
}

/// Connections by [`Outcome`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

impl Shaped for Outcomes {
    fn shape() -> Shape {
        Shape::Named
    }
}

impl Value for Outcomes {
    fn missing() -> Self {
        Self::default()
    }

    /// Those that there were, by name.
    fn cell(&self) -> Cell<'_> {
        let all = Outcome::ALL.into_iter().zip(self.0).filter(|&(_, count)| count > 0);
        let mut named: Vec<_> = all.map(|(outcome, count)| (outcome.name().into(), count)).collect();
        named.sort_unstable();
        Cell::Named(named)
    }

    fn join(&mut self, later: &Self, how: Merge) {
        self.0.iter_mut().zip(later.0).for_each(|(count, later)| count.join(&later, how));
    }
}
