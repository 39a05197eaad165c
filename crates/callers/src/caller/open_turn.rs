//! A turn in progress: what is known of it so far.

use super::agents::Agents;
use super::expected_text::find_expected;
use super::prepared_script::{PreparedTurn, TurnContent};
use super::utterances::{TEXT_SLACK, Utterance, Utterances};
use crate::data::{ItemMetrics, MeasuredItem};
use rushhour_core::event::{Turn, TurnEnding, TurnParts};
use rushhour_core::units::{Micros, SessionTime};

mod late_greeting;
mod turn_taking;

/// Talk spurts of a turn that are kept; those beyond lengthen the last.
const MAX_SPURTS: usize = 64;

/// A turn in progress.
#[derive(Debug, Clone, Default)]
pub(super) struct OpenTurn {
    /// Its index in the script, from 0.
    pub(super) index: usize,
    /// When the caller began.
    pub(super) began: SessionTime,
    /// In voice, whether the agent tells its state and has not greeted: what it says next may be its greeting.
    pub(super) may_be_greeted: bool,
    /// Whether the agent had not finished when the caller began.
    pub(super) interrupts: bool,
    /// The interruption, if the agent was speaking when the caller began.
    pub(super) interruption: Option<Interruption>,
    /// In voice, when the caller's first audible frame was sent.
    pub(super) voice_began: Option<SessionTime>,
    /// When the caller had finished: its text or its last audible frame was sent.
    pub(super) said_at: Option<SessionTime>,
    /// In voice, what the agent said since the caller began.
    spurts: Vec<SpeechInterval>,
    /// When the agent was first heard or read after it, where the script says what is expected: its filler, or its answer.
    first_any: Option<SessionTime>,
    /// When the answer began.
    pub(super) answer_began: Option<SessionTime>,
    /// When the answer ended.
    pub(super) answer_ended: Option<SessionTime>,
    /// The latencies that the agent reported for its answer.
    pub(super) parts: TurnParts,
    /// Whether the answer is the one that the caller waits for, as far as it has come.
    pub(super) is_answered: bool,
    /// When the caller began to show that it listens.
    pub(super) backchannel_at: Option<SessionTime>,
}

/// What begins sooner after the caller's last sound is no answer to it: nobody can know yet that the caller has finished.
/// Detectors of the end of speech wait for at least so much silence. Keys have no end to be detected.
const SHORTEST_REACTION: Micros = Micros::from_millis(200);

/// What the agent said without a pause.
#[derive(Debug, Clone, Copy)]
struct SpeechInterval {
    began: SessionTime,
    ended: Option<SessionTime>,
}

/// What is known of a spoken answer.
#[derive(Debug, Clone, Copy)]
struct SpokenAnswer {
    /// When the agent was first heard after the turn.
    first: Option<SessionTime>,
    /// When the answer began.
    began: Option<SessionTime>,
    ended: Option<SessionTime>,
    progress: AnswerProgress,
}

/// A turn that began while the agent was speaking.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interruption {
    /// When the caller's first audible frame was sent.
    pub(super) began: SessionTime,
    /// When what the agent was saying ended, or paused.
    spoke_until: Option<SessionTime>,
    /// When the agent fell silent, and did not go on.
    fell_silent: Option<SessionTime>,
    /// Whether it went on with the same sentence after a pause.
    pub(super) resumed: bool,
}

/// A pause shorter than this may be one between two sentences, and needs no interruption.
const LONGEST_BREATH: Micros = Micros::from_secs(1);

impl Interruption {
    pub(super) const fn new(began: SessionTime) -> Self {
        Self { began, spoke_until: None, fell_silent: None, resumed: false }
    }

    /// How long the agent went on, if it yielded: it fell silent while the caller spoke or soon after, and stayed so.
    fn yielded(&self, said_at: Option<SessionTime>, within: Micros) -> Option<Micros> {
        let fell_silent = self.fell_silent.filter(|_| !self.resumed)?;
        let in_time = said_at.is_none_or(|said_at| fell_silent <= said_at + within);
        in_time.then(|| fell_silent.since(self.began))
    }
}

/// How far the agent's answer to a turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerProgress {
    /// The agent has said nothing.
    None,
    /// In voice: it has only gone on with what it was saying before.
    Resumed,
    /// In voice: it began before the caller had finished, and has not begun again.
    Early,
    /// An answer is being written.
    InProgress,
    /// The answer is complete; in voice, it may go on.
    Complete,
    /// What the agent has said is not as expected. The expected answer may follow.
    Unexpected,
}

/// Whether an agent that took over, and could not hear yet what was said at `said_at`, greets with this.
fn is_greeting(
    one: &Utterance,
    said_at: SessionTime,
    utterances: &Utterances,
    agents: &Agents,
) -> bool {
    !agents.could_hear(&one.sender, said_at) && utterances.is_first_of_its_sender(one)
}

