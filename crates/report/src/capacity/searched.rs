//! A search that is over: what its reports are made of.

use super::answer::Answer;
use super::finding::Finding;
use super::level::Spent;
use super::log::LogOpening;
use super::search::{Ending, Search};
use rushhour_core::units::Micros;

/// A search that is over.
#[derive(Debug, Clone, Copy)]
pub struct Searched<'a> {
    /// How it began.
    pub opening: &'a LogOpening,
    /// What was tried.
    pub search: &'a Search,
    /// What each session says, in the same order.
    pub findings: &'a [Finding],
    /// Why it ended.
    pub ending: Ending,
}

impl<'a> Searched<'a> {
    /// What it comes to.
    pub fn answer(&self) -> Answer<'a> {
        Answer::of(self.search, self.findings, self.ending)
    }

    /// What all its sessions used up.
    pub(super) fn spent(&self) -> Spent {
        self.findings.iter().fold(Spent::default(), |all, finding| all.and(finding.spent))
    }

    /// From its beginning to the end of its last session.
    pub(super) fn lasted(&self) -> Micros {
        self.findings.last().map_or(Micros::ZERO, |last| last.tried.ends)
    }
}
