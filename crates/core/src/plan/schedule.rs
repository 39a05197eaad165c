//! A plan stage by stage: each run with its intended start, computed when it is needed.

use std::sync::Arc;

use super::arrivals::ArrivalTimes;
use super::pairing::{Pairing, ScheduledRun};
use crate::event::EventKind;
use crate::profile::{Profile, StageLoad};
use crate::units::{Micros, Mode, PairId, PositiveDuration, Rate, RoomName, RunIndex, SessionTime};

/// Every run of a session, fully determined by the profile and the seed in it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Plan {
    profile: Arc<Profile>,
}

/// One run and its intended start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedRun {
    /// Its position in the plan.
    pub index: RunIndex,
    /// Its stage's position in the profile.
    pub stage: u32,
    /// Its scenario's position in the profile.
    pub scenario: u32,
    /// The number of earlier runs of that scenario; of pairs, in a paired session.
    pub copy: u32,
    /// The mode of its conversation.
    pub mode: Mode,
    /// Its pair, in a paired session.
    pub pair: Option<PairId>,
    /// The position of its caller's network conditions in the profile, if it gets any.
    pub network: Option<u32>,
    /// The call before, if the same caller calls again.
    pub redial_of: Option<RunIndex>,
    /// Its intended start.
    pub intended: SessionTime,
}

/// A stage that keeps a number of runs in flight: its runs start as slots become free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldStage {
    /// Its position in the profile.
    pub stage: u32,
    /// The number in flight, including runs of earlier stages.
    pub in_flight: u32,
    /// The time from the opening of one slot to the next; zero if all open at once.
    pub opens_every: Micros,
    /// When it begins.
    pub from: SessionTime,
    /// When it ends; [`SessionTime::NEVER`] if it lasts until the copies are used up.
    pub until: SessionTime,
}

/// The next step of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleStep {
    /// A run at its intended start.
    Start(PlannedRun),
    /// A stage whose runs [`Schedule::next`] returns until [`Schedule::leave_hold`].
    Hold(HoldStage),
    /// The plan is complete.
    End,
}

impl PlannedRun {
    /// The run that an event starts or skips.
    pub const fn of_event(event: &EventKind) -> Option<Self> {
        let (EventKind::RunStarted {
            run,
            stage,
            scenario,
            copy,
            mode,
            pair,
            network,
            redial_of,
            intended,
            ..
        }
        | EventKind::RunSkipped {
            run,
            stage,
            scenario,
            copy,
            mode,
            pair,
            network,
            redial_of,
            intended,
        }) = event
        else {
            return None;
        };
        Some(Self {
            index: *run,
            stage: *stage,
            scenario: *scenario,
            copy: *copy,
            mode: *mode,
            pair: *pair,
            network: *network,
            redial_of: *redial_of,
            intended: *intended,
        })
    }

    /// The event that starts it, which may have been since `free`.
    pub const fn started(self, free: SessionTime, room: RoomName) -> EventKind {
        let Self { index, stage, scenario, copy, mode, pair, network, redial_of, intended } = self;
        EventKind::RunStarted {
            run: index,
            stage,
            scenario,
            copy,
            mode,
            pair,
            network,
            redial_of,
            intended,
            free,
            room,
        }
    }

    /// The event that skips it.
    pub const fn skipped(self) -> EventKind {
        let Self { index, stage, scenario, copy, mode, pair, network, redial_of, intended } = self;
        EventKind::RunSkipped {
            run: index,
            stage,
            scenario,
            copy,
            mode,
            pair,
            network,
            redial_of,
            intended,
        }
    }
}

impl Plan {
    /// The plan of a profile.
    pub fn new(profile: Profile) -> Self {
        Self { profile: Arc::new(profile) }
    }

    /// The profile.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The schedule from the beginning.
    pub fn schedule(&self) -> Schedule {
        Schedule {
            pairing: Pairing::new(&self.profile),
            plan: self.clone(),
            position: 0,
            stage_start: SessionTime::START,
            starts: StageStarts::NotBegun,
            peeked: None,
            next_index: 0,
        }
    }
}

/// A position in a plan.
#[derive(Debug, Clone)]
pub struct Schedule {
    plan: Plan,
    pairing: Pairing,
    /// The position of the current stage in the profile.
    position: usize,
    stage_start: SessionTime,
    starts: StageStarts,
    peeked: Option<ScheduleStep>,
    next_index: u64,
}

/// The starts of the current stage.
#[derive(Debug, Clone)]
enum StageStarts {
    NotBegun,
    Open(Box<ArrivalTimes>),
    Burst { left: u32 },
    Hold,
}

impl Schedule {
    /// The profile that it follows.
    pub fn profile(&self) -> &Profile {
        self.plan.profile()
    }

    /// The next step, without advancing.
    pub fn peek(&mut self) -> ScheduleStep {
        if let Some(step) = self.peeked {
            return step;
        }
        let step = self.advance();
        self.peeked = Some(step);
        step
    }

