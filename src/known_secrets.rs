//! The secrets that this process knows, so that errors and logs can be redacted.

use rushhour_core::profile::is_secret_name;
use rushhour_core::units::{Secret, redact, remember_secret};
use rushhour_sandbox::SandboxConfig;

/// Where the environment holds secrets.
pub(crate) const VARIABLES: [&str; 9] = [
    "LIVEKIT_API_KEY",
    "LIVEKIT_API_SECRET",
    "CEKURA_API_KEY",
    "NATS_PASSWORD",
    "NATS_TOKEN",
    "SPEECH_API_KEY",
    "RUSHHOUR_LIVE_TOKEN",
    "RUSHHOUR_NOTIFY_AUTHORIZATION",
    "RUSHHOUR_PROMETHEUS_AUTHORIZATION",
];

/// Headers of requests to a collector of OTLP, for metrics alone or for all signals. Most of them hold secrets, but not
/// all of them are one.
pub(crate) const OTLP_HEADERS: [&str; 2] =
    ["OTEL_EXPORTER_OTLP_METRICS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"];

/// Keys that are public and ordinary words, which no message could do without: those of
/// `livekit-server --dev` and of the embedded sandbox.
const ORDINARY_WORDS: [&str; 3] = ["devkey", "secret", SandboxConfig::API_KEY];

/// A shorter path of a webhook, or value of a header whose name says nothing of a secret, is a word, and no secret.
const SHORTEST_UNNAMED: usize = 16;

/// Where addresses are named, of proxies and of services, perhaps with a password.
const ADDRESSES: [&str; 8] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "LIVEKIT_URL",
    "CEKURA_API_URL",
];

/// Remembers the secrets of the environment and of the sandbox. Errors and logs are redacted from then on.
pub(crate) fn remember_environment() {
    let value = |name: &&str| std::env::var(name).ok();
    for text in VARIABLES.iter().filter_map(value) {
        remember(&Secret::new(text.trim()));
    }
    for address in ADDRESSES.iter().filter_map(value) {
        for secret in secrets_of(&address) {
            remember(&Secret::new(secret));
        }
    }
    // As they are written; `session::otlp` remembers what they mean.
    for text in OTLP_HEADERS.iter().filter_map(value) {
        let headers = text.split(',').filter_map(|header| header.split_once('='));
        let headers = headers.map(|(name, value)| (name.trim(), value.trim()));
        for (_, value) in headers.filter(|(name, value)| is_secret_header(name, value)) {
            remember(&Secret::new(value));
        }
    }
    for secret in [SandboxConfig::API_SECRET, SandboxConfig::CEKURA_KEY] {
        remember(&Secret::new(secret));
    }
}

/// Whether a header of a request to a collector holds a secret. What is remembered is replaced in the journal too, so
/// words must not be, such as names of data sets and types of contents.
pub(crate) fn is_secret_header(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_named = is_secret_name(&name)
        || name.ends_with("-key")
        || name.ends_with("-dsn")
        || name == "x-honeycomb-team";
    let mixes = value.contains(|c: char| c.is_ascii_digit())
        && value.contains(|c: char| c.is_ascii_alphabetic());
    is_named || (mixes && value.len() >= SHORTEST_UNNAMED)
}

/// The secrets in a URL: the password, or a token in its place, and parameters that are named like one; as they are
/// written, and as they are meant.
fn secrets_of(url: &str) -> Vec<String> {
    let (authority, query) = url.split_once('?').unwrap_or((url, ""));
    let rest = authority.split_once("://").map_or(authority, |(_, rest)| rest);
    let user = rest.rsplit_once('@').map(|(user, _)| user);
    let password = user.map(|user| user.split_once(':').map_or(user, |(_, password)| password));
    let parameters = query.split(['&', ';', '#']).filter_map(|one| one.split_once('='));
    let values = parameters.filter(|(name, _)| is_secret_name(name)).map(|(_, value)| value);
    let written = password.into_iter().chain(values).filter(|text| !text.is_empty());
    written
        .flat_map(|text| {
            // A text without a `=` is a name.
            let meant = url::form_urlencoded::parse(text.as_bytes()).next();
            [Some(text.to_owned()), meant.map(|(name, _)| name.into_owned())]
        })
        .flatten()
        .collect()
}

/// Remembers a secret, unless it is a word that no message could do without.
pub(crate) fn remember(secret: &Secret) {
    if !secret.is_empty() && !ORDINARY_WORDS.contains(&secret.expose()) {
        remember_secret(secret);
    }
}

/// Remembers the path of an address and what follows it: whoever knows them may write to a webhook.
pub(crate) fn remember_address(url: &str) {
    for secret in secrets_of(url) {
        remember(&Secret::new(secret));
    }
    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    if let Some((_, path)) = path.filter(|(_, path)| path.len() >= SHORTEST_UNNAMED) {
        remember(&Secret::new(path));
    }
}

/// Replaces every known secret, and everything shaped like a token.
pub(crate) fn redacted(text: &str) -> String {
    redact(text, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remembered_secret_is_redacted_and_an_ordinary_word_is_not() {
        remember_environment();
        remember(&Secret::new("a-key-of-this-test-only"));
        for (url, secret) in [
            ("http://me:pass:word@proxy:3128", "pass:word"),
            ("http://token-of-a-proxy@proxy:3128", "token-of-a-proxy"),
            ("http://me:p%40ss@proxy", "p@ss"),
            ("wss://host?api_key=hunter2&x=1", "hunter2"),
        ] {
            assert!(secrets_of(url).iter().any(|found| found == secret), "{url}");
        }
        assert!(secrets_of("http://proxy:3128/path").is_empty());
        remember(&Secret::new("devkey"));
        assert_eq!(redacted("devkey and a-key-of-this-test-only"), "devkey and [redacted]");
        assert_eq!(redacted(SandboxConfig::API_SECRET), "[redacted]");
    }

    #[test]
    fn headers_with_names_or_looks_of_secrets_hold_them_and_words_are_none() {
        for (name, value, is_secret) in [
            ("Authorization", "Basic abc", true),
            ("DD-API-Key", "short", true),
            ("uptrace-dsn", "https://a@b", true),
            ("x-honeycomb-team", "abcdefgh", true),
            ("x-anything", "0123456789abcdef", true),
            ("x-honeycomb-dataset", "front-desk-production", false),
            ("content-type", "application/json", false),
            ("x-scope-orgid", "team7", false),
        ] {
            assert_eq!(is_secret_header(name, value), is_secret, "{name}");
        }
    }
}
