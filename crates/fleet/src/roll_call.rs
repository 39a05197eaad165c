//! Who is there: a roll call of the workers of a namespace, what each says of itself, and asking one to drain.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use crate::clock::{ClockExchange, WorkerClock};
use crate::connection::{Connection, NatsConfig, NatsError, RequestFailure, random_u32};
use crate::protocol::{
    ClockAnswer, Command, Done, ForeignMessage, MAX_WORKERS, REQUEST_TIMEOUT, ROLL_CALL, Role,
    WorkerReport, decode,
};
use rushhour_core::units::{Micros, SessionTime, WorkerId};

/// A worker that answered, and how far away it is.
#[derive(Debug, Clone)]
pub struct PresentWorker {
    /// What it says.
    pub report: WorkerReport,
    /// The shortest round trip of a message to it; none if it did not answer.
    pub round_trip: Option<Micros>,
    /// How far its clock's offset can be known, at best; none if it did not answer.
    pub clock_within: Option<Micros>,
}

/// Everybody who answered.
#[derive(Debug, Clone, Default)]
pub struct RollCall {
    /// The workers, in the order of their ids.
    pub workers: Vec<PresentWorker>,
    /// Answers that could not be understood, each once: workers of another version, or somebody else's.
    pub foreign: Vec<ForeignMessage>,
}

/// How many times a clock is asked.
const CLOCK_SAMPLES: usize = 4;
/// Workers whose clocks are asked at once: those of a hundred machines across an ocean answer within seconds, and few enough
/// that their answers do not wait for each other.
const MEASURED_AT_ONCE: usize = 8;

/// Asks all workers of a namespace what they do.
///
/// # Errors
/// There is no connection to NATS.
pub async fn call_roll(config: &NatsConfig) -> Result<RollCall, NatsError> {
    let connection =
        Connection::open(config, WorkerId::new(random_u32()), Role::Coordinator).await?;
    let (reports, foreign) = collect_reports(&connection, ROLL_CALL).await?;
    let present = reports.into_iter().map(|report| measure(&connection, report));
    let workers = futures_util::stream::iter(present).buffered(MEASURED_AT_ONCE).collect().await;
    Ok(RollCall { workers, foreign })
}

async fn measure(connection: &Connection, report: WorkerReport) -> PresentWorker {
    let (mut clock, zero) = (WorkerClock::default(), Instant::now());
    let mut last = None;
    for _ in 0..CLOCK_SAMPLES {
        let Some(exchange) = measure_clock(connection, report.worker, zero).await else { break };
        if clock.take(exchange).is_ok() {
            last = Some(exchange.answered);
        }
    }
    let estimate = last.and_then(|at| clock.offset_at(at));
    let round_trip = estimate.map(|estimate| estimate.round_trip);
    let clock_within = estimate.map(|estimate| estimate.offset.half_width());
    PresentWorker { report, round_trip, clock_within }
}

/// Asks a worker to take no more runs and to exit once the last one has ended.
///
/// # Errors
/// There is no connection, or nobody has this id; the text says which.
pub async fn drain_worker(config: &NatsConfig, worker: WorkerId) -> Result<(), DrainError> {
    let connection =
        Connection::open(config, WorkerId::new(random_u32()), Role::Coordinator).await?;
    let subject = connection.subjects.command(worker);
    let asked = connection.request::<_, Done>(subject, &Command::Drain, REQUEST_TIMEOUT).await;
    asked.map(|_| ()).map_err(|failure| DrainError::Failed(failure.to_string()))
}

/// Why a worker does not drain.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// There is no connection.
    #[error(transparent)]
    Nats(#[from] NatsError),
    /// It did not answer.
    #[error("the worker did not answer: {0}")]
    Failed(String),
}

/// What every worker says within a time, and what was not understood.
pub(crate) async fn collect_reports(
    connection: &Connection,
    within: Duration,
) -> Result<(Vec<WorkerReport>, Vec<ForeignMessage>), NatsError> {
    let inbox = connection.new_inbox();
    let mut answers = connection.subscribe(inbox.clone()).await?;
    connection.ask_all(connection.subjects.roll_call(), inbox, &()).await;
    let until = Instant::now() + within;
    let mut reports: BTreeMap<WorkerId, WorkerReport> = BTreeMap::new();
    let mut foreign = Vec::new();
    while let Ok(Some(message)) = timeout_at(until, answers.next()).await {
        if message.status.is_some() {
            // Nobody listens.
            break;
        }
        match decode::<WorkerReport>(&message.payload) {
            Ok(report) if reports.len() < MAX_WORKERS => {
                reports.insert(report.worker, report);
            }
            Ok(_) => break,
            Err(error) if !foreign.contains(&error) && foreign.len() < MAX_WORKERS => {
                foreign.push(error);
            }
            Err(_) => {}
        }
    }
    Ok((reports.into_values().collect(), foreign))
}

/// Asks a worker for the time once; times of this side count from `zero`.
pub(crate) async fn measure_clock(
    connection: &Connection,
    worker: WorkerId,
    zero: Instant,
) -> Option<ClockExchange> {
    let sent = SessionTime(Micros::from(zero.elapsed()).0);
    let subject = connection.subjects.command(worker);
    let answer: Result<ClockAnswer, RequestFailure> =
        connection.request(subject, &Command::Clock, REQUEST_TIMEOUT).await;
    let returned = SessionTime(Micros::from(zero.elapsed()).0);
    let ClockAnswer { received, answered } = answer.ok()?;
    Some(ClockExchange { sent, received, answered, returned })
}
