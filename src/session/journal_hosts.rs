//! The hosts that a journal names. Whoever wrote it chose them, so keys go there only if the user named them too, or
//! agrees to them.

use std::io::{self, BufRead, IsTerminal};

use clap::Args;
use url::Url;

use crate::error::CliError;
use crate::print;
use rushhour_core::profile::{
    AgentHealthSettings, CEKURA_URL, CekuraSettings, LiveKitTarget, Profile, check_addresses,
};
use rushhour_report::render::listed;

/// Permission to send keys to hosts that only a journal names.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct TrustArgs {
    /// Send keys to the hosts that the journal names, although neither LIVEKIT_URL nor CEKURA_API_URL does.
    ///
    /// Whoever wrote the journal chose them: only for a session of your own.
    #[arg(long)]
    pub(crate) trust_hosts: bool,
}

/// A service of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    LiveKit,
    Cekura,
    /// The agent's own worker, on this machine; it gets no key, but whoever wrote the journal chose the request.
    Worker,
    /// The Prometheus server that knows the agent's workers; what it asks for goes there.
    Prometheus,
    /// The NATS server where workers wait; its login goes there, and the tokens of the rooms.
    Nats,
}

impl Service {
    const fn name(self) -> &'static str {
        match self {
            Self::LiveKit => "LiveKit",
            Self::Cekura => "Cekura",
            Self::Worker => "the agent's worker",
            Self::Prometheus => "Prometheus",
            Self::Nats => "NATS",
        }
    }

    /// The environment variable that names its host.
    const fn variable(self) -> Option<&'static str> {
        match self {
            Self::LiveKit => Some("LIVEKIT_URL"),
            Self::Cekura => Some("CEKURA_API_URL"),
            Self::Worker | Self::Prometheus => None,
            Self::Nats => Some("NATS_URL"),
        }
    }

    fn is_named(self, url: &str, named: Option<&str>) -> bool {
        named.is_some_and(|named| is_same_host(url, named))
            // The key of Cekura is for Cekura.
            || self == Self::Cekura && is_same_host(url, CEKURA_URL)
    }
}

/// A host that would get a key, and what the environment names instead.
struct UnnamedHost {
    service: Service,
    url: String,
    named: Option<String>,
}

/// What a command asks beside the LiveKit server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AskedServices<'a> {
    /// Cekura, where it is to be asked.
    pub(crate) cekura: Option<&'a CekuraSettings>,
    /// Whether the session goes on: then the agent's worker is polled, and workers hold callers, where the profile names
    /// them.
    pub(crate) worker: bool,
}

/// Makes sure that the hosts of a profile that came from a journal may be contacted, and get keys: those of its LiveKit
/// server, and of the other services that are asked.
///
/// # Errors
/// Where no profile may have such an address, or the user did not name the hosts and does not agree to them.
pub(crate) fn confirm_hosts(
    profile: &Profile,
    asked: AskedServices<'_>,
    trust: TrustArgs,
) -> Result<(), CliError> {
    check_addresses(profile).map_err(|problem| {
        CliError::usage("the journal names an address that no profile may have")
            .caused_by(problem)
            .with_hint("no key was sent; use only session folders whose origin you know")
    })?;
    let unnamed = unnamed_hosts(profile, asked, |variable| std::env::var(variable).ok());
    if unnamed.is_empty() || trust.trust_hosts {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(refusal(&unnamed));
    }
    print::stderr(
        "The journal names hosts that you did not name. They would be contacted, with your keys:",
    );
    for host in &unnamed {
        print::stderr(&format!("  {}", described(host)));
    }
    print::stderr("Contact them? [y/N]");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(CliError::usage("no key was sent"))
}

fn unnamed_hosts(
    profile: &Profile,
    asked: AskedServices<'_>,
    variable: impl Fn(&str) -> Option<String>,
) -> Vec<UnnamedHost> {
    // Requests to the server API carry tokens made with the secret; callers take theirs to the other address.
    let callers = match &profile.livekit.target {
        LiveKitTarget::Url(url) => Some(url),
        LiveKitTarget::Sandbox => None,
    };
    let addresses = callers.into_iter().chain(&profile.livekit.api_url);
    let livekit = addresses.map(|url| (Service::LiveKit, url.clone()));
    let cekura = asked.cekura.and_then(|settings| Some((Service::Cekura, settings.url.clone()?)));
    let health = profile.agent_health.iter().filter(|_| asked.worker);
    let queries = health.clone().filter_map(|health| health.prometheus.as_ref());
    let prometheus = queries.map(|queries| (Service::Prometheus, queries.url.clone()));
    let worker = health.flat_map(AgentHealthSettings::urls);
    let worker = worker.map(|url| (Service::Worker, url.clone())).chain(prometheus);
    let workers = profile.workers.iter().filter(|_| asked.worker);
    let nats = workers.map(|workers| (Service::Nats, workers.nats.clone()));
    let hosts = livekit.chain(cekura).chain(worker).chain(nats).map(|(service, url)| {
        let named = service.variable().and_then(&variable);
        UnnamedHost { service, url, named: named.filter(|named| !named.trim().is_empty()) }
    });
    hosts.filter(|host| !host.service.is_named(&host.url, host.named.as_deref())).collect()
}

