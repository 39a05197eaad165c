//! The participants of the worker's jobs: agents, their avatars, and agents that take over.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::agent::AgentEvent;
use super::session::{AgentContext, AgentSession, AvatarLink, AvatarSession};
use super::status::WorkerStats;
use super::worker::{Assignment, HandOver, JobEnd, JobRunner, SessionEnd, Worker};
use rushhour_callers::audio::OpusError;
use rushhour_callers::engine::{Engine, JoinRequest, ParticipantControl, ParticipantHandler};
use rushhour_callers::participant::JoinConfig;
use rushhour_core::units::{Identity, Micros, Secret};
use rushhour_livekit::{ParticipantClaims, TokenError, TokenRequest, TokenSigner};

/// How long a participant that we make ourselves may take to join.
const TOKEN_LIFETIME: Micros = Micros::from_secs(60);
/// The attribute in which an avatar names its agent.
const PUBLISH_ON_BEHALF: &str = "lk.publish_on_behalf";

/// A job whose session has started.
pub(super) struct RunningJob {
    assignment: Assignment,
    agent: ParticipantControl,
    /// The agent that took over.
    successor: Option<ParticipantControl>,
}

/// Why a participant cannot be started.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Opus(#[from] OpusError),
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// Starts and stops the sessions of the worker's jobs.
pub(super) struct SessionRegistry<F> {
    pub(super) url: String,
    pub(super) token_signer: TokenSigner,
    pub(super) context: Arc<AgentContext>,
    pub(super) stats: Arc<WorkerStats>,
    pub(super) engine: Engine,
    pub(super) session_ended: UnboundedSender<(String, SessionEnd)>,
    /// By job id.
    pub(super) jobs: HashMap<String, RunningJob>,
    pub(super) registered: bool,
    pub(super) on_event: F,
}

impl<F> SessionRegistry<F> {
    /// Joins an agent, with its avatar if it has one: the one that the job is for, or another that goes on with it.
    fn join_agent(
        &self,
        assignment: &Assignment,
        taking_over: Option<HandOver>,
    ) -> Result<ParticipantControl, StartError> {
        let (identity, token) = match &taking_over {
            None => (assignment.identity.clone(), assignment.token.clone()),
            Some(from) => {
                let claims = ParticipantClaims::default();
                (from.to.clone(), self.sign(assignment, from.to.clone(), claims)?)
            }
        };
        let avatar = self.join_avatar(assignment, &identity)?;
        let (session_ended, job) = (self.session_ended.clone(), assignment.job.clone());
        let on_end = Box::new(move |end| {
            // Fails only once the worker has stopped.
            let _ = session_ended.send((job, end));
        });
        let context = Arc::clone(&self.context);
        let mut session = AgentSession::new(context, assignment, avatar, on_end)?;
        if let Some(from) = taking_over {
            session = session.taking_over(from);
        }
        Ok(self.join(assignment, token, session.join_config(), Box::new(session)))
    }

    fn join_avatar(
        &self,
        assignment: &Assignment,
        agent: &Identity,
    ) -> Result<Option<AvatarLink>, StartError> {
        if !self.context.has_avatar() {
            return Ok(None);
        }
        let (room, mode) = (assignment.room.clone(), assignment.mode);
        let context = Arc::clone(&self.context);
        let (avatar, link) = AvatarSession::new(context, room, agent.clone(), mode);
        let mut claims = ParticipantClaims::default();
        claims.attributes.insert(PUBLISH_ON_BEHALF.to_owned(), agent.as_str().to_owned());
        let token = self.sign(assignment, avatar.identity().clone(), claims)?;
        // It leaves with its agent, so that nobody has to stop it.
        let _ = self.join(assignment, token, avatar.join_config(), Box::new(avatar));
        Ok(Some(link))
    }

    fn sign(
        &self,
        assignment: &Assignment,
        identity: Identity,
        participant: ParticipantClaims,
    ) -> Result<Secret, TokenError> {
        self.token_signer.sign_for_agent(TokenRequest {
            identity,
            room: assignment.room.clone(),
            lifetime: TOKEN_LIFETIME,
            agent: None,
            participant,
        })
    }

    fn join(
        &self,
        assignment: &Assignment,
        token: Secret,
        config: JoinConfig,
        handler: Box<dyn ParticipantHandler>,
    ) -> ParticipantControl {
        let url = assignment.url.clone().unwrap_or_else(|| self.url.clone());
        self.engine.join(JoinRequest { url, token, config, network: None, handler })
    }

    fn fail(&self, job: String, error: &StartError) {
        let failed = SessionEnd::Job(JobEnd::Failed(error.to_string()));
        // Fails only once the worker has stopped.
        let _ = self.session_ended.send((job, failed));
    }
}

impl<F: FnMut(AgentEvent)> JobRunner for SessionRegistry<F> {
    fn start(&mut self, assignment: Assignment) {
        match self.join_agent(&assignment, None) {
            Ok(agent) => {
                let job = assignment.job.clone();
                self.jobs.insert(job, RunningJob { assignment, agent, successor: None });
            }
            Err(error) => self.fail(assignment.job, &error),
        }
    }

    fn hand_over(&mut self, job: &str, mut hand_over: HandOver) {
        let gap = std::mem::take(&mut hand_over.gap);
        if gap > Micros::ZERO {
            let (again, job) = (self.session_ended.clone(), job.to_owned());
            tokio::spawn(async move {
                tokio::time::sleep(gap.as_duration()).await;
                // Fails only once the worker has stopped.
                let _ = again.send((job, SessionEnd::HandedOver(Box::new(hand_over))));
            });
            return;
        }
        let Some(running) = self.jobs.get(job) else { return };
        match self.join_agent(&running.assignment, Some(hand_over)) {
            Ok(successor) => {
                if let Some(running) = self.jobs.get_mut(job) {
                    running.successor = Some(successor);
                }
            }
            Err(error) => self.fail(job.to_owned(), &error),
        }
    }

    fn stop(&mut self, job: &str) {
        // The server ends a job when its participant leaves. An agent that took over stays.
        if let Some(running) = self.jobs.get(job) {
            running.agent.stop();
        }
    }

    fn stop_all(&mut self) {
        for running in self.jobs.values() {
            running.agent.stop();
            if let Some(successor) = &running.successor {
                successor.stop();
            }
        }
    }

    fn remove(&mut self, job: &str) {
        self.jobs.remove(job);
    }

    fn update(&mut self, worker: &Worker) {
        self.stats.update(worker);
        if worker.is_registered() != self.registered {
            self.registered = worker.is_registered();
            (self.on_event)(AgentEvent::Registered(self.registered));
        }
    }
}
