//! The forecast of a plan: runs, runs in flight, request rates, token lifetime.

use super::bounds::{room_lifetime, token_lifetime};
use super::curve::RateCurve;
use super::dispatch_stall::{StageStart, stall_risk};
use super::schedule::{HoldStage, Plan, ScheduleStep};
use super::unfinished_recordings::unfinished_recordings;
use crate::profile::{EvaluatorSettings, Profile, StageLoad};
use crate::units::{Micros, PositiveDuration, SessionTime};

/// Runs per status poll.
const RUNS_PER_POLL: f64 = 100.0;

/// The forecast of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// One forecast per stage.
    pub stages: Vec<StageForecast>,
    /// The number of runs; an estimate if there are hold stages.
    pub runs: u64,
    /// Whether [`Self::runs`] is an estimate.
    pub estimated: bool,
    /// About how many runs may follow because callers call again, if all that would hang up early do.
    pub redials: u64,
    /// The most runs that there can be, if all callers call again who ever do, as often as they do.
    pub most_calls: u64,
    /// The last intended start.
    pub last_start: SessionTime,
    /// Runs in flight at the peak, by Little's law.
    pub in_flight: f64,
    /// Submissions per second at the peak.
    pub requests_per_second: f64,
    /// Status polls per second at the peak.
    pub polls_per_second: f64,
    /// How long a room's token must be valid.
    pub token_lifetime: Micros,
    /// How long an empty room must stay open.
    pub room_lifetime: Micros,
    /// What may not go as the profile's author expects.
    pub warnings: Vec<PlanWarning>,
}

/// The forecast of one stage.
#[derive(Debug, Clone, PartialEq)]
pub struct StageForecast {
    /// Its name.
    pub name: String,
    /// Whether its runs count in the figures.
    pub measured: bool,
    /// When it begins.
    pub begins: SessionTime,
    /// The number of its runs; an estimate for a hold stage.
    pub runs: u64,
    /// Whether [`Self::runs`] is an estimate.
    pub estimated: bool,
    /// Starts per second at the peak; `None` for a burst.
    pub peak_rate: Option<f64>,
    /// Runs in flight by Little's law: rate times expected duration, at most the stage's runs.
    pub in_flight: f64,
}

/// Something in a plan that may not go as the profile's author expects.
#[derive(Debug, Clone, PartialEq)]
pub enum PlanWarning {
    /// More runs in flight than `limits.in_flight` allows: starts wait or are skipped.
    InFlight {
        /// Runs in flight, by Little's law.
        needed: f64,
        /// The limit.
        limit: u32,
    },
    /// Starts come faster than `limits.requests` allows: submissions queue up.
    Requests {
        /// Submissions per second.
        needed: f64,
        /// The limit.
        limit: f64,
    },
    /// More status polls than `limits.polls` allows: Rushhour sees runs end late.
    Polls {
        /// Polls per second.
        needed: f64,
        /// The limit.
        limit: f64,
    },
    /// The stages end before all copies have started.
    CopiesLeft {
        /// Runs that do not start.
        left: u64,
    },
    /// The stage starts runs so fast that livekit-server's dispatcher may hold them back.
    DispatchStall {
        /// The stage's name.
        stage: String,
        /// How it starts them.
        start: StageStart,
    },
    /// Callers that hang up early call again, beside the runs of the plan.
    Redials {
        /// About how many calls that makes, if all that would hang up early do.
        runs: u64,
    },
    /// Recordings of runs in flight may become larger than `recording.max_bytes`: some of them stop.
    RecordingBytes {
        /// What they are together, if each lasts as long as is expected.
        needed: u64,
        /// The limit.
        limit: u64,
    },
    /// The copies are used up before the stage begins or ends.
    StageCutShort {
        /// The stage's name.
        stage: String,
    },
}

impl Forecast {
    /// The number of runs, if the plan of this profile determines it; where a stage holds runs, the most there can be.
    pub fn planned(&self, profile: &Profile) -> Option<u64> {
        let copies = profile.runs()?;
        Some(if self.estimated { copies } else { self.runs })
    }

