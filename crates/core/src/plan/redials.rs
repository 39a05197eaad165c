//! Callers that call again: which of them do is drawn from the seed, when follows from how their calls ended.
//!
//! A call that follows is no part of the plan, which does not know how conversations end. Its index, its scenario, its
//! mode and its network follow from the call before, so the plan's own runs are the same whether somebody calls again or
//! not. Like a [`Budget`](crate::bill::Budget), this learns every event, and so can be rebuilt from a journal.

use std::collections::{BTreeSet, HashMap};

use super::schedule::PlannedRun;
use crate::event::{ConversationEnd, EventKind, FailureClass, Outcome};
use crate::profile::{EvaluatorSettings, Profile, Redial};
use crate::rng::KeyedRng;
use crate::units::{RunIndex, SessionTime};

/// The callers of a session that are to call again.
#[derive(Debug, Clone)]
pub struct Redials {
    seed: u64,
    /// Who calls again, by the scenario's position; nothing if nobody does in any scenario.
    by_scenario: Vec<Option<Redial>>,
    /// Calls without an outcome.
    open: HashMap<RunIndex, OpenCall>,
    /// The calls to come, with their intended starts.
    to_come: HashMap<RunIndex, PlannedRun>,
    /// The same in their order.
    due: BTreeSet<(SessionTime, RunIndex)>,
    /// Stages that held runs in flight and are over: nobody calls again who called in them.
    over: BTreeSet<u32>,
}

/// A call without an outcome.
#[derive(Debug, Clone)]
struct OpenCall {
    planned: PlannedRun,
    /// Whether the agent spoke or wrote.
    was_answered: bool,
    /// Whether the caller hung up early.
    hung_up: bool,
}

impl Redials {
    /// At the beginning of a session.
    pub fn new(profile: &Profile) -> Self {
        let is_native = matches!(profile.evaluator, EvaluatorSettings::Native(_));
        let scenarios = profile.mix.scenarios().into_iter().filter(|_| is_native);
        let mut by_scenario: Vec<Option<Redial>> = scenarios
            .map(|scenario| scenario.script.as_ref()?.redial.map(Redial::within_bounds))
            .collect();
        if by_scenario.iter().all(Option::is_none) {
            by_scenario.clear();
        }
        Self {
            seed: profile.seed,
            by_scenario,
            open: HashMap::new(),
            to_come: HashMap::new(),
            due: BTreeSet::new(),
            over: BTreeSet::new(),
        }
    }

    /// Applies an event that was recorded at `now`. To resume a session, apply all of its events.
    pub fn apply(&mut self, event: &EventKind, now: SessionTime) {
        if self.by_scenario.is_empty() {
            return;
        }
        match event {
            EventKind::RunStarted { run, .. } => {
                self.forget(*run);
                if let Some(planned) = PlannedRun::of_event(event) {
                    let call = OpenCall { planned, was_answered: false, hung_up: false };
                    self.open.insert(*run, call);
                }
            }
            EventKind::RunSkipped { run, .. } => self.forget(*run),
            EventKind::Greeted { run, .. } => self.answered(*run),
            EventKind::Turn { run, turn } if turn.first.is_some() => self.answered(*run),
            EventKind::Conversation { run, summary } => {
                if let Some(call) = self.open.get_mut(run) {
                    call.hung_up = summary.ended == ConversationEnd::Abandoned;
                }
            }
            EventKind::Ended { run, outcome, seen, .. } => {
                if let Some(call) = self.open.remove(run) {
                    // A worker's clock may be off; no call ended after that was heard of.
                    self.end(&call, outcome, (*seen).min(now));
                }
            }
            EventKind::Resumed { downtime, .. } => {
                self.to_come.values_mut().for_each(|planned| planned.intended += *downtime);
                let due = self.to_come.values().map(|planned| (planned.intended, planned.index));
                self.due = due.collect();
            }
            _ => {}
        }
    }

    fn answered(&mut self, run: RunIndex) {
        if let Some(call) = self.open.get_mut(&run) {
            call.was_answered = true;
        }
    }

    fn end(&mut self, call: &OpenCall, outcome: &Outcome, ended: SessionTime) {
        let planned = call.planned;
        let redial = self.by_scenario.get(planned.scenario as usize).copied().flatten();
        let Some(redial) = redial.filter(|redial| {
            planned.index.earlier_calls() < u64::from(redial.at_most)
                && !self.over.contains(&planned.stage)
        }) else {
            return;
        };
        let in_vain = match outcome {
            Outcome::Completed { .. } => call.hung_up,
            Outcome::Failed { class, .. } => !call.was_answered && is_unanswered(*class),
            Outcome::Skipped => false,
        };
        let draw = KeyedRng::new(self.seed).draw("redial", &planned.index.to_string());
        if !in_vain || draw.uniform() >= redial.share.fraction() {
            return;
        }
        let next = PlannedRun {
            index: planned.index.next_call(),
            redial_of: Some(planned.index),
            intended: ended + redial.pause.micros(),
            ..planned
        };
        self.due.insert((next.intended, next.index));
        self.to_come.insert(next.index, next);
    }

