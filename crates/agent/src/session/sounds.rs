//! What an agent's tracks carry: its speech, and noise beneath and beside it.

use crate::behaviour::Behaviour;
use rushhour_callers::audio::{Clip, ClipError, Noise};
use rushhour_core::units::{Micros, SoundLevel};

/// The level of the key strokes while the agent thinks.
pub(super) const TYPING: SoundLevel = SoundLevel::dbfs(-35);
/// The level of the noise on a second track: as loud as speech, so that it matters if somebody takes it for speech.
pub(super) const BACKGROUND: SoundLevel = SoundLevel::dbfs(-30);

/// How long a filler is spoken.
const FILLER: Micros = Micros::from_millis(600);
/// Samples of noise before it is repeated: ten seconds at 48 kHz.
const NOISE_SAMPLES: usize = 480_000;

/// The clips of all sessions of an agent. Noise is encoded once, not in each session.
#[derive(Debug)]
pub(crate) struct Sounds {
    pub(super) speech: Clip,
    pub(super) filler: Option<Clip>,
    /// What is sent between utterances, if not silence.
    pub(super) ambience: Option<Clip>,
    /// What is sent while the agent thinks, if it types.
    pub(super) typing: Option<Clip>,
    /// What is sent on the second track, if there is one.
    pub(super) background: Option<Clip>,
}

impl Sounds {
    /// Mixes and encodes what the behaviour demands.
    ///
    /// # Errors
    /// If the codec fails.
    pub(crate) fn new(behaviour: &Behaviour, speech: Clip) -> Result<Self, ClipError> {
        let noise = |kind: Noise, level| kind.samples(NOISE_SAMPLES, level, behaviour.seed);
        let ambience = behaviour.noise.ambience.map(|level| noise(Noise::Pink, level));
        let beneath = |clip: Clip| match &ambience {
            Some(noise) => clip.with_noise(noise),
            None => Ok(clip),
        };
        let typing = behaviour.noise.typing.then(|| {
            let mut keys = noise(Noise::Keyboard, TYPING);
            if let Some(ambience) = &ambience {
                for (sample, noise) in keys.iter_mut().zip(ambience) {
                    *sample += noise;
                }
            }
            keys
        });
        let background = behaviour.noise.background_track.then(|| noise(Noise::Pink, BACKGROUND));
        let repeated = |samples: Option<&[f32]>| samples.map(Clip::noise).transpose();
        let filler = behaviour.filler.as_ref().map(|_| Clip::tone(FILLER).and_then(beneath));
        Ok(Self {
            speech: beneath(speech)?,
            filler: filler.transpose()?,
            ambience: repeated(ambience.as_deref())?,
            typing: repeated(typing.as_deref())?,
            background: repeated(background.as_deref())?,
        })
    }
}
