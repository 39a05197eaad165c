//! A search that is over: what its reports are made of.

use super::answer::CapacityAnswer;
use super::finding::TrialFinding;
use super::level::SearchSpend;
use super::log::LogOpening;
use super::search::{CapacitySearch, SearchEnd};
use rushhour_core::units::Micros;

/// A search that is over.
#[derive(Debug, Clone, Copy)]
pub struct CompletedSearch<'a> {
    /// How it began.
    pub opening: &'a LogOpening,
    /// What was tried.
    pub search: &'a CapacitySearch,
    /// What each session says, in the same order.
    pub findings: &'a [TrialFinding],
    /// Why it ended.
    pub ending: SearchEnd,
}

impl<'a> CompletedSearch<'a> {
    /// What it comes to.
    pub fn answer(&self) -> CapacityAnswer<'a> {
        CapacityAnswer::of(self.search, self.findings, self.ending)
    }

    /// What all its sessions used up.
    pub(super) fn spent(&self) -> SearchSpend {
        self.findings.iter().fold(SearchSpend::default(), |all, finding| all.plus(finding.spent))
    }

    /// From its beginning to the end of its last session.
    pub(super) fn duration(&self) -> Micros {
        self.findings.last().map_or(Micros::ZERO, |last| last.result.end)
    }
}
