//! Texts become clips: from the cache, or by what the profile names.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::cache::SpeechCache;
use super::program;
use super::service::SpeechService;
use super::stream_header::with_true_length;
use crate::credentials::{CredentialRequest, find};
use crate::error::CliError;
use crate::print;
use crate::profile_files::ProfileFiles;
use crate::session::trust::livekit_trust;
use rushhour_callers::audio::{Clip, ClipError};
use rushhour_core::profile::{Profile, SpeechSource, SynthesisSettings};
use rushhour_core::units::{ForeignText, Micros};
use rushhour_livekit::http::TransportError;

/// Texts that are synthesised at once.
const AT_ONCE: usize = 4;
/// What is shown of a text.
const SHOWN: usize = 60;

/// Why a text did not become speech.
#[derive(Debug, thiserror::Error)]
pub(super) enum SynthesisError {
    /// The command is empty.
    #[error("there is no program")]
    NoProgram,
    /// The program cannot be run.
    #[error("it cannot be run: {0}")]
    NotStarted(#[source] io::Error),
    /// The program failed.
    #[error("it failed ({status}){}", quoted(.said.as_ref()))]
    Failed {
        status: ExitStatus,
        /// The last line that it wrote to its standard error.
        said: Option<ForeignText>,
    },
    /// It took too long.
    #[error("it took longer than {}", Micros::from(*within))]
    TooSlow { within: Duration },
    /// It wrote too much.
    #[error("it wrote more than {limit} bytes")]
    TooMuch { limit: u64 },
    /// The service did not answer.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The service answered with an error.
    #[error("it answered {status}{}", quoted(.said.as_ref()))]
    Refused {
        status: u16,
        /// What it wrote.
        said: Option<ForeignText>,
    },
    /// What it wrote is not a clip.
    #[error("what it wrote cannot be played: {0}")]
    Unplayable(#[source] ClipError),
}

fn quoted(said: Option<&ForeignText>) -> String {
    said.map_or_else(String::new, |said| format!(": {said}"))
}

impl SynthesisError {
    const fn hint(&self) -> &'static str {
        match self {
            Self::NoProgram | Self::NotStarted(_) => {
                "install the program, or correct `command` of [speech]"
            }
            Self::Failed { .. } => "run the command by itself with this text",
            Self::TooSlow { .. } => "raise `within` of [speech], or look why it takes so long",
            Self::TooMuch { .. } | Self::Unplayable(_) => {
                "it must write one WAV or Ogg Opus file of at most a minute; try it with this text"
            }
            Self::Transport(_) => "check `url` of [speech], and that the service runs",
            Self::Refused { status: 401 | 403, .. } => "check SPEECH_API_KEY",
            Self::Refused { .. } => "check `model` and `voice` of [speech]",
        }
    }
}

/// What says texts.
pub(super) struct Synthesiser<'a> {
    settings: &'a SynthesisSettings,
    source: ReadySource,
    cache: Option<SpeechCache>,
    folder: PathBuf,
}

enum ReadySource {
    Program(Vec<String>),
    Service(SpeechService),
    /// Only a journal names it, and whoever wrote that must neither run programs nor get texts and keys.
    CacheOnly,
}

impl<'a> Synthesiser<'a> {
    /// What the profile names; `None` if it names nothing.
    pub(super) fn of(profile: &'a Profile, files: &ProfileFiles) -> Result<Option<Self>, CliError> {
        let Some(settings) = &profile.speech else { return Ok(None) };
        let source = match &settings.source {
            _ if files.are_of_journal() => ReadySource::CacheOnly,
            SpeechSource::Command(words) => ReadySource::Program(words.clone()),
            SpeechSource::Service { url, model, voice } => ReadySource::Service(SpeechService {
                url: url.clone(),
                model: model.clone(),
                voice: voice.clone(),
                key: service_key(settings, files)?,
                trust: livekit_trust(profile.livekit.ca_file.as_deref(), files)?,
            }),
        };
        let (cache, folder) = (SpeechCache::of_environment(), files.path(""));
        Ok(Some(Self { settings, source, cache, folder }))
    }

