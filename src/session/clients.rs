//! The services that a session talks to: real ones with real keys, or the embedded sandbox.

use std::path::Path;
use std::sync::Arc;

use super::native_callers::{self, SessionCallers};
use super::progress::{EventObserver, ProgressSink};
use super::trust::livekit_trust;
use crate::credentials::{CredentialRequest, find};
use crate::error::CliError;
use crate::profile_files::ProfileFiles;
use rushhour_core::evaluator::Evaluator;
use rushhour_core::profile::{
    EvaluatorSettings, LatencyModel, LiveKitTarget, Profile, SandboxSettings,
};
#[cfg(feature = "fleet")]
use rushhour_core::units::RunIndex;
use rushhour_core::units::{Micros, Secret, SessionId};
use rushhour_driver::cekura::{Cekura, CekuraConfig};
use rushhour_driver::{DriverSettings, RoomNaming, Services};
use rushhour_livekit::{LiveKitClient, LiveKitErrorKind, TokenSigner};
use rushhour_sandbox::{DelayDistribution, RoomOwnership, Sandbox, SandboxConfig, TruthLog};

/// The key and the secret of a LiveKit server.
#[derive(Clone)]
pub(crate) struct LiveKitKeys {
    pub(crate) key: Secret,
    pub(crate) secret: Secret,
}

/// The keys of those services that are real.
pub(crate) struct Keys {
    livekit: Option<LiveKitKeys>,
    cekura: Option<Secret>,
}

impl Keys {
    /// Finds the keys that a profile needs; `files` says where those are that it names.
    pub(crate) fn find(profile: &Profile, files: &ProfileFiles) -> Result<Self, CliError> {
        Ok(Self { livekit: livekit_keys(profile, files)?, cekura: cekura_key(profile, files)? })
    }
}

/// The key and the secret of a real LiveKit server; none for the sandbox.
pub(crate) fn livekit_keys(
    profile: &Profile,
    files: &ProfileFiles,
) -> Result<Option<LiveKitKeys>, CliError> {
    let settings = &profile.livekit;
    let get = |variable, file, setting| {
        find(&CredentialRequest { variable, file, setting: Some(setting) }, files)
    };
    Ok(match &settings.target {
        LiveKitTarget::Sandbox => None,
        LiveKitTarget::Url(_) => Some(LiveKitKeys {
            key: get("LIVEKIT_API_KEY", settings.key_file.as_deref(), "livekit.key_file")?,
            secret: get(
                "LIVEKIT_API_SECRET",
                settings.secret_file.as_deref(),
                "livekit.secret_file",
            )?,
        }),
    })
}

/// The key of the real Cekura; none for the sandbox.
pub(crate) fn cekura_key(
    profile: &Profile,
    files: &ProfileFiles,
) -> Result<Option<Secret>, CliError> {
    let Some(settings) = profile.evaluator.cekura() else { return Ok(None) };
    if settings.url.is_none() {
        return Ok(None);
    }
    let request = CredentialRequest {
        variable: "CEKURA_API_KEY",
        file: settings.key_file.as_deref(),
        setting: Some("evaluator.key_file"),
    };
    find(&request, files).map(Some)
}

/// Clients of the services that a session talks to.
pub(crate) struct Clients {
    pub(crate) livekit: Arc<LiveKitClient>,
    /// Cekura, where it is the evaluator.
    cekura: Option<Arc<dyn Evaluator>>,
    /// Rushhour's own callers, where they are the evaluator.
    pub(crate) callers: Option<SessionCallers>,
    pub(crate) livekit_url: String,
    /// The address of LiveKit's server API.
    api_url: String,
    pub(crate) evaluator_url: String,
    token_signer: TokenSigner,
    /// Serves as long as the session runs.
    _sandbox: Option<Sandbox>,
}

