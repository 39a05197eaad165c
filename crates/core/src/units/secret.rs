//! Keys, secrets and tokens, which are never shown.

use std::fmt;

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

/// Replaces everything that looks like a token (a JWT, RFC 7519: three parts of base64url, the first of
/// which begins with `eyJ`), and the given secrets: a second line of defence for text from outside.
pub fn redact(text: &str, secrets: &[&Secret]) -> String {
    let mut text = text.to_owned();
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