    /// Goes through the whole plan, which takes time in proportion to its runs.
    pub fn new(plan: &Plan) -> Self {
        let profile = plan.profile();
        let mean_seconds = profile.mix.mean_seconds(profile.mode);
        let mut stages: Vec<StageForecast> = Vec::with_capacity(profile.stages.len());
        for stage in &profile.stages {
            let lasts = stage.lasts.map(PositiveDuration::micros);
            let peak_rate = match &stage.load {
                StageLoad::Open { curve, .. } => Some(RateCurve::new(curve, lasts).peak()),
                StageLoad::Hold { in_flight, .. } => Some(f64::from(*in_flight) / mean_seconds),
                StageLoad::Burst { .. } => None,
            };
            stages.push(StageForecast {
                name: stage.name.clone(),
                measured: stage.measured,
                begins: SessionTime::NEVER,
                runs: 0,
                estimated: matches!(stage.load, StageLoad::Hold { .. }),
                peak_rate,
                in_flight: 0.0,
            });
        }
        let (last_start, left) = count_runs(plan, mean_seconds, &mut stages);
        for (stage, forecast) in profile.stages.iter().zip(&mut stages) {
            let runs = forecast.runs as f64;
            forecast.in_flight = match (&stage.load, forecast.peak_rate) {
                (StageLoad::Hold { in_flight, .. }, _) => f64::from(*in_flight).min(runs),
                (_, Some(rate)) => (rate * mean_seconds).min(runs),
                (_, None) => runs,
            };
        }
        let in_flight = stages.iter().map(|stage| stage.in_flight).fold(0.0, f64::max);
        let starts_per_second = stages.iter().filter_map(|s| s.peak_rate).fold(0.0, f64::max);
        // Native callers push their updates and are never polled.
        let (requests_per_second, polls_per_second) = match &profile.evaluator {
            EvaluatorSettings::Cekura(evaluator) => (
                starts_per_second / f64::from(evaluator.entries_per_request),
                (in_flight / RUNS_PER_POLL).ceil() / evaluator.poll_every.micros().as_secs_f64(),
            ),
            EvaluatorSettings::Native(_) => (starts_per_second, 0.0),
        };
        let runs = stages.iter().map(|stage| stage.runs).sum();
        let mut forecast = Self {
            runs,
            redials: expected_redials(profile, runs),
            most_calls: most_calls(profile, runs),
            estimated: stages.iter().any(|stage| stage.estimated),
            stages,
            last_start,
            in_flight,
            requests_per_second,
            polls_per_second,
            token_lifetime: token_lifetime(profile),
            room_lifetime: room_lifetime(profile),
            warnings: Vec::new(),
        };
        forecast.warnings = warnings(profile, &forecast, left);
        forecast
    }

    /// The number of runs, with those of callers that call again.
    pub const fn calls(&self) -> u64 {
        self.runs.saturating_add(self.redials)
    }

    /// About how many calls are to come once `passed` runs of the plan were started or skipped, and `waiting` of their
    /// callers are to call again.
    pub fn calls_left(&self, passed: u64, waiting: u64) -> u64 {
        let left = self.runs.saturating_sub(passed);
        let redials = self.redials.saturating_mul(left).div_ceil(self.runs.max(1));
        left.saturating_add(redials).saturating_add(waiting)
    }
}

/// How many calls follow where callers that hang up early call again. Nobody knows before how many are not answered.
fn expected_redials(profile: &Profile, runs: u64) -> u64 {
    let shares = profile.mix.shares();
    let all: f64 = shares.iter().sum();
    let calls = profile.mix.scenarios().into_iter().zip(shares).map(|(scenario, share)| {
        let script = scenario.script.as_ref();
        let Some((abandon, redial)) = script.and_then(|one| one.abandon.zip(one.redial)) else {
            return 0.0;
        };
        let redial = redial.within_bounds();
        let again = abandon.share.fraction() * redial.share.fraction();
        let each: f64 = (1..=redial.at_most).map(|calls| again.powi(calls.cast_signed())).sum();
        runs as f64 * share / all * each
    });
    let calls: f64 = calls.sum();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    {
        // Rounding errors must not count as another call.
        (calls - 1e-9).ceil() as u64
    }
}