/// Whether what was heard from `began` on is such a greeting: nothing else was begun since its text.
fn is_spoken_greeting(
    began: SessionTime,
    said_at: SessionTime,
    utterances: &Utterances,
    agents: &Agents,
) -> bool {
    let begun = utterances.since(SessionTime::START);
    let latest = begun.filter(|one| one.opened_at <= began + TEXT_SLACK).last();
    latest.is_some_and(|one| {
        let is_said_then = began <= one.opened_at + TEXT_SLACK
            || one.closed_at.is_none_or(|closed| closed >= began);
        is_said_then && is_greeting(one, said_at, utterances, agents)
    })
}

impl OpenTurn {
    pub(super) fn new(index: usize, began: SessionTime) -> Self {
        Self { index, began, ..Self::default() }
    }

    /// The turn once the caller has finished.
    pub(super) fn said(self, at: SessionTime) -> Self {
        Self { said_at: Some(at), ..self }
    }

    /// Looks for the answer in what the agent wrote after the caller had finished: the first segment, or the first
    /// that is as expected, alone or with others. Sets the answer's times.
    ///
    /// An agent that took over and could not hear the caller yet has not answered with the first that it writes: it greets.
    pub(super) fn find_written_answer(
        &mut self,
        prompt: &PreparedTurn,
        utterances: &Utterances,
        agents: &Agents,
    ) -> AnswerProgress {
        let Some(said_at) = self.said_at else { return AnswerProgress::None };
        let has_text = |one: &&Utterance| {
            one.first_text_at.is_some() && !is_greeting(one, said_at, utterances, agents)
        };
        // Asked at every tick, so nothing is collected.
        let written = || utterances.since(said_at).filter(has_text);
        let Some(first) = written().next() else { return AnswerProgress::None };
        let answer = match &prompt.expect {
            None => Some((first, first)),
            Some(expect) => {
                self.first_any = first.first_text_at;
                find_expected(|| written().filter(|one| one.closed_at.is_some()), expect)
            }
        };
        let (begins, ends) = answer.unwrap_or((first, first));
        (self.answer_began, self.answer_ended) = (begins.first_text_at, ends.closed_at);
        match (answer, ends.closed_at) {
            (Some(_), Some(_)) => AnswerProgress::Complete,
            (None, Some(_)) if written().all(|one| one.closed_at.is_some()) => {
                AnswerProgress::Unexpected
            }
            _ => AnswerProgress::InProgress,
        }
    }

    /// Looks for the answer in what the agent said after the caller had finished: what it said first, or the first
    /// whose transcript is as expected, alone or with others. Sets the answer's times.
    ///
    /// What it says within `resumes_within` while a segment of before is open belongs to that: a greeting that came
    /// late, or a sentence that it paused. What an agent says first that took over and could not hear the caller yet is
    /// its greeting.
    pub(super) fn find_spoken_answer(
        &mut self,
        prompt: &PreparedTurn,
        utterances: &Utterances,
        agents: &Agents,
        resumes_within: Micros,
    ) -> AnswerProgress {
        let Some(said_at) = self.said_at else { return AnswerProgress::None };
        let answer = self.spoken_answer(said_at, prompt, utterances, agents, resumes_within);
        self.first_any = answer.first.filter(|_| prompt.expect.is_some());
        (self.answer_began, self.answer_ended) = (answer.began, answer.ended);
        answer.progress
    }

    /// The spoken answer, and how far it has come. Asked at every tick, so nothing is collected.
    fn spoken_answer(
        &self,
        said_at: SessionTime,
        prompt: &PreparedTurn,
        utterances: &Utterances,
        agents: &Agents,
        resumes_within: Micros,
    ) -> SpokenAnswer {
        let spurts = || self.speech(utterances, agents);
        let is_of_before = |spurt: &SpeechInterval| {
            let continues = spurt.began <= said_at + resumes_within
                && utterances.continues(said_at, spurt.began);
            continues || is_spoken_greeting(spurt.began, said_at, utterances, agents)
        };
        let reaction = match prompt.content {
            TurnContent::Keys(_) => Micros::ZERO,
            TurnContent::Text(_) | TurnContent::Clip(_) => SHORTEST_REACTION,
        };
        let heard_at = said_at + reaction;
        let later = || spurts().filter(|spurt| spurt.began > heard_at);
        let answers = || later().filter(|one| !is_of_before(one));
        let greets_until = self.greets_until(answers, said_at + resumes_within, utterances, agents);
        let answers = || answers().filter(|one| greets_until.is_none_or(|until| one.began > until));
        let Some(first) = answers().next() else {
            let progress = match (later().next(), spurts().last()) {
                (Some(_), _) => AnswerProgress::Resumed,
                (None, Some(_)) => AnswerProgress::Early,
                (None, None) => AnswerProgress::None,
            };
            let ended = spurts().last().and_then(|last| last.ended);
            return SpokenAnswer { first: None, began: None, ended, progress };
        };
        let expected = prompt.expect.as_ref().map(|expect| {
            let said = || {
                let later = utterances.since(said_at);
                later.filter(|one| !is_greeting(one, said_at, utterances, agents))
            };
            let (begins, _) = find_expected(said, expect)?;
            Self::speech_of(begins.first_text_at?, answers)
        });
        let progress = match expected {
            Some(None) => AnswerProgress::Unexpected,
            Some(Some(_)) | None => AnswerProgress::Complete,
        };
        SpokenAnswer {
            first: Some(first.began),
            began: Some(expected.flatten().unwrap_or(first.began)),
            ended: answers().last().and_then(|last| last.ended),
            progress,
        }
    }

