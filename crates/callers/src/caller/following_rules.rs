//! What a caller does beside its turns: it follows rules, shows that it listens, and may hang up early.

use super::caller::{Caller, CallerStage, CallerVoice};
use super::prepared_script::RuleAnswer;
use crate::engine::{NextTick, ParticipantHandle};
use rushhour_core::event::{ConversationEnd, Outcome};
use rushhour_core::units::SessionTime;

/// Rules that are followed in one conversation, at most: an agent that says what they hear may say it for ever.
const MAX_FOLLOWED: u32 = 200;

/// The rules that a caller has followed.
#[derive(Debug, Default)]
pub(super) struct FollowedRules {
    /// How often each was followed.
    counts: Vec<u32>,
    /// The turn that comes after the rule that is being followed.
    pub(super) then: usize,
    /// Whether a rule takes over from the open turn, whose answer is then not compared with what was expected.
    pub(super) takes_over: bool,
    /// When the last turn that is over was said: what came since is what rules hear, until another turn is said.
    pub(super) last_said_at: Option<SessionTime>,
    /// A rule to follow of which nothing could be said yet.
    unsaid: Option<usize>,
}

impl FollowedRules {
    /// A turn is said: what the agent says to it decides from here on.
    pub(super) const fn forget_unsaid(&mut self) {
        self.unsaid = None;
    }
}

impl Caller {
    /// The first rule that the agent's words since the caller's last turn match, and that may be followed still.
    fn matching_rule(&self) -> RuleMatch {
        let rules = &self.config.script.rules;
        if rules.is_empty() {
            return RuleMatch::None;
        }
        let since = self.turn.as_ref().map_or(self.rules.last_said_at, |turn| turn.said_at);
        let text = self.utterances.text_since(since.unwrap_or(SessionTime::START));
        let followed = self.rules.counts.iter().sum::<u32>();
        let mut found = RuleMatch::None;
        for (index, rule) in rules.iter().enumerate() {
            if !rule.hears.is_match(&text) {
                continue;
            }
            let count = self.rules.counts.get(index).copied().unwrap_or_default();
            if count < rule.at_most && followed < MAX_FOLLOWED {
                return RuleMatch::Follow(index);
            }
            found = RuleMatch::UsedUp;
        }
        found
    }

    /// Whether a rule would be followed now.
    pub(super) fn has_rule_to_follow(&self) -> bool {
        matches!(self.matching_rule(), RuleMatch::Follow(_))
    }

    /// Follows a rule, if one matches, before the turn `next`. Returns whether it did.
    pub(super) fn follow_rule(&mut self, next: usize, handle: &mut dyn ParticipantHandle) -> bool {
        let index = match self.rules.unsaid.map_or_else(|| self.matching_rule(), RuleMatch::Follow)
        {
            RuleMatch::None => return false,
            RuleMatch::UsedUp => {
                // The turn that follows may have to wait until it can be sent: that is no second match.
                self.summary.rules_used_up += u32::from(self.turn.is_some());
                return false;
            }
            RuleMatch::Follow(index) => index,
        };
        let script = self.config.script.clone();
        self.rules.then = next;
        self.rules.takes_over = true;
        match &script.rules[index].answer {
            RuleAnswer::Say(prompt) => {
                self.begin_turn(script.index_of_rule(index), prompt, true, handle);
                if self.turn.is_none() {
                    self.rules.unsaid = Some(index);
                    return true;
                }
            }
            RuleAnswer::HangUp => {
                self.summary.hung_up_by_rule = u32::try_from(index + 1).ok();
                self.complete(handle);
            }
        }
        self.rules.counts.resize(script.rules.len(), 0);
        self.rules.counts[index] += 1;
        true
    }

    /// Shows that it listens, once the agent has spoken for long enough.
    pub(super) fn show_that_it_listens(&mut self, now: SessionTime) {
        let Some(turn) = &mut self.turn else { return };
        let prompt = self.config.script.turn(turn.index);
        let Some(backchannel) = prompt.and_then(|prompt| prompt.backchannel.as_ref()) else {
            return;
        };
        let Some(CallerVoice { playback: Some(playback), speaking_since: Some(_), .. }) =
            &mut self.voice
        else {
            return;
        };
        let is_due = turn.answer_began.is_some_and(|began| now >= began + backchannel.after);
        if is_due && turn.backchannel_at.is_none() {
            turn.backchannel_at = Some(now);
            self.summary.backchannels += 1;
            playback.play(backchannel.clip.clone());
            let words = backchannel.spoken.as_deref().unwrap_or("(a back-channel)");
            self.recorder.caller_says(words, now);
        }
    }

    /// When the caller hangs up early, unless something happens before; `None` for one that does not.
    fn hangs_up_at(&self, now: SessionTime) -> Option<SessionTime> {
        let abandon = self.config.script.abandon.filter(|_| self.config.abandons)?;
        let joined_at = self.joined_at?;
        let after = abandon.after.map(|after| joined_at + after.micros());
        let silence = abandon.silence.and_then(|for_long| {
            let since = self.waits_since(joined_at, now)?;
            Some(since + for_long.micros())
        });
        after.into_iter().chain(silence).min()
    }

    /// Since when the agent has kept the caller waiting in silence.
    fn waits_since(&self, joined_at: SessionTime, now: SessionTime) -> Option<SessionTime> {
        let is_awaited = match self.stage {
            CallerStage::AwaitingAgent
            | CallerStage::AwaitingReady { .. }
            | CallerStage::AwaitingGreeting { .. } => return Some(joined_at),
            CallerStage::AwaitingAnswer | CallerStage::AskingSession { .. } => {
                self.turn.as_ref().is_some_and(|turn| !turn.is_answered)
            }
            CallerStage::AwaitingSilence { .. } => false,
            _ => return None,
        };
        // Once the agent has answered and listens, the caller waits for nothing but its own next word.
        if self.speech_since().is_some() || (!is_awaited && self.silent_since(now).is_some()) {
            return None;
        }
        let last_activity = self.turn_state.last_activity();
        let last_heard = match (&self.turn, &self.voice) {
            (Some(turn), Some(_)) => turn.last_heard(&self.utterances, &self.agents),
            _ => Some(last_activity),
        };
        let said_at = self.turn.as_ref().and_then(|turn| turn.said_at);
        Some(joined_at).max(said_at).max(last_heard)
    }

    /// Hangs up, if the caller is one that does so, and it is time. Returns whether it did.
    pub(super) fn hang_up_early(
        &mut self,
        now: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) -> bool {
        let is_over = self.stage == CallerStage::Done;
        if is_over || self.outages.is_away() || self.hangs_up_at(now).is_none_or(|at| now < at) {
            return false;
        }
        self.summary.ended = ConversationEnd::Abandoned;
        self.outcome = Some(Outcome::Completed { judged: None });
        self.break_off_turn(now);
        self.stage = CallerStage::Done;
        handle.leave();
        true
    }

    /// A caller that hangs up early is called in time for it.
    pub(super) fn no_later_than_hanging_up(&self, next: NextTick, now: SessionTime) -> NextTick {
        match (next, self.hangs_up_at(now)) {
            (NextTick::OnEvent, Some(at)) if self.stage != CallerStage::Done => NextTick::At(at),
            (NextTick::At(time), Some(at)) => NextTick::At(time.min(at)),
            _ => next,
        }
    }
}

/// What the rules say to the agent's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RuleMatch {
    None,
    /// Those that match were followed as often as they may be.
    UsedUp,
    Follow(usize),
}
