//! Rushhour's own callers, made ready for a session: scripts, audio clips, and the limit on open files.

#[cfg(feature = "native")]
use std::path::Path;
#[cfg(feature = "native")]
use std::sync::Arc;

use crate::error::CliError;
use crate::profile_files::ProfileFiles;
use rushhour_core::evaluator::Evaluator;
use rushhour_core::profile::{EvaluatorSettings, Profile};
use rushhour_driver::SessionClock;

#[cfg(feature = "native")]
pub(crate) use available::{SessionCallers, prepare, read_clip};
#[cfg(not(feature = "native"))]
pub(crate) use unavailable::{SessionCallers, prepare};

#[cfg(feature = "native")]
mod available {
    use std::collections::HashMap;
    use std::collections::hash_map::Entry;

    use std::io;

    use super::{
        Arc, CliError, Evaluator, EvaluatorSettings, Path, Profile, ProfileFiles, SessionClock,
    };
    use crate::bounded_file::{MAX_CLIP, read_bounded};
    use crate::session::trust::livekit_trust;
    use rushhour_callers::NativeCallers;
    use rushhour_callers::audio::Clip;
    use rushhour_callers::caller::PreparedScript;
    use rushhour_callers::engine::{
        EngineClock, FILES_PER_PARTICIPANT, NetworkAccess, raise_file_limit,
    };

    /// Open files for everything but the callers.
    const OTHER_FILES: u64 = 200;

    /// Callers that wait for the session to begin.
    pub(crate) struct SessionCallers {
        callers: Arc<NativeCallers>,
        network: NetworkAccess,
    }

    impl SessionCallers {
        pub(crate) fn evaluator(&self) -> Arc<dyn Evaluator> {
            self.callers.clone()
        }

        /// Starts the callers' threads, on the session's clock.
        pub(crate) fn start(&self, clock: SessionClock) -> Result<(), CliError> {
            let (anchor, wall_ms) = clock.anchor();
            let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            let network = self.network.clone();
            self.callers.start(EngineClock::new(anchor, wall_ms), threads, network).map_err(
                |error| CliError::internal("cannot start the callers' threads").caused_by(error),
            )
        }
    }

    /// Prepares the callers of a profile, where it has any.
    pub(crate) fn prepare(
        profile: &Profile,
        files: &ProfileFiles,
    ) -> Result<Option<SessionCallers>, CliError> {
        let EvaluatorSettings::Native(settings) = &profile.evaluator else { return Ok(None) };
        let mut clips = Clips { files, read: HashMap::new(), error: None };
        let mut scripts = HashMap::new();
        for scenario in profile.mix.scenarios() {
            let Some(script) = &scenario.script else { continue };
            for mode in profile.mode.modes() {
                let prepared = PreparedScript::new(script, *mode, |name| clips.get(name));
                let prepared = prepared.map_err(|message| {
                    clips.error.take().unwrap_or_else(|| CliError::usage(message.to_string()))
                })?;
                scripts.insert((scenario.id.clone(), *mode), Arc::new(prepared));
            }
        }
        check_file_limit(profile.limits.in_flight)?;
        let callers =
            NativeCallers::new(settings.clone(), profile.networks.clone(), profile.seed, scripts);
        let network = NetworkAccess {
            trust: livekit_trust(profile.livekit.ca_file.as_deref(), files)?,
            transport: profile.livekit.transport,
        };
        Ok(Some(SessionCallers { callers: Arc::new(callers), network }))
    }

    fn check_file_limit(callers: u32) -> Result<(), CliError> {
        let limit = raise_file_limit();
        let needed = u64::from(callers) * FILES_PER_PARTICIPANT + OTHER_FILES;
        if limit >= needed {
            return Ok(());
        }
        Err(CliError::usage(format!(
            "{callers} callers need {needed} open files, and this process may have {limit}"
        ))
        .with_hint(format!("raise the limit with `ulimit -n {needed}`, or lower limits.in_flight")))
    }

    /// Clips, read once each.
    struct Clips<'a> {
        files: &'a ProfileFiles,
        read: HashMap<String, Clip>,
        /// Why the last clip could not be read; a script's own error is a text.
        error: Option<CliError>,
    }

    impl Clips<'_> {
        fn get(&mut self, name: &str) -> Result<Clip, String> {
            match self.read.entry(name.to_owned()) {
                Entry::Occupied(known) => Ok(known.get().clone()),
                Entry::Vacant(entry) => {
                    match clip(&self.files.path(name), self.files.read(name, MAX_CLIP)) {
                        Ok(clip) => Ok(entry.insert(clip).clone()),
                        Err(error) => {
                            let message = error.to_string();
                            self.error = Some(error);
                            Err(message)
                        }
                    }
                }
            }
        }
    }

    /// Reads an audio clip that the user named.
    pub(crate) fn read_clip(path: &Path) -> Result<Clip, CliError> {
        clip(path, read_bounded(path, MAX_CLIP))
    }

    fn clip(path: &Path, bytes: io::Result<Vec<u8>>) -> Result<Clip, CliError> {
        let shown = path.display();
        let bytes = bytes.map_err(|error| {
            CliError::usage(format!("cannot read the clip {shown}")).caused_by(error)
        })?;
        Clip::from_bytes(&bytes).map_err(|error| {
            let hint = error.hint();
            CliError::usage(format!("{shown} cannot be played as a clip"))
                .caused_by(error)
                .with_hint(hint)
        })
    }
}

#[cfg(not(feature = "native"))]
mod unavailable {
    use std::sync::Arc;

    use super::{CliError, Evaluator, EvaluatorSettings, Profile, ProfileFiles, SessionClock};

    /// This build has none.
    pub(crate) enum SessionCallers {}

    impl SessionCallers {
        pub(crate) fn evaluator(&self) -> Arc<dyn Evaluator> {
            match *self {}
        }

        pub(crate) fn start(&self, _: SessionClock) -> Result<(), CliError> {
            match *self {}
        }
    }

    pub(crate) fn prepare(
        profile: &Profile,
        _: &ProfileFiles,
    ) -> Result<Option<SessionCallers>, CliError> {
        match &profile.evaluator {
            EvaluatorSettings::Cekura(_) => Ok(None),
            EvaluatorSettings::Native(_) => {
                Err(CliError::usage("this build of Rushhour has no callers of its own")
                    .with_hint("build it with the feature `native`, or use another evaluator"))
            }
        }
    }
}
