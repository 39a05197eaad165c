//! Names of stages, scenarios and networks by their position in the profile.

use rushhour_core::event::SessionHeader;
use rushhour_core::profile::NO_NETWORK;

/// Names of stages, scenarios and networks by their position in the profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageNames {
    /// Each stage's name, and whether it is measured.
    pub stages: Vec<(String, bool)>,
    /// Each scenario's name.
    pub scenarios: Vec<String>,
    /// Each network's name.
    pub networks: Vec<String>,
}

impl StageNames {
    /// The names in the profile of a session.
    pub fn of(opening: &SessionHeader) -> Self {
        let profile = &opening.profile;
        Self {
            stages: profile.stages.iter().map(|s| (s.name.clone(), s.measured)).collect(),
            scenarios: profile.mix.scenarios().iter().map(|s| s.name.clone()).collect(),
            networks: profile.networks.iter().map(|n| n.name.clone()).collect(),
        }
    }

    /// The name of the network that a run has, `none` included; empty where the session knows no networks.
    pub fn network(&self, network: Option<u32>) -> &str {
        match network {
            _ if self.networks.is_empty() => "",
            None => NO_NETWORK,
            Some(at) => self.networks.get(at as usize).map_or("", String::as_str),
        }
    }

    /// Whether a stage is measured.
    pub fn is_measured(&self, stage: u32) -> bool {
        self.stages.get(stage as usize).is_some_and(|(_, measured)| *measured)
    }
}
