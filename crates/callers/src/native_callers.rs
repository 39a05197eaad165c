//! Our own callers as an evaluator: has the conversations that the driver submits, and reports what happens in them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex as AsyncMutex, Notify};

use super::caller::{Caller, CallerConfig, PreparedScript};
use super::engine::{Engine, EngineClock, JoinRequest, NetworkAccess, ParticipantControl};
use super::network::EmulatedNetwork;
use super::participant::{JoinConfig, ReconnectBounds, ReconnectPolicy, prepare_certificate};
use super::recording_store::RecordingStore;
use rushhour_core::BoxFuture;
use rushhour_core::evaluator::{
    AcceptedSubmission, CallerUpdate, ConversationRequest, Evaluator, EvaluatorCapabilities,
    PollError, RunStatus, SubmitError, SubmitErrorKind, UpdateKind,
};
use rushhour_core::event::{CallersHealth, RunMapping};
use rushhour_core::profile::{
    NativeSettings, NetworkConditions, ReconnectMode, ReconnectSettings, RunVariables, Template,
};
use rushhour_core::units::{EvaluatorRunId, Mode, RunIndex, ScenarioId};

/// How long a caller that is asked to leave may take.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Our own callers, as an [`Evaluator`].
pub struct NativeCallers {
    engine: OnceLock<Engine>,
    settings: NativeSettings,
    /// The network conditions of the profile.
    networks: Vec<NetworkConditions>,
    /// The session's seed, for placeholders and networks.
    seed: u64,
    scripts: HashMap<(ScenarioId, Mode), Arc<PreparedScript>>,
    recordings: OnceLock<Arc<dyn RecordingStore>>,
    active: ActiveCallers,
    update_sender: UnboundedSender<CallerUpdate>,
    updates: AsyncMutex<UnboundedReceiver<CallerUpdate>>,
    last_health: Mutex<CallersHealth>,
}

/// What a caller can be told from outside.
#[derive(Clone)]
struct ActiveCaller {
    control: ParticipantControl,
    agent_is_hidden: Arc<AtomicBool>,
}

/// The callers whose conversations are not over.
#[derive(Default)]
struct ActiveCallers {
    callers: Mutex<HashMap<RunIndex, ActiveCaller>>,
    /// Notified whenever a caller has left.
    left: Notify,
}

