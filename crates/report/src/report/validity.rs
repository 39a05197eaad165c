//! Whether the generator did what was asked of it; where it did not, nothing is said of the agent.

use crate::fold::{FoldedSession, Latencies, Scope};
use rushhour_core::units::{Metric, Micros, SessionTime};

/// At least this share of the asked rate has to be delivered.
const DELIVERED: f64 = 0.95;
/// 99 in 100 starts have to come within this of their time.
const SCHEDULE_LAG: Micros = Micros::from_millis(50);
/// A submission that waits longer for the limiter than this was held back,
const LIMITER_WAIT: Micros = Micros::from_secs(1);
/// and at most this share may be.
const LIMITED: f64 = 0.05;
/// At most this share of requests to the evaluator may be answered with 429.
const THROTTLED: f64 = 0.05;
/// Of all cores this process may use, at most this share may be in use over ten seconds.
const CPU: f64 = 0.8;

/// At most this share of audio frames may leave more than 5 ms late, or never,
const LATE_FRAMES: f64 = 0.05;
/// and at most this share of our own callers' beats may begin so late.
const LATE_BEATS: f64 = 0.05;

/// One thing that has to hold for the figures to speak of the agent.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidityRule {
    /// Its name.
    pub name: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// What was found, against what was asked, in words.
    pub found: String,
    /// What to do where it does not hold.
    pub advice: &'static str,
}

/// Whether the generator did what was asked of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Validity {
    /// All checks, in the order they are told.
    pub checks: Vec<ValidityRule>,
}

impl Validity {
    /// Looks at what a session comes to.
    pub fn of(folded: &FoldedSession) -> Self {
        // A session that judges another asks for no load.
        let is_load = folded.opening.profile.judges.is_none();
        let checks = [
            delivered(folded).filter(|_| is_load),
            schedule_lag(folded),
            limiter(folded).filter(|_| is_load),
            throttled(folded),
            polling(folded),
            cpu(folded),
            beat(folded),
            audio(folded),
        ];
        Self { checks: checks.into_iter().flatten().collect() }
    }

    /// Whether everything holds.
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }

    /// What does not hold.
    pub fn broken(&self) -> impl Iterator<Item = &ValidityRule> {
        self.checks.iter().filter(|check| !check.holds)
    }
}

/// The asked rate against the delivered one, over all that was to start: skipped starts were not
/// delivered, and late ones were delivered at a lower rate.
fn delivered(folded: &FoldedSession) -> Option<ValidityRule> {
    let tally = &folded.tally;
    let asked = tally.started + tally.skipped;
    if asked == 0 {
        return None;
    }
    let (asked_rate, delivered_rate) = rates(folded);
    let stretched = match (asked_rate, delivered_rate) {
        (Some(asked), Some(delivered)) => (delivered / asked).min(1.0),
        _ => 1.0,
    };
    let share = stretched * tally.started as f64 / asked as f64;
    Some(ValidityRule {
        name: "delivered rate",
        holds: share >= DELIVERED,
        found: format!(
            "{:.1} % of the asked rate was delivered ({asked} starts asked, {} made{}); at least {:.0} % is needed",
            share * 100.0,
            tally.started,
            match (asked_rate, delivered_rate) {
                (Some(asked), Some(delivered)) =>
                    format!(", {asked:.3} a second asked, {delivered:.3} delivered"),
                _ => String::new(),
            },
            DELIVERED * 100.0
        ),
        advice: "raise limits.in_flight, lower the rate, or start from more machines",
    })
}

/// Starts a second that were asked for, and that were made; none where all were at one instant.
pub(super) fn rates(folded: &FoldedSession) -> (Option<f64>, Option<f64>) {
    let rate = |until: SessionTime| {
        let gaps = folded.tally.started.checked_sub(1).filter(|gaps| *gaps > 0)?;
        let seconds = until.as_secs_f64();
        (seconds > 0.0).then(|| gaps as f64 / seconds)
    };
    (rate(folded.last_intended), rate(folded.last_start))
}

/// A latency of the measured runs of each mode that has it.
fn of_each_mode(folded: &FoldedSession, metric: Metric) -> impl Iterator<Item = &Latencies> {
    let modes = folded.opening.profile.mode.modes().iter();
    modes.filter_map(move |mode| folded.latencies.get(metric, *mode, Scope::Measured))
}

