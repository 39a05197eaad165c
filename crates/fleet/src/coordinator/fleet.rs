//! [`Fleet`]: callers on workers, as an evaluator.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{Mutex as AsyncMutex, Notify};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::member::Standing;
use super::state::{FleetState, Placement};
use crate::blobs::{BlobHash, BlobStore};
use crate::connection::{Connection, RequestFailure};
use crate::protocol::{
    Command, Done, Fence, REQUEST_TIMEOUT, Refusal, RunCommand, Submit, UpdateBatch,
};
use rushhour_core::BoxFuture;
use rushhour_core::evaluator::{
    AcceptedSubmission, CallerUpdate, ConversationRequest, Evaluator, EvaluatorCapabilities,
    PollError, RunStatus, SubmitError, SubmitErrorKind,
};
use rushhour_core::event::{RunMapping, WorkerHealth};
use rushhour_core::units::{EvaluatorRunId, Micros, RunIndex, SessionTime, WorkerId};

/// How long a caller that is asked to leave may take.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long to wait before workers are tried again that all refused.
const TRY_AGAIN: Duration = Duration::from_millis(100);
/// How often a command about a conversation is sent.
const COMMAND_ATTEMPTS: usize = 3;

/// What the evaluator and its tasks share.
pub(super) struct Shared {
    pub(super) connection: Connection,
    pub(super) fence: Fence,
    pub(super) lease: Micros,
    pub(super) setup: BlobHash,
    pub(super) blobs: BlobStore,
    /// Where times of the coordinator count from.
    pub(super) zero: Instant,
    /// How long a conversation may wait for a worker.
    pub(super) patience: Duration,
    pub(super) state: Mutex<FleetState>,
    pub(super) updates: UnboundedSender<CallerUpdate>,
    /// Notified when a worker was heard of, or a run has ended.
    pub(super) changed: Notify,
    /// Where the session's clock stood when the coordinator began.
    pub(super) session_zero: Mutex<i64>,
}

/// Native callers on other machines, as an [`Evaluator`].
pub struct Fleet {
    pub(super) shared: Arc<Shared>,
    pub(super) updates: AsyncMutex<UnboundedReceiver<CallerUpdate>>,
    pub(super) tasks: Vec<JoinHandle<()>>,
    /// Runs that workers hold from before this process.
    pub(super) held: Vec<RunIndex>,
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Fleet {
    /// Runs that workers hold from before this process, or whose last updates they have.
    pub fn held_runs(&self) -> &[RunIndex] {
        &self.held
    }

    /// How many workers take conversations, and how many callers they are meant to hold.
    pub fn size(&self) -> (usize, u64) {
        self.shared.with_state(|state| {
            let capacity = state.ready().map(|one| u64::from(one.report.capacity)).sum();
            (state.ready().count(), capacity)
        })
    }

    /// Begins the session's clock, whose time 0 was at `anchor`. Before it nothing may be submitted.
    pub fn start(&self, anchor: std::time::Instant) {
        let zero = self.shared.zero.into_std();
        let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        let session_zero = match zero.checked_duration_since(anchor) {
            Some(before) => micros(before),
            None => -micros(anchor.saturating_duration_since(zero)),
        };
        *self.shared.session_zero.lock().unwrap_or_else(PoisonError::into_inner) = session_zero;
        self.shared.with_state(|state| state.set_session_zero(session_zero));
    }

    /// Tells the workers that the session is over. They end the callers that are left.
    pub async fn release(&self) {
        let workers: Vec<WorkerId> = self.shared.with_state(|state| {
            // Those that were given up too: they may still have callers.
            let asked = state
                .members()
                .filter(|(_, one)| one.standing == Standing::Attached || one.stream.is_some());
            asked.map(|(worker, _)| worker).collect()
        });
        let release = Command::Release(self.shared.fence.clone());
        let connection = &self.shared.connection;
        let requests = workers.into_iter().map(|worker| {
            let subject = connection.subjects.command(worker);
            connection.request::<_, Done>(subject, &release, REQUEST_TIMEOUT)
        });
        futures_util::future::join_all(requests).await;
    }
}

/// How a request to a worker to have a conversation ended.
enum Asked {
    /// It has it.
    Accepted,
    /// It certainly does not have it, and another may.
    Elsewhere(String),
    /// Nobody will have it, for a reason that holds for every worker.
    Rejected(String),
    /// It may have had it, and was not heard of since: its callers have left.
    GivenUp(String),
}

impl Shared {
    /// The time since the coordinator began.
    pub(super) fn now(&self) -> Micros {
        Micros::from(self.zero.elapsed())
    }

    fn session_now(&self) -> SessionTime {
        let zero = *self.session_zero.lock().unwrap_or_else(PoisonError::into_inner);
        SessionTime(self.now().0.saturating_add_signed(zero))
    }

