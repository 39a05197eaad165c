//! Callers that say what callers say, and have no conversations: for the cost of everything but media.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rushhour_callers::engine::EngineClock;
use rushhour_core::BoxFuture;
use rushhour_core::evaluator::{
    AcceptedSubmission, CallerUpdate, ConversationRequest, Evaluator, EvaluatorCapabilities,
    PollError, RunStatus, SubmitError, UpdateKind,
};
use rushhour_core::event::{Outcome, RunMapping, Turn, TurnEnding};
use rushhour_core::units::{EvaluatorRunId, Identity, Micros, RunIndex};
use rushhour_fleet::{CallerFactory, PreparedSession};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Turns of a conversation.
const TURNS: u64 = 10;

/// Makes simulated callers.
pub(crate) struct SimulatedFactory {
    pub(crate) clock: EngineClock,
    pub(crate) conversation: Duration,
}

impl CallerFactory for SimulatedFactory {
    fn make(&self, _: PreparedSession) -> Result<Arc<dyn Evaluator>, String> {
        let (submitted, runs) = unbounded_channel();
        let (sender, updates) = unbounded_channel();
        tokio::spawn(play(runs, sender, self.clock, Micros::from(self.conversation)));
        Ok(Arc::new(SimulatedCallers { submitted, updates: Mutex::new(updates) }))
    }
}

struct SimulatedCallers {
    submitted: UnboundedSender<RunIndex>,
    updates: Mutex<UnboundedReceiver<CallerUpdate>>,
}

/// When the next update of a run is due, in microseconds, the run, and how many updates it had.
type Due = BTreeMap<(u64, RunIndex), u64>;

async fn play(
    mut runs: UnboundedReceiver<RunIndex>,
    updates: UnboundedSender<CallerUpdate>,
    clock: EngineClock,
    conversation: Micros,
) {
    let mut due = Due::new();
    loop {
        let next = due.first_key_value().map(|((at, _), _)| *at);
        let wait = next.map_or(1_000_000, |at| at.saturating_sub(clock.now().0));
        tokio::select! {
            run = runs.recv() => match run {
                Some(run) => {
                    due.insert((clock.now().0 + 15_000, run), 0);
                }
                None => return,
            },
            () = tokio::time::sleep(Duration::from_micros(wait)) => {}
        }
        let now = clock.now();
        while let Some(first) = due.first_entry()
            && first.key().0 <= now.0
        {
            let ((at, run), had) = first.remove_entry();
            let kind = update(had, now);
            if had < TURNS + 3 {
                due.insert((at + pause(had, conversation), run), had + 1);
            }
            let update = CallerUpdate { run, at: now, within: Micros::ZERO, kind };
            if updates.send(update).is_err() {
                return;
            }
        }
    }
}

/// How long after an update the next one comes.
const fn pause(had: u64, conversation: Micros) -> u64 {
    match had {
        0 => 300_000,
        1 => 50_000,
        _ => conversation.0 / (TURNS + 1),
    }
}

fn update(had: u64, now: rushhour_core::units::SessionTime) -> UpdateKind {
    match had {
        0 => UpdateKind::Joined,
        1 => UpdateKind::AgentJoined { identity: Identity::new("agent-1"), joined_at_ms: None },
        2 => UpdateKind::AgentReady,
        turn if turn <= TURNS + 2 => UpdateKind::Turn(Box::new(Turn {
            first: Some(now - Micros::from_millis(700)),
            last: Some(now - Micros::from_millis(20)),
            done: Some(now - Micros::from_millis(20)),
            ..Turn::new(
                u32::try_from(turn - 2).unwrap_or(0),
                now - Micros::from_millis(1_500),
                TurnEnding::Answered,
            )
        })),
        _ => UpdateKind::Ended { outcome: Outcome::Completed { judged: None }, frames: None },
    }
}

impl Evaluator for SimulatedCallers {
    fn capabilities(&self) -> EvaluatorCapabilities {
        EvaluatorCapabilities::NATIVE
    }

    fn submit(
        &self,
        entries: Vec<ConversationRequest>,
    ) -> BoxFuture<'_, Result<AcceptedSubmission, SubmitError>> {
        let accept = |entry: ConversationRequest| {
            // The receiver lives as long as the callers.
            let _ = self.submitted.send(entry.run);
            Some(EvaluatorRunId::of_native(entry.run))
        };
        let runs = entries.into_iter().map(accept).collect();
        let accepted =
            AcceptedSubmission { result: None, runs, mapping: RunMapping::Proven, worker: None };
        Box::pin(std::future::ready(Ok(accepted)))
    }

    fn poll(&self, _: Vec<EvaluatorRunId>) -> BoxFuture<'_, Result<Vec<RunStatus>, PollError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn end_call(&self, _: EvaluatorRunId) -> BoxFuture<'_, Result<(), PollError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn next_update(&self) -> BoxFuture<'_, CallerUpdate> {
        Box::pin(async move {
            let update = self.updates.lock().await.recv().await;
            match update {
                Some(update) => update,
                None => std::future::pending().await,
            }
        })
    }
}
