//! How many callers of a profile this machine holds: real callers, with real media and their own scripts, against an agent
//! in this process. Levels follow each other, each twice the one before, until ticks are late or the machine is full.
//!
//! The agent costs more than its caller, and is not there when a worker works. So what the callers alone cost is measured
//! too, by the processor time of their threads, and the capacity is what half of the machine's cores hold: the other half
//! is for joins, and for what else runs there.

mod conclusion;
mod loopback_peer;
mod loopback_server;
mod processor_time;

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

pub use conclusion::{CapacityMeasured, LevelFigures, MeasuredLimit};
pub use loopback_server::LoopbackServer;

use processor_time::ProcessorTime;
use rushhour_core::evaluator::{ConversationRequest, Evaluator, SubmitError, UpdateKind};
use rushhour_core::event::Outcome;
use rushhour_core::units::RunIndex;

/// Callers of the first level.
const FIRST_LEVEL: u32 = 20;
/// How long a level waits for its last callers, before it is measured.
const SETTLE: Duration = Duration::from_secs(2);
/// How long a level is measured.
const WINDOW: Duration = Duration::from_secs(8);
/// No level begins later.
const LAST_START: Duration = Duration::from_secs(100);

/// What is to be measured.
pub struct CapacityMeasure<'a> {
    /// The callers; they run on this machine and were started.
    pub callers: &'a dyn Evaluator,
    /// The cores that they may use.
    pub cores: u32,
    /// The most callers that this process may hold.
    pub most: u32,
    /// Joins per second.
    pub joins: u32,
}

/// Callers that are held, and those that were.
#[derive(Default)]
struct Held {
    now: u32,
    begun: u64,
    ended: u64,
    failed: u64,
    first_failure: Option<String>,
}

impl CapacityMeasure<'_> {
    /// Measures for two minutes at most. `conversation` makes the conversation of a run, on a [`LoopbackServer`]; `told`
    /// hears of each level.
    ///
    /// # Errors
    /// The callers take no conversations.
    pub async fn run(
        &self,
        conversation: impl Fn(RunIndex) -> ConversationRequest,
        mut told: impl FnMut(&LevelFigures),
    ) -> Result<CapacityMeasured, SubmitError> {
        let start = Instant::now();
        let (mut held, mut levels) = (Held::default(), Vec::new());
        let mut level = FIRST_LEVEL.min(self.most);
        loop {
            let filled = Duration::from_secs_f64(
                f64::from(level.saturating_sub(held.now)) / f64::from(self.joins.max(1)),
            );
            self.hold(level, Instant::now() + filled + SETTLE, &mut held, &conversation).await?;
            // What happened before does not count.
            let _ = self.callers.health();
            let (began, before) = (Instant::now(), ProcessorTime::now());
            self.hold(level, began + WINDOW, &mut held, &conversation).await?;
            let used = ProcessorTime::now().and_then(|now| Some(now.since(before?)));
            let health = self.callers.health().unwrap_or_default();
            let figures = LevelFigures::new(held.now, health, used, began.elapsed());
            told(&figures);
            levels.push(figures);
            if figures.is_too_much() || figures.is_machine_full(self.cores) || level == self.most {
                break;
            }
            if start.elapsed() >= LAST_START {
                break;
            }
            level = level.saturating_mul(2).min(self.most);
        }
        let Held { ended, failed, first_failure, .. } = held;
        Ok(CapacityMeasured { cores: self.cores, levels, ended, failed, first_failure })
    }

    /// Holds so many callers until then: whoever ends is followed by another.
    async fn hold(
        &self,
        level: u32,
        until: Instant,
        held: &mut Held,
        conversation: &impl Fn(RunIndex) -> ConversationRequest,
    ) -> Result<(), SubmitError> {
        let mut joins = interval(Duration::from_secs(1) / self.joins.max(1));
        joins.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = sleep_until(until) => return Ok(()),
                update = self.callers.next_update() => {
                    if let UpdateKind::Ended { outcome, .. } = update.kind {
                        held.ended(&outcome);
                    }
                }
                _ = joins.tick(), if held.now < level => {
                    let run = RunIndex(held.begun);
                    self.callers.submit(vec![conversation(run)]).await?;
                    held.begun += 1;
                    held.now += 1;
                }
            }
        }
    }
}

impl Held {
    fn ended(&mut self, outcome: &Outcome) {
        self.now = self.now.saturating_sub(1);
        self.ended += 1;
        if let Outcome::Failed { class, detail } = outcome {
            self.failed += 1;
            self.first_failure.get_or_insert_with(|| format!("{}: {detail}", class.name()));
        }
    }
}
