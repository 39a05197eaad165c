//! The outside world of a session: real services with real keys, or the embedded stand-ins.

use std::path::Path;
use std::sync::Arc;

use crate::credentials::{CredentialRequest, find};
use crate::exit::CliError;
use crate::native_callers::{SessionCallers, callers};
use rushhour_core::evaluator::Evaluator;
use rushhour_core::profile::{
    EvaluatorSettings, LatencyModel, LiveKitTarget, Profile, SandboxSettings,
};
use rushhour_core::units::{Micros, Secret};
use rushhour_driver::cekura::{Cekura, CekuraConfig};
use rushhour_livekit::{LiveKitClient, TokenSigner};
use rushhour_sandbox::{DelayDistribution, RoomOwnership, Sandbox, SandboxConfig, TruthLog};

/// The services a session speaks to.
pub(crate) struct Clients {
    pub(crate) livekit: Arc<LiveKitClient>,
    pub(crate) evaluator: Arc<dyn Evaluator>,
    /// Callers of our own, where they are the evaluator.
    pub(crate) callers: Option<SessionCallers>,
    pub(crate) mint: TokenSigner,
    pub(crate) livekit_url: String,
    pub(crate) evaluator_url: String,
    /// Kept alive as long as the session.
    _sandbox: Option<Sandbox>,
}

/// Keys and secrets of the services that are real.
pub(crate) struct Keys {
    livekit: Option<(Secret, Secret)>,
    cekura: Option<Secret>,
}

/// Finds the keys that a profile needs.
pub(crate) fn keys(profile: &Profile, profile_path: &Path) -> Result<Keys, CliError> {
    Ok(Keys {
        livekit: livekit_keys(profile, profile_path)?,
        cekura: cekura_key(profile, profile_path)?,
    })
}

/// The key and the secret of a real LiveKit server; none for the stand-in.
pub(crate) fn livekit_keys(
    profile: &Profile,
    profile_path: &Path,
) -> Result<Option<(Secret, Secret)>, CliError> {
    let wanted = |variable, file, setting| {
        find(&CredentialRequest { variable, file, setting }, profile_path)
    };
    let settings = &profile.livekit;
    Ok(match &settings.target {
        LiveKitTarget::Sandbox => None,
        LiveKitTarget::Url(_) => Some((
            wanted("LIVEKIT_API_KEY", settings.key_file.as_deref(), "livekit.key_file")?,
            wanted("LIVEKIT_API_SECRET", settings.secret_file.as_deref(), "livekit.secret_file")?,
        )),
    })
}

/// The key of the real Cekura; none for the stand-in.
pub(crate) fn cekura_key(
    profile: &Profile,
    profile_path: &Path,
) -> Result<Option<Secret>, CliError> {
    let Some(settings) = profile.evaluator.cekura() else { return Ok(None) };
    let (variable, setting) = ("CEKURA_API_KEY", "evaluator.key_file");
    let file = settings.key_file.as_deref();
    settings
        .url
        .is_some()
        .then(|| find(&CredentialRequest { variable, file, setting }, profile_path))
        .transpose()
}

