//! Asking a worker how it is; on this machine alone, in bounded time, for answers of bounded size.

use std::time::Duration;

use super::exposition::read_exposition;
use super::status::read_status;
use rushhour_core::event::AgentHealth;
use rushhour_core::profile::AgentHealthSettings;
use rushhour_livekit::http::{HttpClient, TransportError};

/// How long an answer may take.
const WITHIN: Duration = Duration::from_secs(5);
/// The largest answer that is taken in.
const LARGEST: usize = 1024 * 1024;

/// Asks a worker how it is.
#[derive(Debug, Clone)]
pub struct WorkerClient {
    client: HttpClient,
    settings: AgentHealthSettings,
}

impl WorkerClient {
    /// A watch of the worker that a profile names.
    ///
    /// # Errors
    /// Where the machine offers no client, in words.
    pub fn new(settings: AgentHealthSettings) -> Result<Self, TransportError> {
        Ok(Self { client: HttpClient::new(WITHIN)?, settings })
    }

    /// What the worker says; where it could not be asked, that it is so.
    pub async fn look(&self) -> AgentHealth {
        let mut health = AgentHealth::default();
        let mut troubles = Vec::new();
        if let Some(url) = &self.settings.url {
            match self.ask(url).await.and_then(|body| read_status(&body)) {
                Ok(said) => health = said,
                Err(trouble) => troubles.push(trouble),
            }
        }
        if let Some(url) = &self.settings.metrics {
            let read = |body: Vec<u8>| read_exposition(&String::from_utf8_lossy(&body));
            match self.ask(url).await.and_then(read) {
                Ok(said) => {
                    health = AgentHealth {
                        jobs: health.jobs.or(said.jobs),
                        load: health.load.or(said.load),
                        children: said.children,
                        memory: said.memory.or(health.memory),
                        error: None,
                    };
                }
                Err(trouble) => troubles.push(trouble),
            }
        }
        if health == AgentHealth::default() {
            health.error = Some(troubles.join("; "));
        }
        health
    }

    async fn ask(&self, url: &str) -> Result<Vec<u8>, String> {
        let answer = self
            .client
            .send(self.client.get(url), LARGEST)
            .await
            .map_err(|error| error.to_string())?;
        if answer.cut {
            return Err(format!("its answer is longer than {LARGEST} bytes"));
        }
        if !answer.is_success() {
            return Err(format!("it answered {}", answer.status));
        }
        Ok(answer.body)
    }
}
