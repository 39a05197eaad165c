//! The profile of the session in which Cekura reruns and judges runs of native callers.

use super::evaluator::EvaluatorSettings;
use super::judging::{JudgingSelection, JudgingSettings};
use super::limits::{Limits, WhenFull};
use super::profile::Profile;
use super::scenario::{Scenario, ScenarioMix};
use super::stage::{Stage, StageLoad};
use crate::units::ScenarioId;

impl Profile {
    /// The profile of the session that reruns the selected runs, with a constant number in flight;
    /// `None` if this profile has no `[judging]` or the selection is empty.
    pub fn judging_profile(&self, selection: &JudgingSelection) -> Option<Self> {
        let settings = self.judging.as_ref()?;
        let scenarios = self.mix.scenarios();
        let mix: Vec<(Scenario, u32)> = selection
            .scenarios
            .iter()
            .filter_map(|selected| {
                let scenario = scenarios.get(selected.scenario as usize)?;
                let copies = u32::try_from(selected.runs.len()).ok()?;
                Some((scenario_at_cekura(scenario)?, copies))
            })
            .collect();
        let judging = self.with_judging(settings, mix)?;
        Some(Self { judges: Some(selection.clone()), ..judging })
    }

    /// The same profile before the runs are selected, for a forecast: `runs` copies of every scenario.
    pub fn judging_forecast(&self, runs: u32) -> Option<Self> {
        let settings = self.judging.as_ref()?;
        let scenarios = self.mix.scenarios();
        let mix = scenarios.into_iter().filter_map(|one| Some((scenario_at_cekura(one)?, runs)));
        self.with_judging(settings, mix.collect())
    }

    fn with_judging(&self, settings: &JudgingSettings, mix: Vec<(Scenario, u32)>) -> Option<Self> {
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
            // Cekura's callers have the network they have.
            networks: Vec::new(),
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
            notify: None,
            judging: None,
            recording: None,
            judges: None,
            workers: None,
            speech: None,
            ..self.clone()
        })
    }
}

/// The scenario at Cekura that matches a scenario of native callers.
fn scenario_at_cekura(scenario: &Scenario) -> Option<Scenario> {
    let id: ScenarioId = scenario.cekura.clone()?;
    let Scenario { name, lasts, chat_lasts, .. } = scenario.clone();
    Some(Scenario { id, name, lasts, chat_lasts, script: None, cekura: None, voice: None })
}