impl Clients {
    /// Connects the clients, and starts the sandbox where the profile asks for it. The sandbox logs what truly happens
    /// to `truth_log`.
    pub(crate) fn new(
        profile: &Profile,
        keys: Keys,
        truth_log: &Path,
        files: &ProfileFiles,
    ) -> Result<Self, CliError> {
        let sandbox = start_sandbox(profile, keys.livekit.as_ref(), truth_log)?;
        let (livekit_url, livekit_keys) = match (&profile.livekit.target, keys.livekit, &sandbox) {
            (LiveKitTarget::Url(url), Some(keys), _) => (url.clone(), keys),
            (_, _, Some(sandbox)) => (sandbox.livekit_url(), sandbox_keys()),
            _ => return Err(no_sandbox()),
        };
        let LiveKitKeys { key, secret } = livekit_keys;
        let timeout = profile.limits.livekit_timeout.as_duration();
        let api_url = profile.livekit.server_api().unwrap_or(&livekit_url).to_owned();
        let trust = livekit_trust(profile.livekit.ca_file.as_deref(), files)?;
        let livekit = LiveKitClient::with_trust(&api_url, &key, &secret, timeout, &trust)
            .map_err(CliError::from_internal)?;
        let callers = native_callers::prepare(profile, files)?;
        let (evaluator_url, cekura): (String, Option<Arc<dyn Evaluator>>) =
            match (&profile.evaluator, &callers) {
                (EvaluatorSettings::Cekura(settings), _) => {
                    let (url, key) = match (&settings.url, keys.cekura, &sandbox) {
                        (Some(url), Some(key), _) => (url.clone(), key),
                        (_, _, Some(sandbox)) => {
                            (sandbox.url(), Secret::new(SandboxConfig::CEKURA_KEY))
                        }
                        _ => return Err(no_sandbox()),
                    };
                    let config = CekuraConfig { url: url.clone(), key, settings: settings.clone() };
                    let cekura =
                        Cekura::new(config, &profile.limits).map_err(CliError::from_internal)?;
                    (url, Some(Arc::new(cekura)))
                }
                // Journals name this evaluator so.
                (EvaluatorSettings::Native(_), Some(_)) => {
                    let place = profile.workers.as_ref().map(|workers| &workers.nats);
                    let place =
                        place.map_or_else(String::new, |nats| format!(" on workers of {nats}"));
                    (format!("callers of our own{place}"), None)
                }
                (EvaluatorSettings::Native(_), None) => {
                    return Err(CliError::internal("the session's callers were not prepared"));
                }
            };
        Ok(Self {
            livekit: Arc::new(livekit),
            cekura,
            callers,
            livekit_url,
            api_url,
            evaluator_url,
            token_signer: TokenSigner::new(key, secret),
            _sandbox: sandbox,
        })
    }

    /// Checks that LiveKit answers and accepts the key, before anything is created there.
    pub(crate) async fn check_connectivity(&self) -> Result<(), CliError> {
        self.livekit.check_connectivity().await.map_err(|error| {
            let hint = match error.kind {
                LiveKitErrorKind::Unauthenticated | LiveKitErrorKind::Forbidden => {
                    "check LIVEKIT_API_KEY and LIVEKIT_API_SECRET, and this machine's clock"
                }
                LiveKitErrorKind::RateLimited { .. } => {
                    "wait a minute and try again: others use the same project, or a proxy limits requests"
                }
                _ => "check livekit.url, or LIVEKIT_URL",
            };
            CliError::usage(format!("cannot use the LiveKit server {}", self.api_url))
                .caused_by(error)
                .with_hint(hint)
        })
    }

    /// Records conversations into the session's folder, if its profile says so. Returns who has to know how runs end.
    pub(crate) fn record(
        &self,
        session: &Path,
        profile: &Profile,
    ) -> Result<Option<Arc<dyn EventObserver>>, CliError> {
        self.callers.as_ref().map_or(Ok(None), |callers| callers.record(session, profile))
    }

    /// Finds the workers of a session whose callers are on other machines, and waits until they are ready; returns the
    /// runs that they hold from before. Nothing where callers are in this process, or are Cekura's.
    #[cfg(feature = "fleet")]
    pub(crate) async fn gather_workers(
        &self,
        gathering: super::worker_callers::Gathering,
    ) -> Result<std::collections::BTreeSet<RunIndex>, CliError> {
        match self.callers.as_ref().and_then(SessionCallers::on_workers) {
            Some(callers) => Ok(callers.gather(gathering).await?.into_iter().collect()),
            None => Ok(std::collections::BTreeSet::new()),
        }
    }

    /// Lets the workers go, where there are any.
    #[cfg(feature = "fleet")]
    pub(crate) async fn release_workers(&self) {
        if let Some(callers) = self.callers.as_ref().and_then(SessionCallers::on_workers) {
            callers.release().await;
        }
    }