    fn forget(&mut self, run: RunIndex) {
        if let Some(planned) = self.to_come.remove(&run) {
            self.due.remove(&(planned.intended, run));
        }
    }

    /// A stage that held runs in flight is over: nobody calls again who called in it, because nothing holds the number
    /// in flight any more.
    pub fn end_stage(&mut self, stage: u32) {
        self.over.insert(stage);
        self.to_come.retain(|_, planned| planned.stage != stage);
        self.due.retain(|(_, run)| self.to_come.contains_key(run));
    }

    /// The next call, with its intended start.
    pub fn peek(&self) -> Option<PlannedRun> {
        self.due.first().and_then(|(_, run)| self.to_come.get(run)).copied()
    }

    /// The intended start of the next call.
    pub fn next_due(&self) -> SessionTime {
        self.due.first().map_or(SessionTime::NEVER, |(at, _)| *at)
    }

    /// Whether such a call is to come, whenever.
    pub fn awaits(&self, run: PlannedRun) -> bool {
        let planned = self.to_come.get(&run.index);
        planned.is_some_and(|planned| PlannedRun { intended: run.intended, ..*planned } == run)
    }

    /// How many calls are to come, as far as is known.
    pub fn len(&self) -> usize {
        self.to_come.len()
    }

    /// Whether no call is to come.
    pub fn is_empty(&self) -> bool {
        self.to_come.is_empty()
    }
}

