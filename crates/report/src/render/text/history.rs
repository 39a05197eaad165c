//! The history of nightly runs on the terminal, one line each.

use crate::render::JudgedHistory;
use crate::render::sentences::counted;
use crate::render::table::Style;
use crate::render::tables::nightly::history_table;
use crate::render::visible;

/// The nightly runs of each profile.
pub fn history_text(profiles: &[JudgedHistory<'_>], style: Style) -> String {
    let mut lines = Vec::new();
    for nights in profiles {
        let Some((last, _)) = nights.last() else { continue };
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let hash: String = last.profile_hash.chars().take(8).collect();
        lines.push(style.strong(&visible(&format!(
            "{} ({hash}), {}",
            last.profile,
            counted(nights.len() as u64, "nightly run")
        ))));
        lines.extend(history_table(nights).text(style));
    }
    lines.join("\n")
}
