//! What a worker does as its coordinator commands.

use std::sync::Arc;

use async_nats::Message;

use super::event_loop::{Worker, WorkerEvent, WorkerLifetime};
use super::held_session::{Admission, Callers, EndReason, HeldSession, WorkerLimits};
use super::preparation::prepare;
use crate::clock::WorkerTime;
use crate::connection::random_u32;
use crate::protocol::{
    Acknowledge, Attach, Attached, ClockAnswer, Command, Done, Fence, Refusal, RunCommand, Submit,
    decode,
};
use rushhour_core::evaluator::{ConversationRequest, Evaluator};
use rushhour_core::units::{EvaluatorRunId, RoomName, Secret};

impl Worker {
    pub(super) async fn commanded(&mut self, message: &Message) {
        let received = self.woke();
        let command = match decode::<Command>(&message.payload) {
            Ok(command) => command,
            Err(error) => {
                let refusal = Refusal::Foreign(error.to_string());
                self.connection.answer::<()>(message, &Err(refusal)).await;
                return;
            }
        };
        match command {
            Command::Clock => {
                let [received, answered] =
                    [received, self.now()].map(|time| WorkerTime::from_micros(time.0));
                let answer = Ok(ClockAnswer { received, answered });
                self.connection.answer(message, &answer).await;
            }
            Command::Attach(attach) => {
                let answer = self.attach(&attach);
                self.connection.answer(message, &answer).await;
                self.send_updates().await;
            }
            Command::Submit(submit) => {
                let answer = self.submit(*submit).await;
                self.connection.answer(message, &answer).await;
            }
            Command::End(end) => match self.callers_of(&end) {
                Ok(callers) => {
                    // Answered once the caller has left: whoever asked deletes the room then.
                    let (connection, message) = (self.connection.clone(), message.clone());
                    let (answer, run) = (Ok(self.done()), EvaluatorRunId::of_native(end.run));
                    tokio::spawn(async move {
                        if let Some(callers) = callers {
                            let _ = callers.end_call(run).await;
                        }
                        connection.answer(&message, &answer).await;
                    });
                }
                Err(refusal) => self.connection.answer::<Done>(message, &Err(refusal)).await,
            },
            Command::AgentIsHidden(hidden) => {
                let callers = self.callers_of(&hidden);
                if let Ok(Some(callers)) = &callers {
                    callers.agent_is_hidden(EvaluatorRunId::of_native(hidden.run)).await;
                }
                let answer = callers.map(|_| self.done());
                self.connection.answer(message, &answer).await;
            }
            Command::Acknowledge(acknowledge) => {
                let answer = self.acknowledge(&acknowledge);
                self.connection.answer(message, &answer).await;
                self.send_updates().await;
            }
            Command::Release(fence) => {
                let answer = self.release(&fence);
                self.connection.answer(message, &answer).await;
            }
            Command::Drain => {
                self.drain();
                let answer = Ok(self.done());
                self.connection.answer(message, &answer).await;
            }
        }
    }

    fn done(&self) -> Done {
        let held = self.held.as_ref().map_or(0, HeldSession::live);
        Done { held, capacity: self.capacity }
    }

    fn attach(&mut self, attach: &Attach) -> Result<Attached, Refusal> {
        let now = self.now();
        let Attach { fence, lease, setup } = attach;
        let lets_go = self
            .held
            .as_ref()
            .is_some_and(|held| held.fence.session != fence.session && held.is_let_go(now));
        if lets_go {
            self.forget();
        }
        if let Some(held) = &mut self.held {
            held.take_over(fence, *setup, *lease, now)?;
            let (next, runs) = (held.outbox.next_expected(), held.open_runs());
            return Ok(Attached { stream: held.stream, next, runs });
        }
        if self.draining {
            return Err(Refusal::Draining);
        }
        let stream = random_u32();
        self.held = Some(HeldSession::new(fence.clone(), *setup, stream, *lease, now));
        self.tell(WorkerEvent::Attached { session: fence.session.clone() });
        let preparation = prepare(
            self.connection.clone(),
            self.cache.clone(),
            fence.coordinator,
            *setup,
            self.config.factory.clone(),
        );
        let prepared = self.prepared.clone();
        tokio::spawn(async move {
            // Nobody listens once the worker has stopped.
            let _ = prepared.send((stream, preparation.await));
        });
        Ok(Attached { stream, next: 1, runs: Vec::new() })
    }

    async fn submit(&mut self, submit: Submit) -> Result<Done, Refusal> {
        let now = self.now();
        let submit = match &self.config.livekit_url {
            Some(url) => Submit { livekit_url: url.clone(), ..submit },
            None => submit,
        };
        let limits = WorkerLimits {
            capacity: self.capacity,
            draining: self.draining,
            allowed: &self.config.allowed,
        };
        let held = self.held.as_mut().ok_or(Refusal::UnknownSession)?;
        if held.admit(&submit, limits, now)? == Admission::Known {
            return Ok(self.done());
        }
        let Callers::Ready(callers) = &held.callers else { return Err(Refusal::UnknownSession) };
        let run = submit.run;
        let request = ConversationRequest {
            run,
            scenario: submit.scenario,
            mode: submit.mode,
            network: submit.network,
            livekit_url: submit.livekit_url,
            room: RoomName::new(submit.room),
            token: Secret::new(submit.token),
        };
        let submitted = callers.submit(vec![request]).await;
        submitted.map_err(|error| Refusal::Failed(error.detail()))?;
        held.began(run, now);
        Ok(self.done())
    }

    /// The callers to whom a command about one of their runs goes, if there are any.
    fn callers_of(&mut self, command: &RunCommand) -> Result<Option<Arc<dyn Evaluator>>, Refusal> {
        let now = self.now();
        let held = self.held.as_mut().ok_or(Refusal::UnknownSession)?;
        held.obey(&command.fence, now)?;
        Ok(self.callers().cloned())
    }

    fn acknowledge(&mut self, acknowledge: &Acknowledge) -> Result<Done, Refusal> {
        let now = self.now();
        let held = self.held.as_mut().ok_or(Refusal::UnknownSession)?;
        held.obey(&acknowledge.fence, now)?;
        if acknowledge.stream == held.stream {
            held.outbox.acknowledge(acknowledge.up_to, acknowledge.expected, now);
        }
        Ok(self.done())
    }

    fn release(&mut self, fence: &Fence) -> Result<Done, Refusal> {
        let now = self.now();
        let Some(held) = &mut self.held else { return Ok(self.done()) };
        held.obey(fence, now)?;
        let runs = held.end_all(EndReason::Released);
        self.end_calls(&runs);
        self.forget();
        if self.config.lifetime == WorkerLifetime::OneSession {
            self.drain();
        }
        Ok(self.done())
    }
}
