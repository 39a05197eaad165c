//! Callers of our own made ready: their scripts, their clips, and as many open files as they need.

use std::path::Path;
#[cfg(feature = "native")]
use std::sync::Arc;

use crate::exit::CliError;
use rushhour_core::evaluator::Evaluator;
use rushhour_core::profile::{EvaluatorSettings, Profile};
use rushhour_driver::SessionClock;

#[cfg(feature = "native")]
pub(crate) use with_callers::{SessionCallers, callers};
#[cfg(not(feature = "native"))]
pub(crate) use without_callers::{OurCallers, callers};

#[cfg(feature = "native")]
mod with_callers {
    use std::collections::HashMap;
    use std::collections::hash_map::Entry;

    use super::{Arc, CliError, Evaluator, EvaluatorSettings, Path, Profile, SessionClock};
    use rushhour_callers::NativeCallers;
    use rushhour_callers::audio::Clip;
    use rushhour_callers::caller::PreparedScript;
    use rushhour_callers::engine::{EngineClock, FILES_PER_PARTICIPANT, raise_file_limit};

    /// File handles of everything but the callers.
    const OTHER_HANDLES: u64 = 200;

    /// Callers that wait for the session to begin.
    pub(crate) struct SessionCallers(Arc<NativeCallers>);

    impl SessionCallers {
        pub(crate) fn evaluator(&self) -> Arc<dyn Evaluator> {
            self.0.clone()
        }

        /// Has them live by the session's clock.
        pub(crate) fn begin(&self, clock: SessionClock) -> Result<(), CliError> {
            let (anchor, wall_ms) = clock.anchor();
            let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            self.0.start(EngineClock::new(anchor, wall_ms), threads).map_err(CliError::internal)
        }
    }

    /// Makes the callers of a profile ready, where it has any; paths are relative to its folder.
    pub(crate) fn callers(
        profile: &Profile,
        folder: &Path,
    ) -> Result<Option<SessionCallers>, CliError> {
        let EvaluatorSettings::Native(settings) = &profile.evaluator else { return Ok(None) };
        let mut clips = HashMap::new();
        let mut clip = |name: &str| -> Result<Clip, String> {
            match clips.entry(name.to_owned()) {
                Entry::Occupied(known) => Ok(Clip::clone(known.get())),
                Entry::Vacant(place) => Ok(place.insert(read(&folder.join(name))?).clone()),
            }
        };
        let mut prompts = HashMap::new();
        for scenario in profile.mix.scenarios() {
            let Some(script) = &scenario.script else { continue };
            for mode in profile.mode.modes() {
                let ready =
                    PreparedScript::new(script, *mode, &mut clip).map_err(CliError::usage)?;
                prompts.insert((scenario.id.clone(), *mode), Arc::new(ready));
            }
        }
        let files = raise_file_limit();
        let needed = u64::from(profile.limits.in_flight) * FILES_PER_PARTICIPANT + OTHER_HANDLES;
        if files < needed {
            return Err(CliError::usage(format!(
                "{} callers need {needed} open files, and this process may have {files}; raise the limit (`ulimit -n {needed}`) or lower limits.in_flight",
                profile.limits.in_flight
            )));
        }
        Ok(Some(SessionCallers(Arc::new(NativeCallers::new(settings.clone(), prompts)))))
    }

    fn read(path: &Path) -> Result<Clip, String> {
        let bytes = std::fs::read(path)
            .map_err(|error| format!("cannot read the clip {}: {error}", path.display()))?;
        Clip::from_bytes(&bytes)
            .map_err(|error| format!("{} is no clip: {error}; {}", path.display(), error.hint()))
    }
}

#[cfg(not(feature = "native"))]
mod without_callers {
    use std::sync::Arc;

    use super::{Evaluator, EvaluatorSettings, Path, Profile, SessionClock, Trouble};

    /// There are none in this build.
    pub(crate) enum OurCallers {}

    impl SessionCallers {
        pub(crate) fn evaluator(&self) -> Arc<dyn Evaluator> {
            match *self {}
        }

        pub(crate) fn begin(&self, _: SessionClock) -> Result<(), CliError> {
            match *self {}
        }
    }

    pub(crate) fn callers(profile: &Profile, _: &Path) -> Result<Option<SessionCallers>, CliError> {
        match &profile.evaluator {
            EvaluatorSettings::Cekura(_) => Ok(None),
            EvaluatorSettings::Native(_) => Err(CliError::usage(
                "this build has no callers of its own; build it with the feature `native`",
            )),
        }
    }
}
