//! Whether the load generator delivered the load that the profile requests. If it did not, the session says nothing
//! about the agent.

use crate::fold::{FoldedSession, FoldedWorker, Latencies, Scope};
use rushhour_core::event::{FailureClass, WorkerLoss};
use rushhour_core::units::{Metric, Micros, SessionTime, WorkerId};

/// The limits that the rules apply.
pub(crate) mod limits {
    use rushhour_core::units::Micros;

    /// The smallest share of the requested rate that must be delivered.
    pub(crate) const DELIVERED: f64 = 0.95;
    /// The largest p99 of the schedule lag.
    pub(crate) const SCHEDULE_LAG: Micros = Micros::from_millis(50);
    /// A submission that waits for the rate limiter longer than this was held back.
    pub(crate) const LIMITER_WAIT: Micros = Micros::from_secs(1);
    /// The largest share of submissions that may be held back.
    pub(crate) const LIMITED: f64 = 0.05;
    /// The largest share of requests to a service that may be answered with 429, or wait because others were.
    pub(crate) const THROTTLED: f64 = 0.05;
    /// The largest share of status polls that may fail.
    pub(crate) const FAILED_POLLS: f64 = 0.05;
    /// The largest share of all cores that may be in use over ten seconds.
    pub(crate) const CPU: f64 = 0.8;
    /// The largest share of audio frames that may leave more than 5 ms late, or never.
    pub(crate) const LATE_FRAMES: f64 = 0.05;
    /// The largest share of the callers' ticks that may start more than 5 ms late.
    pub(crate) const LATE_TICKS: f64 = 0.05;
    /// The largest share of runs that may be lost with their workers.
    pub(crate) const LOST_RUNS: f64 = 0.05;
}

/// What a rule measured. Shares are fractions from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValidityFigure {
    /// The load delivered, as a share of the load requested.
    DeliveredRate {
        /// The delivered share: skipped starts were not delivered, late starts were delivered at a lower rate.
        share: f64,
        /// Starts requested.
        requested: u64,
        /// Starts made.
        started: u64,
        /// Starts per second.
        rates: StartRates,
    },
    /// The p99 of the time from an intended start to the actual one.
    ScheduleLag {
        /// In a paired session, that of the worse mode.
        p99: Micros,
    },
    /// The share of submissions that the rate limiter held back.
    LimiterWait {
        /// In a paired session, that of the worse mode.
        share: f64,
    },
    /// Requests to the evaluator that were answered with 429.
    Throttling {
        /// How many.
        throttled: u64,
        /// Of how many requests.
        requests: u64,
    },
    /// Requests to LiveKit that it refused because of too many, and those that waited for that reason.
    LiveKitThrottling {
        /// Requests that were refused.
        throttled: u64,
        /// Requests that waited because others had been refused.
        held_back: u64,
        /// Of how many requests.
        requests: u64,
    },
    /// The longest time that a due status poll waited.
    StatusPolls {
        /// The time.
        longest_wait: Micros,
        /// The interval between two polls of one run, which is the most that is allowed.
        interval: Micros,
    },
    /// Status polls that failed: the ends of runs were seen late, or not at all.
    FailedPolls {
        /// Polls that failed.
        failed: u64,
        /// Of how many.
        polls: u64,
    },
    /// The largest share of all cores in use over ten seconds.
    Processor {
        /// The share.
        share: f64,
        /// The cores that the process may use.
        cores: u32,
    },
    /// Ticks of the callers' threads that started late. Late callers hear and speak late.
    CallerTicks {
        /// The share that started late.
        share: f64,
        /// The longest delay.
        latest: Micros,
    },
    /// Ticks of one worker's callers that started late.
    WorkerTicks {
        /// The worker.
        worker: WorkerId,
        /// The most callers that it held.
        callers: u32,
        /// The share of its ticks that started late.
        share: f64,
        /// The longest delay.
        latest: Micros,
    },
    /// Workers that were not heard of any longer: the runs that they held have no result.
    LostWorkers {
        /// How many.
        lost: u64,
        /// Of how many.
        workers: u64,
        /// Runs that failed as `generator_fault`.
        runs: u64,
        /// Of how many.
        started: u64,
    },
    /// Audio frames that left late, or never.
    AudioPace {
        /// The share of frames.
        share: f64,
        /// The number of frames sent.
        sent: u64,
    },
}

