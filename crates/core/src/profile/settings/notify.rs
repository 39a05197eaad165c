//! Whom to tell of the session's end.

use serde::{Deserialize, Serialize};

use crate::profile::table::choice;

choice! {
    /// The body of a notice.
    #[schemars(rename = "RawNoticeFormat")]
    pub NoticeFormat {
        /// The content of summary.json.
        Summary = "summary",
        /// The verdict in words, as Slack's incoming webhooks take it.
        Slack = "slack",
        /// The same as Microsoft Teams' webhooks take it.
        Teams = "teams",
    }
}

/// Whom to tell of the session's end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifySettings {
    /// Where to POST to; `None` if the environment names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The body.
    pub format: NoticeFormat,
}
