//! Fetching what a session needs, and preparing callers from it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;

use crate::blobs::{BlobHash, BlobStore};
use crate::connection::{Connection, RequestFailure};
use crate::protocol::{
    BlobRequest, MAX_BLOB, MAX_CACHE, MAX_SCRIPTS, REQUEST_TIMEOUT, ScriptFile, SessionSetup,
};
use rushhour_callers::NativeCallers;
use rushhour_callers::audio::Clip;
use rushhour_callers::caller::PreparedScript;
use rushhour_callers::engine::{EngineClock, NetworkAccess};
use rushhour_core::evaluator::Evaluator;
use rushhour_core::units::{ForeignText, WorkerId};
use rushhour_livekit::http::TrustStore;

/// How often a piece that did not come is asked for again.
const ATTEMPTS: usize = 5;

/// Makes the callers of a session: real ones, or others for tests.
pub trait CallerFactory: Send + Sync + 'static {
    /// The callers of a session, ready to be given conversations.
    ///
    /// # Errors
    /// In words.
    fn make(&self, session: PreparedSession) -> Result<Arc<dyn Evaluator>, String>;
}

/// What callers are made from.
pub struct PreparedSession {
    /// What is the same for all of them.
    pub setup: SessionSetup,
    /// The scripts, each with its clips.
    pub scripts: Vec<(ScriptFile, BTreeMap<String, Bytes>)>,
}

/// Makes native callers.
pub struct NativeFactory {
    /// The clock that their times are of.
    pub clock: EngineClock,
    /// The threads that serve them.
    pub threads: usize,
}

impl CallerFactory for NativeFactory {
    fn make(&self, session: PreparedSession) -> Result<Arc<dyn Evaluator>, String> {
        let PreparedSession { setup, scripts } = session;
        let mut clips: HashMap<BlobHash, Clip> = HashMap::new();
        let mut prepared = HashMap::new();
        for (one, (file, bytes)) in setup.scripts.iter().zip(&scripts) {
            let script = PreparedScript::new(&file.script, one.mode, |name| {
                let hash = file.clips.get(name).ok_or_else(|| format!("no clip {name}"))?;
                if let Some(clip) = clips.get(hash) {
                    return Ok(clip.clone());
                }
                let bytes = bytes.get(name).ok_or_else(|| format!("no clip {name}"))?;
                let clip = Clip::from_bytes(bytes).map_err(|error| error.to_string())?;
                clips.insert(*hash, clip.clone());
                Ok::<_, String>(clip)
            });
            let script = script.map_err(|error| format!("scenario {}: {error}", one.scenario))?;
            prepared.insert((one.scenario.clone(), one.mode), Arc::new(script));
        }
        let trust = match &setup.authorities {
            Some(pem) => TrustStore::with_authorities(pem.as_bytes()),
            None => TrustStore::system(),
        };
        let network = NetworkAccess {
            trust: trust.map_err(|error| error.to_string())?,
            transport: setup.transport,
        };
        let callers = NativeCallers::new(setup.settings, setup.networks, setup.seed, prepared);
        callers
            .start(self.clock, self.threads, network)
            .map_err(|error| format!("cannot start the callers' threads: {error}"))?;
        Ok(Arc::new(callers))
    }
}

/// Blobs that the worker has, for this session and the next.
pub(super) type BlobCache = Arc<Mutex<BlobStore>>;

/// Fetches everything that a setup names, and makes the callers.
///
/// # Errors
/// In words.
pub(super) async fn prepare(
    connection: Connection,
    cache: BlobCache,
    coordinator: WorkerId,
    setup: BlobHash,
    factory: Arc<dyn CallerFactory>,
) -> Result<Arc<dyn Evaluator>, String> {
    let fetch = Fetch { connection, cache, coordinator };
    let bytes = fetch.get(setup).await?;
    let setup: SessionSetup = serde_json::from_slice(&bytes)
        .map_err(|_| "the setup of the session is not one of this version".to_owned())?;
    if setup.scripts.len() > MAX_SCRIPTS {
        return Err(format!("a session has at most {MAX_SCRIPTS} scripts"));
    }
    let mut scripts = Vec::with_capacity(setup.scripts.len());
    let mut used: HashSet<BlobHash> = HashSet::new();
    let mut total = 0;
    for one in &setup.scripts {
        let bytes = fetch.get(one.script).await?;
        let file: ScriptFile = serde_json::from_slice(&bytes)
            .map_err(|_| format!("the script of scenario {} is not one", one.scenario))?;
        let mut clips = BTreeMap::new();
        for (name, hash) in &file.clips {
            let clip = fetch.get(*hash).await?;
            if used.insert(*hash) {
                total += clip.len();
            }
            if total > MAX_CACHE {
                return Err(format!("the clips of a session have at most {MAX_CACHE} bytes"));
            }
            clips.insert(name.clone(), clip);
        }
        used.insert(one.script);
        scripts.push((file, clips));
    }
    fetch.forget_others(&used);
    // Decoding clips takes time, which callers must not wait for.
    let made =
        tokio::task::spawn_blocking(move || factory.make(PreparedSession { setup, scripts }));
    made.await.map_err(|error| error.to_string())?
}

struct Fetch {
    connection: Connection,
    cache: BlobCache,
    coordinator: WorkerId,
}

impl Fetch {
    async fn get(&self, hash: BlobHash) -> Result<Bytes, String> {
        if let Some(known) = self.with_cache(|cache| cache.get(hash)) {
            return Ok(known);
        }
        let mut bytes: Vec<u8> = Vec::new();
        loop {
            let chunk = self.chunk(hash, bytes.len() as u64).await?;
            if chunk.is_empty() {
                break;
            }
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_BLOB {
                return Err(format!("a script or clip has at most {MAX_BLOB} bytes"));
            }
        }
        if BlobHash::of(&bytes) != hash {
            return Err(format!("what came for {hash} is something else"));
        }
        let bytes = Bytes::from(bytes);
        self.with_cache(|cache| cache.add(bytes.clone()));
        Ok(bytes)
    }

    /// A piece from an offset on; empty at the end.
    async fn chunk(&self, hash: BlobHash, offset: u64) -> Result<Vec<u8>, String> {
        let mut failure = None;
        for _ in 0..ATTEMPTS {
            let subject = self.connection.subjects.blobs(self.coordinator);
            let request = BlobRequest { hash, offset };
            match self.connection.request::<_, String>(subject, &request, REQUEST_TIMEOUT).await {
                Ok(chunk) => {
                    return BASE64.decode(chunk).map_err(|_| "a piece is not base64".to_owned());
                }
                Err(RequestFailure::Refused(refusal)) => return Err(refusal.to_string()),
                Err(error) => failure = Some(error),
            }
        }
        let why = failure.map_or_else(String::new, |error| error.to_string());
        Err(format!("the coordinator does not send the script {hash}: {why}"))
    }

    /// Makes room for the next session where there is none left.
    fn forget_others(&self, used: &HashSet<BlobHash>) {
        self.with_cache(|cache| {
            if cache.bytes() > MAX_CACHE / 2 {
                cache.retain(|hash| used.contains(&hash));
            }
        });
    }

    fn with_cache<R>(&self, act: impl FnOnce(&mut BlobStore) -> R) -> R {
        act(&mut self.cache.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A failure in words that may be shown.
pub(super) fn shown(text: String) -> String {
    ForeignText::from(text).to_string()
}
