//! Through the plan stage by stage: each run with its intended start, computed when it is asked for.

use std::sync::Arc;

use super::arrivals::ArrivalTimes;
use super::pairing::{Pairing, ScheduledRun};
use crate::profile::{Profile, StageLoad};
use crate::units::{Micros, Mode, PairId, PositiveDuration, Rate, RunIndex, SessionTime};

/// Every run of a session: fully determined by the profile, which carries the seed. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Plan {
    profile: Arc<Profile>,
}

/// One run, and when it is meant to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedRun {
    /// Its place in the plan.
    pub index: RunIndex,
    /// Its stage's position in the profile.
    pub stage: u32,
    /// Its scenario's position in the profile.
    pub scenario: u32,
    /// How many runs of that scenario come before it; how many pairs, in a paired session.
    pub copy: u32,
    /// How the conversation is held.
    pub mode: Mode,
    /// Its pair, in a paired session.
    pub pair: Option<PairId>,
    /// When it is meant to start.
    pub intended: SessionTime,
}

/// A stage that holds a number of runs in flight: its runs are drawn as places become free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldStage {
    /// Its position in the profile.
    pub stage: u32,
    /// How many runs are held in flight, those of earlier stages among them.
    pub in_flight: u32,
    /// From the opening of one place to that of the next; nothing where all open at once.
    pub opens_every: Micros,
    /// When it begins.
    pub from: SessionTime,
    /// When it ends; [`SessionTime::NEVER`] where it lasts until the copies are used up.
    pub until: SessionTime,
}

/// What comes next in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleStep {
    /// A run at its intended start.
    Start(PlannedRun),
    /// A stage whose runs are drawn with [`Schedule::next`] until [`Schedule::leave_hold`].
    Hold(HoldStage),
    /// Nothing more.
    End,
}

impl Plan {
    /// The plan of a profile.
    pub fn new(profile: Profile) -> Self {
        Self { profile: Arc::new(profile) }
    }

    /// The profile it was made from.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// A walk from the beginning.
    pub fn walk(&self) -> Schedule {
        Schedule {
            pairing: Pairing::new(&self.profile),
            plan: self.clone(),
            position: 0,
            stage_start: SessionTime::START,
            source: StageStarts::Unopened,
            peeked: None,
            next_index: 0,
        }
    }
}

/// A place in a plan.
#[derive(Debug, Clone)]
pub struct Schedule {
    plan: Plan,
    pairing: Pairing,
    position: usize,
    stage_start: SessionTime,
    source: StageStarts,
    peeked: Option<ScheduleStep>,
    next_index: u64,
}

/// Where the runs of the current stage come from.
#[derive(Debug, Clone)]
enum StageStarts {
    Unopened,
    Open(Box<ArrivalTimes>),
    Burst { left: u32 },
    Hold,
}

impl Schedule {
    /// What comes next, without going there.
    pub fn peek(&mut self) -> ScheduleStep {
        if let Some(step) = self.peeked {
            return step;
        }
        let step = self.advance();
        self.peeked = Some(step);
        step
    }

    /// Goes past the start that [`Self::peek`] showed. A hold stage stays until it is left.
    pub fn pass(&mut self) {
        if matches!(self.peek(), ScheduleStep::Start(_)) {
            self.peeked = None;
        }
    }

    /// The next run of the hold stage the walk is in, meant to start at `intended`; none where the copies are used up.
    pub fn next(&mut self, intended: SessionTime) -> Option<PlannedRun> {
        debug_assert!(
            matches!(self.peeked, Some(ScheduleStep::Hold(_))),
            "drawn outside a hold stage"
        );
        self.take(intended)
    }

    /// Leaves the hold stage the walk is in, at `now` where it has no end of its own.
    pub fn leave_hold(&mut self, now: SessionTime) {
        if let Some(ScheduleStep::Hold(hold)) = self.peeked {
            self.stage_start = hold.until.min(now.max(hold.from));
            self.next_stage();
        }
    }

    /// Puts everything that is still to come off by so much; a hold stage the walk is in goes on so much longer.
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

    /// Runs drawn so far.
    pub const fn drawn(&self) -> u64 {
        self.next_index - if matches!(self.peeked, Some(ScheduleStep::Start(_))) { 1 } else { 0 }
    }

    /// Whether the copies are used up, the start that [`Self::peek`] shows among them.
    pub fn is_used_up(&self) -> bool {
        self.pairing.is_used_up()
    }

