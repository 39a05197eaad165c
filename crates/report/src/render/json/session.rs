//! `session.json`: what was run, the origin of its settings, and how much of the load was delivered.

use serde_json::{Value, json};

use crate::fold::FoldedSession;
use crate::session::start_rates;

/// The session's own description.
pub fn session_json(folded: &FoldedSession) -> Value {
    let opening = &folded.opening;
    let rates = start_rates(folded);
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
        "asked_per_s": rates.requested,
        "delivered_per_s": rates.delivered,
        "closed": folded.closed,
    })
}
