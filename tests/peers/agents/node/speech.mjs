// Speech without a model or a recording, as in ../speech.py: harmonics of a voice through moving formants.

export const SAMPLE_RATE = 24_000;
const CHARACTERS_A_SECOND = 15;
const SHORTEST_SECONDS = 0.4;
const PITCH_HERTZ = 110;
const HARMONICS = Array.from({ length: 39 }, (_, i) => i + 1);
// Formants and pitch move in steps of 5 ms.
const BLOCK = 120;
const VOWELS = [
  [730, 1090, 2440],
  [530, 1840, 2480],
  [270, 2290, 3010],
  [570, 840, 2410],
  [300, 870, 2240],
  [660, 1720, 2410],
];
const BANDWIDTHS = [70, 100, 150];
const SHARES = [1.0, 0.6, 0.35];
const SYLLABLE_SECONDS = 0.22;
const SYLLABLES_A_WORD = 3;
const PAUSE_SECONDS = 0.06;
// The share of a word's last syllable in which it fades out.
const FADE = 0.3;
const LEVEL = 8_000;
// The loudest that the sum of harmonics gets, so that a part of a text is as loud as the whole.
const LOUDEST = 1.65;

/** How long a voice takes for a text. */
export const secondsOf = (text) => Math.max(SHORTEST_SECONDS, text.length / CHARACTERS_A_SECOND);

const clip = (value, low, high) => Math.min(high, Math.max(low, value));
const vowelOf = (index) => VOWELS[Math.floor((index * 7) / 2) % VOWELS.length];

/** Noise that is the same every time. */
function* noises() {
  for (let state = 1; ; ) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    yield state / 1_073_741_824 - 1;
  }
}

const spoken = new Map();

/** So many seconds of 16-bit mono. */
export function speak(seconds) {
  if (!spoken.has(seconds)) spoken.set(seconds, synthesise(seconds));
  return spoken.get(seconds);
}

/** How loud each harmonic of a pitch is between the formants of two vowels. */
function loudnessOf(pitch, syllable, glide) {
  const [vowel, following] = [vowelOf(syllable), vowelOf(syllable + 1)];
  const formants = vowel.map((hertz, i) => hertz * (1 - glide) + following[i] * glide);
  return HARMONICS.map((harmonic) => {
    const near = (hertz, i) => SHARES[i] / (1 + ((harmonic * pitch - hertz) / BANDWIDTHS[i]) ** 2);
    return formants.map(near).reduce((sum, share) => sum + share) / harmonic ** 0.4;
  });
}

function synthesise(seconds) {
  const samples = new Int16Array(Math.floor(SAMPLE_RATE * seconds));
  const wordSeconds = SYLLABLES_A_WORD * SYLLABLE_SECONDS + PAUSE_SECONDS;
  const noise = noises();
  let [angle, before, loudness, pitch] = [0, 0, [], PITCH_HERTZ];
  for (let n = 0; n < samples.length; n++) {
    const time = n / SAMPLE_RATE;
    const inWord = time % wordSeconds;
    const place = Math.min(Math.floor(inWord / SYLLABLE_SECONDS), SYLLABLES_A_WORD - 1);
    const syllable = Math.floor(time / wordSeconds) * SYLLABLES_A_WORD + place;
    const phase = inWord / SYLLABLE_SECONDS - place;
    if (n % BLOCK === 0) {
      const melody = 0.15 * Math.sin((2 * Math.PI * time) / (2.3 * wordSeconds));
      pitch = PITCH_HERTZ * (1 + melody + 0.06 * Math.sin(2 * Math.PI * clip(phase, 0, 1)));
      loudness = loudnessOf(pitch, syllable, clip((phase - 0.6) / 0.4, 0, 1));
    }
    angle += (2 * Math.PI * pitch) / SAMPLE_RATE;
    const breath = noise.next().value;
    if (phase <= 1) {
      // sin(ka) of all k from the two before it: a sine each would block the event loop.
      let [voice, last, sine] = [0, 0, Math.sin(angle)];
      const twice = 2 * Math.cos(angle);
      for (let i = 0; i < loudness.length; i++) {
        voice += loudness[i] * sine;
        [last, sine] = [sine, twice * sine - last];
      }
      // A word fades out, as voices do: one that broke off would be a cut.
      const fade = clip((1 - phase) / FADE, 0, 1);
      voice *= clip(phase / 0.25, 0, 1);
      voice *= place === SYLLABLES_A_WORD - 1 ? fade : clip(2 * fade, 0.25, 1);
      const consonant =
        syllable % 2 ? Math.sin(Math.PI * clip(phase / 0.22, 0, 1)) ** 2 * (breath - before) : 0;
      samples[n] = Math.round(LEVEL * clip(voice / LOUDEST + 0.08 * consonant, -1, 1));
    }
    before = breath;
  }
  return samples;
}
