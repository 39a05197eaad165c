//! The scripts of a session in voice, with a clip for everything that is said, under the conditions of its scenario.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};

use super::synthesiser::{Synthesiser, shortened};
use crate::bounded_file::MAX_CLIP;
use crate::error::CliError;
use crate::profile_files::ProfileFiles;
use rushhour_callers::audio::{ConditionedClip, background_noise};
use rushhour_core::profile::{Profile, Scenario, Script, ScriptLine, VoiceConditions};
use rushhour_core::rng::KeyedRng;
use rushhour_core::units::{Mode, ScenarioId};

/// The scripts of a session, and the clips that are no files.
pub(crate) struct SpokenScripts {
    /// Those that differ from the profile's, in voice.
    scripts: HashMap<ScenarioId, Script>,
    made: HashMap<String, Vec<u8>>,
}

impl SpokenScripts {
    /// Has said what has no clip, and puts clips under the conditions of their scenarios.
    pub(crate) fn prepare(profile: &Profile, files: &ProfileFiles) -> Result<Self, CliError> {
        let mut spoken = Self { scripts: HashMap::new(), made: HashMap::new() };
        if !profile.mode.modes().contains(&Mode::Voice) {
            return Ok(spoken);
        }
        let said = match Synthesiser::of(profile, files)? {
            Some(synthesiser) => synthesiser.say_all(texts(profile))?,
            None => BTreeMap::new(),
        };
        for scenario in profile.mix.scenarios() {
            let Some(script) = &scenario.script else { continue };
            let mut script = script.clone();
            for line in script.lines_mut().filter(ScriptLine::needs_speech) {
                let Some(clip) = line.say.as_ref().and_then(|text| said.get(text)) else {
                    continue;
                };
                *line.play = Some(spoken.keep(clip.clone()));
            }
            if let Some(conditions) = &scenario.voice {
                spoken.condition(&mut script, scenario, conditions, profile.seed, files)?;
            }
            if scenario.script.as_ref() != Some(&script) {
                spoken.scripts.insert(scenario.id.clone(), script);
            }
        }
        Ok(spoken)
    }

    /// The script of a scenario in a mode.
    pub(crate) fn script<'a>(&'a self, scenario: &'a Scenario, mode: Mode) -> Option<&'a Script> {
        let own = scenario.script.as_ref();
        match mode {
            Mode::Voice => self.scripts.get(&scenario.id).or(own),
            Mode::Chat => own,
        }
    }

    /// The clip with this name, if it is no file.
    pub(crate) fn made(&self, name: &str) -> Option<&[u8]> {
        self.made.get(name).map(Vec::as_slice)
    }

    fn condition(
        &mut self,
        script: &mut Script,
        scenario: &Scenario,
        conditions: &VoiceConditions,
        seed: u64,
        files: &ProfileFiles,
    ) -> Result<(), CliError> {
        let rng = KeyedRng::new(seed);
        let mut levels = Vec::new();
        for (number, line) in script.lines_mut().enumerate() {
            let Some(name) = line.play.clone() else { continue };
            let shown = match (self.made(&name), line.say) {
                (Some(_), Some(text)) => {
                    format!("the speech for \u{201c}{}\u{201d}", shortened(text))
                }
                _ => name.clone(),
            };
            let clip = match self.made(&name) {
                Some(made) => made.to_vec(),
                None => files.read(&name, MAX_CLIP).map_err(|error| {
                    let path = files.path(&name);
                    CliError::usage(format!("cannot read the clip {}", path.display()))
                        .caused_by(error)
                })?,
            };
            let seed = rng.draw("noise", &format!("{}/{number}", scenario.id)).bits();
            let clip = ConditionedClip::new(&clip, conditions, seed).map_err(|error| {
                let hint = error.hint();
                let id = &scenario.id;
                CliError::usage(format!("{shown} cannot be played with the voice of scenario {id}"))
                    .caused_by(error)
                    .with_hint(hint)
            })?;
            levels.extend(clip.noise);
            *line.play = Some(self.keep(clip.wav));
        }
        let seed = rng.draw("background", scenario.id.as_str()).bits();
        let background =
            background_noise(&levels, conditions.band, seed).map_err(CliError::from_internal)?;
        script.background = background.map(|noise| self.keep(noise));
        Ok(())
    }

    /// Keeps a clip under a name of its own, which is that of no file.
    fn keep(&mut self, clip: Vec<u8>) -> String {
        let hash = Sha256::digest(&clip);
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("made:{hex}");
        self.made.insert(name.clone(), clip);
        name
    }
}

/// The texts that have no clip.
fn texts(profile: &Profile) -> Vec<String> {
    let mut texts = Vec::new();
    for scenario in profile.mix.scenarios() {
        let Some(mut script) = scenario.script.clone() else { continue };
        texts.extend(
            script.lines_mut().filter(ScriptLine::needs_speech).filter_map(|line| line.say.clone()),
        );
    }
    texts
}