    /// Consumes the start that [`Self::peek`] returned. A hold stage stays until [`Self::leave_hold`].
    pub fn consume(&mut self) {
        if matches!(self.peek(), ScheduleStep::Start(_)) {
            self.peeked = None;
        }
    }

    /// The next run of the current hold stage, with its intended start; `None` if the copies are used up.
    pub fn next(&mut self, intended: SessionTime) -> Option<PlannedRun> {
        debug_assert!(
            matches!(self.peeked, Some(ScheduleStep::Hold(_))),
            "`next` is for hold stages"
        );
        self.take(intended)
    }

    /// Leaves the current hold stage; the next stage begins at its end, or at `now` if it has no end.
    pub fn leave_hold(&mut self, now: SessionTime) {
        if let Some(ScheduleStep::Hold(hold)) = self.peeked {
            self.stage_start = hold.until.min(now.max(hold.from));
            self.next_stage();
        }
    }

    /// Delays everything that is still to come; the current hold stage begins and ends later.
    pub fn shift(&mut self, by: Micros) {
        self.stage_start += by;
        match &mut self.peeked {
            Some(ScheduleStep::Start(run)) => run.intended += by,
            Some(ScheduleStep::Hold(hold)) => {
                hold.from += by;
                hold.until += by;
            }
            Some(ScheduleStep::End) | None => {}
        }
    }

    /// The number of runs so far, without the start that [`Self::peek`] returned.
    pub const fn runs_taken(&self) -> u64 {
        self.next_index - if matches!(self.peeked, Some(ScheduleStep::Start(_))) { 1 } else { 0 }
    }

    /// Whether the copies are used up, including the start that [`Self::peek`] returned.
    pub fn is_exhausted(&self) -> bool {
        self.pairing.is_exhausted()
    }

    /// The number of runs still to come; for hold stages only if the scenarios have copies.
    pub fn remaining(&self) -> u64 {
        match self.plan.profile.runs() {
            Some(total) => {
                let mut rest = self.clone();
                let mut starts = 0;
                loop {
                    match rest.peek() {
                        ScheduleStep::Start(_) => {
                            starts += 1;
                            rest.consume();
                        }
                        // A hold stage may last until the copies are used up.
                        ScheduleStep::Hold(_) => return total - self.runs_taken(),
                        ScheduleStep::End => return starts,
                    }
                }
            }
            None => self.clone().count() as u64,
        }
    }

    fn next_stage(&mut self) {
        self.position += 1;
        self.starts = StageStarts::NotBegun;
        self.peeked = None;
    }

    fn advance(&mut self) -> ScheduleStep {
        loop {
            let Some(stage) = self.plan.profile.stages.get(self.position) else {
                return ScheduleStep::End;
            };
            if self.pairing.is_exhausted() {
                return ScheduleStep::End;
            }
            let lasts = stage.lasts.map(PositiveDuration::micros);
            let stage_index = u32::try_from(self.position).unwrap_or(u32::MAX);
            match &mut self.starts {
                StageStarts::NotBegun => {
                    self.starts = match &stage.load {
                        StageLoad::Open { curve, arrivals } => {
                            StageStarts::Open(Box::new(ArrivalTimes::new(
                                curve,
                                *arrivals,
                                lasts,
                                self.plan.profile.seed,
                                stage_index,
                            )))
                        }
                        StageLoad::Burst { runs } => StageStarts::Burst { left: *runs },
                        StageLoad::Hold { .. } => StageStarts::Hold,
                    };
                }
                StageStarts::Open(arrivals) => {
                    if let Some(offset) = arrivals.next() {
                        if let Some(run) = self.take(self.stage_start + offset) {
                            return ScheduleStep::Start(run);
                        }
                        return ScheduleStep::End;
                    }
                    self.end_stage(lasts);
                }
                StageStarts::Burst { left: 0 } => self.end_stage(lasts),
                StageStarts::Burst { left } => {
                    *left -= 1;
                    match self.take(self.stage_start) {
                        Some(run) => return ScheduleStep::Start(run),
                        None => return ScheduleStep::End,
                    }
                }
                StageStarts::Hold => {
                    let StageLoad::Hold { in_flight, ramp } = stage.load else {
                        return ScheduleStep::End;
                    };
                    let until = lasts.map_or(SessionTime::NEVER, |lasts| self.stage_start + lasts);
                    return ScheduleStep::Hold(HoldStage {
                        stage: stage_index,
                        in_flight,
                        opens_every: ramp.map_or(Micros::ZERO, Rate::gap),
                        from: self.stage_start,
                        until,
                    });
                }
            }
        }
    }

    fn end_stage(&mut self, lasts: Option<Micros>) {
        self.stage_start += lasts.unwrap_or(Micros::ZERO);
        self.next_stage();
    }

    fn take(&mut self, intended: SessionTime) -> Option<PlannedRun> {
        let ScheduledRun { pick, mode, pair } = self.pairing.next()?;
        let index = RunIndex(self.next_index);
        self.next_index += 1;
        Some(PlannedRun {
            index,
            stage: u32::try_from(self.position).unwrap_or(u32::MAX),
            scenario: pick.scenario,
            copy: pick.copy,
            mode,
            pair,
            network: self.plan.profile.network_of(index, pair),
            redial_of: None,
            intended,
        })
    }
}