impl ActiveCallers {
    fn with<R>(&self, act: impl FnOnce(&mut HashMap<RunIndex, ActiveCaller>) -> R) -> R {
        act(&mut self.callers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn until_left(&self, run: RunIndex) {
        loop {
            let left = self.left.notified();
            if !self.with(|callers| callers.contains_key(&run)) {
                return;
            }
            left.await;
        }
    }
}

impl NativeCallers {
    /// Callers that follow the script of their scenario and mode, once they are [started](Self::start).
    pub fn new(
        settings: NativeSettings,
        networks: Vec<NetworkConditions>,
        seed: u64,
        scripts: HashMap<(ScenarioId, Mode), Arc<PreparedScript>>,
    ) -> Self {
        // Here, before the session's clock is read: the cryptography library seeds itself for some 30 ms, by which the first
        // run would start late.
        prepare_certificate();
        let (update_sender, updates) = unbounded_channel();
        Self {
            engine: OnceLock::new(),
            settings,
            networks,
            seed,
            scripts,
            recordings: OnceLock::new(),
            active: ActiveCallers::default(),
            update_sender,
            updates: AsyncMutex::new(updates),
            last_health: Mutex::default(),
        }
    }

    /// Starts the engine with the session's clock, on `threads` threads, for callers that reach their server as `network` says. Must be called within a tokio runtime, before
    /// the first submission. Only the first call has an effect.
    ///
    /// # Errors
    /// If the system cannot start the threads.
    pub fn start(
        &self,
        clock: EngineClock,
        threads: usize,
        network: NetworkAccess,
    ) -> std::io::Result<()> {
        let engine = Engine::start_with(clock, threads, network)?;
        let _ = self.engine.set(engine);
        Ok(())
    }

    /// Records conversations from now on. Only the first call has an effect.
    pub fn record_into(&self, recordings: Arc<dyn RecordingStore>) {
        let _ = self.recordings.set(recordings);
    }

    fn call(&self, request: ConversationRequest) -> Result<EvaluatorRunId, SubmitError> {
        let rejected = |message| SubmitError::new(SubmitErrorKind::Rejected, message);
        let ConversationRequest { run, scenario, mode, network, livekit_url: url, token, .. } =
            request;
        let script = self
            .scripts
            .get(&(scenario.clone(), mode))
            .ok_or_else(|| rejected(format!("scenario {scenario} has no script for {mode}")))?;
        let variables =
            RunVariables { run: run.first_call(), scenario: &scenario, seed: self.seed, mode };
        let answer =
            |(method, payload): (&String, &Template)| (method.clone(), payload.fill_in(&variables));
        let rpc_answers = self.settings.rpc.iter().map(answer).collect();
        let abandons = script.abandons(self.seed, run);
        let updates = self.update_sender.clone();
        let agent_is_hidden = Arc::new(AtomicBool::new(false));
        let caller = Caller::new(CallerConfig {
            run,
            mode,
            script: script.clone(),
            settings: self.settings.clone(),
            rpc_answers,
            abandons,
            agent_is_hidden: agent_is_hidden.clone(),
            on_update: Box::new(move |update| {
                // The receiver is gone only when the session is over.
                let _ = updates.send(update);
            }),
            recording: self.recordings.get().and_then(|recordings| recordings.open(run)),
        })
        .map_err(|error| rejected(error.to_string()))?;
        let engine = self
            .engine
            .get()
            .ok_or_else(|| rejected("the callers have not been started".to_owned()))?;
        let config = JoinConfig {
            publish_audio: mode == Mode::Voice,
            reconnect: reconnect_policy(self.settings.staying),
            ..JoinConfig::default()
        };
        let conditions = network.and_then(|at| self.networks.get(at as usize));
        let network = conditions.map(|one| EmulatedNetwork::new(one, self.seed, run));
        let handler = Box::new(caller);
        let control = engine.join(JoinRequest { url, token, config, network, handler });
        self.active.with(|callers| callers.insert(run, ActiveCaller { control, agent_is_hidden }));
        Ok(EvaluatorRunId::of_native(run))
    }
}

const fn reconnect_policy(settings: ReconnectSettings) -> ReconnectPolicy {
    let ReconnectSettings { mode, attempts, within } = settings;
    match mode {
        ReconnectMode::Off => ReconnectPolicy::Off,
        ReconnectMode::On => {
            ReconnectPolicy::Rejoin(ReconnectBounds { attempts, within: within.micros() })
        }
    }
}

impl Evaluator for NativeCallers {
    fn capabilities(&self) -> EvaluatorCapabilities {
        EvaluatorCapabilities::NATIVE
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
            worker: None,
        })))
    }

    fn poll(&self, _: Vec<EvaluatorRunId>) -> BoxFuture<'_, Result<Vec<RunStatus>, PollError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn end_call(&self, run: EvaluatorRunId) -> BoxFuture<'_, Result<(), PollError>> {
        Box::pin(async move {
            let Some(run) = run.native_run() else { return Ok(()) };
            if let Some(caller) = self.active.with(|callers| callers.get(&run).cloned()) {
                caller.control.stop();
            }
            let _ = tokio::time::timeout(LEAVE_TIMEOUT, self.active.until_left(run)).await;
            self.active.with(|callers| callers.remove(&run));
            Ok(())
        })
    }

    fn agent_is_hidden(&self, run: EvaluatorRunId) -> BoxFuture<'_, ()> {
        if let Some(run) = run.native_run()
            && let Some(caller) = self.active.with(|callers| callers.get(&run).cloned())
        {
            caller.agent_is_hidden.store(true, Relaxed);
        }
        Box::pin(std::future::ready(()))
    }

    fn next_update(&self) -> BoxFuture<'_, CallerUpdate> {
        Box::pin(async move {
            let update = self.updates.lock().await.recv().await;
            let update = update.expect("`update_sender` keeps the channel open");
            if matches!(update.kind, UpdateKind::Ended { .. }) {
                self.active.with(|callers| callers.remove(&update.run));
                self.active.left.notify_waiters();
            }
            update
        })
    }

    fn health(&self) -> Option<CallersHealth> {
        let health = self.engine.get()?.health();
        let mut last = self.last_health.lock().unwrap_or_else(PoisonError::into_inner);
        let total = CallersHealth {
            callers: health.participants,
            ticks: health.ticks,
            late_ticks: health.late_ticks,
            latest_tick: health.max_tick_delay,
        };
        let since_last = CallersHealth {
            ticks: total.ticks - last.ticks,
            late_ticks: total.late_ticks - last.late_ticks,
            ..total
        };
        *last = total;
        Some(since_last)
    }
}