/// How many runs there are at most, where callers of some scenarios call again.
fn most_calls(profile: &Profile, runs: u64) -> u64 {
    let scripts = profile.mix.scenarios().into_iter().filter_map(|one| one.script.as_ref());
    let again = scripts.filter_map(|script| Some(script.redial?.within_bounds().at_most)).max();
    runs.saturating_mul(u64::from(again.unwrap_or(0)) + 1)
}

/// Counts the runs of `stages`; returns the last intended start and the number of runs left over.
fn count_runs(plan: &Plan, mean_seconds: f64, stages: &mut [StageForecast]) -> (SessionTime, u64) {
    let mut schedule = plan.schedule();
    let mut last_start = SessionTime::START;
    let total = plan.profile().runs();
    let mut counted = 0_u64;
    loop {
        match schedule.peek() {
            ScheduleStep::Start(run) => {
                let stage = &mut stages[run.stage as usize];
                stage.runs += 1;
                stage.begins = stage.begins.min(run.intended);
                last_start = last_start.max(run.intended);
                counted += 1;
                schedule.consume();
            }
            ScheduleStep::Hold(hold) => {
                let left = total.map_or(u64::MAX, |total| total - counted);
                let (runs, ends) = hold_estimate(&hold, left, mean_seconds);
                for _ in 0..runs {
                    let _ = schedule.next(hold.from);
                }
                let stage = &mut stages[hold.stage as usize];
                stage.runs = runs;
                stage.begins = hold.from;
                counted += runs;
                last_start = last_start.max(ends);
                schedule.leave_hold(ends);
            }
            ScheduleStep::End => break,
        }
    }
    (last_start, total.map_or(0, |total| total - counted))
}

/// Estimates the runs of a hold stage and its end: rounds of one mean duration each, as many as begin
/// before the stage ends or the copies are used up.
fn hold_estimate(hold: &HoldStage, left: u64, mean_seconds: f64) -> (u64, SessionTime) {
    let in_flight = u64::from(hold.in_flight);
    let rounds = if hold.until == SessionTime::NEVER {
        left.div_ceil(in_flight)
    } else {
        let lasts = hold.until.since(hold.from).as_secs_f64();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at least 1")]
        {
            (lasts / mean_seconds).ceil().max(1.0) as u64
        }
    };
    let runs = rounds.saturating_mul(in_flight).min(left);
    let ends = hold.from + Micros::from_secs_f64(rounds as f64 * mean_seconds);
    (runs, ends.min(hold.until))
}

