//! Finding the workers before the session, and having them prepare it.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::{Mutex as AsyncMutex, Notify};
use tokio::time::{Instant, timeout_at};

use super::fleet::{Fleet, Shared};
use super::state::FleetState;
use super::tasks;
use crate::blobs::BlobStore;
use crate::connection::{Connection, NatsConfig, NatsError, random_u32};
use crate::protocol::{Fence, ForeignMessage, ROLL_CALL, Role, SessionSetup};
use crate::roll_call::collect_reports;
use rushhour_core::units::{Micros, RunIndex, SessionId, WorkerId};

/// The most workers that a message names.
const MAX_NAMED: usize = 10;

/// What a session needs of its workers.
pub struct FleetConfig {
    /// Where they are.
    pub nats: NatsConfig,
    /// The session.
    pub session: SessionId,
    /// How often it was begun: 1 for a new one, and one more for each time that it was resumed.
    pub epoch: u32,
    /// What their callers need.
    pub setup: SessionSetup,
    /// The scripts and clips that the setup names.
    pub blobs: BlobStore,
    /// How long they hold their callers without a word of this process.
    pub lease: Micros,
    /// How many must be ready.
    pub at_least: u32,
    /// How many callers they must be able to hold together.
    pub callers: u64,
    /// How long to wait until they are ready.
    pub ready_within: Duration,
    /// How long a conversation may wait for a worker.
    pub patience: Duration,
    /// What the journal of a resumed session says.
    pub resumed: ResumedRuns,
}

/// What the journal of a resumed session says of the runs that had not ended.
#[derive(Debug, Clone, Default)]
pub struct ResumedRuns {
    /// How many events of updates it has of each.
    pub events: HashMap<RunIndex, u32>,
    /// Those whose audio it has.
    pub audio: HashSet<RunIndex>,
}

/// Why a session cannot begin on workers.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// There is no connection.
    #[error(transparent)]
    Nats(#[from] NatsError),
    /// Nobody answered.
    #[error("no worker answers on {url} in the namespace {namespace}{}", foreign_text(.foreign))]
    NoWorkers {
        /// The server.
        url: String,
        /// The namespace.
        namespace: String,
        /// What answered and was not understood.
        foreign: Vec<ForeignMessage>,
    },
    /// Too few became ready.
    #[error("{ready} of {needed} workers became ready within {within}{others}")]
    TooFew {
        /// How many did.
        ready: usize,
        /// How many were needed.
        needed: u32,
        /// In what time.
        within: Micros,
        /// What the others say.
        others: String,
    },
    /// They cannot hold what the plan has in flight.
    #[error(
        "the plan has up to {callers} callers at once, and the {workers} workers that are ready hold {capacity}"
    )]
    TooSmall {
        /// Callers of the plan.
        callers: u64,
        /// Workers.
        workers: usize,
        /// Callers that they hold.
        capacity: u64,
    },
}

impl FleetError {
    /// What the reader can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Nats(error) => error.hint().to_owned(),
            Self::NoWorkers { url, .. } => format!(
                "start `rushhour worker {url}` on each machine, with the same --namespace and the same version"
            ),
            Self::TooFew { .. } => {
                "start more workers, wait for those that are busy, or lower workers.at_least"
                    .to_owned()
            }
            Self::TooSmall { .. } => {
                "start more workers, give them a higher --capacity, or lower limits.in_flight"
                    .to_owned()
            }
        }
    }
}

fn foreign_text(foreign: &[ForeignMessage]) -> String {
    foreign.iter().take(MAX_NAMED).fold(String::new(), |mut text, one| {
        let _ = write!(text, "; one answered, but {one}");
        text
    })
}

/// What must be there before the session begins.
#[derive(Debug, Clone, Copy)]
struct Needs {
    at_least: u32,
    callers: u64,
    ready_within: Duration,
}

impl Fleet {
    /// Finds the workers, and waits until enough of them are ready. Must be called within a runtime, and before the
    /// session's clock begins.
    ///
    /// # Errors
    /// There are not enough of them; nothing was begun.
    pub async fn gather(config: FleetConfig) -> Result<Self, FleetError> {
        let FleetConfig { nats, session, epoch, setup, mut blobs, lease, resumed, .. } = config;
        let needs = Needs {
            at_least: config.at_least,
            callers: config.callers,
            ready_within: config.ready_within,
        };
        let coordinator = WorkerId::new(random_u32());
        let connection = Connection::open(&nats, coordinator, Role::Coordinator).await?;
        let setup = serde_json::to_vec(&setup);
        let setup = blobs.add(setup.expect("a setup is made of texts, numbers and lists"));
        let (sender, updates) = unbounded_channel();
        let ResumedRuns { events, audio } = resumed;
        let state = FleetState::new(session.clone(), lease, events, audio);
        let shared = Arc::new(Shared {
            connection,
            fence: Fence { session, epoch, coordinator },
            lease,
            setup,
            blobs,
            zero: Instant::now(),
            patience: config.patience,
            state: Mutex::new(state),
            updates: sender,
            changed: Notify::new(),
            session_zero: Mutex::new(0),
        });
        let (reports, foreign) = collect_reports(&shared.connection, ROLL_CALL).await?;
        if reports.is_empty() && needs.at_least > 0 {
            let NatsConfig { url, namespace, .. } = nats;
            return Err(FleetError::NoWorkers { url, namespace, foreign });
        }
        for report in reports {
            shared.with_state(|state| state.heard(report, shared.now()));
        }
        let mut held = Vec::new();
        let asked = shared.with_state(FleetState::take_unasked);
        let mut fleet = Self {
            shared: Arc::clone(&shared),
            updates: AsyncMutex::new(updates),
            tasks: tasks::listen(&shared).await?,
            held: Vec::new(),
        };
        let attaching = asked.into_iter().map(|(worker, forget)| shared.attach(worker, forget));
        for runs in futures_util::future::join_all(attaching).await {
            held.extend(runs);
        }
        held.sort_unstable();
        held.dedup();
        fleet.held = held;
        let until = Instant::now() + needs.ready_within;
        if let Err(error) = fleet.wait_until_ready(needs, until).await {
            fleet.release().await;
            return Err(error);
        }
        Ok(fleet)
    }

    async fn wait_until_ready(&self, config: Needs, until: Instant) -> Result<(), FleetError> {
        loop {
            let changed = self.shared.changed.notified();
            let (workers, capacity) = self.size();
            if workers >= config.at_least as usize && capacity >= config.callers {
                return Ok(());
            }
            if timeout_at(until, changed).await.is_ok() {
                continue;
            }
            if workers < config.at_least as usize {
                let within = Micros::from(config.ready_within);
                let others = self.who_is_not_ready();
                let (ready, needed) = (workers, config.at_least);
                return Err(FleetError::TooFew { ready, needed, within, others });
            }
            return Err(FleetError::TooSmall { callers: config.callers, workers, capacity });
        }
    }

    /// What those say that take no conversations.
    fn who_is_not_ready(&self) -> String {
        self.shared.with_state(|state| {
            let others = state.members().filter(|(_, member)| !member.is_ready()).take(MAX_NAMED);
            others.fold(String::new(), |mut text, (worker, member)| {
                let _ = write!(text, "; {worker}: {}", member.why_not_ready());
                text
            })
        })
    }
}