impl ValidityFigure {
    /// The rule's name in `summary.json` and in reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::DeliveredRate { .. } => "delivered rate",
            Self::ScheduleLag { .. } => "schedule lag",
            Self::LimiterWait { .. } => "limiter",
            Self::Throttling { .. } => "throttling",
            Self::LiveKitThrottling { .. } => "LiveKit throttling",
            Self::StatusPolls { .. } => "polling",
            Self::FailedPolls { .. } => "failed polls",
            Self::Processor { .. } => "processor",
            Self::CallerTicks { .. } => "callers' beat",
            Self::WorkerTicks { .. } => "worker's ticks",
            Self::LostWorkers { .. } => "lost workers",
            Self::AudioPace { .. } => "audio pace",
        }
    }
}

/// One condition that must hold for the session to say anything about the agent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValidityRule {
    /// Whether it holds.
    pub holds: bool,
    /// What it measured.
    pub figure: ValidityFigure,
}

/// Whether the load generator delivered the load that was requested.
#[derive(Debug, Clone, PartialEq)]
pub struct Validity {
    /// Every rule that applies to the session.
    pub rules: Vec<ValidityRule>,
}

impl Validity {
    /// Checks a session.
    pub fn of(folded: &FoldedSession) -> Self {
        // A session that judges the runs of another one generates no load.
        let is_load = folded.opening.profile.judges.is_none();
        let rules = [
            delivered_rate(folded).filter(|_| is_load),
            schedule_lag(folded),
            limiter_wait(folded).filter(|_| is_load),
            throttling(folded),
            livekit_throttling(folded),
            status_polls(folded),
            failed_polls(folded),
            processor(folded),
            caller_ticks(folded),
            lost_workers(folded),
            audio_pace(folded),
        ];
        // One that is late among many that are not would not be seen in their mean.
        let workers = folded.workers.iter().filter_map(|(id, worker)| worker_ticks(id, worker));
        Self { rules: rules.into_iter().flatten().chain(workers).collect() }
    }

    /// Whether every rule holds.
    pub fn holds(&self) -> bool {
        self.rules.iter().all(|rule| rule.holds)
    }

    /// The rules that do not hold.
    pub fn broken(&self) -> impl Iterator<Item = &ValidityRule> {
        self.rules.iter().filter(|rule| !rule.holds)
    }
}

/// Starts per second over a session; `None` if all starts were at one instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StartRates {
    /// Requested by the plan.
    pub requested: Option<f64>,
    /// Delivered.
    pub delivered: Option<f64>,
}

pub(crate) fn start_rates(folded: &FoldedSession) -> StartRates {
    let rate = |until: SessionTime| {
        let gaps = folded.tally.started.checked_sub(1).filter(|gaps| *gaps > 0)?;
        let seconds = until.as_secs_f64();
        (seconds > 0.0).then(|| gaps as f64 / seconds)
    };
    StartRates { requested: rate(folded.last_intended), delivered: rate(folded.last_start) }
}

fn delivered_rate(folded: &FoldedSession) -> Option<ValidityRule> {
    let started = folded.tally.started;
    let requested = started + folded.tally.skipped;
    if requested == 0 {
        return None;
    }
    let rates = start_rates(folded);
    let stretched = match (rates.requested, rates.delivered) {
        (Some(requested), Some(delivered)) => (delivered / requested).min(1.0),
        _ => 1.0,
    };
    let share = stretched * started as f64 / requested as f64;
    Some(ValidityRule {
        holds: share >= limits::DELIVERED,
        figure: ValidityFigure::DeliveredRate { share, requested, started, rates },
    })
}

/// A latency of the measured runs of each mode that has it.
fn of_each_mode(folded: &FoldedSession, metric: Metric) -> impl Iterator<Item = &Latencies> {
    let modes = folded.opening.profile.mode.modes().iter();
    modes.filter_map(move |mode| folded.latencies.get(metric, *mode, Scope::Measured))
}

fn schedule_lag(folded: &FoldedSession) -> Option<ValidityRule> {
    let p99 =
        |latencies: &Latencies| latencies.at_rank((latencies.count() * 99).div_ceil(100).max(1));
    let p99 = of_each_mode(folded, Metric::ScheduleLag).map(p99).max()?;
    Some(ValidityRule {
        holds: p99 <= limits::SCHEDULE_LAG,
        figure: ValidityFigure::ScheduleLag { p99 },
    })
}

