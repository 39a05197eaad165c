//! Names of stages and scenarios by their position in the profile.

use rushhour_core::event::SessionHeader;

/// Names of stages and scenarios by their position in the profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageNames {
    /// Each stage's name, and whether it is measured.
    pub stages: Vec<(String, bool)>,
    /// Each scenario's name.
    pub scenarios: Vec<String>,
}

impl StageNames {
    /// The names in the profile of a session.
    pub fn of(opening: &SessionHeader) -> Self {
        let profile = &opening.profile;
        Self {
            stages: profile.stages.iter().map(|s| (s.name.clone(), s.measured)).collect(),
            scenarios: profile.mix.scenarios().iter().map(|s| s.name.clone()).collect(),
        }
    }

    /// Whether a stage is measured.
    pub fn is_measured(&self, stage: u32) -> bool {
        self.stages.get(stage as usize).is_some_and(|(_, measured)| *measured)
    }
}
