//! The command: makes all checks one after another, whatever each of them finds.

use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::dispatch::{DispatchTrial, TrialTarget, try_room};
use super::finding::{Diagnosis, Finding, passed};
use super::rules::{cloud_limits, cloud_quota};
use super::{cekura, livekit, machine, network};
use crate::arguments::ProfileArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::load_profile::load_profile;
use crate::print::{self, StatusLine};
use crate::session::clients::{
    LiveKitKeys, cekura_key, livekit_keys, no_sandbox, sandbox_config, sandbox_keys,
};
use crate::session::forecast_text::plan_warning;
use crate::session::trust::livekit_trust;
use rushhour_core::plan::{Forecast, Plan, PlanWarning, cloud_excess, cloud_quota_excess};
use rushhour_core::profile::{LiveKitTarget, Profile};
use rushhour_core::units::Secret;
use rushhour_driver::cekura::{Cekura, CekuraConfig};
use rushhour_livekit::http::TrustStore;
use rushhour_livekit::{LiveKitClient, TokenSigner};
use rushhour_sandbox::{Sandbox, SandboxConfig, TruthLog};

const HELP: &str = "\
Examples:
  rushhour doctor my-agent.toml
  rushhour doctor my-agent.toml --no-dispatch --format json
  # Check the workers too
  rushhour doctor my-agent.toml --workers nats://10.0.0.5:4222

It checks this machine, the network, keys, clocks and limits. It also dispatches one agent, into \
a room of its own that it deletes afterwards; for Rushhour's own callers it joins that room and \
listens to the agent for a few seconds. It submits nothing to the evaluator.

Exit codes:
  0    no check failed
  2    a check failed
  104  the profile is not valid
  105  interrupted";

/// Check everything that a session needs, before it costs anything.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    profile: ProfileArgs,
    /// Dispatch no agent; only create and delete a room.
    #[arg(long)]
    no_dispatch: bool,
    /// The folder in which the session's folder would be created.
    #[arg(long, value_name = "FOLDER", default_value = "reports", value_hint = ValueHint::DirPath)]
    out: PathBuf,
    /// The output format.
    #[arg(long, value_enum, default_value_t = DiagnosisFormat::Text)]
    format: DiagnosisFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum DiagnosisFormat {
    /// One line per check, as it is made.
    Text,
    /// One JSON object.
    Json,
}

/// Findings as they come in: printed at once as text, or collected for JSON.
struct Findings {
    format: DiagnosisFormat,
    list: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            if self.format == DiagnosisFormat::Text {
                print::stdout(&finding.line(print::stdout_style()));
            }
            self.list.push(finding);
        }
    }
}

/// A service's address, and the key for it or why there is none.
struct Service<K> {
    url: String,
    key: Result<K, CliError>,
}

