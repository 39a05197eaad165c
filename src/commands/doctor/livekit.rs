//! Whether LiveKit accepts the key, and grants what a session needs.

use super::finding::Finding;
use rushhour_livekit::{LiveKitClient, LiveKitError, LiveKitErrorKind};

/// Checks the key by listing one room that does not exist.
pub(crate) async fn check_key(livekit: &LiveKitClient) -> Finding {
    let check = "livekit key";
    match livekit.check_connectivity().await {
        Ok(()) => Finding::ok(check, "accepted, and may list rooms"),
        Err(error) => request_failed(check, &error),
    }
}

/// The finding for a request that LiveKit did not fulfil.
pub(crate) fn request_failed(check: &str, error: &LiveKitError) -> Finding {
    let hint = match error.kind {
        LiveKitErrorKind::Unauthenticated => {
            "check LIVEKIT_API_KEY and LIVEKIT_API_SECRET; they belong to one project and its address"
        }
        LiveKitErrorKind::Forbidden => "use a key that may create, list and administer rooms",
        LiveKitErrorKind::RateLimited { .. } => {
            "wait a minute and try again: others use the same project, or a proxy limits requests"
        }
        LiveKitErrorKind::Server => "read the server's message, and try again",
        _ => "check livekit.url, or LIVEKIT_URL",
    };
    Finding::failed(check, error.to_string(), hint)
}
