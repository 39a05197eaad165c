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
#[cfg(feature = "fleet")]
pub(crate) use available::{caller_threads, check_file_limit, playable};
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
    use crate::session::progress::EventObserver;
    use crate::session::recordings::SessionRecordings;
    use crate::session::trust::livekit_trust;
    #[cfg(feature = "fleet")]
    use crate::session::worker_callers::WorkerCallers;
    use crate::speech::SpokenScripts;
    use rushhour_callers::NativeCallers;
    use rushhour_callers::audio::Clip;
    use rushhour_callers::caller::PreparedScript;
    use rushhour_callers::engine::{
        EngineClock, FILES_PER_PARTICIPANT, NetworkAccess, raise_file_limit,
    };
    use rushhour_core::profile::{NativeSettings, WorkersSettings};

    /// Open files for everything but the callers.
    const OTHER_FILES: u64 = 200;

    /// Callers that wait for the session to begin.
    pub(crate) enum SessionCallers {
        /// In this process.
        Here {
            /// The callers.
            callers: Arc<NativeCallers>,
            /// How they reach their server.
            network: NetworkAccess,
        },
        /// On other machines.
        #[cfg(feature = "fleet")]
        OnWorkers(Arc<WorkerCallers>),
    }

    impl SessionCallers {
        /// The evaluator that they are; callers on workers are one once these were gathered.
        pub(crate) fn evaluator(&self) -> Option<Arc<dyn Evaluator>> {
            match self {
                Self::Here { callers, .. } => Some(callers.clone()),
                #[cfg(feature = "fleet")]
                Self::OnWorkers(callers) => callers.evaluator(),
            }
        }

        /// The callers on workers, where they are.
        #[cfg(feature = "fleet")]
        pub(crate) fn on_workers(&self) -> Option<&Arc<WorkerCallers>> {
            match self {
                Self::Here { .. } => None,
                Self::OnWorkers(callers) => Some(callers),
            }
        }

        /// Records conversations into the session's folder, if its profile says so. Returns who has to know how runs end.
        pub(crate) fn record(
            &self,
            session: &Path,
            profile: &Profile,
        ) -> Result<Option<Arc<dyn EventObserver>>, CliError> {
            let Self::Here { callers, .. } = self else { return Ok(None) };
            let recordings = SessionRecordings::start(session, profile)?;
            Ok(recordings.map(|recordings| {
                callers.record_into(recordings.clone());
                recordings as Arc<dyn EventObserver>
            }))
        }

        /// Starts the callers' threads, on the session's clock.
        pub(crate) fn start(&self, clock: SessionClock) -> Result<(), CliError> {
            match self {
                Self::Here { callers, network } => {
                    let (anchor, wall_ms) = clock.anchor();
                    let clock = EngineClock::new(anchor, wall_ms);
                    callers.start(clock, caller_threads(), network.clone()).map_err(|error| {
                        CliError::internal("cannot start the callers' threads").caused_by(error)
                    })
                }
                #[cfg(feature = "fleet")]
                Self::OnWorkers(callers) => {
                    callers.start(clock);
                    Ok(())
                }
            }
        }
    }

    /// The threads that serve callers: one for each core.
    pub(crate) fn caller_threads() -> usize {
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
    }

    /// Prepares the callers of a profile, where it has any.
    pub(crate) fn prepare(
        profile: &Profile,
        files: &ProfileFiles,
    ) -> Result<Option<SessionCallers>, CliError> {
        let EvaluatorSettings::Native(settings) = &profile.evaluator else { return Ok(None) };
        if let Some(workers) = &profile.workers {
            return on_workers(profile, settings, workers, files).map(Some);
        }
        let spoken = SpokenScripts::prepare(profile, files)?;
        let mut clips = Clips { files, spoken: &spoken, read: HashMap::new(), error: None };
        let mut scripts = HashMap::new();
        for scenario in profile.mix.scenarios() {
            for mode in profile.mode.modes() {
                let Some(script) = spoken.script(scenario, *mode) else { continue };
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
        Ok(Some(SessionCallers::Here { callers: Arc::new(callers), network }))
    }

    #[cfg(feature = "fleet")]
    fn on_workers(
        profile: &Profile,
        settings: &NativeSettings,
        workers: &WorkersSettings,
        files: &ProfileFiles,
    ) -> Result<SessionCallers, CliError> {
        let callers = WorkerCallers::prepare(profile, settings, workers, files)?;
        Ok(SessionCallers::OnWorkers(Arc::new(callers)))
    }

    #[cfg(not(feature = "fleet"))]
    fn on_workers(
        _: &Profile,
        _: &NativeSettings,
        _: &WorkersSettings,
        _: &ProfileFiles,
    ) -> Result<SessionCallers, CliError> {
        Err(CliError::usage("this build of Rushhour knows no workers")
            .with_hint("build it with the feature `fleet`, or remove [workers]"))
    }

    /// Makes sure that this process may open enough files for so many callers.
    pub(crate) fn check_file_limit(callers: u32) -> Result<(), CliError> {
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
        spoken: &'a SpokenScripts,
        read: HashMap<String, Clip>,
        /// Why the last clip could not be read; a script's own error is a text.
        error: Option<CliError>,
    }

    impl Clips<'_> {
        fn get(&mut self, name: &str) -> Result<Clip, String> {
            match self.read.entry(name.to_owned()) {
                Entry::Occupied(known) => Ok(known.get().clone()),
                Entry::Vacant(entry) => {
                    let bytes = match self.spoken.made(name) {
                        Some(made) => Ok(made.to_vec()),
                        None => self.files.read(name, MAX_CLIP),
                    };
                    match clip(&self.files.path(name), bytes) {
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

    /// The bytes of a file, if it can be played as a clip.
    #[cfg(feature = "fleet")]
    pub(crate) fn playable(path: &Path, bytes: io::Result<Vec<u8>>) -> Result<Vec<u8>, CliError> {
        let bytes = bytes.map_err(|error| unreadable_clip(path, error))?;
        clip(path, Ok(bytes.clone()))?;
        Ok(bytes)
    }

    fn unreadable_clip(path: &Path, error: io::Error) -> CliError {
        CliError::usage(format!("cannot read the clip {}", path.display())).caused_by(error)
    }

    fn clip(path: &Path, bytes: io::Result<Vec<u8>>) -> Result<Clip, CliError> {
        let shown = path.display();
        let bytes = bytes.map_err(|error| unreadable_clip(path, error))?;
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

    use std::path::Path;

    use super::{CliError, Evaluator, EvaluatorSettings, Profile, ProfileFiles, SessionClock};
    use crate::session::progress::EventObserver;

    /// This build has none.
    pub(crate) enum SessionCallers {}

    impl SessionCallers {
        pub(crate) fn evaluator(&self) -> Option<Arc<dyn Evaluator>> {
            match *self {}
        }

        pub(crate) fn record(
            &self,
            _: &Path,
            _: &Profile,
        ) -> Result<Option<Arc<dyn EventObserver>>, CliError> {
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
