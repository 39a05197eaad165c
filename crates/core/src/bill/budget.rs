//! What a session in progress may still spend: it learns every event and is asked before every start.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use super::billable_times::BillableTimes;
use super::tariff::Tariff;
use crate::event::EventKind;
use crate::plan::{conversation_bound, preparation_bound};
use crate::profile::{EvaluatorSettings, Profile};
use crate::units::{Micros, RunIndex, SessionTime, Usd};

const MINUTE: u64 = 60_000_000;

/// The limits of a session on money, runs and minutes.
#[derive(Debug, Clone)]
pub struct BudgetLimits {
    budget: Option<Usd>,
    max_runs: Option<u64>,
    max_minutes: Option<u64>,
    tariff: Option<Tariff>,
    /// The most that one run can cost.
    worst_cost: Usd,
    /// The longest that a conversation can last.
    worst_conversation: Micros,
    /// With a budget, a run that is not submitted this long after its start is given up.
    submitted_within: Micros,
    /// Whether turns are counted, which only native callers report.
    counts_turns: bool,
}

impl BudgetLimits {
    /// The limits of a profile.
    pub fn new(profile: &Profile) -> Self {
        let limits = &profile.limits;
        let tariff = Tariff::new(profile);
        Self {
            budget: limits.budget,
            max_runs: limits.max_runs,
            max_minutes: limits.max_minutes,
            worst_cost: tariff.as_ref().map_or(Usd::ZERO, |tariff| tariff.cost(tariff.worst())),
            worst_conversation: conversation_bound(profile),
            submitted_within: preparation_bound(profile),
            counts_turns: matches!(profile.evaluator, EvaluatorSettings::Native(_)),
            tariff,
        }
    }
}

/// A limit that one more run could exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetExceeded {
    /// `max_runs`.
    Runs {
        /// The limit.
        limit: u64,
    },
    /// `budget`.
    Cost {
        /// The limit.
        limit: Usd,
        /// The cost of the runs that have ended.
        spent: Usd,
        /// Reserved for the runs in flight.
        reserved: Usd,
        /// Runs in flight.
        in_flight: u64,
        /// The most that one more run can cost.
        next: Usd,
    },
    /// `max_minutes`.
    Minutes {
        /// The limit, in minutes.
        limit: u64,
        /// The conversations of the runs that have ended.
        used: Micros,
        /// Runs in flight.
        in_flight: u64,
        /// The longest that each of them, and one more, can take.
        each: Micros,
    },
}

impl BudgetExceeded {
    /// The key of the limit in its table of the profile.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Runs { .. } => "max_runs",
            Self::Cost { .. } => "budget",
            Self::Minutes { .. } => "max_minutes",
        }
    }

    /// The message, with the limit as a key of `table`: `limits`, or `judging` in a judging session.
    pub fn message(&self, table: &str) -> String {
        let setting = format!("{table}.{}", self.key());
        match self {
            Self::Runs { limit } => format!("{setting} of {limit} is reached"),
            Self::Cost { limit, spent, reserved, in_flight, next } => format!(
                "{setting} of {limit} could be exceeded: {spent} spent, {reserved} reserved for {in_flight} in flight, and one more run may cost {next}"
            ),
            Self::Minutes { limit, used, in_flight, each } => format!(
                "{setting} of {limit} could be exceeded: {used} of conversation used, and {in_flight} in flight and one more may take {each} each"
            ),
        }
    }
}

impl fmt::Display for BudgetExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message("limits"))
    }
}

/// What a session in progress has spent and reserved. Every run in flight counts at its worst.
#[derive(Debug, Clone)]
pub struct Budget {
    limits: BudgetLimits,
    in_flight: HashMap<RunIndex, RunInFlight>,
    /// Runs by the time at which they are overdue, until they end or are returned.
    overdue: BTreeSet<(SessionTime, RunIndex)>,
    spent: Usd,
    conversation_time: Micros,
    started: u64,
}

#[derive(Debug, Clone)]
struct RunInFlight {
    times: BillableTimes,
    /// When the run is overdue.
    due: SessionTime,
}

impl Budget {
    /// A budget of which nothing is spent.
    pub fn new(limits: BudgetLimits) -> Self {
        Self {
            limits,
            in_flight: HashMap::new(),
            overdue: BTreeSet::new(),
            spent: Usd::ZERO,
            conversation_time: Micros::ZERO,
            started: 0,
        }
    }

