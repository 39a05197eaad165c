//! What a session under way may still spend: told every event, asked before every start.

use std::collections::{BTreeSet, HashMap};

use super::billable_times::BillableTimes;
use super::tariff::Tariff;
use crate::event::EventKind;
use crate::plan::{conversation_bound, preparation_bound};
use crate::profile::{EvaluatorSettings, Profile};
use crate::units::{Micros, RunIndex, SessionTime, Usd};

const MINUTE: u64 = 60_000_000;

/// What a session must not go beyond.
#[derive(Debug, Clone)]
pub struct BudgetLimits {
    budget: Option<Usd>,
    max_runs: Option<u64>,
    max_minutes: Option<u64>,
    tariff: Option<Tariff>,
    /// One run at its worst.
    worst_cost: Usd,
    worst_conversation: Micros,
    /// A run that is not submitted so long after its start is given up, where money is limited.
    submitted_within: Micros,
    /// Whether turns are counted, because the callers are our own.
    counts_turns: bool,
}

impl BudgetLimits {
    /// The caps of a profile.
    pub fn of(profile: &Profile) -> Self {
        let limits = &profile.limits;
        let tariff = Tariff::of(profile);
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

/// What was spent and what is held back, for a session under way. Everything in flight counts at its worst.
#[derive(Debug, Clone)]
pub struct Budget {
    caps: BudgetLimits,
    /// Runs under way, and when each is given up unless it is submitted by then.
    held: HashMap<RunIndex, (BillableTimes, SessionTime)>,
    /// The latter in order.
    overdue: BTreeSet<(SessionTime, RunIndex)>,
    spent: Usd,
    talked: Micros,
    started: u64,
}

impl Budget {
    /// A purse of which nothing is spent.
    pub fn new(caps: BudgetLimits) -> Self {
        Self {
            caps,
            held: HashMap::new(),
            overdue: BTreeSet::new(),
            spent: Usd::ZERO,
            talked: Micros::ZERO,
            started: 0,
        }
    }

    /// Takes in what happened at `at`. A session that is gone on with is told what happened before.
    pub fn take(&mut self, happening: &EventKind, at: SessionTime) {
        match happening {
            EventKind::RunStarted { run, mode, .. } => {
                self.started += 1;
                let turns = self.caps.counts_turns.then_some(0);
                let due = match self.caps.budget {
                    Some(_) => at + self.caps.submitted_within,
                    None => SessionTime::NEVER,
                };
                self.held.insert(*run, (BillableTimes { turns, ..BillableTimes::of(*mode) }, due));
                self.overdue.insert((due, *run));
            }
            EventKind::AgentSeen { run, after, .. } => self.of(*run, |m| m.agent = Some(*after)),
            EventKind::SubmitIntent { runs, .. } => {
                for run in runs {
                    self.of(*run, |moments| moments.submitted = Some(at));
                }
            }
            EventKind::PhaseSeen { run, phase: sighting, after, seen, .. } => {
                self.of(*run, |moments| moments.sighted(*sighting, *after, *seen));
            }
            EventKind::Turn { run, .. } => {
                self.of(*run, |moments| moments.turns = moments.turns.map(|turns| turns + 1));
            }
            EventKind::ModelUsage { run, usage: used } => {
                self.of(*run, |moments| moments.used = *used);
            }
            EventKind::Ended { run, outcome, seen, conversation_duration: talked, .. } => {
                let Some((moments, due)) = self.held.remove(run) else { return };
                self.overdue.remove(&(due, *run));
                let usage = moments.usage(*seen, outcome.class(), *talked);
                if let Some(tariff) = &self.caps.tariff {
                    self.spent += tariff.cost(&usage);
                }
                let longest =
                    if usage.told { usage.conversation } else { self.caps.worst_conversation };
                self.talked = self.talked + usage.conversation.min(longest);
            }
            EventKind::Resumed { unwatched, .. } => self.put_off(*unwatched),
            _ => {}
        }
    }

    /// While nobody watched nothing was submitted: the time until a run is overdue stood still.
    fn put_off(&mut self, by: Micros) {
        for (_, due) in self.held.values_mut() {
            *due += by;
        }
        let overdue = std::mem::take(&mut self.overdue);
        self.overdue = overdue.into_iter().map(|(due, run)| (due + by, run)).collect();
    }

    fn of(&mut self, run: RunIndex, note: impl FnOnce(&mut BillableTimes)) {
        if let Some((moments, _)) = self.held.get_mut(&run) {
            note(moments);
        }
    }

    /// Why no further run may start, in words: one more at its worst could go beyond a cap.
    pub fn refuses(&self) -> Option<String> {
        let caps = &self.caps;
        let under_way = self.held.len() as u64;
        if let Some(most) = caps.max_runs.filter(|most| self.started >= *most) {
            return Some(format!("limits.max_runs of {most} is reached"));
        }
        let held_back = caps.worst_cost.for_amount(under_way, 1);
        if let Some(budget) = caps.budget
            && self.spent + held_back + caps.worst_cost > budget
        {
            return Some(format!(
                "limits.budget of {budget} could be exceeded: {} spent, {held_back} held back for {under_way} under way, and one more run may cost {}",
                self.spent, caps.worst_cost
            ));
        }
        let most = Micros(caps.max_minutes?.saturating_mul(MINUTE));
        let talking = Micros(caps.worst_conversation.0.saturating_mul(under_way + 1));
        (self.talked + talking > most).then(|| {
            format!(
                "limits.max_minutes of {} could be exceeded: {} of conversation were held, and {} under way and one more may take {} each",
                most.0 / MINUTE, self.talked, under_way, caps.worst_conversation
            )
        })
    }

    /// When [`Self::take_overdue`] has something to give.
    pub fn next_overdue(&self) -> SessionTime {
        self.overdue.first().map_or(SessionTime::NEVER, |(at, _)| *at)
    }

    /// A run that should have been submitted by now; each is given once.
    pub fn take_overdue(&mut self, now: SessionTime) -> Option<RunIndex> {
        self.overdue.first().filter(|(at, _)| *at <= now)?;
        self.overdue.pop_first().map(|(_, run)| run)
    }

    /// Whether a run that is to be submitted at `at` is then too late for its share of the budget.
    pub fn is_overdue(&self, run: RunIndex, at: SessionTime) -> bool {
        self.held.get(&run).is_some_and(|(_, due)| *due < at)
    }

    /// What was spent on runs that are over.
    pub const fn spent(&self) -> Usd {
        self.spent
    }

    /// How long conversations lasted in runs that are over, as it counts against `limits.max_minutes`.
    pub const fn talked(&self) -> Micros {
        self.talked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Outcome;
    use crate::plan::testing::plan_of;
    use crate::units::{Mode, RoomName};

    fn purse(limits: &str) -> Budget {
        let text = format!(
            "[[scenario]]\nid = 1\ncopies = 9\n[[stage]]\nrate = \"1/s\"\n[limits]\n{limits}"
        );
        Budget::new(BudgetLimits::of(plan_of(&text).profile()))
    }

    fn start(purse: &mut Budget, run: u64) {
        let started = EventKind::RunStarted {
            run: RunIndex(run),
            stage: 0,
            scenario: 0,
            copy: 0,
            mode: Mode::Voice,
            pair: None,
            intended: SessionTime::START,
            free: SessionTime::START,
            room: RoomName::new("room"),
        };
        purse.take(&started, SessionTime::START);
    }

    fn end(purse: &mut Budget, run: u64, seconds: u64) {
        let at = SessionTime(seconds * 1_000_000);
        let run = RunIndex(run);
        let intent = EventKind::SubmitIntent { request: run.0, runs: vec![run] };
        purse.take(&intent, SessionTime::START);
        let outcome = Outcome::Completed { judged: None };
        purse.take(
            &EventKind::Ended { run, outcome, after: at, seen: at, conversation_duration: None },
            at,
        );
    }

    #[test]
    fn each_run_under_way_holds_back_its_worst_until_it_is_over() {
        // A worst of 20 min, 2 min, 30 s, 10 s and 5 s: 23 minutes, 6.71 USD, 5.75 of it the evaluator's.
        let mut purse = purse("budget = \"14 USD\"");
        assert_eq!(purse.refuses(), None);
        start(&mut purse, 0);
        assert_eq!(purse.refuses(), None, "two come to 13.42 USD");
        start(&mut purse, 1);
        let words = purse.refuses().expect("a third could be too much");
        assert!(
            words.starts_with("limits.budget of 14.00 USD could be exceeded: 0.00 USD spent"),
            "{words}"
        );
        end(&mut purse, 0, 60);
        end(&mut purse, 1, 60);
        assert!(purse.spent() < Usd::from_dollars(0.7), "{}", purse.spent());
        assert_eq!(purse.refuses(), None, "what they did not need is free again");
    }

    #[test]
    fn runs_and_minutes_are_capped_alike() {
        let mut runs = purse("max_runs = 2");
        start(&mut runs, 0);
        end(&mut runs, 0, 60);
        assert_eq!(runs.refuses(), None);
        start(&mut runs, 1);
        assert_eq!(runs.refuses().as_deref(), Some("limits.max_runs of 2 is reached"));
        let mut minutes = purse("max_minutes = 30");
        assert_eq!(minutes.refuses(), None, "one may take 22.75 minutes");
        start(&mut minutes, 0);
        assert!(minutes.refuses().expect("two may take 45").contains("limits.max_minutes of 30"));
        end(&mut minutes, 0, 60);
        assert_eq!(minutes.refuses(), None);
        start(&mut minutes, 1);
        end(&mut minutes, 1, 8 * 60);
        assert!(minutes.refuses().is_some(), "9 were held, and one more may take 22.75");
    }

    #[test]
    fn a_run_that_is_long_in_coming_is_given_up_once() {
        let mut purse = purse("budget = \"14 USD\"");
        start(&mut purse, 0);
        // Three requests of 10 s, 40 s for the agent, 100 places at 5 a second.
        let due = SessionTime(90_000_000);
        assert_eq!(purse.next_overdue(), due);
        assert!(!purse.is_overdue(RunIndex(0), due));
        assert_eq!(purse.take_overdue(due), Some(RunIndex(0)));
        assert_eq!(purse.take_overdue(due), None);
        assert!(purse.is_overdue(RunIndex(0), due + Micros(1)));
    }
}