/// Whether a caller whose call failed so was not answered. Where the fault is the generator's, the evaluator's or that of
/// a limit, people would not call again, and it would make matters worse.
const fn is_unanswered(class: FailureClass) -> bool {
    matches!(
        class,
        FailureClass::ConnectionLost
            | FailureClass::DispatchUnassigned
            | FailureClass::AgentNeverJoined
            | FailureClass::AgentLate
            | FailureClass::AgentMute
            | FailureClass::AgentLeft
            | FailureClass::TurnTimeout
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ConversationSummary;
    use crate::plan::testing::native_plan_of;
    use crate::plan::{Forecast, PlanWarning};
    use crate::units::{Micros, RoomName};

    const PROFILE: &str =
        "[[scenario]]\nid = 1\ncopies = 400\nscript = \"s.toml\"\n[[stage]]\nrate = \"10/s\"\n";

    fn script(redial: &str) -> String {
        format!(
            "[abandon]\nshare = \"10%\"\nsilence = \"5s\"\n[redial]\n{redial}\n[[turn]]\nsay = \"Hello.\"\n"
        )
    }

    fn redials(redial: &str) -> Redials {
        Redials::new(native_plan_of(PROFILE, &script(redial)).profile())
    }

    fn planned(run: u64) -> PlannedRun {
        let plan = native_plan_of(PROFILE, &script(""));
        PlannedRun { index: RunIndex(run), ..Iterator::next(&mut plan.schedule()).unwrap() }
    }

    fn start(redials: &mut Redials, run: PlannedRun) {
        let started = run.started(run.intended, RoomName::new("room"));
        redials.apply(&started, run.intended);
    }

    fn end(redials: &mut Redials, run: RunIndex, outcome: Outcome, second: u64) {
        let seen = SessionTime(second * 1_000_000);
        let ended =
            EventKind::Ended { run, outcome, after: seen, seen, conversation_duration: None };
        redials.apply(&ended, seen);
    }

    /// The caller of a run hangs up early.
    fn hang_up(redials: &mut Redials, run: RunIndex, second: u64) {
        let summary =
            ConversationSummary { ended: ConversationEnd::Abandoned, ..Default::default() };
        let at = SessionTime(second * 1_000_000);
        redials.apply(&EventKind::Conversation { run, summary }, at);
        end(redials, run, Outcome::Completed { judged: None }, second);
    }

    #[test]
    fn who_hangs_up_calls_again_after_the_pause_and_not_for_ever() {
        let mut redials = redials("pause = \"20s\"\nat_most = 2");
        let mut run = planned(7);
        for (index, second) in [(100_000_007, 30), (200_000_007, 70)] {
            start(&mut redials, run);
            assert!(redials.is_empty());
            hang_up(&mut redials, run.index, second);
            let next = redials.peek().expect("it calls again");
            let expected = PlannedRun {
                index: RunIndex(index),
                redial_of: Some(run.index),
                intended: SessionTime((second + 20) * 1_000_000),
                ..run
            };
            assert_eq!((next, redials.next_due()), (expected, expected.intended));
            assert_eq!(next.index.first_call(), RunIndex(7));
            run = next;
        }
        start(&mut redials, run);
        hang_up(&mut redials, run.index, 99);
        assert!(redials.is_empty(), "it has called three times");
        assert_eq!(redials.next_due(), SessionTime::NEVER);
    }

    #[test]
    fn who_is_not_answered_calls_again_and_nobody_else() {
        let greeted = EventKind::Greeted { run: RunIndex(1), at: SessionTime(5) };
        let failed = |class| Outcome::failed(class, "");
        for (outcome, before, again) in [
            (failed(FailureClass::AgentNeverJoined), None, true),
            (failed(FailureClass::ConnectionLost), None, true),
            (failed(FailureClass::TurnTimeout), None, true),
            (failed(FailureClass::TurnTimeout), Some(greeted.clone()), false),
            (failed(FailureClass::Cancelled), None, false),
            (failed(FailureClass::GeneratorFault), None, false),
            (failed(FailureClass::LivekitRateLimited), None, false),
            (Outcome::Completed { judged: None }, Some(greeted), false),
            (Outcome::Completed { judged: None }, None, false),
        ] {
            let mut redials = redials("");
            start(&mut redials, planned(1));
            if let Some(event) = before {
                redials.apply(&event, SessionTime(5));
            }
            end(&mut redials, RunIndex(1), outcome.clone(), 9);
            assert_eq!(!redials.is_empty(), again, "{outcome:?}");
        }
    }

    #[test]
    fn a_clock_that_is_off_puts_no_call_off_for_ever() {
        let mut redials = redials("pause = \"20s\"");
        start(&mut redials, planned(1));
        let (run, class) = (RunIndex(1), FailureClass::AgentNeverJoined);
        let ended = EventKind::Ended {
            run,
            outcome: Outcome::failed(class, ""),
            after: SessionTime::START,
            seen: SessionTime(1 << 62),
            conversation_duration: None,
        };
        redials.apply(&ended, SessionTime(30_000_000));
        assert_eq!(redials.next_due(), SessionTime(50_000_000));
    }

    #[test]
    fn the_share_is_drawn_from_the_seed() {
        let first = planned(0);
        let calls = || {
            let mut redials = redials("share = \"30%\"");
            (0..1_000).for_each(|run| {
                start(&mut redials, PlannedRun { index: RunIndex(run), ..first });
                hang_up(&mut redials, RunIndex(run), run);
            });
            redials
        };
        let count = calls().len();
        assert!((250..=350).contains(&count), "{count} of 1,000");
        let order = |redials: &Redials| redials.due.iter().copied().collect::<Vec<_>>();
        assert_eq!(order(&calls()), order(&calls()));
    }

    #[test]
    fn a_downtime_moves_the_calls_and_the_end_of_a_hold_stage_removes_them() {
        let mut redials = redials("pause = \"20s\"");
        start(&mut redials, planned(1));
        hang_up(&mut redials, RunIndex(1), 10);
        let downtime = Micros::from_secs(60);
        let resumed =
            EventKind::Resumed { wall: String::new(), torn: 0, downtime, open: Vec::new() };
        redials.apply(&resumed, SessionTime(70_000_000));
        let next = redials.peek().unwrap();
        assert_eq!(next.intended, SessionTime(90_000_000));
        assert!(redials.awaits(PlannedRun { intended: SessionTime(1), ..next }));
        assert!(!redials.awaits(PlannedRun { copy: next.copy + 1, ..next }));
        assert!(!redials.awaits(planned(2)));
        start(&mut redials, planned(2));
        redials.end_stage(0);
        hang_up(&mut redials, RunIndex(2), 10);
        assert!(redials.is_empty());
        assert_eq!(redials.next_due(), SessionTime::NEVER);
    }

    #[test]
    fn the_forecast_says_how_many_may_call_again() {
        let forecast = |redial: &str| Forecast::new(&native_plan_of(PROFILE, &script(redial)));
        let once = forecast("share = \"50%\"");
        assert_eq!((once.runs, once.redials, once.calls()), (400, 20, 420));
        assert_eq!((once.most_calls, forecast("at_most = 3").most_calls), (800, 1_600));
        assert!(once.warnings.contains(&PlanWarning::Redials { runs: 20 }));
        let left =
            [(0, 0), (100, 3), (400, 0)].map(|(passed, to_come)| once.calls_left(passed, to_come));
        assert_eq!(left, [420, 318, 0]);
        // 40, 4 and 0.4 of 400 callers of which one in ten hangs up.
        assert_eq!(forecast("at_most = 3").redials, 45);
        let nobody = native_plan_of(PROFILE, "[[turn]]\nsay = \"Hello.\"\n");
        let of_nobody = Forecast::new(&nobody);
        assert_eq!((of_nobody.redials, of_nobody.most_calls), (0, of_nobody.runs));
        assert!(Redials::new(nobody.profile()).by_scenario.is_empty());
    }
}
