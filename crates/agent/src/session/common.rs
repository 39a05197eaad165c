//! What all sessions of an agent share.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use crate::behaviour::{Behaviour, JobCircumstances};
use crate::truth::TruthSink;
use rushhour_callers::audio::Clip;
use rushhour_core::units::SessionTime;

/// What all sessions of an agent share.
#[derive(Debug)]
pub struct AgentContext {
    /// How they behave.
    pub behaviour: Arc<Behaviour>,
    /// Where they tell what they did.
    pub truth: TruthSink,
    /// What they say, all the same.
    pub speech: Clip,
    sessions: AtomicUsize,
    leaked: Mutex<Vec<Vec<u8>>>,
}

impl AgentContext {
    /// Without a session so far.
    pub const fn new(behaviour: Arc<Behaviour>, truth: TruthSink, speech: Clip) -> Self {
        Self {
            behaviour,
            truth,
            speech,
            sessions: AtomicUsize::new(0),
            leaked: Mutex::new(Vec::new()),
        }
    }

    /// Sessions that are in their rooms now.
    pub fn sessions(&self) -> usize {
        self.sessions.load(Relaxed)
    }

    /// Bytes that sessions have left behind for good, as the behaviour wants it.
    pub fn leaked(&self) -> usize {
        let leaked = self.leaked.lock().unwrap_or_else(PoisonError::into_inner);
        leaked.iter().map(Vec::len).sum()
    }

    pub(super) fn circumstances(&self, now: SessionTime) -> JobCircumstances {
        let running_for = now.since(SessionTime::START);
        JobCircumstances { sessions: self.sessions(), running_for }
    }

    pub(super) fn enter(&self) {
        self.sessions.fetch_add(1, Relaxed);
        let bytes = self.behaviour.leak_per_session;
        if bytes > 0 {
            // Zeros would cost address space alone.
            let leak = vec![1; bytes];
            self.leaked.lock().unwrap_or_else(PoisonError::into_inner).push(leak);
        }
    }

    pub(super) fn leave(&self) {
        self.sessions.fetch_sub(1, Relaxed);
    }
}
