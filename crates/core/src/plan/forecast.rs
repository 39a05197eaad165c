//! What a plan will come to before any of it is done: runs, places in flight, requests, token lifetime.

use super::curve::RateCurve;
use super::schedule::{Plan, ScheduleStep};
use crate::profile::{EvaluatorSettings, Profile, StageLoad};
use crate::units::{Micros, PositiveDuration, SessionTime};

/// How many runs one question about their state covers.
const RUNS_PER_POLL: f64 = 100.0;
/// Added to a token's lifetime for clocks that disagree.
const CLOCK_SKEW: Micros = Micros::from_secs(60);
/// How late a busy machine may be in all.
const LATE: Micros = Micros::from_secs(5);

/// What a plan will come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// Stage by stage.
    pub stages: Vec<StageForecast>,
    /// Runs in all; of hold stages an estimate.
    pub runs: u64,
    /// Whether [`Self::runs`] holds an estimate.
    pub estimated: bool,
    /// The last intended start.
    pub last_start: SessionTime,
    /// Places in flight at the peak, by Little's law.
    pub in_flight: f64,
    /// Submissions a second at the peak.
    pub requests_per_second: f64,
    /// Questions about the state of runs a second at the peak.
    pub polls_per_second: f64,
    /// How long a room's token has to be valid.
    pub token_lifetime: Micros,
    /// How long a room has to stay with nobody in it.
    pub room_lifetime: Micros,
    /// What the reader ought to know before starting.
    pub cautions: Vec<PlanWarning>,
}

/// What one stage will come to.
#[derive(Debug, Clone, PartialEq)]
pub struct StageForecast {
    /// Its name.
    pub name: String,
    /// Whether its runs count in the figures.
    pub measured: bool,
    /// When it begins.
    pub begins: SessionTime,
    /// Its runs; of a hold stage an estimate.
    pub runs: u64,
    /// Whether [`Self::runs`] is an estimate.
    pub estimated: bool,
    /// Starts a second at the peak; none in a burst.
    pub peak_rate: Option<f64>,
    /// Places in flight by Little's law: rate times expected length, at most the stage's runs.
    pub in_flight: f64,
}

/// Something in a plan that will not go as its writer may think.
#[derive(Debug, Clone, PartialEq)]
pub enum PlanWarning {
    /// More starts at once than `limits.in_flight` has places for.
    InFlight {
        /// Places needed, by Little's law.
        needed: f64,
        /// Places there are.
        limit: u32,
    },
    /// Starts come faster than `limits.requests` lets submissions out.
    Requests {
        /// Submissions a second needed.
        needed: f64,
        /// Submissions a second allowed.
        limit: f64,
    },
    /// More runs to ask after than `limits.polls` allows, so that ends are seen late.
    Polls {
        /// Questions a second needed.
        needed: f64,
        /// Questions a second allowed.
        limit: f64,
    },
    /// The stages end before all copies are run.
    CopiesLeft {
        /// Copies that are not run.
        left: u64,
    },
    /// The copies are used up before the stage begins or ends.
    StageCutShort {
        /// The stage's name.
        stage: String,
    },
}

/// How long a token has to be valid: made just before its submission, it is used when the evaluator
/// joins, which is before the run is given up.
pub fn token_lifetime(profile: &Profile) -> Micros {
    let limits = &profile.limits;
    limits.submit_timeout.micros() + limits.run_timeout.micros() + CLOCK_SKEW
}

/// How long a room has to stay with nobody in it: the agent's coming, the limiter's queue and the
/// evaluator's own all come before its first guest.
pub fn room_lifetime(profile: &Profile) -> Micros {
    let limits = &profile.limits;
    let limiter = Micros::from_secs_f64(f64::from(limits.in_flight) / limits.requests.per_second());
    profile.livekit.give_up_after.micros() + limiter + token_lifetime(profile)
}

/// The longest that a run takes from its start until it is submitted, where money is limited: room,
/// dispatch and worker are asked for, the agent is waited for, and then the limiter.
pub fn preparation_bound(profile: &Profile) -> Micros {
    let limits = &profile.limits;
    let request = limits.livekit_timeout.micros();
    let limiter = Micros::from_secs_f64(f64::from(limits.in_flight) / limits.requests.per_second());
    request + request + request + profile.livekit.give_up_after.micros() + limiter
}