    /// The evaluator. Callers on workers are one once the workers were gathered.
    pub(crate) fn evaluator(&self) -> Result<Arc<dyn Evaluator>, CliError> {
        let callers = || self.callers.as_ref().and_then(SessionCallers::evaluator);
        let evaluator = self.cekura.clone().or_else(callers);
        evaluator.ok_or_else(|| CliError::internal("the workers were not gathered"))
    }

    /// The services as the driver takes them.
    pub(crate) fn driver_services(
        &self,
        sink: &Arc<ProgressSink>,
        session: SessionId,
        names: RoomNaming,
        profile: Arc<Profile>,
        settings: Arc<DriverSettings>,
    ) -> Result<Services, CliError> {
        Ok(Services {
            control: self.livekit.clone(),
            evaluator: self.evaluator()?,
            tokens: self.token_signer.clone(),
            sink: sink.clone(),
            livekit_url: self.livekit_url.clone(),
            session_id: session,
            profile,
            naming: names,
            settings,
        })
    }
}

/// Starts the sandbox, where it stands in for LiveKit or for Cekura.
fn start_sandbox(
    profile: &Profile,
    livekit_keys: Option<&LiveKitKeys>,
    truth_log: &Path,
) -> Result<Option<Sandbox>, CliError> {
    let is_evaluator = profile.evaluator.cekura().is_some_and(|settings| settings.url.is_none());
    if profile.livekit.target != LiveKitTarget::Sandbox && !is_evaluator {
        return Ok(None);
    }
    let truth_log = TruthLog::File(truth_log.to_owned());
    let mut config = sandbox_config(profile.seed, &profile.sandbox, truth_log);
    if let Some(keys) = livekit_keys {
        // The sandbox's Cekura checks the tokens of the real server, and assumes that its rooms exist.
        config.rooms = RoomOwnership::Elsewhere;
        keys.key.expose().clone_into(&mut config.api_key);
        config.api_secret = keys.secret.clone();
    }
    Sandbox::start(config, 0).map(Some).map_err(CliError::from_usage)
}

/// The credentials of the sandbox's LiveKit.
pub(crate) fn sandbox_keys() -> LiveKitKeys {
    LiveKitKeys {
        key: Secret::new(SandboxConfig::API_KEY),
        secret: Secret::new(SandboxConfig::API_SECRET),
    }
}

pub(crate) fn no_sandbox() -> CliError {
    CliError::internal("the profile uses the sandbox, which was not started")
}

/// The sandbox as a profile describes it.
pub(crate) fn sandbox_config(
    seed: u64,
    settings: &SandboxSettings,
    truth_log: TruthLog,
) -> SandboxConfig {
    let mut config = SandboxConfig { seed, ..SandboxConfig::default() };
    let cekura = &mut config.times.cekura;
    cekura.submit = distribution(settings.submission);
    cekura.queue = distribution(settings.queue);
    cekura.voice = distribution(settings.conversation);
    cekura.chat = distribution(settings.conversation);
    cekura.judging = distribution(settings.judging);
    // A profile gives the time from the dispatch to the agent as one figure.
    config.times.livekit.assignment = DelayDistribution::fixed(0);
    config.times.livekit.join = distribution(settings.agent_join);
    config.times.livekit.late = DelayDistribution::Fixed(settings.late_by.micros());
    config.plan.voice_runs = settings.concurrency;
    config.plan.chat_runs = settings.concurrency;
    for (fault, share) in &settings.faults {
        config.faults = config.faults.with(*fault, *share);
    }
    config.truth_log = truth_log;
    config
}

fn distribution(model: LatencyModel) -> DelayDistribution {
    let p95 = model.p95.micros();
    DelayDistribution::Lognormal {
        median: model.median.micros(),
        p95,
        // Far out in the tail, but bounded.
        cap: Micros(p95.0.saturating_mul(10)),
    }
}

#[cfg(test)]
mod tests {
    use rushhour_livekit::PLACEHOLDER_AGENT;
    use rushhour_sandbox::WorkerPool;

    #[test]
    fn the_placeholder_agent_has_no_worker_in_the_sandbox() {
        assert_eq!(PLACEHOLDER_AGENT, WorkerPool::PLACEHOLDER);
    }
}