pub(crate) fn doctor(arguments: &DoctorArgs) -> Result<Exit, CliError> {
    let loaded = load_profile(&arguments.profile)?;
    let forecast = Forecast::new(&Plan::new(loaded.profile.clone()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(CliError::from_internal)?;
    let is_text = arguments.format == DiagnosisFormat::Text;
    let status_line = if is_text { StatusLine::show() } else { None };
    let mut findings = Findings { format: arguments.format, list: Vec::new() };
    let checked = runtime.block_on(check_all(arguments, &loaded.profile, &forecast, &mut findings));
    drop(status_line);
    let interrupted = checked?;
    let passed = passed(&findings.list);
    print::stdout(&match (is_text, passed) {
        (true, true) => "\nEverything that a session needs is in place.".to_owned(),
        (true, false) => "\nA session would fail: see the failed checks above.".to_owned(),
        (false, _) => {
            let diagnosis = Diagnosis { passed, findings: &findings.list };
            serde_json::to_string_pretty(&diagnosis).map_err(CliError::from_internal)?
        }
    });
    Ok(match (interrupted, passed) {
        (true, _) => Exit::Stopped,
        (false, true) => Exit::Passed,
        (false, false) => Exit::Usage,
    })
}

/// Makes all checks, and returns whether it was interrupted.
async fn check_all(
    arguments: &DoctorArgs,
    profile: &Profile,
    forecast: &Forecast,
    findings: &mut Findings,
) -> Result<bool, CliError> {
    findings.add(machine::check(profile, forecast, &arguments.out));
    findings.add(limits(forecast));
    findings.add(cloud_limits(cloud_excess(profile, forecast).as_ref()));
    findings.add(cloud_quota(cloud_quota_excess(profile, forecast).as_ref()));
    let sandbox = start_sandbox(profile)?;
    // Where Rushhour's own callers carry the load, Cekura is the one that judges.
    let most = profile.judging.as_ref().map_or(0, |judging| judging.most);
    let judging = profile.judging_forecast(most);
    let evaluated = judging.as_ref().unwrap_or(profile);
    let livekit = livekit_service(arguments, evaluated, sandbox.as_ref())?;
    let trust = livekit_trust(profile.livekit.ca_file.as_deref(), &arguments.profile.files())?;
    print::set_status(&format!("connecting to {}", livekit.url));
    findings.add(network::check("livekit", &livekit.url, &trust).await);
    if let (Some(_), LiveKitTarget::Url(callers)) =
        (&profile.livekit.api_url, &profile.livekit.target)
    {
        print::set_status(&format!("connecting to {callers}"));
        findings.add(network::check("livekit for callers", callers, &trust).await);
    }
    #[cfg(feature = "fleet")]
    if let Some(workers) = &profile.workers {
        print::set_status(&format!("asking the workers on {}", workers.nats));
        findings.add(super::workers::check(profile, workers, forecast).await?);
    }
    let interrupted = check_livekit(arguments, profile, livekit, &trust, findings).await?;
    match cekura_service(arguments, evaluated, sandbox.as_ref())? {
        None => {
            let why = match evaluated.evaluator.cekura() {
                Some(_) => "the embedded sandbox is used",
                None => "Rushhour's own callers are used",
            };
            findings.add([Finding::not_checked("cekura", why)]);
        }
        Some(service) if !interrupted => {
            print::set_status(&format!("connecting to {}", service.url));
            let system = TrustStore::system().map_err(CliError::from_usage)?;
            findings.add(network::check("cekura", &service.url, &system).await);
            let planned = judging.clone().map(|judging| Forecast::new(&Plan::new(judging)));
            let forecast = planned.as_ref().unwrap_or(forecast);
            check_cekura(evaluated, forecast, service, findings).await?;
        }
        Some(_) => findings.add([Finding::not_checked("cekura", "interrupted")]),
    }
    Ok(interrupted)
}

/// Checks the key, the grants and the agent, and returns whether it was interrupted.
async fn check_livekit(
    arguments: &DoctorArgs,
    profile: &Profile,
    service: Service<LiveKitKeys>,
    trust: &TrustStore,
    findings: &mut Findings,
) -> Result<bool, CliError> {
    let LiveKitKeys { key, secret } = match service.key {
        Ok(keys) => keys,
        Err(error) => {
            findings.add([
                no_key("livekit key", &error, "copy both from the project's settings"),
                Finding::not_checked("livekit grants", "there is no key"),
                Finding::not_checked("agent", "there is no key"),
            ]);
            return Ok(false);
        }
    };
    let timeout = profile.limits.livekit_timeout.as_duration();
    let livekit = LiveKitClient::with_trust(&service.url, &key, &secret, timeout, trust)
        .map_err(CliError::from_internal)?;
    let target = TrialTarget {
        livekit: &livekit,
        url: match &profile.livekit.target {
            LiveKitTarget::Url(callers) => callers,
            LiveKitTarget::Sandbox => &service.url,
        },
        trust,
        files: &arguments.profile.files(),
        tokens: &TokenSigner::new(key, secret),
    };
    print::set_status("checking the key of LiveKit");
    let key = livekit::check_key(&livekit).await;
    let is_accepted = passed(std::slice::from_ref(&key));
    findings.add([key]);
    if !is_accepted {
        findings.add([
            Finding::not_checked("livekit grants", "the key was not accepted"),
            Finding::not_checked("agent", "the key was not accepted"),
        ]);
        return Ok(false);
    }
    let trial =
        if arguments.no_dispatch { DispatchTrial::RoomOnly } else { DispatchTrial::Dispatch };
    if trial == DispatchTrial::Dispatch {
        print::set_status(&format!(
            "waiting for the agent, for up to {}",
            profile.livekit.give_up_after.micros()
        ));
    }
    let room = throw_away_room(profile);
    let result = try_room(&target, profile, &room, trial).await;
    findings.add(result.findings);
    Ok(result.interrupted)
}

async fn check_cekura(
    profile: &Profile,
    forecast: &Forecast,
    service: Service<Secret>,
    findings: &mut Findings,
) -> Result<(), CliError> {
    let key = match service.key {
        Ok(key) => key,
        Err(error) => {
            findings.add([
                no_key("cekura key", &error, "create one in Cekura's settings"),
                Finding::not_checked("cekura plan", "there is no key"),
            ]);
            return Ok(());
        }
    };
    let Some(settings) = profile.evaluator.cekura() else { return Ok(()) };
    let config = CekuraConfig { url: service.url, key, settings: settings.clone() };
    let cekura = Cekura::new(config, &profile.limits).map_err(CliError::from_internal)?;
    print::set_status("checking the key and the plan of Cekura");
    for mode in profile.mode.modes() {
        findings.add(cekura::check(&cekura, *mode, forecast.in_flight).await);
    }
    Ok(())
}

/// The finding for a key that is missing or unusable.
fn no_key(check: &str, error: &CliError, where_from: &str) -> Finding {
    let hint = match error.hint() {
        Some(hint) => format!("{hint}; {where_from}"),
        None => where_from.to_owned(),
    };
    Finding::failed(check, error.one_line(), hint)
}

/// Compares the rates that the plan needs with those that the profile allows.
fn limits(forecast: &Forecast) -> Vec<Finding> {
    let warning = |is_it: fn(&PlanWarning) -> bool| forecast.warnings.iter().find(|it| is_it(it));
    let finding =
        |check: &str, setting: &str, found: Option<&PlanWarning>, needed: String| match found {
            Some(warning) => Finding::warning(
                check,
                plan_warning(warning),
                format!("raise {setting}, or lower the rates of the stages"),
            ),
            None => Finding::ok(check, needed),
        };
    vec![
        finding(
            "submissions",
            "limits.requests",
            warning(|warning| matches!(warning, PlanWarning::Requests { .. })),
            format!("{:.2} per second are needed at the peak", forecast.requests_per_second),
        ),
        finding(
            "polls",
            "limits.polls",
            warning(|warning| matches!(warning, PlanWarning::Polls { .. })),
            format!("{:.2} per second are needed at the peak", forecast.polls_per_second),
        ),
        finding(
            "in flight",
            "limits.in_flight",
            warning(|warning| matches!(warning, PlanWarning::InFlight { .. })),
            format!("about {:.0} are needed at the peak", forecast.in_flight.ceil()),
        ),
    ]
}

/// Starts the sandbox, where the profile's rooms are there.
fn start_sandbox(profile: &Profile) -> Result<Option<Sandbox>, CliError> {
    if profile.livekit.target != LiveKitTarget::Sandbox {
        return Ok(None);
    }
    let config = sandbox_config(profile.seed, &profile.sandbox, TruthLog::Off);
    Sandbox::start(config, 0).map(Some).map_err(CliError::from_usage)
}

fn livekit_service(
    arguments: &DoctorArgs,
    profile: &Profile,
    sandbox: Option<&Sandbox>,
) -> Result<Service<LiveKitKeys>, CliError> {
    Ok(match &profile.livekit.target {
        LiveKitTarget::Sandbox => {
            let url = sandbox.ok_or_else(no_sandbox)?.livekit_url();
            Service { url, key: Ok(sandbox_keys()) }
        }
        LiveKitTarget::Url(url) => {
            let url = profile.livekit.server_api().unwrap_or(url);
            let keys = livekit_keys(profile, &arguments.profile.files());
            let key = keys.and_then(|keys| keys.ok_or_else(no_sandbox));
            Service { url: url.to_owned(), key }
        }
    })
}

/// Cekura or its stand-in; none where there is nothing to check, as for the stand-in of a real LiveKit server.
fn cekura_service(
    arguments: &DoctorArgs,
    profile: &Profile,
    sandbox: Option<&Sandbox>,
) -> Result<Option<Service<Secret>>, CliError> {
    let Some(settings) = profile.evaluator.cekura() else { return Ok(None) };
    Ok(match (&settings.url, &profile.livekit.target) {
        (None, LiveKitTarget::Url(_)) => None,
        (None, LiveKitTarget::Sandbox) => {
            let url = sandbox.ok_or_else(no_sandbox)?.url();
            Some(Service { url, key: Ok(Secret::new(SandboxConfig::CEKURA_KEY)) })
        }
        (Some(url), _) => {
            let key = cekura_key(profile, &arguments.profile.files());
            let key = key.and_then(|key| key.ok_or_else(no_sandbox));
            Some(Service { url: url.clone(), key })
        }
    })
}

/// A name that no other room has.
fn throw_away_room(profile: &Profile) -> String {
    // The standard library keys its hashers with randomness of the operating system.
    let random = std::hash::RandomState::new().build_hasher().finish();
    format!("{}doctor-{random:016x}", profile.livekit.room_prefix)
}
