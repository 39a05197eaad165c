//! The secrets that this process knows, so that errors and logs can be redacted.

use rushhour_core::units::{Secret, redact, remember_secret};
use rushhour_sandbox::SandboxConfig;

/// Where the environment holds secrets.
const VARIABLES: [&str; 3] = ["LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "CEKURA_API_KEY"];

/// Keys that are public and ordinary words, which no message could do without: those of
/// `livekit-server --dev` and of the embedded sandbox.
const ORDINARY_WORDS: [&str; 3] = ["devkey", "secret", SandboxConfig::API_KEY];

/// Where proxies are named, perhaps with a password.
const PROXIES: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// Remembers the secrets of the environment and of the sandbox. Errors and logs are redacted from then on.
pub(crate) fn remember_environment() {
    let value = |name: &&str| std::env::var(name).ok();
    for text in VARIABLES.iter().filter_map(value) {
        remember(&Secret::new(text.trim()));
    }
    for proxy in PROXIES.iter().filter_map(value) {
        if let Some(password) = password_of(&proxy) {
            remember(&Secret::new(password));
        }
    }
    for secret in [SandboxConfig::API_SECRET, SandboxConfig::CEKURA_KEY] {
        remember(&Secret::new(secret));
    }
}

/// The password in a URL.
fn password_of(url: &str) -> Option<&str> {
    let (authority, _) = url.split_once("://").map_or(url, |(_, rest)| rest).rsplit_once('@')?;
    authority.split_once(':').map(|(_, password)| password)
}

/// Remembers a secret, unless it is a word that no message could do without.
pub(crate) fn remember(secret: &Secret) {
    if !secret.is_empty() && !ORDINARY_WORDS.contains(&secret.expose()) {
        remember_secret(secret);
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
        assert_eq!(password_of("http://me:pass:word@proxy:3128"), Some("pass:word"));
        assert_eq!(password_of("http://proxy:3128"), None);
        remember(&Secret::new("devkey"));
        assert_eq!(redacted("devkey and a-key-of-this-test-only"), "devkey and [redacted]");
        assert_eq!(redacted(SandboxConfig::API_SECRET), "[redacted]");
    }
}
