//! Whether LiveKit accepts the key, and grants what a session asks of it.

use super::finding::Finding;
use rushhour_livekit::{LiveKitClient, LiveKitError, LiveKitErrorKind};

/// Asks for one room that is not there.
pub(crate) async fn key(livekit: &LiveKitClient) -> Finding {
    let check = "livekit key";
    match livekit.check_connectivity().await {
        Ok(()) => Finding::ok(check, "accepted, and rooms may be listed"),
        Err(error) => refused(check, &error),
    }
}

/// What a refusal means for a session.
pub(crate) fn refused(check: &str, error: &LiveKitError) -> Finding {
    let advice = match error.kind {
        LiveKitErrorKind::Unauthenticated => {
            "check LIVEKIT_API_KEY and LIVEKIT_API_SECRET; they belong to one project and its address"
        }
        LiveKitErrorKind::Forbidden => "use a key that may create, list and administer rooms",
        LiveKitErrorKind::Server => "see what the server says, and try again",
        _ => "check livekit.url, or LIVEKIT_URL",
    };
    Finding::failed(check, error.to_string(), advice)
}
