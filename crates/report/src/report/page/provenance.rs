//! What the figures come from: the profile as used, the seed, the versions, what was spoken to.

use maud::{Markup, html};

use super::super::visible::visible;
use super::tables::scrolled;
use crate::fold::FoldedSession;

/// The session's own description.
pub(super) fn provenance(folded: &FoldedSession) -> Markup {
    let opening = &folded.opening;
    let profile = &opening.profile;
    let facts = [
        ("session", opening.session.as_str().to_owned()),
        ("began", opening.anchor.clone()),
        ("seed", profile.seed.to_string()),
        ("mode", profile.mode.to_string()),
        (
            "agent",
            profile.livekit.dispatch.agent().map_or("any", |agent| agent.as_str()).to_owned(),
        ),
        ("LiveKit", opening.livekit_url.clone()),
        ("evaluator", opening.evaluator_url.clone()),
        ("profile's hash", opening.profile_hash.clone()),
        ("Rushhour", opening.rushhour.clone()),
        ("journal's format", opening.format.to_string()),
        ("cores", opening.cores.to_string()),
    ];
    html! {
        dl class="facts" {
            @for (name, value) in &facts {
                @if !value.is_empty() {
                    div { dt { (name) } dd { (visible(value)) } }
                }
            }
        }
        details {
            summary { "The profile as used: " (opening.settings.len()) " settings, and where each came from" }
            (scrolled(&html! {
                table {
                    thead { tr { th scope="col" { "setting" } th scope="col" { "value" } th scope="col" { "from" } } }
                    tbody {
                        @for setting in &opening.settings {
                            tr {
                                th scope="row" { code { (visible(&setting.path)) } }
                                td { (visible(&setting.value)) }
                                td { (setting.origin) }
                            }
                        }
                    }
                }
            }))
        }
    }
}
