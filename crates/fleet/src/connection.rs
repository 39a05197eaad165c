//! The connection to NATS: how it is made, how messages go out without ever blocking, requests and their failures.

use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{
    Client, ConnectErrorKind, ConnectOptions, Event, Message, Request, RequestErrorKind, Subscriber,
};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::protocol::{
    ForeignMessage, MAX_MESSAGE, REQUEST_TIMEOUT, Refusal, Role, SEND_TIMEOUT, Subjects, decode,
    encode,
};
use rushhour_core::profile::{TargetKind, parse_nats_url, target_kind};
use rushhour_core::units::{ForeignText, Secret, WorkerId};
use rushhour_livekit::http::{TrustError, TrustStore};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A server that answers nothing for two of these is gone.
const PING_EVERY: Duration = Duration::from_secs(2);
/// The longest wait between attempts to connect again.
const LONGEST_RECONNECT_WAIT: Duration = Duration::from_secs(1);
/// Messages that wait to be taken in, for each subscription; more of them are dropped, and sent again by whoever needs
/// an answer.
const SUBSCRIPTION_CAPACITY: usize = 65_536;

/// How to log in to NATS.
#[derive(Debug, Clone, Default)]
pub struct NatsLogin {
    /// A user name and a password.
    pub user: Option<(String, Secret)>,
    /// A token.
    pub token: Option<Secret>,
    /// The seed of an nkey.
    pub nkey: Option<Secret>,
    /// The text of a `.creds` file.
    pub credentials: Option<Secret>,
    /// A file with the authorities that signed the server's certificate.
    pub authorities: Option<PathBuf>,
    /// Files with a certificate of our own and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// Where the workers and the coordinator of a session meet.
#[derive(Debug, Clone)]
pub struct NatsConfig {
    /// The server, `nats://` or `tls://`.
    pub url: String,
    /// What the subjects begin with.
    pub namespace: String,
    /// How to log in.
    pub login: NatsLogin,
}

impl NatsConfig {
    /// The address, if tokens travel to it in clear, other than on this machine: the server may insist on TLS all the
    /// same.
    pub fn address_in_clear(&self) -> Option<&str> {
        let url = parse_nats_url(&self.url).ok()?;
        let is_local = target_kind(&url) == TargetKind::Loopback;
        (url.scheme() == "nats" && !is_local).then_some(&self.url)
    }
}

/// Why there is no connection to NATS.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// The address or the login cannot be used.
    #[error("{0}")]
    Config(String),
    /// Nobody is trusted over TLS.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The server did not let us in.
    #[error("the NATS server {url} did not accept the login: {detail}")]
    Login {
        /// The server.
        url: String,
        /// What it said.
        detail: ForeignText,
    },
    /// It was not reached.
    #[error("cannot connect to the NATS server {url}: {detail}")]
    Unreachable {
        /// The server.
        url: String,
        /// Why.
        detail: ForeignText,
    },
    /// TLS did not come about: one side does not trust the other.
    #[error("no TLS with the NATS server {url}: {detail}")]
    Tls {
        /// The server.
        url: String,
        /// Why.
        detail: ForeignText,
    },
    /// A connection that was there cannot be used.
    #[error("the NATS server does not take subscriptions: {0}")]
    Subscribe(ForeignText),
    /// A connection that was there was closed for good.
    #[error("the connection to the NATS server was closed")]
    Closed,
}

impl NatsError {
    /// What the reader can do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Config(_) => {
                "write nats://HOST:PORT, and log in with NATS_USER and NATS_PASSWORD, NATS_TOKEN, NATS_NKEY or NATS_CREDS"
            }
            Self::Trust(_) => "set NATS_CA to a file with the authority's certificate",
            Self::Tls { .. } => {
                "set NATS_CA to a file with the certificate of the server's authority; where the server asks for a certificate of yours, NATS_CERT and NATS_KEY"
            }
            Self::Login { .. } => {
                "check NATS_USER and NATS_PASSWORD, NATS_TOKEN, NATS_NKEY or NATS_CREDS"
            }
            Self::Unreachable { .. } => "check the address, and that nats-server runs there",
            Self::Subscribe(_) => {
                "check the permissions of this user in the server's configuration"
            }
            Self::Closed => "look into the log of nats-server, and start this again",
        }
    }
}

