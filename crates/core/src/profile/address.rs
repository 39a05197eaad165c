//! The addresses of the services that keys are sent to: which ones a profile may name, and what a profile in a
//! journal, which nobody loaded on this machine, has to prove again.

use url::Url;

use super::diagnostic::DiagnosticKind;
pub(super) use super::livekit_address::parse_livekit_url;
use super::resolve::{parse_prometheus_url, worker_rejection};
use super::settings::evaluator::CekuraSettings;
use super::settings::livekit::{LiveKitSettings, LiveKitTarget};
use super::settings::profile::Profile;
use super::settings::soak::AgentHealthSettings;
use super::settings::workers::WorkersSettings;
use super::target_kind::{TargetKind, target_kind};

/// Cekura's own address.
pub const CEKURA_URL: &str = "https://api.cekura.ai";

/// Why an address cannot be used. It repeats no part of an address that may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AddressProblem {
    /// What kind of mistake it is.
    pub kind: DiagnosticKind,
    /// What is wrong.
    pub message: String,
    /// How to correct it.
    pub hint: String,
}

impl AddressProblem {
    pub(super) fn invalid(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind: DiagnosticKind::InvalidValue, message: message.into(), hint: hint.into() }
    }
}

/// Parses the URL of Cekura, or of what stands in for it.
pub(super) fn parse_service_url(text: &str) -> Result<Url, AddressProblem> {
    refuse_secrets(text, "set CEKURA_API_KEY in the environment")?;
    Url::parse(text)
        .ok()
        .filter(|url| match url.scheme() {
            "https" => true,
            "http" => matches!(target_kind(url), TargetKind::Loopback | TargetKind::Private),
            _ => false,
        })
        .ok_or_else(|| {
            AddressProblem::invalid(
                "this is not the URL of a service",
                format!("write a URL that begins with https://, such as \"{CEKURA_URL}\""),
            )
        })
}

/// The address of requests for speech: that of a service, which may end with `/audio/speech` or where that begins.
pub(super) fn parse_speech_url(text: &str) -> Result<String, AddressProblem> {
    const PATH: &str = "/audio/speech";
    refuse_secrets(text, "set SPEECH_API_KEY in the environment")?;
    let url = Url::parse(text)
        .ok()
        .filter(|url| match url.scheme() {
            "https" => true,
            "http" => matches!(target_kind(url), TargetKind::Loopback | TargetKind::Private),
            _ => false,
        })
        .filter(|url| url.query().is_none() && url.fragment().is_none())
        .ok_or_else(|| {
            AddressProblem::invalid(
                "this is not the URL of a service",
                "write a URL that begins with https://, such as \"https://api.openai.com/v1\"",
            )
        })?;
    let url = url.as_str().trim_end_matches('/');
    Ok(if url.ends_with(PATH) { url.to_owned() } else { format!("{url}{PATH}") })
}

/// Parses the URL of a NATS server.
///
/// # Errors
/// It is not one, or holds how to log in.
pub fn parse_nats_url(text: &str) -> Result<Url, AddressProblem> {
    refuse_secrets(
        text,
        "set NATS_USER and NATS_PASSWORD, NATS_TOKEN, NATS_NKEY or NATS_CREDS in the environment",
    )?;
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "nats" | "tls"))
        .filter(|url| url.host_str().is_some_and(|host| !host.is_empty()))
        .filter(|url| matches!(url.path(), "" | "/") && url.query().is_none())
        .ok_or_else(|| {
            AddressProblem::invalid(
                "this is not the URL of a NATS server",
                "write a URL such as \"nats://127.0.0.1:4222\", or \"tls://\" where it must be encrypted",
            )
        })
}

/// A user name, a password or a key in an address would end up in every journal and report.
pub(super) fn refuse_secrets(text: &str, hint: &str) -> Result<(), AddressProblem> {
    let secret = |message: &str| {
        Err(AddressProblem {
            kind: DiagnosticKind::Secret,
            message: message.to_owned(),
            hint: hint.to_owned(),
        })
    };
    let authority = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return secret("a URL must not contain a user name or a password");
    }
    if has_secret_parameter(text) {
        return secret("a URL must not contain a key or a token");
    }
    Ok(())
}

/// Whether the query or the fragment of an address has a parameter that is named like a secret.
fn has_secret_parameter(text: &str) -> bool {
    text.split(['?', '&', ';', '#'])
        .skip(1)
        .filter_map(|parameter| parameter.split_once('='))
        .any(|(name, _)| super::redaction::is_secret_name(name))
}

/// Whether a text is the path of a request: what is appended to a host must not name another one.
pub(super) fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.contains(['?', '#', '\\']) && !text.contains(char::is_whitespace)
}

