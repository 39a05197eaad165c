//! Places for runs at the same time, and the queue of those that wait for one.

use std::collections::VecDeque;

/// A plan's places for one mode.
#[derive(Debug)]
pub(super) struct Queue {
    places: u32,
    taken: u32,
    waiting: VecDeque<u64>,
}

impl Queue {
    pub(super) const fn new(places: u32) -> Self {
        Self { places, taken: 0, waiting: VecDeque::new() }
    }

    /// Takes a place where one is free; else the run waits.
    pub(super) fn enter(&mut self, run: u64) -> bool {
        let free = self.taken < self.places;
        if free {
            self.taken += 1;
        } else {
            self.waiting.push_back(run);
        }
        free
    }

    /// Gives a place back; the run that waited longest and still `wants` it has it then.
    pub(super) fn leave(&mut self, wants: impl Fn(u64) -> bool) -> Option<u64> {
        while let Some(run) = self.waiting.pop_front() {
            if wants(run) {
                return Some(run);
            }
        }
        self.taken -= 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_passes_to_the_run_that_waited_longest_and_still_wants_it() {
        let mut queue = Queue::new(1);
        assert!(queue.enter(1));
        assert!(!queue.enter(2));
        assert!(!queue.enter(3));
        assert_eq!(queue.leave(|run| run != 2), Some(3));
        assert!(!queue.enter(4));
        assert_eq!(queue.leave(|_| false), None);
        assert!(queue.enter(5));
    }
}
