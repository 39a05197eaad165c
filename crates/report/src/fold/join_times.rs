//! When agents were requested and when they joined, by which a stall of the server's dispatcher is recognised.

use rushhour_core::units::{Micros, SessionTime};

/// Further joins are not kept: a session of a day at one start a second has fewer.
const MAX_JOINS: usize = 100_000;

/// One agent's way into its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinTime {
    /// When the request that dispatches it was sent.
    pub requested: SessionTime,
    /// When it joined, or was first seen.
    pub joined: SessionTime,
}

impl JoinTime {
    /// From the request to the join.
    pub fn wait(&self) -> Micros {
        self.joined.since(self.requested)
    }
}

/// The joins of a session, up to a bound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JoinTimes {
    joins: Vec<JoinTime>,
}

impl JoinTimes {
    pub(super) fn add(&mut self, join: JoinTime) {
        if self.joins.len() < MAX_JOINS {
            self.joins.push(join);
        }
    }

    /// The joins, in the order in which they were seen.
    pub fn as_slice(&self) -> &[JoinTime] {
        &self.joins
    }
}
