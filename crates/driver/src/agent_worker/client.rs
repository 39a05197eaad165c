//! [`WorkerClient`]: polls a worker, with bounds on time and size.

use std::time::Duration;

use futures_util::future::join_all;

use super::error::WorkerPollError;
use super::metrics::parse_metrics;
use super::prometheus::{combined, parse_query_answer};
use super::worker_status::parse_status;
use rushhour_core::event::AgentHealth;
use rushhour_core::profile::{AgentHealthSettings, PrometheusQueries};
use rushhour_core::units::Secret;
use rushhour_livekit::http::{HttpClient, TransportError, TrustStore};

const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_RESPONSE: usize = 1024 * 1024;

/// Polls the health of the worker that a profile names.
#[derive(Debug, Clone)]
pub struct WorkerClient {
    client: HttpClient,
    settings: AgentHealthSettings,
    /// What is sent to Prometheus in the header Authorization.
    authorization: Option<Secret>,
}

impl WorkerClient {
    /// A client for the endpoints in `settings`. Only Prometheus gets `authorization`.
    ///
    /// # Errors
    /// No HTTP client can be built on this machine.
    pub fn new(
        settings: AgentHealthSettings,
        authorization: Option<Secret>,
    ) -> Result<Self, TransportError> {
        // Workers are on this machine, Prometheus may be behind a proxy.
        let client = match &settings.prometheus {
            Some(queries) => {
                HttpClient::for_service(&queries.url, &TrustStore::system()?, TIMEOUT)?
            }
            None => HttpClient::direct(TIMEOUT)?,
        };
        Ok(Self { client, settings, authorization })
    }

    /// What the workers report; [`AgentHealth::error`] says why, where none reports anything.
    pub async fn poll(&self) -> AgentHealth {
        if let Some(queries) = &self.settings.prometheus {
            return self.poll_prometheus(queries).await;
        }
        if self.settings.others.is_empty() {
            return self.poll_first().await;
        }
        // All at once, so that one that does not answer holds up none.
        let others = self.settings.others.iter().map(|url| self.poll_status(url));
        let (first, others) = tokio::join!(self.poll_first(), join_all(others));
        let is_named = self.settings.url.is_some() || self.settings.metrics.is_some();
        let first = is_named.then_some(first);
        AgentHealth::of_workers(first.into_iter().chain(others).collect())
    }

    /// All queries at once.
    async fn poll_prometheus(&self, queries: &PrometheusQueries) -> AgentHealth {
        let answers = queries.each().map(|(figure, query)| async move {
            let mut request =
                self.client.get(&queries.query_url()).query(&[("query", query), ("timeout", "5s")]);
            if let Some(secret) = &self.authorization {
                request = request.header("authorization", secret.expose());
            }
            let answer = self.client.send(request, MAX_RESPONSE).await;
            let answer = answer.map_err(WorkerPollError::from).and_then(|response| {
                if response.truncated {
                    return Err(WorkerPollError::TooLong { max_bytes: MAX_RESPONSE });
                }
                // Prometheus says in its answer why it refused a query.
                match parse_query_answer(&response.body) {
                    Err(WorkerPollError::QueryRefused(why)) => {
                        Err(WorkerPollError::QueryRefused(why))
                    }
                    _ if !response.is_success() => Err(WorkerPollError::Status(response.status)),
                    parsed => parsed,
                }
            });
            (figure, answer)
        });
        combined(join_all(answers).await)
    }

    async fn poll_status(&self, url: &str) -> AgentHealth {
        let answered = self.get(url).await.and_then(|body| parse_status(&body));
        answered.unwrap_or_else(|error| AgentHealth {
            error: Some(error.to_string()),
            ..AgentHealth::default()
        })
    }

    async fn poll_first(&self) -> AgentHealth {
        let mut health = AgentHealth::default();
        let mut errors = Vec::new();
        if let Some(url) = &self.settings.url {
            match self.get(url).await.and_then(|body| parse_status(&body)) {
                Ok(status) => health = status,
                Err(error) => errors.push(error.to_string()),
            }
        }
        if let Some(url) = &self.settings.metrics {
            let parse = |body: Vec<u8>| parse_metrics(&String::from_utf8_lossy(&body));
            match self.get(url).await.and_then(parse) {
                Ok(metrics) => {
                    health = AgentHealth {
                        jobs: health.jobs.or(metrics.jobs),
                        load: health.load.or(metrics.load),
                        children: metrics.children,
                        memory: metrics.memory.or(health.memory),
                        ..AgentHealth::default()
                    };
                }
                Err(error) => errors.push(error.to_string()),
            }
        }
        if health == AgentHealth::default() {
            health.error = Some(errors.join("; "));
        }
        health
    }

    async fn get(&self, url: &str) -> Result<Vec<u8>, WorkerPollError> {
        let response = self.client.send(self.client.get(url), MAX_RESPONSE).await?;
        if response.truncated {
            return Err(WorkerPollError::TooLong { max_bytes: MAX_RESPONSE });
        }
        if !response.is_success() {
            return Err(WorkerPollError::Status(response.status));
        }
        Ok(response.body)
    }
}
