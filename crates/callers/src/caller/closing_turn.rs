//! A turn that is over: whether its answer was the expected one, and what is reported of it.

use super::caller::Caller;
use super::open_turn::{AnswerProgress, OpenTurn};
use rushhour_core::evaluator::UpdateKind;
use rushhour_core::event::TurnEnding;
use rushhour_core::units::SessionTime;

impl Caller {
    /// Reports the open turn, if any, as answered. `is_done` tells whether the agent had finished.
    pub(super) fn close_turn(&mut self, is_done: bool, now: SessionTime) {
        let progress = self.find_answer();
        // A rule that takes over says that the answer is not the expected one yet.
        let takes_over = std::mem::take(&mut self.rules.takes_over);
        let Some(turn) = self.turn.take() else { return };
        self.rules.last_said_at = turn.said_at;
        let prompt = self.config.script.turn(turn.index).filter(|_| !takes_over);
        let expect = prompt.and_then(|prompt| prompt.expect.as_ref());
        // An agent that never writes a transcript cannot be compared with anything.
        let expect = expect.filter(|_| self.voice.is_none() || !self.utterances.is_empty());
        let is_early = turn.answer_began.is_none();
        let matches = expect.map(|expect| {
            // The words of one that answers too early may begin before the caller's turn is over.
            let since = if is_early { Some(turn.began) } else { turn.said_at };
            // An expectation of a whole segment does not match all of them together.
            progress == AnswerProgress::Complete
                || expect
                    .is_match(&since.map(|at| self.utterances.text_since(at)).unwrap_or_default())
        });
        let ending = match matches {
            _ if is_early => TurnEnding::Early,
            Some(false) => TurnEnding::Unexpected,
            Some(true) | None => TurnEnding::Answered,
        };
        if let Some(matches) = matches {
            self.compared(matches);
        }
        let last_active = match &self.voice {
            Some(_) => turn.answer_ended,
            None => Some(self.turn_state.last_activity()),
        };
        let done =
            last_active.filter(|at| is_done && turn.answer_began.is_some_and(|began| *at >= began));
        self.summary.ignored_interruptions += u32::from(self.is_interruption_ignored(&turn));
        self.summary.false_interruptions +=
            u32::from(turn.stopped_for_backchannel(&self.utterances, &self.agents));
        self.report_turn(&turn, ending, done, now);
    }

    /// Reports a turn that is over `now`.
    pub(super) fn report_turn(
        &mut self,
        turn: &OpenTurn,
        ending: TurnEnding,
        done: Option<SessionTime>,
        now: SessionTime,
    ) {
        let taking = self.voice.as_ref().and_then(|_| {
            let awaited_until = self.awaited_until(ending, now);
            turn.taking(awaited_until, &self.utterances, &self.agents)
        });
        let yields_within = self.config.settings.patience.yields_within.micros();
        let (index, began) = (turn.index, turn.began);
        let backchannel_at = turn.backchannel_at;
        let number = self.config.script.number_of(index);
        if let Some(mut turn) = turn.finish(number, ending, done, yields_within) {
            let rule = self.config.script.rule_of(index);
            turn.rule = rule.and_then(|rule| u32::try_from(rule + 1).ok());
            let end = if ending.is_answered() { turn.first.max(turn.last).max(done) } else { None };
            // Without an answer, nothing of it is measured after the last outage either.
            let end = end.unwrap_or(SessionTime(u64::MAX));
            turn.away = self.outages.overlaps(began, end);
            turn.taking = taking;
            turn.sound = self
                .voice
                .as_mut()
                .and_then(|voice| voice.sound.take(voice.last_packet_at?, &mut voice.activity));
            self.note_hearing(&mut turn, index, began, backchannel_at);
            self.recorder.turn_ended(&turn, began, &self.utterances);
            self.report(
                turn.last.or(turn.first).unwrap_or(turn.said),
                UpdateKind::Turn(Box::new(turn)),
            );
        }
    }

    /// Compares the greeting with the script, when the first turn begins.
    pub(super) fn check_greeting(&mut self) {
        if std::mem::replace(&mut self.greeting_checked, true) {
            return;
        }
        let expect = self.config.script.greeting.as_ref().and_then(|one| one.expect.as_ref());
        let matches =
            expect.map(|expect| expect.is_match(&self.utterances.text_since(SessionTime::START)));
        if let Some(matches) = matches {
            self.compared(matches);
        }
    }

    /// Notes whether something that the agent said was as expected.
    fn compared(&mut self, is_as_expected: bool) {
        self.as_expected = Some(self.as_expected.unwrap_or(true) && is_as_expected);
    }

    /// Whether the caller interrupted the agent, and it did not yield.
    pub(super) fn is_interruption_ignored(&self, turn: &OpenTurn) -> bool {
        let yields_within = self.config.settings.patience.yields_within.micros();
        turn.interruption.is_some() && turn.yielded(yields_within).is_none()
    }
}
