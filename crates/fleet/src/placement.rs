//! Which worker gets the next conversation.
//!
//! The one that is least full with it, by what was placed there and not seen to end: a worker's own word is up to a
//! second old, and by then twenty starts would all have gone to the emptiest. Time is an argument.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use rushhour_core::units::{Micros, Rate, SessionTime};

/// A worker that was silent for longer takes no more until it is heard again: three times the second between two words.
pub const SILENT_AFTER: Micros = Micros::from_secs(3);
/// So many bad windows in a row, and a worker takes no more.
pub const BAD_WINDOWS_OUT: u32 = 2;
/// So many good windows in a row, and it takes some again.
pub const GOOD_WINDOWS_BACK: u32 = 6;

/// What a worker can take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WorkerCapacity {
    /// The most conversations at once.
    pub conversations: u32,
    /// The most joins per second: joining a room is the moment that costs most.
    pub joins: Rate,
}

/// Whether a worker kept its ticks for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowVerdict {
    /// It did.
    Good,
    /// Too many were late: what it measures cannot be trusted.
    Bad,
}

/// Whether a worker takes conversations, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// It does.
    Accepting,
    /// As many as it can hold are there.
    Full,
    /// It was late in [`BAD_WINDOWS_OUT`] windows in a row.
    Late,
    /// It was not heard for longer than [`SILENT_AFTER`].
    Silent,
    /// It finishes what it has, and goes.
    Draining,
}

/// Why no worker takes a conversation now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlacementWait {
    /// There is room, but joins follow each other too closely; ask again then.
    Until(SessionTime),
    /// Until a conversation ends, a worker joins, or one is well again. The run waits as it does for a slot, and its lag
    /// is the generator's.
    ForRoom,
}

#[derive(Debug, Clone)]
struct PlacedWorker {
    capacity: WorkerCapacity,
    /// Placed there and not seen to end.
    held: u32,
    /// It refused since it was last heard: it holds more than we know of.
    is_refusing: bool,
    is_draining: bool,
    fitness: Fitness,
    heard_at: SessionTime,
    next_join: SessionTime,
    /// The number of the last placement, so that ties go round.
    last_placed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fitness {
    Well { bad_windows: u32 },
    Late { good_windows: u32 },
}

impl Fitness {
    const WELL: Self = Self::Well { bad_windows: 0 };

    const fn after(self, window: WindowVerdict) -> Self {
        match (self, window) {
            (Self::Well { .. }, WindowVerdict::Good) => Self::WELL,
            (Self::Well { bad_windows }, WindowVerdict::Bad) => {
                if bad_windows + 1 < BAD_WINDOWS_OUT {
                    Self::Well { bad_windows: bad_windows + 1 }
                } else {
                    Self::Late { good_windows: 0 }
                }
            }
            (Self::Late { .. }, WindowVerdict::Bad) => Self::Late { good_windows: 0 },
            (Self::Late { good_windows }, WindowVerdict::Good) => {
                if good_windows + 1 < GOOD_WINDOWS_BACK {
                    Self::Late { good_windows: good_windows + 1 }
                } else {
                    Self::WELL
                }
            }
        }
    }
}

impl PlacedWorker {
    fn availability(&self, now: SessionTime) -> Availability {
        if self.is_draining {
            Availability::Draining
        } else if now.since(self.heard_at) > SILENT_AFTER {
            Availability::Silent
        } else if matches!(self.fitness, Fitness::Late { .. }) {
            Availability::Late
        } else if self.is_refusing || self.held >= self.capacity.conversations {
            Availability::Full
        } else {
            Availability::Accepting
        }
    }

    /// Which of two would be less full with one conversation more; of equals, the one that waited longer.
    fn fullness(&self, other: &Self) -> Ordering {
        let share = |one: &Self, of: &Self| {
            (u64::from(one.held) + 1) * u64::from(of.capacity.conversations)
        };
        share(self, other)
            .cmp(&share(other, self))
            .then_with(|| self.last_placed.cmp(&other.last_placed))
    }
}

/// The workers, by what each of them holds. `W` is how a worker is called.
#[derive(Debug, Clone)]
pub struct WorkerPlacement<W> {
    workers: BTreeMap<W, PlacedWorker>,
    placed: u64,
}

impl<W> Default for WorkerPlacement<W> {
    fn default() -> Self {
        Self { workers: BTreeMap::new(), placed: 0 }
    }
}

impl<W: Ord + Clone> WorkerPlacement<W> {
    /// Takes a worker, or its new capacity if it is there already; one that took no more does so again.
    pub fn join(&mut self, worker: W, capacity: WorkerCapacity, now: SessionTime) {
        let fresh = PlacedWorker {
            capacity,
            held: 0,
            is_refusing: false,
            is_draining: false,
            fitness: Fitness::WELL,
            heard_at: now,
            next_join: now,
            last_placed: 0,
        };
        let known = self.workers.entry(worker).or_insert(fresh);
        known.capacity = capacity;
        known.is_draining = false;
        known.heard_at = now;
    }

