//! The event loop: gives a session the time and its inputs, and executes its effects.

use std::io;

use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::time::{Duration, MissedTickBehavior};

use super::clock::SessionClock;
use super::executor::Executor;
use super::process_stats::ProcessStats;
use super::services::Services;
use super::session::Session;
use super::session_effect::SessionEffect;
use super::session_input::{ProcessSample, SessionInput};
use super::timer::DeadlineTimer;
use rushhour_core::evaluator::{CallerUpdate, Evaluator};
use rushhour_core::event::{Event, EventKind, EventSinkError};

/// How often to check that the journal can be written.
const JOURNAL_EVERY: Duration = Duration::from_secs(1);
/// How often to record what the process uses.
const HEALTH_EVERY: Duration = Duration::from_secs(10);
/// Inputs handled before the loop executes effects and checks the clock again.
const MAX_INPUT_BATCH: usize = 64;
/// Updates of callers that are taken in before an input.
const MAX_UPDATE_BATCH: usize = 100_000;

/// Why the events of a session are not complete.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The journal cannot be written. The session was brought to its end first.
    #[error(transparent)]
    Journal(#[from] EventSinkError),
    /// The system has no timer.
    #[error("the system provides no timer: {0}")]
    Timer(#[source] io::Error),
}

/// Drives a session to its end. Each message of `stops` stops it: [`SessionInput::Stop`], the first to drain and the
/// second at once, or [`SessionInput::Abort`].
///
/// # Errors
/// The events of the session are not complete.
pub async fn drive(
    mut session: Session,
    services: Services,
    clock: SessionClock,
    mut stops: mpsc::UnboundedReceiver<SessionInput>,
) -> Result<(), DriveError> {
    // Holds at most one input for each request under way, which the limit of runs in flight bounds.
    let (sender, mut inbox) = mpsc::unbounded_channel();
    let executor = Executor { services, clock, inbox: sender };
    let evaluator = executor.services.evaluator.clone();
    let mut journal = tokio::time::interval(JOURNAL_EVERY);
    let mut health = tokio::time::interval(HEALTH_EVERY);
    journal.set_missed_tick_behavior(MissedTickBehavior::Delay);
    health.set_missed_tick_behavior(MissedTickBehavior::Delay);
    health.reset();
    let process = ProcessStats::start();
    let mut stops_closed = false;
    // Updates of the evaluator that were taken in: their events are recorded before the next input.
    let mut updates = 0_u64;
    let timer = DeadlineTimer::new().map_err(DriveError::Timer)?;
    session.tick(clock.now());
    loop {
        for effect in session.take_effects() {
            if effect == SessionEffect::Finish {
                // Whoever stops the session from now on learns that every run has ended.
                stops.close();
                // What workers did since the last sample: of a short session that is everything.
                for worker in evaluator.worker_health() {
                    let kind = EventKind::WorkerHealth(worker);
                    executor.services.sink.record(Event { at: clock.now(), kind });
                }
                executor.services.sink.flush().await?;
                evaluator.updates_are_durable(updates);
                return Ok(());
            }
            executor.execute(effect);
        }
        timer.set(clock.until(session.next_deadline())).map_err(DriveError::Timer)?;
        tokio::select! {
            Some(input) = inbox.recv() => {
                // It may say until when updates were given out: those are taken in first.
                for _ in 0..MAX_UPDATE_BATCH {
                    let Some(update) = waiting_update(&*evaluator) else { break };
                    session.handle(executor.update_input(update), clock.now());
                    updates += 1;
                }
                session.handle(input, clock.now());
                for _ in 1..MAX_INPUT_BATCH {
                    let Ok(input) = inbox.try_recv() else { break };
                    session.handle(input, clock.now());
                }
            }
            update = evaluator.next_update() => {
                session.handle(executor.update_input(update), clock.now());
                updates += 1;
            }
            expired = timer.expired() => {
                expired.map_err(DriveError::Timer)?;
                session.tick(clock.now());
            }
            stop = stops.recv(), if !stops_closed => match stop {
                Some(stop) => session.handle(stop, clock.now()),
                None => stops_closed = true,
            },
            _ = health.tick() => {
                let (cpu, memory) = process.used();
                let callers = evaluator.health();
                let workers = evaluator.worker_health();
                let sample = ProcessSample { cpu, memory, callers, workers };
                session.handle(SessionInput::ProcessStats(sample), clock.now());
            }
            _ = journal.tick() => executor.check_journal(updates),
        }
    }
}

/// The next update, if it is there.
fn waiting_update(evaluator: &dyn Evaluator) -> Option<CallerUpdate> {
    // tokio lets a task have no more than some hundred of them at a time, and says that there are none.
    tokio::task::unconstrained(evaluator.next_update()).now_or_never()
}