    /// Has every text said that was not said before. Says on standard error how many those are.
    pub(super) fn say_all(
        &self,
        texts: impl IntoIterator<Item = String>,
    ) -> Result<BTreeMap<String, Vec<u8>>, CliError> {
        let mut said = BTreeMap::new();
        let mut missing = Vec::new();
        for text in texts {
            if said.contains_key(&text) || missing.contains(&text) {
                continue;
            }
            match self.cached(&text) {
                Some(bytes) => {
                    said.insert(text, bytes);
                }
                None => missing.push(text),
            }
        }
        if missing.is_empty() {
            return Ok(said);
        }
        let count = missing.len();
        if matches!(self.source, ReadySource::CacheOnly) {
            return Err(self.not_in_cache(&missing[0]));
        }
        print::stderr(&format!(
            "Synthesising {count} of {} texts with {self}.",
            count + said.len()
        ));
        for (text, clip) in self.say_missing(missing) {
            let clip = clip.map_err(|error| self.failed(&text, error))?;
            said.insert(text, clip);
        }
        Ok(said)
    }

    /// Says texts, several at once, until one fails; in their order, however they ended.
    fn say_missing(&self, missing: Vec<String>) -> Vec<(String, Result<Vec<u8>, SynthesisError>)> {
        let threads = missing.len().min(AT_ONCE);
        let (texts, done) = (Mutex::new(missing.into_iter().enumerate()), Mutex::new(Vec::new()));
        let next = || texts.lock().unwrap_or_else(PoisonError::into_inner).next();
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some((place, text)) = next() {
                        let clip = self.say(&text);
                        if clip.is_err() {
                            // The others need not be said any more.
                            while next().is_some() {}
                        }
                        done.lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push((place, text, clip));
                    }
                });
            }
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(place, ..)| *place);
        done.into_iter().map(|(_, text, clip)| (text, clip)).collect()
    }

    fn say(&self, text: &str) -> Result<Vec<u8>, SynthesisError> {
        let within = self.settings.within.as_duration();
        let bytes = match &self.source {
            ReadySource::Program(words) => program::say(words, text, &self.folder, within)?,
            ReadySource::Service(service) => service.say(text, within)?,
            ReadySource::CacheOnly => return Err(SynthesisError::NoProgram),
        };
        let bytes = with_true_length(bytes);
        Clip::from_bytes(&bytes).map_err(SynthesisError::Unplayable)?;
        if let Some(cache) = &self.cache
            && let Err(error) = cache.add(&self.hash(text), &bytes)
        {
            // The session has the clip; the next one synthesises it again.
            tracing::warn!(folder = %cache.folder().display(), %error, "cannot keep synthesised speech");
        }
        Ok(bytes)
    }

    /// What was said before; a file that cannot be played is as good as none.
    fn cached(&self, text: &str) -> Option<Vec<u8>> {
        let bytes = self.cache.as_ref()?.get(&self.hash(text))?;
        Clip::from_bytes(&bytes).is_ok().then_some(bytes)
    }

    /// Of the text and of all that decides how it sounds.
    fn hash(&self, text: &str) -> String {
        let key = serde_json::json!([text, self.settings.source]);
        Sha256::digest(key.to_string()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn failed(&self, text: &str, error: SynthesisError) -> CliError {
        let hint = error.hint();
        CliError::usage(format!("{self} did not say \u{201c}{}\u{201d}", shortened(text)))
            .caused_by(error)
            .with_hint(hint)
    }

    fn not_in_cache(&self, text: &str) -> CliError {
        let at = self
            .cache
            .as_ref()
            .map_or_else(String::new, |cache| format!(" in {}", cache.folder().display()));
        CliError::usage(format!(
            "the speech for \u{201c}{}\u{201d} is not kept{at}, and what only a journal names is not run",
            shortened(text)
        ))
        .with_hint("resume the session where it began, or copy that folder from there")
    }
}

impl fmt::Display for Synthesiser<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.settings.source {
            SpeechSource::Command(words) => {
                f.write_str(words.first().map_or("nothing", String::as_str))
            }
            SpeechSource::Service { url, .. } => f.write_str(url),
        }
    }
}

/// Services on this machine often need no key.
fn service_key(
    settings: &SynthesisSettings,
    files: &ProfileFiles,
) -> Result<Option<rushhour_core::units::Secret>, CliError> {
    const VARIABLE: &str = "SPEECH_API_KEY";
    let is_set = std::env::var(VARIABLE).is_ok_and(|value| !value.trim().is_empty());
    if !is_set && settings.key_file.is_none() {
        return Ok(None);
    }
    let request = CredentialRequest {
        variable: VARIABLE,
        file: settings.key_file.as_deref(),
        setting: Some("speech.key_file"),
    };
    find(&request, files).map(Some)
}

pub(super) fn shortened(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    let start: String = text.chars().take(SHOWN).collect();
    format!("{}\u{2026}", start.trim_end())
}
