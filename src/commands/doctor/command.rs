//! All checks, one after another, whatever each comes to.

use std::hash::{BuildHasher, Hasher};
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::ProgressBar;

use super::finding::{Diagnosis, Finding, passed};
use super::judgement::cloud;
use super::worker::{DispatchTrial, try_room};
use super::{account, machine, network, server};
use crate::arguments::{DoctorArguments, OutputFormat};
use crate::exit::{CliError, Exit};
use crate::forecast_text::caution_words;
use crate::load_profile::load_profile;
use crate::print;
use crate::services::{cekura_key, livekit_keys, sandbox_config};
use rushhour_core::plan::{Forecast, Plan, PlanWarning, cloud_excess};
use rushhour_core::profile::{LiveKitTarget, Profile};
use rushhour_core::units::Secret;
use rushhour_driver::cekura::{Cekura, CekuraConfig};
use rushhour_livekit::LiveKitClient;
use rushhour_sandbox::{Sandbox, SandboxConfig, TruthLog};

/// Findings as they come: shown at once to a reader, kept for a program.
struct Findings {
    format: OutputFormat,
    bar: ProgressBar,
    list: Vec<Finding>,
}

impl Findings {
    fn new(format: OutputFormat) -> Self {
        let bar = if format == OutputFormat::Text && std::io::stderr().is_terminal() {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { format, bar, list: Vec::new() }
    }

    fn about_to(&self, what: String) {
        self.bar.set_message(what);
    }

    fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            if self.format == OutputFormat::Text {
                let line = finding.line(print::out_style());
                self.bar.suspend(|| print::out(&line));
            }
            self.list.push(finding);
        }
    }
}

/// What stands in the place of a service, or its address and what opens it.
struct Service<K> {
    url: String,
    opened_by: Result<K, String>,
}

pub(crate) fn doctor(arguments: &DoctorArguments) -> Result<Exit, CliError> {
    let loaded = load_profile(&arguments.profile)?;
    let plan = Plan::new(loaded.profile.clone());
    let forecast = Forecast::new(&plan);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(CliError::internal)?;
    let mut findings = Findings::new(arguments.format);
    let interrupted =
        runtime.block_on(examine(arguments, &loaded.profile, &forecast, &mut findings))?;
    findings.bar.finish_and_clear();
    let passed = passed(&findings.list);
    if findings.format == OutputFormat::Json {
        let diagnosis = Diagnosis { passed, findings: &findings.list };
        let text = serde_json::to_string_pretty(&diagnosis).map_err(CliError::internal)?;
        print::out(&text);
    } else if passed {
        print::out("\nNothing stands in the way of a session.");
    } else {
        print::out("\nA session would fail: see what failed above.");
    }
    Ok(match (interrupted, passed) {
        (true, _) => Exit::Stopped,
        (false, true) => Exit::Passed,
        (false, false) => Exit::Usage,
    })
}

/// Goes through all checks; tells whether it was interrupted.
async fn examine(
    arguments: &DoctorArguments,
    profile: &Profile,
    forecast: &Forecast,
    findings: &mut Findings,
) -> Result<bool, CliError> {
    findings.add(machine::look(profile, forecast, &arguments.out));
    findings.add(budgets(forecast));
    findings.add(cloud(cloud_excess(profile, forecast).as_ref()));
    let sandbox = stand_in(profile)?;
    // Where our own callers carry the load, Cekura is the one that judges.
    let most = profile.judging.as_ref().map_or(0, |judging| judging.most);
    let judging = profile.judging_forecast(most);
    let judged = judging.as_ref().unwrap_or(profile);
    let (livekit, cekura) = services(arguments, judged, sandbox.as_ref())?;
    findings.about_to(format!("looking at {}", livekit.url));
    findings.add(network::look("livekit", &livekit.url).await);
    let interrupted = examine_livekit(arguments, profile, livekit, findings).await?;
    match cekura {
        None => {
            let why = match judged.evaluator.cekura() {
                Some(_) => "the embedded stand-in is used",
                None => "callers of our own are used",
            };
            findings.add([Finding::not_checked("cekura", why)]);
        }
        Some(service) if !interrupted => {
            findings.about_to(format!("looking at {}", service.url));
            findings.add(network::look("cekura", &service.url).await);
            let planned = judging.clone().map(|judging| Forecast::new(&Plan::new(judging)));
            let forecast = planned.as_ref().unwrap_or(forecast);
            examine_cekura(judged, forecast, service, findings).await?;
        }
        Some(_) => findings.add([Finding::not_checked("cekura", "interrupted")]),
    }
    Ok(interrupted)
}

async fn examine_livekit(
    arguments: &DoctorArguments,
    profile: &Profile,
    service: Service<(Secret, Secret)>,
    findings: &mut Findings,
) -> Result<bool, CliError> {
    let (key, secret) = match service.opened_by {
        Ok(keys) => keys,
        Err(words) => {
            findings.add([
                Finding::failed("livekit key", words, "copy both from the project's settings"),
                Finding::not_checked("livekit grants", "there is no key"),
                Finding::not_checked("agent", "there is no key"),
            ]);
            return Ok(false);
        }
    };
    let timeout = profile.limits.livekit_timeout.as_duration();
    let livekit =
        LiveKitClient::new(&service.url, &key, &secret, timeout).map_err(CliError::internal)?;
    findings.about_to("asking LiveKit".to_owned());
    let accepted = server::key(&livekit).await;
    let opens = passed(std::slice::from_ref(&accepted));
    findings.add([accepted]);
    if !opens {
        findings.add([
            Finding::not_checked("livekit grants", "the key is not accepted"),
            Finding::not_checked("agent", "the key is not accepted"),
        ]);
        return Ok(false);
    }
    let trial =
        if arguments.no_dispatch { DispatchTrial::RoomOnly } else { DispatchTrial::Dispatch };
    if trial == DispatchTrial::Dispatch {
        findings.about_to(format!(
            "sending for the agent, for up to {}",
            profile.livekit.give_up_after.micros()
        ));
    }
    let room = throw_away_room(profile);
    let tried = try_room(&livekit, profile, &room, trial).await;
    findings.add(tried.findings);
    Ok(tried.interrupted)
}

