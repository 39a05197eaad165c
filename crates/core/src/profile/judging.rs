//! Runs of our own callers judged by Cekura: what is wanted of it, which runs were chosen, and the profile
//! of the session in which they are held again.

use serde::{Deserialize, Serialize};

use super::model::{
    BillSettings, CekuraSettings, EvaluatorSettings, Limits, Profile, Scenario, ScenarioMix, Stage,
    StageLoad, WhenFull,
};
use crate::units::{Percent, PositiveDuration, Rate, RunIndex, ScenarioId, SessionId, Usd};

/// How runs of our own callers are judged: a seeded sample, and failures, are held again by Cekura.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JudgingSettings {
    /// The service, or the embedded stand-in for it.
    pub cekura: CekuraSettings,
    /// The share of runs that is judged, drawn at random.
    pub sample: Percent,
    /// Whether every failure that can be run again is judged.
    pub failures: bool,
    /// Runs that are judged at the most, at least 1.
    pub most: u32,
    /// Submissions to the service.
    pub requests: Rate,
    /// Judged runs in flight at once, at least 1.
    pub in_flight: u32,
    /// How long a judged run may take from its acceptance to its end.
    pub run_timeout: PositiveDuration,
    /// What the judging may cost at list prices; more than nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Usd>,
    /// What a judged run is charged for.
    pub bill: BillSettings,
}

/// What our own callers made of a run that can be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallersVerdict {
    /// The conversation was held, and fitted what the script expects.
    Passed,
    /// The agent failed it.
    Failed,
}

impl CallersVerdict {
    /// The word used in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }
}

/// A run that can be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgingCandidate {
    /// The run.
    pub run: RunIndex,
    /// Its scenario's position in the profile.
    pub scenario: u32,
    /// What our own callers made of it.
    pub verdict: CallersVerdict,
}

/// A run that was chosen to be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectedRun {
    /// The run of our own callers.
    pub run: RunIndex,
    /// What they made of it.
    pub verdict: CallersVerdict,
}

/// The runs of one scenario that were chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectedScenario {
    /// The scenario's position in the profile of the session that is judged.
    pub scenario: u32,
    /// The runs, in random order: the copy of that number is held for each.
    pub runs: Vec<SelectedRun>,
}

/// Which runs of a session are judged, and what they stand for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgingSelection {
    /// The session that is judged.
    pub session: SessionId,
    /// Measured runs of it that passed, judged or not.
    pub passed: u64,
    /// Measured runs of it that the agent failed, judged or not.
    pub failed: u64,
    /// Measured runs that say nothing of the conversation: our own faults, refused keys, cancelled runs.
    pub apart: u64,
    /// The chosen runs, in the order of the judging session's scenarios; none is empty.
    pub chosen: Vec<SelectedScenario>,
}

impl JudgingSelection {
    /// How many were chosen.
    pub fn count(&self) -> u64 {
        self.chosen.iter().map(|scenario| scenario.runs.len() as u64).sum()
    }

    /// The run that was chosen of a scenario of the judging session, by its position, as this copy.
    pub fn of(&self, scenario: u32, copy: u32) -> Option<SelectedRun> {
        self.chosen.get(scenario as usize)?.runs.get(copy as usize).copied()
    }
}

impl Profile {
    /// The profile of the session that holds the chosen runs again, so many in flight and none beside
    /// them; none where this profile asks for no judging, or nothing was chosen.
    pub fn judging_session(&self, selection: &JudgingSelection) -> Option<Self> {
        let settings = self.judging.as_ref()?;
        let scenarios = self.mix.scenarios();
        let mix: Vec<(Scenario, u32)> = selection
            .chosen
            .iter()
            .filter_map(|chosen| {
                let scenario = scenarios.get(chosen.scenario as usize)?;
                let copies = u32::try_from(chosen.runs.len()).ok()?;
                Some((judged_scenario(scenario)?, copies))
            })
            .collect();
        let held = self.judging_profile(settings, mix)?;
        Some(Self { judges: Some(selection.clone()), ..held })
    }

    /// The same for so many runs of which nobody knows yet which they are, for a forecast.
    pub fn judging_forecast(&self, runs: u32) -> Option<Self> {
        let settings = self.judging.as_ref()?;
        let scenarios = self.mix.scenarios();
        let mix = scenarios.into_iter().filter_map(|one| Some((judged_scenario(one)?, runs)));
        self.judging_profile(settings, mix.collect())
    }

    fn judging_profile(
        &self,
        settings: &JudgingSettings,
        mix: Vec<(Scenario, u32)>,
    ) -> Option<Self> {
        let stage = Stage {
            name: "judging".to_owned(),
            measured: true,
            load: StageLoad::Hold { in_flight: settings.in_flight, ramp: None },
            lasts: None,
        };
        (!mix.is_empty()).then(|| Self {
            name: format!("{}-judged", self.name),
            evaluator: EvaluatorSettings::Cekura(settings.cekura.clone()),
            mix: ScenarioMix::Copies(mix),
            stages: vec![stage],
            limits: Limits {
                requests: settings.requests,
                in_flight: settings.in_flight,
                when_full: WhenFull::Wait,
                run_timeout: settings.run_timeout,
                drain: settings.run_timeout,
                budget: settings.budget,
                max_runs: None,
                max_minutes: None,
                ..self.limits.clone()
            },
            thresholds: Vec::new(),
            bill: settings.bill.clone(),
            judging: None,
            judges: None,
            ..self.clone()
        })
    }
}

/// The scenario at Cekura that stands for one of ours.
fn judged_scenario(scenario: &Scenario) -> Option<Scenario> {
    let id: ScenarioId = scenario.cekura.clone()?;
    let Scenario { name, lasts, chat_lasts, .. } = scenario.clone();
    Some(Scenario { id, name, lasts, chat_lasts, script: None, cekura: None })
}