    /// Forgets a worker, and returns how many conversations were there.
    pub fn leave(&mut self, worker: &W) -> u32 {
        self.workers.remove(worker).map_or(0, |worker| worker.held)
    }

    /// Chooses the worker of the next conversation, and counts it there.
    ///
    /// # Errors
    /// Where nobody takes one now: how long the run waits.
    pub fn place(&mut self, now: SessionTime) -> Result<W, PlacementWait> {
        let accepting = self
            .workers
            .iter_mut()
            .filter(|(_, worker)| worker.availability(now) == Availability::Accepting);
        let mut soonest = None;
        let mut chosen: Option<(&W, &mut PlacedWorker)> = None;
        for (name, worker) in accepting {
            if worker.next_join > now {
                soonest = Some(soonest.map_or(worker.next_join, |at| worker.next_join.min(at)));
            } else if chosen.as_ref().is_none_or(|(_, best)| worker.fullness(best).is_lt()) {
                chosen = Some((name, worker));
            }
        }
        let Some((name, worker)) = chosen else {
            return Err(soonest.map_or(PlacementWait::ForRoom, PlacementWait::Until));
        };
        self.placed += 1;
        worker.last_placed = self.placed;
        worker.held += 1;
        worker.next_join = now + worker.capacity.joins.gap();
        Ok(name.clone())
    }

    /// Counts a conversation that the worker holds already, after a coordinator was resumed.
    pub fn adopt(&mut self, worker: &W) {
        self.change(worker, |worker| worker.held = worker.held.saturating_add(1));
    }

    /// A conversation of this worker ended.
    pub fn ended(&mut self, worker: &W) {
        self.change(worker, |worker| {
            worker.held = worker.held.saturating_sub(1);
            worker.is_refusing = false;
        });
    }

    /// The worker refused a conversation that was placed there, because it is full: it gets none before it is heard.
    pub fn refused(&mut self, worker: &W) {
        self.change(worker, |worker| {
            worker.held = worker.held.saturating_sub(1);
            worker.is_refusing = true;
        });
    }

    /// The worker was heard.
    pub fn heard(&mut self, worker: &W, now: SessionTime) {
        self.change(worker, |worker| {
            worker.heard_at = worker.heard_at.max(now);
            worker.is_refusing = false;
        });
    }

    /// The worker's ticks over a window were judged.
    pub fn judged(&mut self, worker: &W, window: WindowVerdict) {
        self.change(worker, |worker| worker.fitness = worker.fitness.after(window));
    }

    /// The worker takes no more.
    pub fn drain(&mut self, worker: &W) {
        self.change(worker, |worker| worker.is_draining = true);
    }

    /// Whether the worker takes conversations; `None` where it is not known.
    pub fn availability(&self, worker: &W, now: SessionTime) -> Option<Availability> {
        self.workers.get(worker).map(|worker| worker.availability(now))
    }

    /// How many conversations are there.
    pub fn held(&self, worker: &W) -> u32 {
        self.workers.get(worker).map_or(0, |worker| worker.held)
    }

    /// How many conversations all workers that take any can hold, those that they hold included.
    pub fn capacity(&self, now: SessionTime) -> u64 {
        let takes =
            |availability| matches!(availability, Availability::Accepting | Availability::Full);
        let taking = self.workers.values().filter(|worker| takes(worker.availability(now)));
        taking.map(|worker| u64::from(worker.capacity.conversations)).sum()
    }

    fn change(&mut self, worker: &W, change: impl FnOnce(&mut PlacedWorker)) {
        // A worker that left may still be named by what it left behind.
        if let Some(worker) = self.workers.get_mut(worker) {
            change(worker);
        }
    }
}

#[cfg(test)]
mod tests;
