"""Speech without a model or a recording: harmonics of a voice through moving formants, in syllables and words.

Silero takes it for speech without a gap, a decoder sees the pauses that a voice makes, and the same
duration is always the same samples. As a program it writes a clip for a caller to speak:

    python speech.py OUT.wav SECONDS
"""

import functools
import sys
import wave

import numpy

SAMPLE_RATE = 24_000
CHARACTERS_A_SECOND = 15
SHORTEST_SECONDS = 0.4
PITCH_HERTZ = 110
HIGHEST_HERTZ = 4_500
BLOCK = 120
# The first three formants of six vowels, their bandwidths and their share.
VOWELS = numpy.array(
    [
        (730, 1090, 2440),
        (530, 1840, 2480),
        (270, 2290, 3010),
        (570, 840, 2410),
        (300, 870, 2240),
        (660, 1720, 2410),
    ],
    dtype=float,
)
BANDWIDTHS = (70, 100, 150)
SHARES = (1.0, 0.6, 0.35)
SYLLABLE_SECONDS = 0.22
SYLLABLES_A_WORD = 3
PAUSE_SECONDS = 0.06
# The share of a word's last syllable in which it fades out.
FADE = 0.3
LEVEL = 8_000


def seconds_of(text):
    """How long a voice takes for a text."""
    return max(SHORTEST_SECONDS, len(text) / CHARACTERS_A_SECOND)


@functools.cache
def speak(seconds):
    """So many seconds of 16-bit mono, as bytes."""
    count = int(SAMPLE_RATE * seconds)
    time = numpy.arange(count) / SAMPLE_RATE
    word_seconds = SYLLABLES_A_WORD * SYLLABLE_SECONDS + PAUSE_SECONDS
    in_word = time % word_seconds
    place = numpy.minimum((in_word / SYLLABLE_SECONDS).astype(int), SYLLABLES_A_WORD - 1)
    syllable = (time // word_seconds).astype(int) * SYLLABLES_A_WORD + place
    # From 0 to 1 within a syllable; above 1 is the pause after a word.
    phase = in_word / SYLLABLE_SECONDS - place
    sounding = phase <= 1
    phase = numpy.clip(phase, 0, 1)

    # Formants and pitch move in steps: a loudness for each sample would block an event loop.
    melody = 0.15 * numpy.sin(2 * numpy.pi * time / (2.3 * word_seconds))
    pitch = (PITCH_HERTZ * (1 + melody + 0.06 * numpy.sin(2 * numpy.pi * phase)))[::BLOCK]
    steps = syllable[::BLOCK]
    glide = numpy.clip((phase[::BLOCK] - 0.6) / 0.4, 0, 1)[:, None]
    vowel, following = (VOWELS[(index * 7 // 2) % len(VOWELS)] for index in (steps, steps + 1))
    formants = vowel * (1 - glide) + following * glide

    angle = 2 * numpy.pi * numpy.cumsum(numpy.repeat(pitch, BLOCK)[:count]) / SAMPLE_RATE
    twice, last, sine = 2 * numpy.cos(angle), numpy.zeros(count), numpy.sin(angle)
    voice = numpy.zeros(count)
    for harmonic in range(1, HIGHEST_HERTZ // PITCH_HERTZ):
        loudness = sum(
            share / (1 + ((harmonic * pitch - formants[:, i]) / bandwidth) ** 2)
            for i, (bandwidth, share) in enumerate(zip(BANDWIDTHS, SHARES))
        )
        voice += numpy.repeat(loudness, BLOCK)[:count] * sine / harmonic**0.4
        # The next sin(ka) from the two before it.
        last, sine = sine, twice * sine - last
    voice *= numpy.clip(phase / 0.25, 0, 1) * sounding
    # A word fades out, as voices do: one that broke off would be a cut.
    fade = numpy.clip((1 - phase) / FADE, 0, 1)
    voice *= numpy.where(place == SYLLABLES_A_WORD - 1, fade, numpy.clip(2 * fade, 0.25, 1))
    voice /= max(1e-9, numpy.abs(voice).max())

    # A consonant: every other syllable begins with a breath of noise.
    noise = numpy.diff(numpy.random.default_rng(1).standard_normal(count), prepend=0.0)
    breath = numpy.sin(numpy.pi * numpy.clip(phase / 0.22, 0, 1)) ** 2 * (syllable % 2) * sounding
    samples = numpy.clip(voice + 0.045 * noise * breath, -1, 1) * LEVEL
    return samples.astype("<i2").tobytes()


def main():
    path, seconds = sys.argv[1], float(sys.argv[2])
    with wave.open(path, "wb") as clip:
        clip.setnchannels(1)
        clip.setsampwidth(2)
        clip.setframerate(SAMPLE_RATE)
        clip.writeframes(speak(seconds))


if __name__ == "__main__":
    main()