    /// What the agent said, without the sounds of its thinking.
    fn speech<'a>(
        &'a self,
        utterances: &'a Utterances,
        agents: &'a Agents,
    ) -> impl Iterator<Item = SpeechInterval> + 'a {
        let speech = move |one: &SpeechInterval| {
            let began = agents.speech_since(one.began, one.ended, utterances)?;
            Some(SpeechInterval { began, ended: one.ended })
        };
        self.spurts.iter().filter_map(speech)
    }

    /// Whether something was heard since the caller began, and all of it while the agent said that it thinks.
    pub(super) fn has_only_sounds_of_thinking(
        &self,
        utterances: &Utterances,
        agents: &Agents,
    ) -> bool {
        !self.spurts.is_empty() && self.speech(utterances, agents).next().is_none()
    }

    /// When the speech began whose text began at `at`.
    fn speech_of<I: Iterator<Item = SpeechInterval>>(
        at: SessionTime,
        spurts: impl Fn() -> I,
    ) -> Option<SessionTime> {
        let is_spoken_at = |spurt: &SpeechInterval| {
            spurt.began <= at + TEXT_SLACK && spurt.ended.is_none_or(|ended| ended >= at)
        };
        // A text that is not paced may come before its speech.
        let spoken = spurts().find(is_spoken_at);
        let later = || spurts().find(|spurt| spurt.began > at);
        spoken.or_else(later).map(|spurt| spurt.began)
    }

    /// The agent began to speak.
    pub(super) fn agent_began_to_speak(&mut self, at: SessionTime, utterances: &Utterances) {
        if let Some(interruption) = &mut self.interruption
            && let Some(fell_silent) = interruption.fell_silent
            && utterances.continues(interruption.began, at)
        {
            interruption.fell_silent = None;
            interruption.resumed |= at.since(fell_silent) >= LONGEST_BREATH;
        }
        if self.spurts.len() < MAX_SPURTS {
            self.spurts.push(SpeechInterval { began: at, ended: None });
        }
    }

    /// The agent fell silent.
    pub(super) fn agent_fell_silent(&mut self, last_audible_at: SessionTime) {
        if let Some(interruption) = &mut self.interruption
            && interruption.fell_silent.is_none()
        {
            if last_audible_at < interruption.began {
                // The agent had finished by then, which was known only after the hangover.
                self.interruption = None;
            } else {
                interruption.spoke_until.get_or_insert(last_audible_at);
                interruption.fell_silent = Some(last_audible_at);
            }
        }
        if let Some(spurt) = self.spurts.last_mut() {
            spurt.ended = Some(last_audible_at);
        }
    }

    /// Adds latencies that the agent reported; the first report of each counts.
    ///
    /// Those of an answer come when it is over. Of a turn that interrupted one, the first are those of that.
    pub(super) fn add_parts(&mut self, ItemMetrics { parts: reported, of }: ItemMetrics) {
        let is_before = match of {
            MeasuredItem::Heard => false,
            MeasuredItem::Answer => self.answer_began.is_none(),
            MeasuredItem::InterruptedAnswer => true,
        };
        if self.interrupts && is_before {
            return;
        }
        let known = &mut self.parts;
        known.transcription = known.transcription.or(reported.transcription);
        known.end_of_turn = known.end_of_turn.or(reported.end_of_turn);
        known.llm_first_token = known.llm_first_token.or(reported.llm_first_token);
        known.tts_first_byte = known.tts_first_byte.or(reported.tts_first_byte);
        known.end_to_end = known.end_to_end.or(reported.end_to_end);
    }

    /// How long the agent went on after it was interrupted, if it yielded.
    pub(super) fn yielded(&self, within: Micros) -> Option<Micros> {
        self.interruption.and_then(|one| one.yielded(self.said_at, within))
    }

    /// The turn as it is reported; `None` if the caller did not finish speaking.
    pub(super) fn finish(
        &self,
        number: u32,
        ending: TurnEnding,
        done: Option<SessionTime>,
        yields_within: Micros,
    ) -> Option<Turn> {
        Some(Turn {
            first_any: self.first_any,
            first: self.answer_began,
            last: self.answer_ended,
            done,
            yielded: self.yielded(yields_within),
            parts: self.parts,
            ..Turn::new(number, self.said_at?, ending)
        })
    }
}