fn warnings(profile: &Profile, forecast: &Forecast, left: u64) -> Vec<PlanWarning> {
    let limits = &profile.limits;
    let mut warnings = Vec::new();
    if forecast.in_flight > f64::from(limits.in_flight) {
        warnings
            .push(PlanWarning::InFlight { needed: forecast.in_flight, limit: limits.in_flight });
    }
    if forecast.requests_per_second > limits.requests.per_second() * 1.000_001 {
        warnings.push(PlanWarning::Requests {
            needed: forecast.requests_per_second,
            limit: limits.requests.per_second(),
        });
    }
    if forecast.polls_per_second > limits.polls.per_second() {
        warnings.push(PlanWarning::Polls {
            needed: forecast.polls_per_second,
            limit: limits.polls.per_second(),
        });
    }
    if left > 0 {
        warnings.push(PlanWarning::CopiesLeft { left });
    }
    if forecast.redials > 0 {
        warnings.push(PlanWarning::Redials { runs: forecast.redials });
    }
    if let Some(recording) = &profile.recording {
        let needed = unfinished_recordings(profile, recording, forecast.in_flight);
        let limit = recording.max_bytes.bytes();
        if needed > limit {
            warnings.push(PlanWarning::RecordingBytes { needed, limit });
        }
    }
    for stage in &profile.stages {
        if let Some(start) = stall_risk(profile, stage) {
            warnings.push(PlanWarning::DispatchStall { stage: stage.name.clone(), start });
        }
    }
    for (stage, forecast) in profile.stages.iter().zip(&forecast.stages) {
        let planned = match &stage.load {
            StageLoad::Open { curve, .. } => stage
                .lasts
                .map_or(0.0, |lasts| RateCurve::new(curve, Some(lasts.micros())).total().floor()),
            StageLoad::Burst { runs } => f64::from(*runs),
            StageLoad::Hold { .. } => 0.0,
        };
        // The number of a Poisson stage varies: only six standard deviations below its mean are too few.
        if profile.runs().is_some()
            && (forecast.runs as f64) < planned - 6.0 * planned.sqrt().max(1.0)
        {
            warnings.push(PlanWarning::StageCutShort { stage: stage.name.clone() });
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::plan_of;

    #[test]
    fn copies_for_which_the_stages_have_no_time_are_not_planned() {
        let planned = |stage: &str| {
            let plan =
                plan_of(&format!("[[scenario]]\nid = 1\ncopies = 100000\n[[stage]]\n{stage}"));
            Forecast::new(&plan).planned(plan.profile())
        };
        assert_eq!(planned("rate = \"2/s\"\nlasts = \"8m\""), Some(960));
        assert_eq!(planned("hold = 4\nlasts = \"8m\""), Some(100_000), "at most");
        let endless = plan_of("[[scenario]]\nid = 1\n[[stage]]\nrate = \"2/s\"\nlasts = \"8m\"");
        assert_eq!(Forecast::new(&endless).planned(endless.profile()), None);
    }

    #[test]
    fn runs_in_flight_follow_from_littles_law() {
        let forecast = Forecast::new(&plan_of(
            "[[scenario]]\nid = 1\nlasts = \"60s\"\n[[stage]]\nrate = { from = \"1/s\", to = \"3/s\" }\nlasts = \"10m\"\n[evaluator]\npoll_every = \"5s\"",
        ));
        assert_eq!(forecast.runs, 1200);
        assert!((forecast.in_flight - 180.0).abs() < 1e-9);
        assert!((forecast.polls_per_second - 0.4).abs() < 1e-9);
        assert!(matches!(forecast.warnings[..], [PlanWarning::InFlight { limit: 100, .. }]));
        // Token: 120 s submission, 20 min run, 60 s clock skew. Room: also 40 s for the agent, and 100 slots at 5/s.
        assert_eq!(forecast.token_lifetime, Micros::from_secs(120 + 1200 + 60));
        assert_eq!(forecast.room_lifetime, Micros::from_secs(40 + 20 + 120 + 1200 + 60));
    }

    #[test]
    fn a_mismatch_of_stages_and_copies_is_a_warning() {
        let short = Forecast::new(&plan_of(
            "[[scenario]]\nid = 1\ncopies = 50\n[[stage]]\nrate = \"1/s\"\nlasts = \"10s\"\n[[stage]]\nname = \"peak\"\nrate = \"9/s\"\nlasts = \"60s\"",
        ));
        assert!(short.warnings.contains(&PlanWarning::StageCutShort { stage: "peak".into() }));
        let left = Forecast::new(&plan_of(
            "[[scenario]]\nid = 1\ncopies = 50\n[[stage]]\nrate = \"1/s\"\nlasts = \"10s\"",
        ));
        assert!(left.warnings.contains(&PlanWarning::CopiesLeft { left: 40 }));
        assert_eq!(left.runs, 10);
    }

    #[test]
    fn the_runs_of_a_hold_stage_are_estimated() {
        let forecast = Forecast::new(&plan_of(
            "[[scenario]]\nid = 1\nlasts = \"60s\"\n[[stage]]\nhold = 20\nlasts = \"10m\"",
        ));
        assert_eq!((forecast.runs, forecast.estimated), (200, true));
        assert!((forecast.in_flight - 20.0).abs() < 1e-9);
    }
}
