//! Our own callers as an evaluator: it is told which conversations to hold, and tells what becomes of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex as AsyncMutex, Notify};

use super::caller::{Caller, CallerConfig, PreparedScript};
use super::engine::{Engine, EngineClock, JoinRequest, ParticipantControl};
use super::participant::JoinConfig;
use rushhour_core::BoxFuture;
use rushhour_core::evaluator::{
    AcceptedSubmission, CallerUpdate, ConversationRequest, Evaluator, EvaluatorCapabilities,
    PollError, RunStatus, SubmitError, SubmitErrorKind, UpdateKind, UpdateMode,
};
use rushhour_core::event::{CallersHealth, RunMapping};
use rushhour_core::profile::NativeSettings;
use rushhour_core::units::{EvaluatorRunId, Micros, Mode, RunIndex, ScenarioId};

/// A caller that was asked to leave is waited for no longer.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// Callers of our own.
pub struct NativeCallers {
    engine: OnceLock<Engine>,
    settings: NativeSettings,
    prompts: HashMap<(ScenarioId, Mode), Arc<PreparedScript>>,
    callers: Arc<ActiveCallers>,
    news: UnboundedSender<CallerUpdate>,
    told: AsyncMutex<UnboundedReceiver<CallerUpdate>>,
    last_health: Mutex<CallersHealth>,
}

/// The callers under way.
#[derive(Default)]
struct ActiveCallers {
    held: Mutex<HashMap<RunIndex, ParticipantControl>>,
    one_left: Notify,
}

impl ActiveCallers {
    fn with<R>(&self, act: impl FnOnce(&mut HashMap<RunIndex, ParticipantControl>) -> R) -> R {
        act(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl NativeCallers {
    /// Callers that [wait to begin](Self::begin), with what they say in each scenario and mode.
    pub fn new(
        settings: NativeSettings,
        prompts: HashMap<(ScenarioId, Mode), Arc<PreparedScript>>,
    ) -> Self {
        let (news, told) = unbounded_channel();
        Self {
            engine: OnceLock::new(),
            settings,
            prompts,
            callers: Arc::default(),
            news,
            told: AsyncMutex::new(told),
            last_health: Mutex::default(),
        }
    }

    /// Has them live by the session's clock, on so many threads. Must be called within a tokio runtime,
    /// and once.
    ///
    /// # Errors
    /// Where the system gives no threads.
    pub fn begin(&self, clock: EngineClock, threads: usize) -> std::io::Result<()> {
        let engine = Engine::start(clock, threads)?;
        // A second beginning would leave the first one's callers where they are.
        let _ = self.engine.set(engine);
        Ok(())
    }

    fn call(&self, entry: ConversationRequest) -> Result<EvaluatorRunId, SubmitError> {
        let rejected = |words: String| SubmitError::new(SubmitErrorKind::Rejected, words);
        let prompts = self.prompts.get(&(entry.scenario.clone(), entry.mode)).ok_or_else(|| {
            rejected(format!("scenario {} has no script for {}", entry.scenario, entry.mode))
        })?;
        let caller = Caller::new(CallerConfig {
            run: entry.run,
            mode: entry.mode,
            prompts: prompts.clone(),
            settings: self.settings.clone(),
            news: self.news.clone(),
        })
        .map_err(|error| rejected(error.to_string()).with_source(error))?;
        let engine =
            self.engine.get().ok_or_else(|| rejected("the callers have not begun".to_owned()))?;
        let held = engine.join(JoinRequest {
            url: entry.livekit_url,
            token: entry.token,
            config: JoinConfig { speaks: entry.mode == Mode::Voice, attributes: HashMap::new() },
            app: Box::new(caller),
        });
        self.callers.with(|callers| callers.insert(entry.run, held));
        Ok(EvaluatorRunId::new(entry.run.0.to_string()))
    }
}

impl Evaluator for NativeCallers {
    fn capabilities(&self) -> EvaluatorCapabilities {
        EvaluatorCapabilities {
            entries_per_request: 1,
            fill_within: Micros::ZERO,
            poll_every: Micros::from_secs(1),
            runs_per_poll: 1,
            updates: UpdateMode::Push,
        }
    }

    fn submit(
        &self,
        entries: Vec<ConversationRequest>,
    ) -> BoxFuture<'_, Result<AcceptedSubmission, SubmitError>> {
        let runs: Result<Vec<_>, SubmitError> =
            entries.into_iter().map(|entry| self.call(entry).map(Some)).collect();
        Box::pin(std::future::ready(runs.map(|runs| AcceptedSubmission {
            result: None,
            runs,
            mapping: RunMapping::Proven,
        })))
    }

    fn poll(&self, _: Vec<EvaluatorRunId>) -> BoxFuture<'_, Result<Vec<RunStatus>, PollError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn end_call(&self, run: EvaluatorRunId) -> BoxFuture<'_, Result<(), PollError>> {
        Box::pin(async move {
            let Ok(run) = run.as_str().parse().map(RunIndex) else { return Ok(()) };
            if let Some(held) = self.callers.with(|callers| callers.get(&run).cloned()) {
                held.stop();
            }
            let gone = async {
                loop {
                    let one_left = self.callers.one_left.notified();
                    if !self.callers.with(|callers| callers.contains_key(&run)) {
                        break;
                    }
                    one_left.await;
                }
            };
            // Its room is deleted in any case.
            let _ = tokio::time::timeout(LEAVE_WITHIN, gone).await;
            self.callers.with(|callers| callers.remove(&run));
            Ok(())
        })
    }

    fn next_update(&self) -> BoxFuture<'_, CallerUpdate> {
        Box::pin(async move {
            match self.told.lock().await.recv().await {
                Some(told) => {
                    if matches!(told.kind, UpdateKind::Ended { .. }) {
                        self.callers.with(|callers| callers.remove(&told.run));
                        self.callers.one_left.notify_waiters();
                    }
                    told
                }
                // This evaluator holds a sender itself.
                None => std::future::pending().await,
            }
        })
    }

    fn health(&self) -> Option<CallersHealth> {
        let health = self.engine.get()?.health();
        let mut last = self.last_health.lock().unwrap_or_else(PoisonError::into_inner);
        let now = CallersHealth {
            callers: health.participants,
            ticks: health.beats,
            late_ticks: health.late_beats,
            latest_tick: health.latest_beat,
        };
        let since = CallersHealth {
            ticks: now.ticks - last.ticks,
            late_ticks: now.late_ticks - last.late_ticks,
            ..now
        };
        *last = now;
        Some(since)
    }
}
