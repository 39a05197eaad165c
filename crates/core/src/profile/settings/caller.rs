//! Who the caller is, as the agent sees it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::template::{Metadata, RunVariables, Template};
use crate::profile::table::choice;

choice! {
    /// The kind of participant that the caller is.
    #[schemars(rename = "RawCallerKind")]
    pub CallerKind {
        /// A participant like a browser or an app.
        Standard = "standard",
        /// A participant like a telephone: agents take it for a call over SIP.
        Sip = "sip",
    }
}

/// Who the caller is, as the agent sees it: its name, metadata and attributes, which its token carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallerSettings {
    /// Its kind.
    pub kind: CallerKind,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Template>,
    /// Its metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// Its attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Template>,
}

/// Attributes that every participant of a telephone call has; an agent may fail without them.
const SIP_ATTRIBUTES: [(&str, &str); 2] =
    [("sip.callID", "SCL_rushhour_{run}"), ("sip.callStatus", "active")];

impl Default for CallerSettings {
    fn default() -> Self {
        Self { kind: CallerKind::Standard, name: None, metadata: None, attributes: BTreeMap::new() }
    }
}

impl CallerSettings {
    /// Whether the caller is one of whom nothing was said.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The attributes of a run's caller. A telephone has its call's id and status, unless the profile gives others.
    pub fn attributes_of(&self, run: &RunVariables<'_>) -> BTreeMap<String, String> {
        let mut attributes = BTreeMap::new();
        if self.kind == CallerKind::Sip {
            for (key, value) in SIP_ATTRIBUTES {
                attributes.insert(key.to_owned(), run.fill_in(value));
            }
        }
        for (key, value) in &self.attributes {
            attributes.insert(key.clone(), value.fill_in(run));
        }
        attributes
    }
}
