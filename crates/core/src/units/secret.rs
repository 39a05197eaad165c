//! Keys, secrets and tokens: they can be used, and never shown.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A key, a secret or a token. It has no `Display`, its `Debug` shows no part of it, and its memory is wiped on drop.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a text out of sight.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text itself, for the one place that sends or signs with it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Blots out what looks like a token (a JWT, RFC 7519: three parts of base64url, the first of which
/// begins with `eyJ`) and every given secret: a second net for words that came from outside.
pub fn redact(words: &str, secrets: &[&Secret]) -> String {
    let mut text = words.to_owned();
    for secret in secrets.iter().filter(|secret| secret.expose().len() >= 4) {
        text = text.replace(secret.expose(), "[redacted]");
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
    fn tokens_and_secrets_are_blotted_out_wherever_they_stand() {
        let key = Secret::new("key-1234");
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";
        let words = format!("bad {{\"access_token\":\"{token}\"}} for key-1234 (eyJ is fine)");
        assert_eq!(
            redact(&words, &[&key]),
            "bad {\"access_token\":\"[redacted]\"} for [redacted] (eyJ is fine)"
        );
        assert_eq!(redact(token, &[]), "[redacted]");
        assert_eq!(redact("", &[&Secret::new("")]), "");
    }

    #[test]
    fn debug_shows_nothing_of_it() {
        let secret = Secret::new("hunter2");
        assert_eq!(
            format!("{secret:?} {:#?}", Some(&secret)),
            "Secret(..) Some(\n    Secret(..),\n)"
        );
        assert_eq!(secret.expose(), "hunter2");
    }
}