/// Builds the clients; starts the stand-ins where the profile asks for them, with their own log of the
/// truth in `truth`.
pub(crate) fn services(
    profile: &Profile,
    keys: Keys,
    truth: &Path,
    profile_path: &Path,
) -> Result<Clients, CliError> {
    let folder = profile_path.parent().unwrap_or(Path::new(""));
    let is_stand_in = profile.evaluator.cekura().is_some_and(|settings| settings.url.is_none());
    let uses_sandbox = profile.livekit.target == LiveKitTarget::Sandbox || is_stand_in;
    let sandbox = if uses_sandbox {
        let truth = TruthLog::File(truth.to_owned());
        let mut config = sandbox_config(profile.seed, &profile.sandbox, truth);
        if let Some((key, secret)) = &keys.livekit {
            // The evaluator's stand-in checks the tokens of a real server, and takes its rooms on trust.
            config.rooms = RoomOwnership::Elsewhere;
            key.expose().clone_into(&mut config.api_key);
            config.api_secret = secret.clone();
        }
        Some(Sandbox::start(config, 0).map_err(CliError::usage)?)
    } else {
        None
    };
    let stand_in = || CliError::internal("a stand-in is wanted and was not started");
    let (livekit_url, (key, secret)) = match (&profile.livekit.target, keys.livekit, &sandbox) {
        (LiveKitTarget::Url(url), Some(keys), _) => (url.clone(), keys),
        (_, _, Some(sandbox)) => (
            sandbox.livekit_url(),
            (Secret::new(SandboxConfig::API_KEY), Secret::new(SandboxConfig::API_SECRET)),
        ),
        _ => return Err(stand_in()),
    };
    let timeout = profile.limits.livekit_timeout.as_duration();
    let livekit =
        LiveKitClient::new(&livekit_url, &key, &secret, timeout).map_err(CliError::internal)?;
    let callers = callers(profile, folder)?;
    let (evaluator_url, evaluator) = match (&profile.evaluator, &callers) {
        (EvaluatorSettings::Cekura(settings), _) => {
            let (url, key) = match (&settings.url, keys.cekura, &sandbox) {
                (Some(url), Some(key), _) => (url.clone(), key),
                (_, _, Some(sandbox)) => (sandbox.url(), Secret::new(SandboxConfig::CEKURA_KEY)),
                _ => return Err(stand_in()),
            };
            let config = CekuraConfig { url: url.clone(), key, settings: settings.clone() };
            let evaluator = Cekura::new(config, &profile.limits).map_err(CliError::internal)?;
            (url, Arc::new(evaluator) as Arc<dyn Evaluator>)
        }
        (EvaluatorSettings::Native(_), Some(callers)) => {
            ("callers of our own".to_owned(), callers.evaluator())
        }
        (EvaluatorSettings::Native(_), None) => return Err(stand_in()),
    };
    Ok(Clients {
        livekit: Arc::new(livekit),
        evaluator,
        callers,
        mint: TokenSigner::new(key, secret),
        livekit_url,
        evaluator_url,
        _sandbox: sandbox,
    })
}

/// The stand-ins as a profile describes them.
pub(crate) fn sandbox_config(
    seed: u64,
    settings: &SandboxSettings,
    truth: TruthLog,
) -> SandboxConfig {
    let mut config = SandboxConfig { seed, ..SandboxConfig::default() };
    let cekura = &mut config.times.cekura;
    cekura.submit = latency(settings.submission);
    cekura.queue = latency(settings.queue);
    cekura.voice = latency(settings.conversation);
    cekura.chat = latency(settings.conversation);
    cekura.judging = latency(settings.judging);
    // A profile gives the time from the dispatch to the agent as one figure.
    config.times.livekit.assignment = DelayDistribution::fixed(0);
    config.times.livekit.join = latency(settings.agent_join);
    let late = settings.late_by.micros();
    config.times.livekit.late = DelayDistribution::Fixed(late);
    config.plan.voice_runs = settings.concurrency;
    config.plan.chat_runs = settings.concurrency;
    for (fault, share) in &settings.faults {
        config.faults = config.faults.with(*fault, *share);
    }
    config.truth_log = truth;
    config
}

fn latency(model: LatencyModel) -> DelayDistribution {
    let p95 = model.p95.micros();
    DelayDistribution::Lognormal {
        median: model.median.micros(),
        p95,
        // Far out in the tail, and yet an end.
        cap: Micros(p95.0.saturating_mul(10)),
    }
}

#[cfg(test)]
mod tests {
    use rushhour_livekit::PLACEHOLDER_AGENT;
    use rushhour_sandbox::WorkerPool;

    #[test]
    fn the_placeholder_has_no_worker_in_the_sandbox() {
        assert_eq!(PLACEHOLDER_AGENT, WorkerPool::PLACEHOLDER);
    }
}