/// A connection. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connection {
    client: Client,
    pub(crate) subjects: Arc<Subjects>,
    reconnects: Arc<AtomicU64>,
}

impl Connection {
    /// Connects as `process`, which `role` names in the server's list of connections.
    pub(crate) async fn open(
        config: &NatsConfig,
        process: WorkerId,
        role: Role,
    ) -> Result<Self, NatsError> {
        let address = parse_nats_url(&config.url).map_err(|problem| {
            NatsError::Config(format!("{}: {problem}", "the address of NATS"))
        })?;
        let subjects = Subjects::new(&config.namespace);
        let reconnects = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&reconnects);
        let mut options = login(&config.login)?
            .name(format!("rushhour {} {process}", role.name()))
            .custom_inbox_prefix(subjects.inbox(role, process))
            .connection_timeout(CONNECT_TIMEOUT)
            .ping_interval(PING_EVERY)
            .subscription_capacity(SUBSCRIPTION_CAPACITY)
            .reconnect_delay_callback(|attempts| {
                let doubled = 50_u64 << attempts.min(5);
                Duration::from_millis(doubled).min(LONGEST_RECONNECT_WAIT)
            })
            // A balancer's address is the one that the user named; others may not be reachable from here.
            .ignore_discovered_servers()
            .event_callback(move |event| {
                if matches!(event, Event::Disconnected) {
                    counted.fetch_add(1, Relaxed);
                }
                tracing::info!(event = %ForeignText::from(event.to_string()), "NATS");
                std::future::ready(())
            });
        if address.scheme() == "tls" {
            options = options.require_tls(true);
        }
        let client = options.connect(config.url.as_str()).await.map_err(|error| {
            let url = config.url.clone();
            let detail = ForeignText::from(with_causes(&error));
            match error.kind() {
                ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
                    NatsError::Login { url, detail }
                }
                ConnectErrorKind::Tls => NatsError::Tls { url, detail },
                _ if is_of_tls(&error) => NatsError::Tls { url, detail },
                _ => NatsError::Unreachable { url, detail },
            }
        })?;
        Ok(Self { client, subjects: Arc::new(subjects), reconnects })
    }

    /// How often the connection was lost.
    pub(crate) fn reconnects(&self) -> u64 {
        self.reconnects.load(Relaxed)
    }

    pub(crate) fn is_up(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    pub(crate) async fn subscribe(&self, subject: String) -> Result<Subscriber, NatsError> {
        let subscribed = self.client.subscribe(subject).await;
        subscribed.map_err(|error| NatsError::Subscribe(error.to_string().into()))
    }

    /// A subject that answers to a roll call may come to.
    pub(crate) fn new_inbox(&self) -> String {
        self.client.new_inbox()
    }

    /// Waits until the server has what was sent.
    pub(crate) async fn flush(&self) {
        let _ = timeout(REQUEST_TIMEOUT, self.client.flush()).await;
    }

    /// Sends a message if there is a connection. Whoever needs to know that it arrived waits for an answer.
    pub(crate) async fn send<T: Serialize>(&self, subject: String, body: &T) {
        self.send_bytes(subject, encode(body)).await;
    }

    async fn send_bytes(&self, subject: String, bytes: Bytes) {
        if bytes.len() > MAX_MESSAGE {
            tracing::warn!(bytes = bytes.len(), "a message is too large for NATS");
            return;
        }
        if self.is_up() {
            let _ = timeout(SEND_TIMEOUT, self.client.publish(subject, bytes)).await;
        }
    }

    /// Asks everybody on a subject; answers come to `inbox`.
    pub(crate) async fn ask_all<T: Serialize>(&self, subject: String, inbox: String, body: &T) {
        let asked = self.client.publish_with_reply(subject, inbox, encode(body));
        let _ = timeout(SEND_TIMEOUT, asked).await;
    }

    /// Answers a request.
    pub(crate) async fn answer<T: Serialize>(
        &self,
        request: &Message,
        answer: &Result<T, Refusal>,
    ) {
        if let Some(reply) = &request.reply {
            self.send_bytes(reply.to_string(), encode(answer)).await;
        }
    }

    /// Asks, and waits for the answer, once.
    pub(crate) async fn request<T: Serialize, R: DeserializeOwned>(
        &self,
        subject: String,
        body: &T,
        within: Duration,
    ) -> Result<R, RequestFailure> {
        let payload = encode(body);
        if payload.len() > MAX_MESSAGE {
            return Err(RequestFailure::Foreign(ForeignMessage::TooLarge(payload.len())));
        }
        let request = Request::new().payload(payload).timeout(Some(within));
        let sent = timeout(within + SEND_TIMEOUT, self.client.send_request(subject, request)).await;
        let message = match sent {
            Ok(Ok(message)) => message,
            Ok(Err(error)) => {
                return Err(match error.kind() {
                    RequestErrorKind::NoResponders => RequestFailure::NobodyThere,
                    RequestErrorKind::TimedOut => RequestFailure::TimedOut,
                    _ => RequestFailure::NotSent(error.to_string().into()),
                });
            }
            Err(_) => return Err(RequestFailure::TimedOut),
        };
        let answer: Result<R, Refusal> =
            decode(&message.payload).map_err(RequestFailure::Foreign)?;
        answer.map_err(RequestFailure::Refused)
    }
}

