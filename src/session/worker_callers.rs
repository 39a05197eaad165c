//! Native callers on workers: what they need, packed by hash, and the evaluator that has them once they are gathered.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::bounded_file::{MAX_CLIP, MAX_TEXT};
use crate::error::CliError;
use crate::nats_login::nats_config;
use crate::print;
use crate::profile_files::ProfileFiles;
use crate::speech::SpokenScripts;
use rushhour_core::evaluator::Evaluator;
use rushhour_core::plan::{Forecast, Plan};
use rushhour_core::profile::{NativeSettings, Profile, Script, WorkersSettings};
use rushhour_core::units::{Micros, Mode, RunIndex, SessionId};
use rushhour_driver::SessionClock;
use rushhour_fleet::{
    BlobHash, BlobStore, Fleet, FleetConfig, NatsConfig, ResumedRuns, ScriptFile, ScriptRef,
    SessionSetup,
};

/// Callers on workers, which are found before the session begins.
pub(crate) struct WorkerCallers {
    settings: WorkersSettings,
    nats: NatsConfig,
    /// What the workers fetch; taken when they are gathered.
    packed: Mutex<Option<(SessionSetup, BlobStore)>>,
    /// How many callers the plan has at once.
    callers: u64,
    patience: Micros,
    /// Once they are gathered.
    fleet: OnceLock<Arc<Fleet>>,
}

/// How a session is begun on its workers.
pub(crate) struct Gathering {
    /// The session.
    pub(crate) session: SessionId,
    /// How often it was begun.
    pub(crate) epoch: u32,
    /// Whether it starts no more runs, and can do without workers.
    pub(crate) finish_only: bool,
    /// What its journal says, where it has one.
    pub(crate) resumed: ResumedRuns,
}

impl WorkerCallers {
    /// Packs what the callers of a profile need.
    pub(crate) fn prepare(
        profile: &Profile,
        callers: &NativeSettings,
        workers: &WorkersSettings,
        files: &ProfileFiles,
    ) -> Result<Self, CliError> {
        let nats = nats_config(&workers.nats, &workers.namespace)?;
        let (mut blobs, mut known) = (BlobStore::default(), BTreeMap::new());
        let mut scripts = Vec::new();
        let spoken = SpokenScripts::prepare(profile, files)?;
        for scenario in profile.mix.scenarios() {
            for mode in profile.mode.modes() {
                let Some(script) = spoken.script(scenario, *mode) else { continue };
                let source = ClipSource { files, spoken: &spoken };
                let clips = pack_clips(script, *mode, &mut known, &mut blobs, source)?;
                let file = ScriptFile { script: script.clone(), clips };
                let bytes = serde_json::to_vec(&file).map_err(CliError::from_internal)?;
                let (scenario, script) = (scenario.id.clone(), blobs.add(bytes));
                scripts.push(ScriptRef { scenario, mode: *mode, script });
            }
        }
        let ca_file = profile.livekit.ca_file.as_deref();
        let authorities = ca_file.map(|name| authorities(name, files)).transpose()?;
        let setup = SessionSetup {
            settings: callers.clone(),
            networks: profile.networks.clone(),
            seed: profile.seed,
            transport: profile.livekit.transport,
            authorities,
            scripts,
        };
        let forecast = Forecast::new(&Plan::new(profile.clone()));
        let at_once = forecast.in_flight.min(f64::from(profile.limits.in_flight)).ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is a u32 at most"
        )]
        let at_once = at_once as u64;
        Ok(Self {
            settings: workers.clone(),
            nats,
            packed: Mutex::new(Some((setup, blobs))),
            callers: at_once,
            patience: profile.limits.submit_timeout.micros(),
            fleet: OnceLock::new(),
        })
    }

    /// Finds the workers, and waits until they are ready; returns the runs that they hold from before.
    pub(crate) async fn gather(&self, gathering: Gathering) -> Result<Vec<RunIndex>, CliError> {
        let Gathering { session, epoch, finish_only, resumed } = gathering;
        let packed = self.packed.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((setup, blobs)) = packed else {
            return Err(CliError::internal("the workers were gathered twice"));
        };
        if let Some(address) = self.nats.address_in_clear() {
            print::stderr(&format!(
                "The tokens of the rooms travel to {address} in clear, unless that server insists on TLS."
            ));
        }
        let fleet = Fleet::gather(FleetConfig {
            nats: self.nats.clone(),
            session,
            epoch,
            setup,
            blobs,
            lease: self.settings.lease.micros(),
            at_least: if finish_only { 0 } else { self.settings.at_least },
            callers: if finish_only { 0 } else { self.callers },
            ready_within: self.settings.ready_within.as_duration(),
            patience: self.patience.as_duration(),
            resumed,
        });
        let fleet = fleet.await.map_err(|error| {
            let hint = error.hint();
            CliError::usage("the session cannot begin on workers").caused_by(error).with_hint(hint)
        })?;
        let (workers, capacity) = fleet.size();
        tracing::info!(workers, capacity, "the workers are ready");
        let held = fleet.held_runs().to_vec();
        let fleet = self.fleet.set(Arc::new(fleet));
        fleet.map_err(|_| CliError::internal("the workers were gathered twice"))?;
        Ok(held)
    }

    /// The evaluator that they are, once they are gathered.
    pub(crate) fn evaluator(&self) -> Option<Arc<dyn Evaluator>> {
        let fleet = self.fleet.get()?.clone();
        Some(fleet)
    }

    /// Begins the session's clock.
    pub(crate) fn start(&self, clock: SessionClock) {
        if let Some(fleet) = self.fleet.get() {
            fleet.start(clock.anchor().0);
        }
    }

    /// Lets the workers go.
    pub(crate) async fn release(&self) {
        if let Some(fleet) = self.fleet.get() {
            fleet.release().await;
        }
    }
}

/// Where clips come from: files, and what was made for the session.
#[derive(Clone, Copy)]
struct ClipSource<'a> {
    files: &'a ProfileFiles,
    spoken: &'a SpokenScripts,
}

impl ClipSource<'_> {
    fn read(self, name: &str) -> io::Result<Vec<u8>> {
        match self.spoken.made(name) {
            Some(made) => Ok(made.to_vec()),
            None => self.files.read(name, MAX_CLIP),
        }
    }
}

/// The clips of a script in a mode, by the names that it has for them. Each is read once, whichever scripts play it.
fn pack_clips(
    script: &Script,
    mode: Mode,
    known: &mut BTreeMap<String, BlobHash>,
    blobs: &mut BlobStore,
    source: ClipSource<'_>,
) -> Result<BTreeMap<String, BlobHash>, CliError> {
    let mut clips = BTreeMap::new();
    for name in script.clips().filter(|_| mode == Mode::Voice) {
        let hash = if let Some(hash) = known.get(name) {
            *hash
        } else {
            // Decoded here too, so that a clip that cannot be played is told before any worker is asked.
            let bytes = source.read(name);
            let bytes = super::native_callers::playable(&source.files.path(name), bytes)?;
            let hash = blobs.add(bytes);
            known.insert(name.clone(), hash);
            hash
        };
        clips.insert(name.clone(), hash);
    }
    Ok(clips)
}

fn authorities(name: &str, files: &ProfileFiles) -> Result<String, CliError> {
    // It was read for the coordinator before, with all that may be wrong with it.
    super::trust::livekit_trust(Some(name), files)?;
    let pem = files.read_key(name, MAX_TEXT).map_err(CliError::from_internal)?;
    String::from_utf8(pem).map_err(CliError::from_internal)
}