/// Checks the addresses of a profile that was not loaded on this machine, such as that of a journal, by the rules for
/// those that are.
///
/// # Errors
/// For the first address that no profile may have.
pub fn check_addresses(profile: &Profile) -> Result<(), AddressProblem> {
    let LiveKitSettings { target, api_url, .. } = &profile.livekit;
    let target = if let LiveKitTarget::Url(url) = target { Some(url) } else { None };
    for url in target.into_iter().chain(api_url) {
        parse_livekit_url(url)?;
    }
    let judge = profile.judging.as_ref().map(|judging| &judging.cekura);
    for cekura in profile.evaluator.cekura().into_iter().chain(judge) {
        check_cekura(cekura)?;
    }
    if let Some(workers) = &profile.workers {
        parse_nats_url(&workers.nats)?;
        if !WorkersSettings::is_namespace(&workers.namespace) {
            let hint = "a namespace is 1 to 32 letters, digits, `-` or `_`";
            return Err(AddressProblem::invalid("this is not the namespace of workers", hint));
        }
    }
    let health = profile.agent_health.as_ref();
    for url in health.into_iter().flat_map(AgentHealthSettings::urls) {
        if let Some(message) = worker_rejection(url) {
            return Err(AddressProblem::invalid(message, "the worker must be on this machine"));
        }
    }
    if let Some(queries) = health.and_then(|health| health.prometheus.as_ref()) {
        parse_prometheus_url(&queries.url)?;
    }
    Ok(())
}

fn check_cekura(settings: &CekuraSettings) -> Result<(), AddressProblem> {
    let Some(url) = &settings.url else { return Ok(()) };
    parse_service_url(url)?;
    let paths =
        [&settings.voice_path, &settings.chat_path, &settings.runs_path, &settings.end_call_path];
    if paths.into_iter().all(|path| is_path(path)) {
        return Ok(());
    }
    Err(AddressProblem::invalid(
        "a path of the evaluator is not a path",
        "a path begins with / and has no query",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::testing::profile_of;

    #[test]
    fn an_address_with_a_secret_is_refused_without_showing_it() {
        for url in [
            "wss://me:hunter2@host",
            "ws://hunter2@10.0.0.1",
            "https://hunter2:@host/",
            "not a url @hunter2",
            "wss://host?api_key=hunter2",
            "wss://host/path?a=1&Access-Token=hunter2",
            "wss://host#token=hunter2",
        ] {
            for problem in [parse_livekit_url(url).err(), parse_service_url(url).err()] {
                let problem = problem.expect(url);
                assert_eq!(problem.kind, DiagnosticKind::Secret, "{url}");
                assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
            }
        }
        assert!(parse_livekit_url("wss://host/@").is_ok());
    }

    #[test]
    fn a_key_goes_in_clear_only_to_this_machine_and_to_private_networks_with_a_warning() {
        for public in
            ["http://evil.example", "http://169.254.169.254", "http://[fe80::1]", "http://8.8.8.8"]
        {
            assert!(parse_service_url(public).is_err(), "{public}");
        }
        for (private, is_in_clear) in [
            ("http://127.0.0.1:8000", false),
            ("http://10.0.0.7", true),
            ("http://cekura.default.svc", true),
            ("https://api.cekura.ai", false),
        ] {
            assert!(parse_service_url(private).is_ok(), "{private}");
            let mut profile = profile_of(
                "[livekit]\nurl = \"wss://x.example\"\nagent = \"a\"\n[evaluator]\nkind = \"cekura\"\n[[scenario]]\nid = 30\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n",
            );
            let crate::profile::EvaluatorSettings::Cekura(cekura) = &mut profile.evaluator else {
                panic!("the evaluator is Cekura");
            };
            cekura.url = Some(private.to_owned());
            assert_eq!(cekura.address_in_clear().is_some(), is_in_clear, "{private}");
        }
    }

    #[test]
    fn an_address_of_nats_names_a_server_and_no_way_to_log_in() {
        for good in ["nats://127.0.0.1:4222", "tls://nats.example", "nats://[::1]:9/"] {
            assert!(parse_nats_url(good).is_ok(), "{good}");
        }
        for bad in [
            "127.0.0.1:4222",
            "http://127.0.0.1:4222",
            "nats://",
            "nats://me:secret@127.0.0.1",
            "nats://token@127.0.0.1",
            "nats://127.0.0.1/path",
            "ws://127.0.0.1",
        ] {
            assert!(parse_nats_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_addresses_of_a_journal_are_checked_like_those_of_a_profile() {
        let profile = profile_of(
            "[livekit]\nurl = \"wss://x.example\"\nagent = \"a\"\n[evaluator]\nkind = \"cekura\"\n[[scenario]]\nid = 30\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n",
        );
        assert_eq!(check_addresses(&profile), Ok(()));
        for url in ["ws://x.livekit.cloud", "ftp://x", "x", "wss://a:b@x"] {
            let mut forged = profile.clone();
            forged.livekit.target = LiveKitTarget::Url(url.to_owned());
            assert!(check_addresses(&forged).is_err(), "{url}");
        }
        for path in ["@evil.example/", ".evil.example/", "/a?b", "/a b", "/a\\b"] {
            let mut forged = profile.clone();
            let crate::profile::EvaluatorSettings::Cekura(cekura) = &mut forged.evaluator else {
                panic!("the evaluator is Cekura");
            };
            path.clone_into(&mut cekura.runs_path);
            assert!(check_addresses(&forged).is_err(), "{path}");
        }
    }
}