async fn examine_cekura(
    profile: &Profile,
    forecast: &Forecast,
    service: Service<Secret>,
    findings: &mut Findings,
) -> Result<(), CliError> {
    let key = match service.opened_by {
        Ok(key) => key,
        Err(words) => {
            findings.add([
                Finding::failed("cekura key", words, "make one in Cekura's settings"),
                Finding::not_checked("cekura plan", "there is no key"),
            ]);
            return Ok(());
        }
    };
    let Some(settings) = profile.evaluator.cekura() else { return Ok(()) };
    let config = CekuraConfig { url: service.url, key, settings: settings.clone() };
    let cekura = Cekura::new(config, &profile.limits).map_err(CliError::internal)?;
    findings.about_to("asking Cekura".to_owned());
    for mode in profile.mode.modes() {
        findings.add(account::look(&cekura, *mode, forecast.in_flight).await);
    }
    Ok(())
}

/// The rates that the plan needs against those that the profile allows.
fn budgets(forecast: &Forecast) -> Vec<Finding> {
    let budget = |check: &str, needed: f64, found: Option<&PlanWarning>, setting: &str| match found
    {
        Some(caution) => Finding::warning(
            check,
            caution_words(caution),
            format!("raise {setting}, or lower the rates of the stages"),
        ),
        None => Finding::ok(check, format!("{needed:.2} a second are needed at the peak")),
    };
    let find =
        |fits: fn(&PlanWarning) -> bool| forecast.warnings.iter().find(|caution| fits(caution));
    let requests = find(|caution| matches!(caution, PlanWarning::Requests { .. }));
    let polls = find(|caution| matches!(caution, PlanWarning::Polls { .. }));
    let places = find(|caution| matches!(caution, PlanWarning::InFlight { .. }));
    let mut findings = vec![
        budget("submissions", forecast.requests_per_second, requests, "limits.requests"),
        budget("polls", forecast.polls_per_second, polls, "limits.polls"),
    ];
    findings.push(match places {
        Some(caution) => Finding::warning(
            "in flight",
            caution_words(caution),
            "raise limits.in_flight, or lower the rates of the stages",
        ),
        None => Finding::ok(
            "in flight",
            format!("about {:.0} places are needed at the peak", forecast.in_flight.ceil()),
        ),
    });
    findings
}

/// The stand-ins, where the profile's rooms are there.
fn stand_in(profile: &Profile) -> Result<Option<Sandbox>, CliError> {
    if profile.livekit.target != LiveKitTarget::Sandbox {
        return Ok(None);
    }
    let config = sandbox_config(profile.seed, &profile.sandbox, TruthLog::Off);
    Sandbox::start(config, 0).map(Some).map_err(CliError::usage)
}

type Services = (Service<(Secret, Secret)>, Option<Service<Secret>>);

/// Both services, real or not; an evaluator's stand-in for a real server has nothing to be examined.
fn services(
    arguments: &DoctorArguments,
    profile: &Profile,
    sandbox: Option<&Sandbox>,
) -> Result<Services, CliError> {
    let path = &arguments.profile.profile;
    let missing = || CliError::internal("a stand-in is wanted and was not started");
    let livekit = match &profile.livekit.target {
        LiveKitTarget::Sandbox => {
            let keys = (SandboxConfig::API_KEY, SandboxConfig::API_SECRET);
            let url = sandbox.ok_or_else(missing)?.livekit_url();
            Service { url, opened_by: Ok((Secret::new(keys.0), Secret::new(keys.1))) }
        }
        LiveKitTarget::Url(url) => {
            let keys = livekit_keys(profile, path).map_err(|trouble| trouble.message);
            let opened_by = keys.and_then(|keys| keys.ok_or_else(|| "there is none".to_owned()));
            Service { url: url.clone(), opened_by }
        }
    };
    let Some(settings) = profile.evaluator.cekura() else { return Ok((livekit, None)) };
    let cekura = match (&settings.url, &profile.livekit.target) {
        (None, LiveKitTarget::Url(_)) => None,
        (None, LiveKitTarget::Sandbox) => {
            let url = sandbox.ok_or_else(missing)?.url();
            Some(Service { url, opened_by: Ok(Secret::new(SandboxConfig::CEKURA_KEY)) })
        }
        (Some(url), _) => {
            let key = cekura_key(profile, path).map_err(|trouble| trouble.message);
            let opened_by = key.and_then(|key| key.ok_or_else(|| "there is none".to_owned()));
            Some(Service { url: url.clone(), opened_by })
        }
    };
    Ok((livekit, cekura))
}

/// A name that no room has.
fn throw_away_room(profile: &Profile) -> String {
    // The standard library keys its hashers from the operating system's randomness.
    let random = std::hash::RandomState::new().build_hasher().finish();
    format!("{}doctor-{random:016x}", profile.livekit.room_prefix)
}