/// Why a request has no answer that says that it was done.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum RequestFailure {
    /// Certainly not delivered: nobody listens.
    #[error("nobody listens")]
    NobodyThere,
    /// It may have been delivered.
    #[error("no answer in time")]
    TimedOut,
    /// Certainly not done.
    #[error("{0}")]
    Refused(Refusal),
    /// The answer is not of this protocol.
    #[error("the answer: {0}")]
    Foreign(ForeignMessage),
    /// It was not sent.
    #[error("not sent: {0}")]
    NotSent(ForeignText),
}

fn login(login: &NatsLogin) -> Result<ConnectOptions, NatsError> {
    let mut options = ConnectOptions::new();
    if let Some((user, password)) = &login.user {
        options = options.user_and_password(user.clone(), password.expose().to_owned());
    }
    if let Some(token) = &login.token {
        options = options.token(token.expose().to_owned());
    }
    if let Some(seed) = &login.nkey {
        options = options.nkey(seed.expose().to_owned());
    }
    if let Some(credentials) = &login.credentials {
        // The library looks for the end of the last line.
        let lines = format!("{}\n", credentials.expose());
        options = options.credentials(&lines).map_err(|_| {
            NatsError::Config("what NATS_CREDS names is not a file of credentials".to_owned())
        })?;
    }
    if let Some((certificate, key)) = &login.certificate {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    match &login.authorities {
        Some(authorities) => {
            // The library takes what the process has installed. Whatever was installed before serves.
            let _ = async_nats::rustls::crypto::aws_lc_rs::default_provider().install_default();
            Ok(options.add_root_certificates(authorities.clone()))
        }
        // A certificate of our own comes with a configuration of the library's.
        None if login.certificate.is_some() => {
            TrustStore::system()?;
            Ok(options)
        }
        None => {
            let trust = TrustStore::system()?.tls_config();
            Ok(options.tls_client_config(trust.as_ref().clone()))
        }
    }
}

/// Whether TLS refused something: the library has such an error among those of reading and writing.
fn is_of_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    type Inside = dyn std::error::Error + Send + Sync;
    let errors = std::iter::successors(Some(error), |error| error.source());
    errors
        .filter_map(|error| error.downcast_ref::<std::io::Error>())
        .any(|error| error.get_ref().is_some_and(Inside::is::<async_nats::rustls::Error>))
}

/// An error and what caused it, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let one = error.to_string();
        if !text.contains(&one) {
            text = format!("{text}: {one}");
        }
        cause = error.source();
    }
    text
}

/// A random number: no two processes have the same.
pub(crate) fn random_u32() -> u32 {
    // The standard library keys its hashers with randomness of the operating system.
    let random = std::hash::RandomState::new().build_hasher().finish();
    u32::try_from(random >> 32).unwrap_or(0)
}