fn limiter_wait(folded: &FoldedSession) -> Option<ValidityRule> {
    let held_back = |latencies: &Latencies| {
        let within = latencies.histogram().count_between(0, limits::LIMITER_WAIT.0);
        1.0 - within as f64 / latencies.count() as f64
    };
    let share = of_each_mode(folded, Metric::LimiterWait).map(held_back).max_by(f64::total_cmp)?;
    Some(ValidityRule {
        holds: share <= limits::LIMITED,
        figure: ValidityFigure::LimiterWait { share },
    })
}

fn throttling(folded: &FoldedSession) -> Option<ValidityRule> {
    let health = &folded.health;
    let (throttled, requests) = (
        health.throttled,
        folded.submission_attempts + health.status_polls + health.status_polls_failed,
    );
    (requests > 0).then(|| ValidityRule {
        holds: throttled as f64 / requests as f64 <= limits::THROTTLED,
        figure: ValidityFigure::Throttling { throttled, requests },
    })
}

/// Sessions without a refusal have no such rule: those of earlier versions did not count requests.
fn livekit_throttling(folded: &FoldedSession) -> Option<ValidityRule> {
    let health = &folded.health;
    let (throttled, held_back) = (health.livekit_throttled, health.livekit_held_back);
    let requests = health.livekit_requests.max(throttled);
    (throttled > 0).then(|| ValidityRule {
        holds: (throttled + held_back) as f64 / requests as f64 <= limits::THROTTLED,
        figure: ValidityFigure::LiveKitThrottling { throttled, held_back, requests },
    })
}

fn status_polls(folded: &FoldedSession) -> Option<ValidityRule> {
    let settings = folded.opening.profile.evaluator.cekura()?;
    let (longest_wait, interval) = (folded.health.poll_lag, settings.poll_every.micros());
    (folded.health.status_polls > 0).then(|| ValidityRule {
        holds: longest_wait <= interval,
        figure: ValidityFigure::StatusPolls { longest_wait, interval },
    })
}

/// Sessions without a failed poll have no such rule.
fn failed_polls(folded: &FoldedSession) -> Option<ValidityRule> {
    let failed = folded.health.status_polls_failed;
    let polls = folded.health.status_polls + failed;
    (failed > 0).then(|| ValidityRule {
        holds: failed as f64 / polls as f64 <= limits::FAILED_POLLS,
        figure: ValidityFigure::FailedPolls { failed, polls },
    })
}

fn processor(folded: &FoldedSession) -> Option<ValidityRule> {
    let cores = folded.opening.cores;
    let used = folded.health.cpu_share;
    (folded.health.cpu > Micros::ZERO).then(|| ValidityRule {
        holds: used <= limits::CPU * f64::from(cores),
        figure: ValidityFigure::Processor { share: used / f64::from(cores), cores },
    })
}

fn caller_ticks(folded: &FoldedSession) -> Option<ValidityRule> {
    let (ticks, late) = (folded.health.ticks, folded.health.late_ticks);
    let share = late as f64 / ticks as f64;
    (ticks > 0).then_some(ValidityRule {
        holds: share <= limits::LATE_TICKS,
        figure: ValidityFigure::CallerTicks { share, latest: folded.health.latest_tick },
    })
}

fn worker_ticks(id: WorkerId, worker: &FoldedWorker) -> Option<ValidityRule> {
    let share = worker.late_share()?;
    Some(ValidityRule {
        holds: share <= limits::LATE_TICKS,
        figure: ValidityFigure::WorkerTicks {
            worker: id,
            callers: worker.callers,
            share,
            latest: worker.latest_tick,
        },
    })
}

/// Sessions that lost no worker have no such rule.
fn lost_workers(folded: &FoldedSession) -> Option<ValidityRule> {
    let is_lost = |worker: &FoldedWorker| worker.lost == Some(WorkerLoss::Silent);
    let lost = folded.workers.iter().filter(|(_, worker)| is_lost(worker)).count() as u64;
    let workers = folded.workers.iter().count() as u64;
    let started = folded.tally.started;
    let runs = folded.tally.failed.get(&FailureClass::GeneratorFault).copied().unwrap_or(0);
    (lost > 0).then_some(ValidityRule {
        holds: runs as f64 <= started as f64 * limits::LOST_RUNS,
        figure: ValidityFigure::LostWorkers { lost, workers, runs, started },
    })
}

fn audio_pace(folded: &FoldedSession) -> Option<ValidityRule> {
    let frames = folded.frames;
    let share = (frames.late + frames.given_up) as f64 / (frames.sent + frames.given_up) as f64;
    (frames.sent > 0).then_some(ValidityRule {
        holds: share <= limits::LATE_FRAMES,
        figure: ValidityFigure::AudioPace { share, sent: frames.sent },
    })
}
