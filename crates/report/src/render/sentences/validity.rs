//! Whether the load generator delivered the load.

use std::fmt;

use crate::session::{StartRates, ValidityFigure, ValidityRule, limits};

impl fmt::Display for ValidityFigure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| share * 100.0;
        match self {
            Self::DeliveredRate { share, requested, started, rates } => {
                write!(
                    f,
                    "{:.1} % of the requested load was delivered: {started} of {requested} starts",
                    percent(*share)
                )?;
                if let StartRates { requested: Some(requested), delivered: Some(delivered) } = rates
                {
                    write!(f, ", {delivered:.3} of {requested:.3} starts per second")?;
                }
                write!(f, "; at least {:.0} % is required", percent(limits::DELIVERED))
            }
            Self::ScheduleLag { p99 } => write!(
                f,
                "99 % of starts were at most {p99} late; at most {} is allowed",
                limits::SCHEDULE_LAG
            ),
            Self::LimiterWait { share } => write!(
                f,
                "{:.1} % of submissions waited longer than {} for limits.requests; at most {:.0} % is allowed",
                percent(*share),
                limits::LIMITER_WAIT,
                percent(limits::LIMITED)
            ),
            Self::Throttling { throttled, requests } => write!(
                f,
                "{throttled} of {requests} requests to the evaluator were answered with 429; at most {:.0} % is allowed",
                percent(limits::THROTTLED)
            ),
            Self::LiveKitThrottling { throttled, held_back, requests } => write!(
                f,
                "LiveKit refused {throttled} of {requests} requests because there were too many, and {held_back} waited for that reason; at most {:.0} % is allowed",
                percent(limits::THROTTLED)
            ),
            Self::StatusPolls { longest_wait, interval } => write!(
                f,
                "a due status poll waited up to {longest_wait}; at most {interval} is allowed"
            ),
            Self::FailedPolls { failed, polls } => write!(
                f,
                "{failed} of {polls} status polls failed, so that the ends of runs were seen late; at most {:.0} % is allowed",
                percent(limits::FAILED_POLLS)
            ),
            Self::Processor { share, cores } => write!(
                f,
                "up to {:.0} % of {cores} cores was in use; at most {:.0} % is allowed",
                percent(*share),
                percent(limits::CPU)
            ),
            Self::CallerTicks { share, latest } => write!(
                f,
                "{:.2} % of the callers' ticks started more than 5 ms late, the latest {latest}; at most {:.0} % is allowed",
                percent(*share),
                percent(limits::LATE_TICKS)
            ),
            Self::WorkerTicks { worker, callers, share, latest } => write!(
                f,
                "worker {worker} held up to {callers} callers, and {:.2} % of its ticks started more than 5 ms late, the latest {latest}; at most {:.0} % is allowed",
                percent(*share),
                percent(limits::LATE_TICKS)
            ),
            Self::LostWorkers { lost, workers, runs, started } => write!(
                f,
                "{lost} of {workers} workers were lost, and {runs} of {started} runs were lost with them or before they had one; at most {:.0} % is allowed",
                percent(limits::LOST_RUNS)
            ),
            Self::AudioPace { share, sent } => write!(
                f,
                "{:.2} % of {sent} audio frames left more than 5 ms late, or never; at most {:.0} % is allowed",
                percent(*share),
                percent(limits::LATE_FRAMES)
            ),
        }
    }
}

impl ValidityFigure {
    /// The rule's name for people.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::CallerTicks { .. } => "caller ticks",
            _ => self.name(),
        }
    }
}

impl fmt::Display for ValidityRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.figure.label(), self.figure)
    }
}

impl ValidityRule {
    /// What to do if it does not hold.
    pub(crate) const fn advice(&self) -> &'static str {
        match self.figure {
            ValidityFigure::DeliveredRate { .. } => {
                "raise limits.in_flight, lower the rate, or use several machines"
            }
            ValidityFigure::ScheduleLag { .. } => {
                "this machine is too busy: stop other programs, or use a larger machine"
            }
            ValidityFigure::LimiterWait { .. } => {
                "raise limits.requests, or lower the rate of the stages"
            }
            ValidityFigure::Throttling { .. } => {
                "lower limits.requests or limits.polls to what the evaluator's plan allows"
            }
            ValidityFigure::LiveKitThrottling { .. } => {
                "lower the rates of the stages and limits.looks, or ask for a higher quota"
            }
            ValidityFigure::StatusPolls { .. } => {
                "raise limits.polls, or lengthen evaluator.poll_every"
            }
            ValidityFigure::FailedPolls { .. } => {
                "see the evaluator's answers with --log, and lower limits.polls if it answered 429"
            }
            ValidityFigure::WorkerTicks { .. } => {
                "give this worker a lower --capacity, or a machine with more free cores"
            }
            ValidityFigure::LostWorkers { .. } => {
                "look at the machines of the workers that were lost, and at their connection to NATS"
            }
            ValidityFigure::Processor { .. } => "use a larger machine, or several",
            ValidityFigure::CallerTicks { .. } | ValidityFigure::AudioPace { .. } => {
                "use fewer callers, or a machine with more free cores"
            }
        }
    }

    /// What was found and what to do about it.
    pub(crate) fn with_advice(&self) -> String {
        format!("{self}; {}", self.advice())
    }
}
