//! HTML pages that need no network and no script: `report.html` of a session and of a search, `soak.html` and
//! `history.html`; and `live_page`, which a running session serves and redraws.
//!
//! `page` frames every page. `session_page` is the order in which a session is read, and `sections` are its parts.
//! `recordings` plays what lies beside the page. `chart` draws on the axes of `scale` and `value_axis`. The size of a
//! page does not grow with the number of runs, because everything drawn comes from histograms and windows.

mod agent_workers;
mod capacity;
mod chart;
mod definitions;
mod distribution;
mod history;
mod live_page;
mod load;
mod over_time;
mod page;
mod provenance;
mod recordings;
mod scale;
mod sections;
mod session_page;
mod soak;
mod speech;
mod stages;
#[cfg(test)]
mod tests;
mod turn_taking;
mod value_axis;

pub use capacity::capacity_page;
pub use history::{JudgedHistory, history_page};
pub use live_page::{
    LevelSoFar, LiveContext, LivePart, live_drift, live_frame, live_parts, live_title,
};
pub use page::live_style;
pub use recordings::RecordedRuns;
pub use session_page::{session_page, session_page_with};
pub use soak::soak_page;