/// The longest that a run takes from its submission to its end: its answer, then its time and one more
/// question about it, or the watch of its room.
pub fn conversation_bound(profile: &Profile) -> Micros {
    let limits = &profile.limits;
    let request = limits.livekit_timeout.micros();
    let followed = limits.run_timeout.micros() + limits.poll_timeout.micros();
    let watched = limits.watch_unknown.micros() + request;
    limits.submit_timeout.micros() + followed.max(watched) + request + LATE
}

impl Forecast {
    /// Walks the whole plan and counts.
    pub fn new(plan: &Plan) -> Self {
        let profile = plan.profile();
        let mean_length = profile.mix.mean_seconds(profile.mode);
        let mut stages: Vec<StageForecast> = Vec::with_capacity(profile.stages.len());
        for stage in &profile.stages {
            let lasts = stage.lasts.map(PositiveDuration::micros);
            let peak_rate = match &stage.load {
                StageLoad::Open { curve, .. } => Some(RateCurve::new(curve, lasts).peak()),
                StageLoad::Hold { in_flight, .. } => Some(f64::from(*in_flight) / mean_length),
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
        let (last_start, left) = count(plan, mean_length, &mut stages);
        for (stage, forecast) in profile.stages.iter().zip(&mut stages) {
            let runs = forecast.runs as f64;
            forecast.in_flight = match (&stage.load, forecast.peak_rate) {
                (StageLoad::Hold { in_flight, .. }, _) => f64::from(*in_flight).min(runs),
                (_, Some(rate)) => (rate * mean_length).min(runs),
                (_, None) => runs,
            };
        }
        let in_flight = stages.iter().map(|stage| stage.in_flight).fold(0.0, f64::max);
        let starts_per_second = stages.iter().filter_map(|s| s.peak_rate).fold(0.0, f64::max);
        // Callers of our own are not asked; they tell.
        let (requests_per_second, polls_per_second) = match &profile.evaluator {
            EvaluatorSettings::Cekura(evaluator) => (
                starts_per_second / f64::from(evaluator.entries_per_request),
                (in_flight / RUNS_PER_POLL).ceil() / evaluator.poll_every.micros().as_secs_f64(),
            ),
            EvaluatorSettings::Native(_) => (starts_per_second, 0.0),
        };
        let mut forecast = Self {
            runs: stages.iter().map(|stage| stage.runs).sum(),
            estimated: stages.iter().any(|stage| stage.estimated),
            stages,
            last_start,
            in_flight,
            requests_per_second,
            polls_per_second,
            token_lifetime: token_lifetime(profile),
            room_lifetime: room_lifetime(profile),
            cautions: Vec::new(),
        };
        forecast.cautions = cautions(profile, &forecast, left);
        forecast
    }
}

/// Counts runs into `stages`; gives the last intended start and the copies that are left over.
fn count(plan: &Plan, mean_length: f64, stages: &mut [StageForecast]) -> (SessionTime, u64) {
    let mut walk = plan.walk();
    let mut last_start = SessionTime::START;
    let total = plan.profile().runs();
    let mut counted = 0_u64;
    loop {
        match walk.peek() {
            ScheduleStep::Start(run) => {
                let stage = &mut stages[run.stage as usize];
                stage.runs += 1;
                stage.begins = stage.begins.min(run.intended);
                last_start = last_start.max(run.intended);
                counted += 1;
                walk.pass();
            }
            ScheduleStep::Hold(hold) => {
                let left = total.map_or(u64::MAX, |total| total - counted);
                let (runs, ends) = hold_estimate(&hold, left, mean_length);
                for _ in 0..runs {
                    let _ = walk.next(hold.from);
                }
                let stage = &mut stages[hold.stage as usize];
                stage.runs = runs;
                stage.begins = hold.from;
                counted += runs;
                last_start = last_start.max(ends);
                walk.leave_hold(ends);
            }
            ScheduleStep::End => break,
        }
    }
    (last_start, total.map_or(0, |total| total - counted))
}

/// Rounds of one mean length each, as many as begin before the stage ends or the copies are used up.
fn hold_estimate(
    hold: &super::schedule::HoldStage,
    left: u64,
    mean_length: f64,
) -> (u64, SessionTime) {
    let places = u64::from(hold.in_flight);
    let rounds = if hold.until == SessionTime::NEVER {
        left.div_ceil(places)
    } else {
        let lasts = hold.until.since(hold.from).as_secs_f64();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at least 1")]
        {
            (lasts / mean_length).ceil().max(1.0) as u64
        }
    };
    let runs = rounds.saturating_mul(places).min(left);
    let ends = hold.from + Micros::from_secs_f64(rounds as f64 * mean_length);
    (runs, ends.min(hold.until))
}

fn cautions(profile: &Profile, forecast: &Forecast, left: u64) -> Vec<PlanWarning> {
    let limits = &profile.limits;
    let mut cautions = Vec::new();
    if forecast.in_flight > f64::from(limits.in_flight) {
        cautions
            .push(PlanWarning::InFlight { needed: forecast.in_flight, limit: limits.in_flight });
    }
    if forecast.requests_per_second > limits.requests.per_second() * 1.000_001 {
        cautions.push(PlanWarning::Requests {
            needed: forecast.requests_per_second,
            limit: limits.requests.per_second(),
        });
    }
    if forecast.polls_per_second > limits.polls.per_second() {
        cautions.push(PlanWarning::Polls {
            needed: forecast.polls_per_second,
            limit: limits.polls.per_second(),
        });
    }
    if left > 0 {
        cautions.push(PlanWarning::CopiesLeft { left });
    }
    for (stage, forecast) in profile.stages.iter().zip(&forecast.stages) {
        let wanted = match &stage.load {
            StageLoad::Open { curve, .. } => stage
                .lasts
                .map_or(0.0, |lasts| RateCurve::new(curve, Some(lasts.micros())).total().floor()),
            StageLoad::Burst { runs } => f64::from(*runs),
            StageLoad::Hold { .. } => 0.0,
        };
        // A Poisson stage has more or fewer than its mean; six standard deviations are no accident.
        if profile.runs().is_some()
            && (forecast.runs as f64) < wanted - 6.0 * wanted.sqrt().max(1.0)
        {
            cautions.push(PlanWarning::StageCutShort { stage: stage.name.clone() });
        }
    }
    cautions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::plan_of;

    #[test]
    fn littles_law_says_how_many_are_in_flight() {
        let forecast = Forecast::new(&plan_of(
            "[[scenario]]\nid = 1\nlasts = \"60s\"\n[[stage]]\nrate = { from = \"1/s\", to = \"3/s\" }\nlasts = \"10m\"\n[evaluator]\npoll_every = \"5s\"",
        ));
        assert_eq!(forecast.runs, 1200);
        assert!((forecast.in_flight - 180.0).abs() < 1e-9);
        assert!((forecast.polls_per_second - 0.4).abs() < 1e-9);
        assert!(matches!(forecast.cautions[..], [PlanWarning::InFlight { limit: 100, .. }]));
        // 120 s submission, 20 min run, 60 s skew; before it 40 s agent and 100 places at 5 a second.
        assert_eq!(forecast.token_lifetime, Micros::from_secs(120 + 1200 + 60));
        assert_eq!(forecast.room_lifetime, Micros::from_secs(40 + 20 + 120 + 1200 + 60));
    }

    #[test]
    fn what_does_not_fit_together_is_told() {
        let short = Forecast::new(&plan_of(
            "[[scenario]]\nid = 1\ncopies = 50\n[[stage]]\nrate = \"1/s\"\nlasts = \"10s\"\n[[stage]]\nname = \"peak\"\nrate = \"9/s\"\nlasts = \"60s\"",
        ));
        assert!(short.cautions.contains(&PlanWarning::StageCutShort { stage: "peak".into() }));
        let left = Forecast::new(&plan_of(
            "[[scenario]]\nid = 1\ncopies = 50\n[[stage]]\nrate = \"1/s\"\nlasts = \"10s\"",
        ));
        assert!(left.cautions.contains(&PlanWarning::CopiesLeft { left: 40 }));
        assert_eq!(left.runs, 10);
    }

    #[test]
    fn a_hold_stage_is_an_estimate() {
        let forecast = Forecast::new(&plan_of(
            "[[scenario]]\nid = 1\nlasts = \"60s\"\n[[stage]]\nhold = 20\nlasts = \"10m\"",
        ));
        assert_eq!((forecast.runs, forecast.estimated), (200, true));
        assert!((forecast.in_flight - 20.0).abs() < 1e-9);
    }
}
