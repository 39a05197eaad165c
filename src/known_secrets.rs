//! The secrets that this process knows, so that errors and logs can be redacted.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use rushhour_core::units::{Secret, redact};
use rushhour_sandbox::SandboxConfig;

/// Where the environment holds secrets.
const VARIABLES: [&str; 3] = ["LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "CEKURA_API_KEY"];

/// Keys that are public and ordinary words, which no message could do without: those of
/// `livekit-server --dev` and of the embedded sandbox.
const ORDINARY_WORDS: [&str; 3] = ["devkey", "secret", SandboxConfig::API_KEY];

static KNOWN: LazyLock<Mutex<Vec<Secret>>> = LazyLock::new(|| {
    let sandbox = [SandboxConfig::API_SECRET, SandboxConfig::CEKURA_KEY].map(str::to_owned);
    let environment = VARIABLES.iter().filter_map(|variable| std::env::var(variable).ok());
    let secrets = environment.chain(sandbox).map(|value| Secret::new(value.trim()));
    Mutex::new(secrets.filter(is_redacted).collect())
});

fn is_redacted(secret: &Secret) -> bool {
    !secret.is_empty() && !ORDINARY_WORDS.contains(&secret.expose())
}

fn known() -> MutexGuard<'static, Vec<Secret>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Remembers a secret that was read from a file.
pub(crate) fn remember(secret: &Secret) {
    let mut known = known();
    if is_redacted(secret) && known.iter().all(|one| one.expose() != secret.expose()) {
        known.push(secret.clone());
    }
}

/// Replaces every known secret, and everything shaped like a token.
pub(crate) fn redacted(text: &str) -> String {
    redact(text, &known().iter().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remembered_secret_is_redacted_and_an_ordinary_word_is_not() {
        remember(&Secret::new("a-key-of-this-test-only"));
        remember(&Secret::new("devkey"));
        assert_eq!(redacted("devkey and a-key-of-this-test-only"), "devkey and [redacted]");
        assert_eq!(redacted(SandboxConfig::API_SECRET), "[redacted]");
    }
}