    /// Applies an event that was recorded at `at`. To resume a session, apply all of its events.
    pub fn apply(&mut self, event: &EventKind, at: SessionTime) {
        match event {
            EventKind::RunStarted { run, mode, .. } => {
                self.started += 1;
                let turns = self.limits.counts_turns.then_some(0);
                let due = match self.limits.budget {
                    Some(_) => at + self.limits.submitted_within,
                    None => SessionTime::NEVER,
                };
                let times = BillableTimes { turns, ..BillableTimes::new(*mode) };
                self.in_flight.insert(*run, RunInFlight { times, due });
                self.overdue.insert((due, *run));
            }
            EventKind::AgentSeen { run, after, .. } => {
                self.update(*run, |times| times.agent = Some(*after));
            }
            EventKind::SubmitIntent { runs, .. } => {
                for run in runs {
                    self.update(*run, |times| times.submitted = Some(at));
                }
            }
            EventKind::PhaseSeen { run, phase, after, seen, .. } => {
                self.update(*run, |times| times.phase_seen(*phase, *after, *seen));
            }
            EventKind::Turn { run, .. } => {
                self.update(*run, |times| times.turns = times.turns.map(|turns| turns + 1));
            }
            EventKind::ModelUsage { run, usage } => {
                self.update(*run, |times| times.model_usage = *usage);
            }
            EventKind::Ended { run, outcome, seen, conversation_duration, .. } => {
                let Some(RunInFlight { times, due }) = self.in_flight.remove(run) else { return };
                self.overdue.remove(&(due, *run));
                let usage = times.usage(*seen, outcome.class(), *conversation_duration);
                if let Some(tariff) = &self.limits.tariff {
                    self.spent += tariff.cost(&usage);
                }
                let conversation = if usage.conversation_reported {
                    usage.conversation
                } else {
                    usage.conversation.min(self.limits.worst_conversation)
                };
                self.conversation_time = self.conversation_time + conversation;
            }
            EventKind::Resumed { downtime, .. } => self.extend_due_times(*downtime),
            _ => {}
        }
    }

    /// During a downtime nothing can be submitted, so it does not count.
    fn extend_due_times(&mut self, by: Micros) {
        for run in self.in_flight.values_mut() {
            run.due += by;
        }
        let overdue = std::mem::take(&mut self.overdue);
        self.overdue = overdue.into_iter().map(|(due, run)| (due + by, run)).collect();
    }

    fn update(&mut self, run: RunIndex, change: impl FnOnce(&mut BillableTimes)) {
        if let Some(run) = self.in_flight.get_mut(&run) {
            change(&mut run.times);
        }
    }

    /// Why no further run may start: the limit that one more run, at its worst, could exceed.
    pub fn refusal(&self) -> Option<BudgetExceeded> {
        let limits = &self.limits;
        let in_flight = self.in_flight.len() as u64;
        if let Some(limit) = limits.max_runs.filter(|limit| self.started >= *limit) {
            return Some(BudgetExceeded::Runs { limit });
        }
        let reserved = limits.worst_cost.for_amount(in_flight, 1);
        let next = limits.worst_cost;
        if let Some(limit) = limits.budget
            && self.spent + reserved + next > limit
        {
            return Some(BudgetExceeded::Cost {
                limit,
                spent: self.spent,
                reserved,
                in_flight,
                next,
            });
        }
        let limit = limits.max_minutes?;
        let each = limits.worst_conversation;
        let used = self.conversation_time;
        let reserved = Micros(each.0.saturating_mul(in_flight + 1));
        (used + reserved > Micros(limit.saturating_mul(MINUTE)))
            .then_some(BudgetExceeded::Minutes { limit, used, in_flight, each })
    }

    /// When [`Self::take_overdue`] returns the next run.
    pub fn next_overdue(&self) -> SessionTime {
        self.overdue.first().map_or(SessionTime::NEVER, |(at, _)| *at)
    }

    /// A run that should have been submitted by now; returns each run once.
    pub fn take_overdue(&mut self, now: SessionTime) -> Option<RunIndex> {
        self.overdue.first().filter(|(at, _)| *at <= now)?;
        self.overdue.pop_first().map(|(_, run)| run)
    }

    /// Whether a submission of this run at `at` would be too late for its reserve.
    pub fn is_overdue(&self, run: RunIndex, at: SessionTime) -> bool {
        self.in_flight.get(&run).is_some_and(|run| run.due < at)
    }