fn schedule_lag(folded: &FoldedSession) -> Option<ValidityRule> {
    let p99 =
        |latencies: &Latencies| latencies.at_rank((latencies.count() * 99).div_ceil(100).max(1));
    // Of a paired session's modes the worse one counts.
    let p99 = of_each_mode(folded, Metric::ScheduleLag).map(p99).max()?;
    Some(ValidityRule {
        name: "schedule lag",
        holds: p99 <= SCHEDULE_LAG,
        found: format!(
            "99 in 100 starts came within {p99} of their time; {SCHEDULE_LAG} is allowed"
        ),
        advice: "this machine is too busy: stop what else runs on it, or use a larger one",
    })
}

fn limiter(folded: &FoldedSession) -> Option<ValidityRule> {
    let waited_long = |latencies: &Latencies| {
        let within = latencies.histogram().count_between(0, LIMITER_WAIT.0);
        1.0 - within as f64 / latencies.count() as f64
    };
    let share =
        of_each_mode(folded, Metric::LimiterWait).map(waited_long).max_by(f64::total_cmp)?;
    Some(ValidityRule {
        name: "limiter",
        holds: share <= LIMITED,
        found: format!(
            "{:.1} % of the submissions waited longer than {LIMITER_WAIT} for limits.requests; {:.0} % is allowed",
            share * 100.0,
            LIMITED * 100.0
        ),
        advice: "raise limits.requests, or lower the rate of the stages",
    })
}

fn throttled(folded: &FoldedSession) -> Option<ValidityRule> {
    let health = &folded.health;
    let requests = folded.submission_attempts + health.status_polls + health.status_polls_failed;
    if requests == 0 {
        return None;
    }
    let share = health.throttled as f64 / requests as f64;
    Some(ValidityRule {
        name: "throttling",
        holds: share <= THROTTLED,
        found: format!(
            "{} of {requests} requests to the evaluator were answered with 429; {:.0} % is allowed",
            health.throttled,
            THROTTLED * 100.0
        ),
        advice: "lower limits.requests or limits.polls to what the evaluator's plan allows",
    })
}

fn polling(folded: &FoldedSession) -> Option<ValidityRule> {
    let settings = folded.opening.profile.evaluator.cekura()?;
    let every = settings.poll_every.micros();
    (folded.health.status_polls > 0).then(|| ValidityRule {
        name: "polling",
        holds: folded.health.poll_lag <= every,
        found: format!(
            "a run that was due to be asked after waited {} at the longest; {every} is allowed",
            folded.health.poll_lag
        ),
        advice: "raise limits.polls, or lengthen evaluator.poll_every",
    })
}

fn cpu(folded: &FoldedSession) -> Option<ValidityRule> {
    let cores = f64::from(folded.opening.cores);
    (folded.health.cpu > Micros::ZERO).then(|| ValidityRule {
        name: "processor",
        holds: folded.health.cpu_share <= CPU * cores,
        found: format!(
            "at most {:.0} % of {cores} cores was used; {:.0} % is allowed",
            folded.health.cpu_share / cores * 100.0,
            CPU * 100.0
        ),
        advice: "use a larger machine, or several",
    })
}
/// Callers that are not attended to on their beat hear late and speak late.
fn beat(folded: &FoldedSession) -> Option<ValidityRule> {
    let (beats, late) = (folded.health.ticks, folded.health.late_ticks);
    let share = late as f64 / beats as f64;
    (beats > 0).then(|| ValidityRule {
        name: "callers' beat",
        holds: share <= LATE_BEATS,
        found: format!(
            "{:.2} % of our callers' beats began more than 5 ms late, the latest {}; {:.0} % is allowed",
            share * 100.0,
            folded.health.latest_tick,
            LATE_BEATS * 100.0
        ),
        advice: "use a machine with more cores or less else to do, or fewer callers",
    })
}

fn audio(folded: &FoldedSession) -> Option<ValidityRule> {
    let frames = folded.frames;
    let share = (frames.late + frames.given_up) as f64 / (frames.sent + frames.given_up) as f64;
    (frames.sent > 0).then(|| ValidityRule {
        name: "audio pace",
        holds: share <= LATE_FRAMES,
        found: format!(
            "{:.2} % of {} audio frames left more than 5 ms late or never; {:.0} % is allowed",
            share * 100.0,
            frames.sent,
            LATE_FRAMES * 100.0
        ),
        advice: "use a machine with more cores or less else to do, or fewer callers",
    })
}