    fn lock(&self) -> MutexGuard<'_, FleetState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn with_state<R>(&self, act: impl FnOnce(&mut FleetState) -> R) -> R {
        act(&mut self.lock())
    }

    /// Gives updates to the driver, in the order in which they were counted.
    fn hand_out(&self, decide: impl FnOnce(&mut FleetState) -> Vec<CallerUpdate>) {
        let mut state = self.lock();
        for update in decide(&mut state) {
            // The receiver is gone only when the session is over.
            let _ = self.updates.send(update);
        }
        drop(state);
        self.changed.notify_waiters();
    }

    pub(super) fn take_in(&self, batch: UpdateBatch) {
        let now = self.now();
        self.hand_out(|state| state.updated(batch, now));
    }

    pub(super) fn expire(&self) {
        let (now, at) = (self.now(), self.session_now());
        self.hand_out(|state| state.expire(now, at));
    }

    async fn submit(&self, request: ConversationRequest) -> Result<WorkerId, SubmitError> {
        let until = Instant::now() + self.patience;
        let run = request.run;
        loop {
            let changed = self.changed.notified();
            let placement = self.with_state(|state| state.place(run, self.now()));
            let why = match placement {
                Placement::On(worker) => match self.ask(worker, &request).await {
                    Asked::Accepted => return Ok(worker),
                    Asked::Elsewhere(why) => {
                        tracing::info!(run = run.0, %worker, why, "a worker did not take a run");
                        self.with_state(|state| state.refused(run));
                        why
                    }
                    Asked::Rejected(why) => {
                        self.with_state(|state| state.refused(run));
                        let message = format!("worker {worker}: {why}");
                        return Err(SubmitError::new(SubmitErrorKind::Rejected, message));
                    }
                    Asked::GivenUp(why) => {
                        let message = format!("worker {worker} did not answer: {why}");
                        return Err(SubmitError::new(SubmitErrorKind::Generator, message));
                    }
                },
                Placement::Later(_) => "joins of a worker keep a distance".to_owned(),
                Placement::Full => "every worker is full".to_owned(),
                Placement::Nobody => "no worker is there".to_owned(),
            };
            if Instant::now() >= until {
                let kind = match placement {
                    Placement::Nobody => SubmitErrorKind::GeneratorGone,
                    Placement::On(_) | Placement::Later(_) | Placement::Full => {
                        SubmitErrorKind::Generator
                    }
                };
                let waited = Micros::from(self.patience);
                let message = format!("no worker took the conversation within {waited}: {why}");
                return Err(SubmitError::new(kind, message));
            }
            if let Placement::Later(at) = placement {
                let wait = at.saturating_sub(self.now()).as_duration();
                tokio::time::sleep(wait.min(TRY_AGAIN)).await;
            } else {
                let _ = timeout(TRY_AGAIN, changed).await;
            }
        }
    }

