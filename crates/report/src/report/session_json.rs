//! `session.json`: what was run, with which settings from where, and what of it was delivered.

use serde_json::{Value, json};

use super::validity::rates;
use crate::fold::FoldedSession;

/// The session's own description.
pub fn session_json(folded: &FoldedSession) -> Value {
    let opening = &folded.opening;
    let (asked, delivered) = rates(folded);
    json!({
        "session": opening.session,
        "rushhour": opening.rushhour,
        "journal_format": opening.format,
        "started": opening.anchor,
        "seed": opening.profile.seed,
        "livekit_url": opening.livekit_url,
        "evaluator_url": opening.evaluator_url,
        "profile_hash": opening.profile_hash,
        "profile": opening.profile,
        "settings": opening.settings,
        "cores": opening.cores,
        "planned": opening.planned,
        "asked_per_s": asked,
        "delivered_per_s": delivered,
        "closed": folded.closed,
    })
}