/// Whether two addresses lead to the same server, over the same kind of connection.
fn is_same_host(one: &str, other: &str) -> bool {
    let server = |text: &str| {
        let url = Url::parse(text.trim()).ok()?;
        let (is_encrypted, default_port) = match url.scheme() {
            "wss" | "https" => (true, 443),
            "ws" | "http" => (false, 80),
            "tls" => (true, 4222),
            "nats" => (false, 4222),
            _ => return None,
        };
        let host = url.host_str()?.trim_end_matches('.').to_ascii_lowercase();
        Some((is_encrypted, host, url.port().unwrap_or(default_port)))
    };
    let server_of_one = server(one);
    server_of_one.is_some() && server_of_one == server(other)
}

fn described(host: &UnnamedHost) -> String {
    let (service, url) = (host.service.name(), &host.url);
    match (host.service.variable(), &host.named) {
        (Some(variable), Some(named)) => {
            format!("{service} at {url}, while {variable} names {named}")
        }
        (Some(variable), None) => format!("{service} at {url}, which {variable} does not name"),
        (None, _) => format!("{service} at {url}"),
    }
}

fn refusal(unnamed: &[UnnamedHost]) -> CliError {
    let hosts: Vec<String> = unnamed.iter().map(described).collect();
    let named = unnamed.iter().filter_map(|host| host.service.variable());
    let mut variables: Vec<String> = named.map(str::to_owned).collect();
    variables.dedup();
    let hint = if variables.is_empty() {
        "if it is yours, run it again with --trust-hosts".to_owned()
    } else {
        let variables = listed(&variables);
        format!("if they are yours, name them in {variables}, or run it again with --trust-hosts")
    };
    CliError::usage(format!(
        "the journal would contact hosts that you did not name, with your keys: {}",
        hosts.join("; ")
    ))
    .with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_server_over_the_same_kind_of_connection_counts_as_named() {
        for (one, other) in [
            ("wss://a.example", "https://A.example:443/"),
            ("ws://127.0.0.1:7880", "http://127.0.0.1:7880"),
            ("wss://a.example.", "wss://a.example/path"),
        ] {
            assert!(is_same_host(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("ws://a.example", "wss://a.example"),
            ("wss://a.example", "wss://a.example.evil"),
            ("wss://a.example", "wss://a.example:444"),
            ("wss://evil@a.example", ""),
            ("a", "a"),
        ] {
            assert!(!is_same_host(one, other), "{one} {other}");
        }
    }

    #[test]
    fn cekuras_key_may_go_to_cekura_without_being_told() {
        assert!(Service::Cekura.is_named("https://api.cekura.ai", None));
        assert!(!Service::Cekura.is_named("https://api.cekura.ai.evil", None));
        assert!(!Service::LiveKit.is_named("https://api.cekura.ai", None));
    }

    #[test]
    fn a_server_of_nats_is_the_same_by_its_own_port_and_encryption() {
        assert!(is_same_host("nats://a.example", "nats://A.example:4222/"));
        for other in
            ["tls://a.example", "nats://a.example:4223", "nats://b.example", "ws://a.example"]
        {
            assert!(!is_same_host("nats://a.example", other), "{other}");
        }
        assert!(!Service::Nats.is_named("nats://a.example", None));
    }

    #[test]
    fn every_livekit_address_of_a_journal_must_be_named() {
        let text = "[livekit]\nurl = \"wss://a.example\"\napi_url = \"wss://b.example\"\nagent = \"x\"\n[[scenario]]\nid = 30\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n";
        let mut profile = rushhour_core::profile::load(rushhour_core::profile::ProfileInput {
            file: "p.toml",
            bytes: text.as_bytes(),
            environment: &[],
            flags: &[],
            read_file: &rushhour_core::profile::no_files,
        })
        .unwrap_or_else(|_| panic!("it is valid"))
        .profile;
        let original = profile.clone();
        let unnamed = |named: &str| {
            let (named, profile) = (named.to_owned(), &original);
            let asked = AskedServices { cekura: None, worker: true };
            let hosts = unnamed_hosts(profile, asked, |_| Some(named.clone()));
            hosts.into_iter().map(|host| host.url).collect::<Vec<_>>()
        };
        assert_eq!(unnamed("wss://a.example"), ["wss://b.example"]);
        assert_eq!(unnamed("wss://b.example"), ["wss://a.example"]);
        // A worker is on this machine, where other things listen too.
        let worker = "http://127.0.0.1:8081/worker";
        profile.agent_health = Some(rushhour_core::profile::AgentHealthSettings {
            url: Some(worker.to_owned()),
            metrics: None,
            others: Vec::new(),
            prometheus: None,
            every: "1s".parse().unwrap(),
            settle: "1s".parse().unwrap(),
        });
        for (asks_worker, expected) in [(true, &[worker][..]), (false, &[])] {
            let asked = AskedServices { cekura: None, worker: asks_worker };
            profile.livekit.api_url = None;
            let hosts = unnamed_hosts(&profile, asked, |_| Some("wss://a.example".to_owned()));
            let found: Vec<String> = hosts.into_iter().map(|host| host.url).collect();
            assert_eq!(found, expected);
        }
    }
}
