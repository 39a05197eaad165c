//! Where the figures come from: the profile, the seed, the versions, the services.

use maud::{Markup, html};

use crate::fold::FoldedSession;
use crate::render::sentences::session::media_ways;
use crate::render::table::{Cell, Column, Frame, Table};
use crate::render::visible;
use rushhour_core::event::SessionHeader;
use rushhour_core::profile::ResolvedSetting;

/// Names and values; empty values are left out.
pub(super) fn facts(facts: &[(&str, String)]) -> Markup {
    html! {
        dl class="facts" {
            @for (name, value) in facts {
                @if !value.is_empty() { div { dt { (name) } dd { (visible(value)) } } }
            }
        }
    }
}

pub(super) fn provenance(folded: &FoldedSession) -> Markup {
    let opening = &folded.opening;
    let profile = &opening.profile;
    let agent = profile.livekit.dispatch.agent().map_or("any", |agent| agent.as_str());
    html! {
        (facts(&[
            ("session", opening.session.as_str().to_owned()),
            ("started", opening.anchor.clone()),
            ("seed", profile.seed.to_string()),
            ("mode", profile.mode.to_string()),
            ("agent", agent.to_owned()),
            ("LiveKit", opening.livekit_url.clone()),
            ("evaluator", opening.evaluator_url.clone()),
            ("media", media_ways(folded).unwrap_or_default()),
            ("profile hash", opening.profile_hash.clone()),
            ("Rushhour", opening.rushhour.clone()),
            ("journal format", opening.format.to_string()),
            ("cores", opening.cores.to_string()),
        ]))
        details {
            summary { "The profile: " (opening.settings.len()) " settings and the origin of each" }
            (setting_table(opening).html(Frame::Scrolled))
        }
    }
}

fn setting_table(opening: &SessionHeader) -> Table<'_, &ResolvedSetting> {
    Table::new([
        Column::text("setting", |row: &&ResolvedSetting| Cell::code(&row.path)),
        Column::text("value", |row: &&ResolvedSetting| Cell::text(&row.value)),
        Column::text("origin", |row: &&ResolvedSetting| Cell::text(row.origin)),
    ])
    .with_rows(&opening.settings)
}
