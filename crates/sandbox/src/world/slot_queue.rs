//! The plan's slots for concurrent runs, and the queue of runs that wait for one.

use std::collections::VecDeque;

/// The slots for one mode.
#[derive(Debug)]
pub(super) struct SlotQueue {
    slots: u32,
    used: u32,
    waiting: VecDeque<u64>,
}

impl SlotQueue {
    pub(super) const fn new(slots: u32) -> Self {
        Self { slots, used: 0, waiting: VecDeque::new() }
    }

    /// Takes a free slot and returns `true`, or queues the run and returns `false`.
    pub(super) fn acquire(&mut self, run: u64) -> bool {
        let free = self.used < self.slots;
        if free {
            self.used += 1;
        } else {
            self.waiting.push_back(run);
        }
        free
    }

    /// Releases a slot and returns the run that gets it: the first in the queue that still waits.
    pub(super) fn release(&mut self, still_waits: impl Fn(u64) -> bool) -> Option<u64> {
        while let Some(run) = self.waiting.pop_front() {
            if still_waits(run) {
                return Some(run);
            }
        }
        self.used -= 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_passes_to_the_first_run_that_still_waits() {
        let mut queue = SlotQueue::new(1);
        assert!(queue.acquire(1));
        assert!(!queue.acquire(2));
        assert!(!queue.acquire(3));
        assert_eq!(queue.release(|run| run != 2), Some(3));
        assert!(!queue.acquire(4));
        assert_eq!(queue.release(|_| false), None);
        assert!(queue.acquire(5));
    }
}
