//! `soak.json` in a session's folder: how the session was judged as a soak.

use std::path::Path;

use crate::bounded_file::read_bounded;
use rushhour_core::units::SessionId;
use rushhour_report::render::SoakSummary;

/// The file.
pub(crate) const SOAK: &str = "soak.json";

/// The most bytes that are read: it has a few kilobytes.
const MOST: u64 = 4 << 20;

/// How the session in a folder was last judged as a soak, if it was.
pub(crate) fn read(folder: &Path, session: &SessionId) -> Option<SoakSummary> {
    let json = read_bounded(&folder.join(SOAK), MOST).ok()?;
    SoakSummary::read(&json, session)
}
