//! Keys, secrets and tokens, which are never shown.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use secrecy::{ExposeSecret, SecretString};

/// A key, a secret or a token. It has no `Display`, its `Debug` shows no part of it, and its memory is wiped on drop.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text itself, to send it or to sign with it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The secrets of this process, so that words from outside can be redacted wherever they arrive.
static KNOWN: Mutex<Vec<Secret>> = Mutex::new(Vec::new());

/// The shortest secret that is replaced; shorter ones are parts of ordinary words.
const SHORTEST_SECRET: usize = 4;

/// The shortest part of a secret that is replaced at the end of a text that was cut there.
const SHORTEST_PART: usize = 8;

/// Remembers a secret, which [`redact`] replaces from now on.
pub fn remember_secret(secret: &Secret) {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if secret.expose().len() >= SHORTEST_SECRET
        && known.iter().all(|one| one.expose() != secret.expose())
    {
        known.push(secret.clone());
    }
}

/// Replaces everything that looks like a token (a JWT, RFC 7519: three parts of base64url, the first of
/// which begins with `eyJ`), every secret that this process remembers, and the given ones.
pub fn redact(text: &str, secrets: &[&Secret]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        replace(&mut text, secret.expose());
    }
    for secret in KNOWN.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        replace(&mut text, secret.expose());
    }
    replace_tokens(text)
}

/// The shortest secret that is replaced in JSON: shorter ones may be names of fields.
const SHORTEST_SECRET_IN_JSON: usize = 12;

/// The same for JSON, which stays JSON. `None` where there is nothing to replace.
pub fn redact_json(text: &str) -> Option<String> {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let secrets = known.iter().map(Secret::expose);
    let found: Vec<&str> = secrets
        .filter(|secret| secret.len() >= SHORTEST_SECRET_IN_JSON && text.contains(secret))
        .collect();
    if found.is_empty() && !text.contains("eyJ") {
        return None;
    }
    let replaced =
        found.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "[redacted]"));
    Some(replace_tokens(replaced))
}

/// Replaces a secret, and the beginning of it at the end of the text.
fn replace(text: &mut String, secret: &str) {
    if secret.len() < SHORTEST_SECRET {
        return;
    }
    if text.contains(secret) {
        *text = text.replace(secret, "[redacted]");
    }
    let parts = (SHORTEST_PART..secret.len()).rev().filter(|end| secret.is_char_boundary(*end));
    if let Some(part) = parts.map(|end| &secret[..end]).find(|part| text.ends_with(part)) {
        text.truncate(text.len() - part.len());
        text.push_str("[redacted]");
    }
}

fn replace_tokens(text: String) -> String {
    if !text.contains("eyJ") {
        return text;
    }
    let is_token = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(start) = rest.find("eyJ") {
        let end = rest[start..].find(|c| !is_token(c)).map_or(rest.len(), |length| start + length);
        shown.push_str(&rest[..start]);
        shown.push_str(if end - start >= 16 { "[redacted]" } else { &rest[start..end] });
        rest = &rest[end..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_secrets_are_redacted_everywhere() {
        let key = Secret::new("key-1234");
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";
        let text = format!("bad {{\"access_token\":\"{token}\"}} for key-1234 (eyJ is fine)");
        assert_eq!(
            redact(&text, &[&key]),
            "bad {\"access_token\":\"[redacted]\"} for [redacted] (eyJ is fine)"
        );
        assert_eq!(redact(token, &[]), "[redacted]");
        assert_eq!(redact("", &[&Secret::new("")]), "");
    }

    #[test]
    fn debug_shows_no_part_of_a_secret() {
        let secret = Secret::new("hunter2");
        assert_eq!(
            format!("{secret:?} {:#?}", Some(&secret)),
            "Secret(..) Some(\n    Secret(..),\n)"
        );
        assert_eq!(secret.expose(), "hunter2");
    }
}
