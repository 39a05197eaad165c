//! What the reader of a comparison must know beside its figures.

use std::collections::{BTreeMap, BTreeSet};

use super::arm::Arm;
use super::at_mark::RunsAtMark;
use super::blocks::SideTiming;
use super::split::SplitBy;
use crate::session::StalledJoins;
use rushhour_core::profile::{DispatchMethod, SessionMode};

/// Differences of a scenario's share of the runs up to this are not worth a note.
const MIX: f64 = 0.1;

/// What the reader of a comparison must know. `arm` is `A` for the baseline and `B` for the candidate.
#[derive(Debug, Clone, PartialEq)]
pub enum ComparisonNote {
    /// A side has no measured run.
    NoMeasuredRun {
        /// The side.
        arm: &'static str,
    },
    /// A side has scenarios that the other one lacks; their runs are left out.
    UnsharedScenarios {
        /// The side.
        arm: &'static str,
        /// How many scenarios.
        scenarios: u64,
        /// How many runs they have.
        runs: u64,
    },
    /// A side did not finish.
    NotFinished {
        /// The side.
        arm: &'static str,
        /// Its runs without an outcome, which count as longer than the time observed.
        open: u64,
    },
    /// The dispatcher of a side's server held dispatches back: its joins say less about the agent.
    DispatchStall {
        /// The side.
        arm: &'static str,
        /// What it did to the joins of the whole session.
        stalled: StalledJoins,
    },
    /// A scenario has different shares of the runs on the two sides.
    ScenarioMix {
        /// The scenario.
        scenario: String,
        /// Its share of the baseline's runs, from 0 to 1.
        baseline: f64,
        /// Its share of the candidate's runs.
        candidate: f64,
    },
    /// The agents were dispatched by different methods.
    DispatchMethods {
        /// The baseline's.
        baseline: DispatchMethod,
        /// The candidate's.
        candidate: DispatchMethod,
    },
    /// The sides have different modes.
    Modes {
        /// The baseline's.
        baseline: SessionMode,
        /// The candidate's.
        candidate: SessionMode,
    },
    /// Both sides are parts of one session and ran at the same time.
    SameTime,
    /// Both sides are parts of one session and ran one after the other.
    OneAfterTheOther,
    /// Runs were in flight at the mark that the session is split at.
    InFlightAtMark {
        /// They, and what else is left out of the side before it.
        runs: RunsAtMark,
        /// The share of that side's runs that failed, from 0 to 1.
        failed_before: f64,
    },
    /// The sides are different scenarios.
    DifferentScenarios,
    /// Both sides are the same session.
    SameSession,
}

pub(super) fn notes(
    baseline: &Arm,
    candidate: &Arm,
    shared: &BTreeSet<String>,
) -> Vec<ComparisonNote> {
    let mut notes = Vec::new();
    let (from, to) = (baseline.scenarios(), candidate.scenarios());
    notes.extend(notes_on_arm("A", baseline, &from, shared));
    notes.extend(notes_on_arm("B", candidate, &to, shared));
    if !are_scenarios(baseline, candidate) {
        notes.extend(mix(&from, &to, shared));
    }
    let method = |arm: &Arm| arm.folded.opening.profile.livekit.dispatch.method();
    if method(baseline) != method(candidate) {
        notes.push(ComparisonNote::DispatchMethods {
            baseline: method(baseline),
            candidate: method(candidate),
        });
    }
    if baseline.mode != candidate.mode {
        notes.push(ComparisonNote::Modes { baseline: baseline.mode, candidate: candidate.mode });
    }
    if baseline.shares_session_with(candidate) {
        notes.push(match baseline.timing(candidate) {
            SideTiming::Shared => ComparisonNote::SameTime,
            SideTiming::Apart => ComparisonNote::OneAfterTheOther,
        });
        notes.extend([baseline, candidate].into_iter().filter_map(in_flight_at_mark));
        let differ = are_scenarios(baseline, candidate);
        notes.extend(differ.then_some(ComparisonNote::DifferentScenarios));
        return notes;
    }
    let identity = |arm: &Arm| {
        let opening = &arm.folded.opening;
        (opening.session.clone(), opening.anchor.clone())
    };
    if identity(baseline) == identity(candidate) {
        notes.push(ComparisonNote::SameSession);
    }
    notes
}

fn in_flight_at_mark(arm: &Arm) -> Option<ComparisonNote> {
    let runs = arm.at_mark.filter(|runs| runs.in_flight > 0)?;
    let failed_before = arm.failed() as f64 / arm.started().max(1) as f64;
    Some(ComparisonNote::InFlightAtMark { runs, failed_before })
}

fn notes_on_arm(
    name: &'static str,
    arm: &Arm,
    scenarios: &BTreeMap<String, u64>,
    shared: &BTreeSet<String>,
) -> Vec<ComparisonNote> {
    let mut notes = Vec::new();
    if scenarios.is_empty() {
        notes.push(ComparisonNote::NoMeasuredRun { arm: name });
    }
    let unshared = scenarios.iter().filter(|(scenario, _)| !shared.contains(*scenario));
    let (count, runs) = unshared.fold((0, 0), |(count, runs), (_, more)| (count + 1, runs + more));
    if count > 0 {
        notes.push(ComparisonNote::UnsharedScenarios { arm: name, scenarios: count, runs });
    }
    if let Some(stalled) = StalledJoins::of_session(&arm.folded) {
        notes.push(ComparisonNote::DispatchStall { arm: name, stalled });
    }
    if !arm.folded.closed {
        notes.push(ComparisonNote::NotFinished { arm: name, open: arm.open() });
    }
    notes
}

fn mix(
    from: &BTreeMap<String, u64>,
    to: &BTreeMap<String, u64>,
    shared: &BTreeSet<String>,
) -> Vec<ComparisonNote> {
    let share = |scenarios: &BTreeMap<String, u64>, scenario: &str| {
        let total: u64 = shared.iter().filter_map(|scenario| scenarios.get(scenario)).sum();
        scenarios.get(scenario).copied().unwrap_or(0) as f64 / total.max(1) as f64
    };
    let note = |scenario: &String| {
        let (baseline, candidate) = (share(from, scenario), share(to, scenario));
        ((baseline - candidate).abs() > MIX).then(|| ComparisonNote::ScenarioMix {
            scenario: scenario.clone(),
            baseline,
            candidate,
        })
    };
    shared.iter().filter_map(note).collect()
}

/// Whether each side is a scenario.
pub(super) fn are_scenarios(baseline: &Arm, candidate: &Arm) -> bool {
    let is_scenario =
        |arm: &Arm| arm.part.as_ref().is_some_and(|part| part.by == SplitBy::Scenario);
    is_scenario(baseline) && is_scenario(candidate)
}
