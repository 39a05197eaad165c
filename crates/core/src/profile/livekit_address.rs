//! The address of a LiveKit server as people write it.

use url::Url;

use super::address::{AddressProblem, refuse_secrets};
use super::target_kind::{TargetKind, target_kind};

/// Parses an address: `wss://` or `ws://`, or `https://` or `http://`, which official clients take for the same.
/// Returns it as `wss://` or `ws://`, without a slash at its end.
///
/// # Errors
/// Where no profile may have it.
pub fn parse_livekit_url(text: &str) -> Result<String, AddressProblem> {
    refuse_secrets(text, "set LIVEKIT_API_KEY and LIVEKIT_API_SECRET in the environment")?;
    let trimmed = text.trim();
    let unquoted = trimmed.trim_matches(['"', '\'', '`']);
    if unquoted != trimmed {
        return Err(AddressProblem::invalid(
            "the address contains quotes",
            "write it without quotes, as in LIVEKIT_URL=wss://example.livekit.cloud",
        ));
    }
    if trimmed.is_empty() {
        return Err(AddressProblem::invalid(
            "the address is empty",
            "write one such as \"wss://example.livekit.cloud\", or \"sandbox\" for the embedded stand-in",
        ));
    }
    let Some((scheme, rest)) = trimmed.split_once("://") else {
        return Err(AddressProblem::invalid(
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
            return Err(AddressProblem::invalid(
                format!("a LiveKit URL does not begin with {other}://"),
                format!("write \"{}://{rest}\"", usual_scheme(rest)),
            ));
        }
    };
    let Ok(url) = Url::parse(&format!("{scheme}://{rest}")) else {
        return Err(AddressProblem::invalid(
            "this is not a URL",
            format!(
                "write \"{scheme}://\" and the server's name or address, with a port if it has one"
            ),
        ));
    };
    let bare = rest.split(['?', '#']).next().unwrap_or(rest).trim_end_matches('/');
    for (found, name) in [
        (url.query(), "query (`?` and what follows)"),
        (url.fragment(), "fragment (`#` and what follows)"),
    ] {
        if found.is_some() {
            return Err(AddressProblem::invalid(
                format!("a LiveKit URL has no {name}"),
                format!("write \"{scheme}://{bare}\""),
            ));
        }
    }
    if scheme == "ws" && target_kind(&url) == TargetKind::LiveKitCloud {
        return Err(AddressProblem::invalid(
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
    use crate::profile::diagnostic::DiagnosticKind;

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
            assert_eq!(parse_livekit_url(text).as_deref(), Ok(address), "{text}");
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
            ("wss://a.example?region=eu", "has no query", "\"wss://a.example\""),
            ("https://a.example/#top", "has no fragment", "\"wss://a.example\""),
            ("ws://x.livekit.cloud", "encrypted connections only", "\"wss://x.livekit.cloud\""),
            ("http://x.livekit.cloud/", "encrypted connections only", "\"wss://x.livekit.cloud\""),
            ("ftp://a.example", "does not begin with ftp://", "\"wss://a.example\""),
            ("wss://", "not a URL", "wss://"),
        ] {
            let error = parse_livekit_url(text).unwrap_err();
            assert!(error.message.contains(message), "{text}: {}", error.message);
            assert!(error.hint.contains(hint), "{text}: {}", error.hint);
            assert!(!error.hint.contains("region"), "a query may hold a secret");
            assert_eq!(error.kind, DiagnosticKind::InvalidValue);
        }
        assert!(
            parse_livekit_url("wss://user:pass@a.example").unwrap_err().kind
                == DiagnosticKind::Secret
        );
    }
}