    /// How many runs are still to come; of hold stages only those that copies promise.
    pub fn remaining(&self) -> u64 {
        match self.plan.profile.runs() {
            Some(total) => {
                let mut rest = self.clone();
                let mut open = 0;
                loop {
                    match rest.peek() {
                        ScheduleStep::Start(_) => {
                            open += 1;
                            rest.pass();
                        }
                        // A hold stage may go on until the copies are used up.
                        ScheduleStep::Hold(_) => return total - self.drawn(),
                        ScheduleStep::End => return open,
                    }
                }
            }
            None => self.clone().count() as u64,
        }
    }

    fn next_stage(&mut self) {
        self.position += 1;
        self.source = StageStarts::Unopened;
        self.peeked = None;
    }

    fn advance(&mut self) -> ScheduleStep {
        loop {
            let Some(stage) = self.plan.profile.stages.get(self.position) else {
                return ScheduleStep::End;
            };
            if self.pairing.is_used_up() {
                return ScheduleStep::End;
            }
            let lasts = stage.lasts.map(PositiveDuration::micros);
            let stage_index = u32::try_from(self.position).unwrap_or(u32::MAX);
            match &mut self.source {
                StageStarts::Unopened => {
                    self.source = match &stage.load {
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
        let ScheduledRun { drawn, mode, pair } = self.pairing.next()?;
        let index = RunIndex(self.next_index);
        self.next_index += 1;
        Some(PlannedRun {
            index,
            stage: u32::try_from(self.position).unwrap_or(u32::MAX),
            scenario: drawn.scenario,
            copy: drawn.copy,
            mode,
            pair,
            intended,
        })
    }
}

impl Iterator for Schedule {
    type Item = PlannedRun;

    /// The runs of open stages; hold stages, whose runs depend on how long others take, are passed over.
    fn next(&mut self) -> Option<PlannedRun> {
        loop {
            match self.peek() {
                ScheduleStep::Start(run) => {
                    self.pass();
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
        let runs: Vec<PlannedRun> = plan_of(TWO_STAGES).walk().collect();
        let times: Vec<u64> = runs.iter().map(|run| run.intended.0 / 1000).collect();
        assert_eq!(times, [0, 500, 1000, 1500, 2000, 2250, 2500, 2750, 3000, 3250, 3500, 3750]);
        assert_eq!(runs.iter().filter(|run| run.stage == 0).count(), 4);
        assert_eq!(runs.last().unwrap().index, RunIndex(11));
    }

    #[test]
    fn the_same_seed_gives_the_same_plan() {
        let poisson =
            TWO_STAGES.replace("rate = \"4/s\"", "rate = \"4/s\"\narrivals = \"poisson\"");
        let runs = |text: &str| plan_of(text).walk().collect::<Vec<_>>();
        assert_eq!(runs(&poisson), runs(&poisson));
        // `seed` belongs to the top level: a table before it would swallow it.
        let plan = plan_of(&poisson);
        let mut other = plan.profile().clone();
        other.seed = 99;
        assert_ne!(plan.walk().collect::<Vec<_>>(), Plan::new(other).walk().collect::<Vec<_>>());
    }

    #[test]
    fn a_hold_stage_hands_out_runs_as_places_become_free() {
        let plan = plan_of(
            "[[scenario]]\nid = 1\n[[stage]]\nhold = 3\nlasts = \"10s\"\n[[stage]]\nrate = \"1/s\"\nlasts = \"2s\"\n",
        );
        let mut walk = plan.walk();
        let ScheduleStep::Hold(hold) = walk.peek() else { panic!() };
        assert_eq!((hold.in_flight, hold.until), (3, SessionTime(10_000_000)));
        let drawn = walk.next(SessionTime(4_000_000)).unwrap();
        assert_eq!((drawn.index, drawn.intended), (RunIndex(0), SessionTime(4_000_000)));
        walk.leave_hold(SessionTime(10_000_500));
        let rest: Vec<u64> = walk.map(|run| run.intended.0).collect();
        assert_eq!(rest, [10_000_000, 11_000_000]);
    }

    #[test]
    fn a_burst_is_one_instant() {
        let plan = plan_of(
            "[[scenario]]\nid = 1\n[[stage]]\nburst = 3\nlasts = \"5s\"\n[[stage]]\nburst = 2\n",
        );
        let times: Vec<u64> = plan.walk().map(|run| run.intended.0).collect();
        assert_eq!(times, [0, 0, 0, 5_000_000, 5_000_000]);
    }
}
