//! The history of nightly runs on the terminal, one line per night.

use crate::render::JudgedNights;
use crate::render::table::Style;
use crate::render::tables::nights::history_table;
use crate::render::visible;

/// The nights of each profile.
pub fn history_text(profiles: &[JudgedNights<'_>], style: Style) -> String {
    let mut lines = Vec::new();
    for nights in profiles {
        let Some((last, _)) = nights.last() else { continue };
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let hash: String = last.profile_hash.chars().take(8).collect();
        lines.push(style.strong(&visible(&format!(
            "{} ({hash}), {} nights",
            last.profile,
            nights.len()
        ))));
        lines.extend(history_table(nights).text(style));
    }
    lines.join("\n")
}