impl Iterator for Schedule {
    type Item = PlannedRun;

    /// The runs of open and burst stages; skips hold stages, whose runs depend on how long others take.
    fn next(&mut self) -> Option<PlannedRun> {
        loop {
            match self.peek() {
                ScheduleStep::Start(run) => {
                    self.consume();
                    return Some(run);
                }
                ScheduleStep::Hold(hold) => self.leave_hold(hold.until),
                ScheduleStep::End => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::plan_of;

    const TWO_STAGES: &str = r#"
[[scenario]]
id = 1
copies = 12
[[stage]]
name = "warm"
measured = false
rate = "2/s"
lasts = "2s"
[[stage]]
name = "steady"
rate = "4/s"
"#;

    #[test]
    fn stages_follow_each_other_until_the_copies_are_used_up() {
        let runs: Vec<PlannedRun> = plan_of(TWO_STAGES).schedule().collect();
        let times: Vec<u64> = runs.iter().map(|run| run.intended.0 / 1000).collect();
        assert_eq!(times, [0, 500, 1000, 1500, 2000, 2250, 2500, 2750, 3000, 3250, 3500, 3750]);
        assert_eq!(runs.iter().filter(|run| run.stage == 0).count(), 4);
        assert_eq!(runs.last().unwrap().index, RunIndex(11));
    }

    #[test]
    fn the_same_seed_gives_the_same_plan() {
        let poisson =
            TWO_STAGES.replace("rate = \"4/s\"", "rate = \"4/s\"\narrivals = \"poisson\"");
        let runs = |text: &str| plan_of(text).schedule().collect::<Vec<_>>();
        assert_eq!(runs(&poisson), runs(&poisson));
        // `seed` belongs to the top level: a table before it would swallow it.
        let plan = plan_of(&poisson);
        let mut other = plan.profile().clone();
        other.seed = 99;
        assert_ne!(
            plan.schedule().collect::<Vec<_>>(),
            Plan::new(other).schedule().collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_hold_stage_starts_runs_as_slots_become_free() {
        let plan = plan_of(
            "[[scenario]]\nid = 1\n[[stage]]\nhold = 3\nlasts = \"10s\"\n[[stage]]\nrate = \"1/s\"\nlasts = \"2s\"\n",
        );
        let mut schedule = plan.schedule();
        let ScheduleStep::Hold(hold) = schedule.peek() else { panic!() };
        assert_eq!((hold.in_flight, hold.until), (3, SessionTime(10_000_000)));
        let run = schedule.next(SessionTime(4_000_000)).unwrap();
        assert_eq!((run.index, run.intended), (RunIndex(0), SessionTime(4_000_000)));
        schedule.leave_hold(SessionTime(10_000_500));
        let rest: Vec<u64> = schedule.map(|run| run.intended.0).collect();
        assert_eq!(rest, [10_000_000, 11_000_000]);
    }

    #[test]
    fn a_burst_is_one_instant() {
        let plan = plan_of(
            "[[scenario]]\nid = 1\n[[stage]]\nburst = 3\nlasts = \"5s\"\n[[stage]]\nburst = 2\n",
        );
        let times: Vec<u64> = plan.schedule().map(|run| run.intended.0).collect();
        assert_eq!(times, [0, 0, 0, 5_000_000, 5_000_000]);
    }

    #[test]
    fn a_plan_is_the_same_in_every_release() {
        let paired = plan_of(
            "mode = \"paired\"\n[[scenario]]\nid = 1\ncopies = 5\n[[scenario]]\nid = 2\ncopies = 4\n[[stage]]\nrate = { from = \"1/s\", to = \"9/s\" }\narrivals = \"poisson\"\nlasts = \"2s\"\n[[stage]]\nrate = \"3/s\"\narrivals = \"poisson\"\n",
        );
        let run = |run: PlannedRun| (run.scenario, run.copy, run.mode, run.intended.0);
        let runs: Vec<(u32, u32, Mode, u64)> = paired.schedule().map(run).collect();
        assert_eq!(runs.len(), 18);
        assert_eq!(
            runs[4..12],
            [
                (1, 0, Mode::Voice, 1_530_687),
                (1, 0, Mode::Chat, 1_589_036),
                (0, 2, Mode::Chat, 1_868_443),
                (0, 2, Mode::Voice, 1_999_740),
                (1, 1, Mode::Voice, 2_696_886),
                (1, 1, Mode::Chat, 3_079_565),
                (0, 3, Mode::Chat, 3_216_390),
                (0, 3, Mode::Voice, 3_455_406),
            ]
        );
        let weighted = plan_of(
            "[[scenario]]\nid = 1\nweight = 2\n[[scenario]]\nid = 2\nweight = 0.7\n[[stage]]\nrate = \"2/s\"\nlasts = \"8s\"\n",
        );
        let scenarios: Vec<u32> = weighted.schedule().map(|run| run.scenario).collect();
        assert_eq!(scenarios, [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    }
}