    /// The cost of the runs that have ended.
    pub const fn spent(&self) -> Usd {
        self.spent
    }

    /// The conversations of the runs that have ended, as they count towards `limits.max_minutes`.
    pub const fn conversation_time(&self) -> Micros {
        self.conversation_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Outcome;
    use crate::plan::testing::plan_of;
    use crate::units::{Mode, RoomName};

    fn budget(limits: &str) -> Budget {
        let text = format!(
            "[[scenario]]\nid = 1\ncopies = 9\n[[stage]]\nrate = \"1/s\"\n[limits]\n{limits}"
        );
        Budget::new(BudgetLimits::new(plan_of(&text).profile()))
    }

    fn start(budget: &mut Budget, run: u64) {
        let started = EventKind::RunStarted {
            run: RunIndex(run),
            stage: 0,
            scenario: 0,
            copy: 0,
            mode: Mode::Voice,
            pair: None,
            network: None,
            redial_of: None,
            intended: SessionTime::START,
            free: SessionTime::START,
            room: RoomName::new("room"),
        };
        budget.apply(&started, SessionTime::START);
    }

    fn end(budget: &mut Budget, run: u64, seconds: u64) {
        let at = SessionTime(seconds * 1_000_000);
        let run = RunIndex(run);
        let intent = EventKind::SubmitIntent { request: run.0, runs: vec![run] };
        budget.apply(&intent, SessionTime::START);
        let outcome = Outcome::Completed { judged: None };
        budget.apply(
            &EventKind::Ended { run, outcome, after: at, seen: at, conversation_duration: None },
            at,
        );
    }

    #[test]
    fn each_run_in_flight_reserves_its_worst_cost() {
        // The worst run takes 20 min, 2 min, 30 s, 10 s and 5 s: 23 minutes, 6.71 USD, 5.75 of it for the evaluator.
        let mut budget = budget("budget = \"14 USD\"");
        assert_eq!(budget.refusal(), None);
        start(&mut budget, 0);
        assert_eq!(budget.refusal(), None, "two cost 13.42 USD");
        start(&mut budget, 1);
        let refusal = budget.refusal().expect("a third could be too much");
        let text = refusal.to_string();
        assert!(
            text.starts_with("limits.budget of 14.00 USD could be exceeded: 0.00 USD spent"),
            "{text}"
        );
        assert!(refusal.message("judging").starts_with("judging.budget of 14.00 USD"));
        end(&mut budget, 0, 60);
        end(&mut budget, 1, 60);
        assert!(budget.spent() < Usd::from_dollars(0.7), "{}", budget.spent());
        assert_eq!(budget.refusal(), None, "their reserves are free again");
    }

    #[test]
    fn runs_and_minutes_have_limits_too() {
        let mut runs = budget("max_runs = 2");
        start(&mut runs, 0);
        end(&mut runs, 0, 60);
        assert_eq!(runs.refusal(), None);
        start(&mut runs, 1);
        let refusal = runs.refusal().expect("two have started").to_string();
        assert_eq!(refusal, "limits.max_runs of 2 is reached");
        let mut minutes = budget("max_minutes = 30");
        assert_eq!(minutes.refusal(), None, "one may take 22.75 minutes");
        start(&mut minutes, 0);
        let refusal = minutes.refusal().expect("two may take 45").to_string();
        assert!(refusal.starts_with("limits.max_minutes of 30 could be exceeded"), "{refusal}");
        end(&mut minutes, 0, 60);
        assert_eq!(minutes.refusal(), None);
        start(&mut minutes, 1);
        end(&mut minutes, 1, 8 * 60);
        assert!(minutes.refusal().is_some(), "9 are used, and one more may take 22.75");
    }

    #[test]
    fn a_run_that_is_not_submitted_in_time_is_overdue_once() {
        let mut budget = budget("budget = \"14 USD\"");
        start(&mut budget, 0);
        // Three requests of 10 s, 40 s for the agent, 100 slots at 5/s.
        let due = SessionTime(90_000_000);
        assert_eq!(budget.next_overdue(), due);
        assert!(!budget.is_overdue(RunIndex(0), due));
        assert_eq!(budget.take_overdue(due), Some(RunIndex(0)));
        assert_eq!(budget.take_overdue(due), None);
        assert!(budget.is_overdue(RunIndex(0), due + Micros(1)));
    }
}