    /// Asks a worker to have a conversation, until it is known whether it has.
    async fn ask(&self, worker: WorkerId, request: &ConversationRequest) -> Asked {
        let found = self.with_state(|state| {
            let member = state.member(worker)?;
            Some((member.stream?, member.estimate()?.offset.middle_us()))
        });
        let Some((stream, offset)) = found else {
            return Asked::Elsewhere("its clock is not known".to_owned());
        };
        let mut may_have_it = false;
        loop {
            let valid = self.now() + Micros::from(REQUEST_TIMEOUT) + Micros::from(REQUEST_TIMEOUT);
            let valid_until = SessionTime(valid.0.saturating_add_signed(offset.saturating_neg()));
            let submit = Command::Submit(Box::new(Submit {
                fence: self.fence.clone(),
                stream,
                run: request.run,
                scenario: request.scenario.clone(),
                mode: request.mode,
                network: request.network,
                livekit_url: request.livekit_url.clone(),
                room: request.room.as_str().to_owned(),
                token: request.token.expose().to_owned(),
                valid_until,
            }));
            let subject = self.connection.subjects.command(worker);
            let answer =
                self.connection.request::<_, Done>(subject, &submit, REQUEST_TIMEOUT).await;
            let error = match answer {
                Ok(_) => {
                    // What was given up meanwhile has no updates any more.
                    let run = request.run;
                    if self.with_state(|state| state.accepted(run, worker, stream)) {
                        return Asked::Accepted;
                    }
                    // It has it, and can be reached: its caller must not join a room that is deleted.
                    self.ask_until_heard(worker, &self.end_command(run)).await;
                    return Asked::GivenUp("its answer came too late".to_owned());
                }
                Err(RequestFailure::Refused(refusal)) => match refused(&refusal, may_have_it) {
                    Some(asked) => return asked,
                    None => RequestFailure::Refused(refusal),
                },
                Err(RequestFailure::NobodyThere) if !may_have_it => {
                    return Asked::Elsewhere(RequestFailure::NobodyThere.to_string());
                }
                Err(error) => error,
            };
            may_have_it |= matches!(error, RequestFailure::TimedOut | RequestFailure::Foreign(_));
            if self.with_state(|state| state.is_lost(worker, stream)) {
                return if may_have_it {
                    Asked::GivenUp(error.to_string())
                } else {
                    Asked::Elsewhere(error.to_string())
                };
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    async fn end(&self, run: RunIndex) {
        let Some(worker) = self.with_state(|state| state.worker_of(run)) else { return };
        self.ask_until_heard(worker, &self.end_command(run)).await;
        let left = async {
            loop {
                let changed = self.changed.notified();
                if self.with_state(|state| state.worker_of(run)) != Some(worker) {
                    return;
                }
                changed.await;
            }
        };
        let _ = timeout(LEAVE_TIMEOUT, left).await;
    }

    fn end_command(&self, run: RunIndex) -> Command {
        Command::End(RunCommand { fence: self.fence.clone(), run })
    }

    async fn agent_is_hidden(&self, run: RunIndex) {
        let Some(worker) = self.with_state(|state| state.worker_of(run)) else { return };
        let hidden = Command::AgentIsHidden(RunCommand { fence: self.fence.clone(), run });
        self.ask_until_heard(worker, &hidden).await;
    }

    /// Sends a command about a conversation to its worker, until that has heard of it or does not answer.
    async fn ask_until_heard(&self, worker: WorkerId, command: &Command) {
        for _ in 0..COMMAND_ATTEMPTS {
            let subject = self.connection.subjects.command(worker);
            let asked = self.connection.request::<_, Done>(subject, command, REQUEST_TIMEOUT).await;
            // A refusal too says that it has heard of it.
            if matches!(
                asked,
                Ok(_) | Err(RequestFailure::Refused(_) | RequestFailure::NobodyThere)
            ) {
                break;
            }
        }
    }
}

/// What a refusal means for the run; `None` if it is worth asking again.
fn refused(refusal: &Refusal, may_have_it: bool) -> Option<Asked> {
    let why = refusal.to_string();
    match refusal {
        Refusal::Late => None,
        // It has another session now, or another coordinator: what it had of ours has ended.
        Refusal::UnknownSession
        | Refusal::OtherSession { .. }
        | Refusal::OtherCoordinator { .. }
            if may_have_it =>
        {
            Some(Asked::GivenUp(why))
        }
        Refusal::Full { .. }
        | Refusal::BufferFull(_)
        | Refusal::Draining
        | Refusal::NotReady(_)
        | Refusal::UnknownSession
        | Refusal::OtherSession { .. }
        | Refusal::OtherCoordinator { .. } => Some(Asked::Elsewhere(why)),
        Refusal::UnknownScript { .. }
        | Refusal::HostNotAllowed { .. }
        | Refusal::Foreign(_)
        | Refusal::Failed(_) => Some(Asked::Rejected(why)),
    }
}

impl Evaluator for Fleet {
    fn capabilities(&self) -> EvaluatorCapabilities {
        EvaluatorCapabilities::NATIVE
    }

    fn submit(
        &self,
        entries: Vec<ConversationRequest>,
    ) -> BoxFuture<'_, Result<AcceptedSubmission, SubmitError>> {
        Box::pin(async move {
            let (mut runs, mut worker) = (Vec::with_capacity(entries.len()), None);
            for entry in entries {
                let run = entry.run;
                worker = Some(self.shared.submit(entry).await?);
                runs.push(Some(EvaluatorRunId::of_native(run)));
            }
            Ok(AcceptedSubmission { result: None, runs, mapping: RunMapping::Proven, worker })
        })
    }

    fn poll(&self, _: Vec<EvaluatorRunId>) -> BoxFuture<'_, Result<Vec<RunStatus>, PollError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn end_call(&self, run: EvaluatorRunId) -> BoxFuture<'_, Result<(), PollError>> {
        Box::pin(async move {
            if let Some(run) = run.native_run() {
                self.shared.end(run).await;
            }
            Ok(())
        })
    }

    fn agent_is_hidden(&self, run: EvaluatorRunId) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(run) = run.native_run() {
                self.shared.agent_is_hidden(run).await;
            }
        })
    }

    fn next_update(&self) -> BoxFuture<'_, CallerUpdate> {
        Box::pin(async move {
            let update = self.updates.lock().await.recv().await;
            update.expect("`shared.updates` keeps the channel open")
        })
    }

    fn heard_until(&self, run: &EvaluatorRunId) -> Option<SessionTime> {
        let run = run.native_run()?;
        self.shared.with_state(|state| state.heard_until(run))
    }

    fn worker_health(&self) -> Vec<WorkerHealth> {
        let now = self.shared.now();
        self.shared.with_state(|state| state.take_health(now))
    }

    fn updates_are_durable(&self, updates: u64) {
        self.shared.with_state(|state| state.durable(updates));
    }
}
