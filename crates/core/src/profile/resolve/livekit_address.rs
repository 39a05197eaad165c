//! The address of a LiveKit server as people write it.

use url::Url;

use crate::profile::target_kind::{TargetKind, target_kind};

/// Why a text is no address of a LiveKit server, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AddressError {
    pub(super) message: String,
    pub(super) hint: String,
    /// Whether it holds a secret, so that it must not be shown.
    pub(super) is_secret: bool,
}

impl AddressError {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), is_secret: false }
    }
}

/// Parses an address: `wss://` or `ws://`, or `https://` or `http://`, which official clients take for the same.
/// Returns it as `wss://` or `ws://`, without a slash at its end.
pub(super) fn parse_address(text: &str) -> Result<String, AddressError> {
    let trimmed = text.trim();
    let unquoted = trimmed.trim_matches(['"', '\'', '`']);
    if unquoted != trimmed {
        return Err(AddressError::new(
            "the address contains quotes",
            "write it without quotes, as in LIVEKIT_URL=wss://example.livekit.cloud",
        ));
    }
    if trimmed.is_empty() {
        return Err(AddressError::new(
            "the address is empty",
            "write one such as \"wss://example.livekit.cloud\", or \"sandbox\" for the embedded stand-in",
        ));
    }
    let Some((scheme, rest)) = trimmed.split_once("://") else {
        return Err(AddressError::new(
            "the address has no scheme",
            format!(
                "write \"{}://{trimmed}\", or \"sandbox\" for the embedded stand-in",
                usual_scheme(trimmed)
            ),
        ));
    };
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "wss" | "https" => "wss",
        "ws" | "http" => "ws",
        other => {
            return Err(AddressError::new(
                format!("a LiveKit URL does not begin with {other}://"),
                format!("write \"{}://{rest}\"", usual_scheme(rest)),
            ));
        }
    };
    let Ok(url) = Url::parse(&format!("{scheme}://{rest}")) else {
        return Err(AddressError::new(
            "this is not a URL",
            format!(
                "write \"{scheme}://\" and the server's name or address, with a port if it has one"
            ),
        ));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AddressError {
            is_secret: true,
            ..AddressError::new(
                "a URL must not contain a user name or a password",
                "set LIVEKIT_API_KEY and LIVEKIT_API_SECRET in the environment",
            )
        });
    }
    let bare = rest.split(['?', '#']).next().unwrap_or(rest).trim_end_matches('/');
    for (found, name) in [
        (url.query(), "query (`?` and what follows)"),
        (url.fragment(), "fragment (`#` and what follows)"),
    ] {
        if found.is_some() {
            return Err(AddressError::new(
                format!("a LiveKit URL has no {name}"),
                format!("write \"{scheme}://{bare}\""),
            ));
        }
    }
    if scheme == "ws" && target_kind(&url) == TargetKind::LiveKitCloud {
        return Err(AddressError::new(
            "LiveKit Cloud takes encrypted connections only",
            format!("write \"wss://{bare}\""),
        ));
    }
    Ok(format!("{scheme}://{bare}"))
}

/// The scheme that servers at such an address usually have.
fn usual_scheme(rest: &str) -> &'static str {
    let kind = Url::parse(&format!("ws://{rest}")).map(|url| target_kind(&url));
    match kind {
        Ok(TargetKind::Loopback | TargetKind::Private) => "ws",
        _ => "wss",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_address_becomes_a_websocket_address() {
        for (text, address) in [
            ("wss://acme.livekit.cloud", "wss://acme.livekit.cloud"),
            ("https://acme.livekit.cloud/", "wss://acme.livekit.cloud"),
            ("HTTPS://acme.livekit.cloud", "wss://acme.livekit.cloud"),
            ("http://127.0.0.1:7880", "ws://127.0.0.1:7880"),
            ("ws://livekit.example.com", "ws://livekit.example.com"),
            (" ws://10.0.0.7:7880/livekit/ \n", "ws://10.0.0.7:7880/livekit"),
            ("ws://[::1]:7880", "ws://[::1]:7880"),
        ] {
            assert_eq!(parse_address(text).as_deref(), Ok(address), "{text}");
        }
    }

    #[test]
    fn every_mistake_has_a_sentence_of_its_own() {
        for (text, message, hint) in [
            ("acme.livekit.cloud", "has no scheme", "\"wss://acme.livekit.cloud\""),
            ("localhost:7880", "has no scheme", "\"ws://localhost:7880\""),
            ("\"wss://a.example\"", "contains quotes", "without quotes"),
            ("'wss://a.example'", "contains quotes", "without quotes"),
            (" ", "is empty", "wss://"),
            ("wss://a.example?access_token=x", "has no query", "\"wss://a.example\""),
            ("https://a.example/#top", "has no fragment", "\"wss://a.example\""),
            ("ws://x.livekit.cloud", "encrypted connections only", "\"wss://x.livekit.cloud\""),
            ("http://x.livekit.cloud/", "encrypted connections only", "\"wss://x.livekit.cloud\""),
            ("ftp://a.example", "does not begin with ftp://", "\"wss://a.example\""),
            ("wss://", "not a URL", "wss://"),
        ] {
            let error = parse_address(text).unwrap_err();
            assert!(error.message.contains(message), "{text}: {}", error.message);
            assert!(error.hint.contains(hint), "{text}: {}", error.hint);
            assert!(!error.hint.contains("access_token"), "a query may hold a secret");
            assert!(!error.is_secret);
        }
        assert!(parse_address("wss://user:pass@a.example").unwrap_err().is_secret);
    }
}
