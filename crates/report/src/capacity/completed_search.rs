//! A search that has ended: everything that its reports need.

use super::answer::CapacityAnswer;
use super::finding::TrialFinding;
use super::level::SearchSpend;
use super::log::LogOpening;
use super::search::{CapacitySearch, SearchEnd};
use rushhour_core::units::Micros;

/// A search that has ended.
#[derive(Debug, Clone, Copy)]
pub struct CompletedSearch<'a> {
    /// The first line of its log.
    pub opening: &'a LogOpening,
    /// The search with its results.
    pub search: &'a CapacitySearch,
    /// The finding of each session, in the same order.
    pub findings: &'a [TrialFinding],
    /// Why it ended.
    pub ending: SearchEnd,
}

impl<'a> CompletedSearch<'a> {
    /// The answer.
    pub fn answer(&self) -> CapacityAnswer<'a> {
        CapacityAnswer::of(self.search, self.findings, self.ending)
    }

    /// What all its sessions spent.
    pub(super) fn spent(&self) -> SearchSpend {
        self.findings.iter().fold(SearchSpend::default(), |all, finding| all.plus(finding.spent))
    }

    /// From its start to the end of its last session.
    pub(super) fn duration(&self) -> Micros {
        self.findings.last().map_or(Micros::ZERO, |last| last.result.end)
    }
}
