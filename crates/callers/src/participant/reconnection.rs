//! When and how a participant that lost its connection tries to get it back. A state machine without IO and without a
//! clock: the schedule is that of LiveKit's clients (client-sdk-js, `DefaultReconnectPolicy.ts`).

use rushhour_core::event::{Reconnect, ReconnectCause, ReconnectMethod};
use rushhour_core::units::{ForeignText, Micros, SessionTime};

/// How long after the loss each attempt but the first waits, at least; later ones wait as long as the last.
const DELAYS: [Micros; 6] = [
    Micros::ZERO,
    Micros::from_millis(300),
    Micros::from_millis(1_200),
    Micros::from_millis(2_700),
    Micros::from_millis(4_800),
    Micros::from_secs(7),
];
/// From this attempt on a random part of a second is added, so that not all come back at once.
const FIRST_SPREAD: u32 = 2;
const SPREAD: Micros = Micros::from_secs(1);
/// How long the server may take to answer an attempt.
const ANSWER_TIMEOUT: Micros = Micros::from_secs(15);
/// How long media and data may take to find a path once the server has accepted an attempt.
const MEDIA_TIMEOUT: Micros = Micros::from_secs(15);

/// How hard a participant tries to stay in its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReconnectPolicy {
    /// The most attempts for one loss; 0 means that the first loss ends the participant.
    pub attempts: u32,
    /// How long after the loss it gives up.
    pub within: Micros,
}

impl ReconnectPolicy {
    /// The first loss ends the participant.
    pub const OFF: Self = Self { attempts: 0, within: Micros::ZERO };
}

impl Default for ReconnectPolicy {
    fn default() -> Self {
        Self { attempts: 10, within: Micros::from_secs(60) }
    }
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReconnectStep {
    /// Nothing.
    None,
    /// Open a new signal connection.
    Connect(ReconnectMethod),
    /// The connection cannot be recovered.
    GiveUp,
}

/// A connection that is lost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loss {
    pub(super) cause: ReconnectCause,
    /// How it can come back.
    pub(super) method: ReconnectMethod,
    /// Whether media must find a path again.
    pub(super) media_lost: bool,
    /// How long the first attempt waits.
    pub(super) grace: Micros,
}

impl Loss {
    /// A loss of the signal connection alone, which is to come back at once.
    pub(super) const fn new(cause: ReconnectCause, method: ReconnectMethod) -> Self {
        Self { cause, method, media_lost: false, grace: Micros::ZERO }
    }
}

/// Keeps a participant in its room.
#[derive(Debug)]
pub(super) struct Reconnection {
    policy: ReconnectPolicy,
    /// While the connection is away.
    away: Option<Away>,
}

#[derive(Debug)]
struct Away {
    cause: ReconnectCause,
    lost: SessionTime,
    method: ReconnectMethod,
    /// Whether media must find a path again before the connection counts as back.
    media_lost: bool,
    attempts: u32,
    phase: Phase,
    /// Why the last attempt failed.
    last_error: Option<ForeignText>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Until the next attempt.
    Waiting { until: SessionTime },
    /// The server is asked.
    Connecting { until: SessionTime },
    /// The server has accepted; media and data find their path.
    Settling { until: SessionTime },
    /// No further attempt is allowed.
    GivenUp,
}

impl Reconnection {
    pub(super) const fn new(policy: ReconnectPolicy) -> Self {
        Self { policy, away: None }
    }

    /// Whether the connection is away.
    pub(super) const fn is_away(&self) -> bool {
        self.away.is_some()
    }

    /// Whether the server has been asked for a new signal connection to the same participant, and has not answered.
    pub(super) fn is_resuming(&self) -> bool {
        self.away.as_ref().is_some_and(|away| {
            away.method == ReconnectMethod::Resume && matches!(away.phase, Phase::Connecting { .. })
        })
    }

    /// Media has lost its path while the connection was away.
    pub(super) fn note_media_lost(&mut self) {
        if let Some(away) = &mut self.away {
            away.media_lost = true;
        }
    }

    /// Whether media must find a path again.
    pub(super) fn has_lost_media(&self) -> bool {
        self.away.as_ref().is_some_and(|away| away.media_lost)
    }

    /// Why the connection is away, while it is.
    pub(super) fn cause(&self) -> Option<ReconnectCause> {
        self.away.as_ref().map(|away| away.cause)
    }

    /// How many attempts were made, and why the last one failed.
    pub(super) fn attempts(&self) -> (u32, Option<&ForeignText>) {
        self.away.as_ref().map_or((0, None), |away| (away.attempts, away.last_error.as_ref()))
    }

    /// The connection is lost, or the server asks for a new one. What is lost while it is away already changes only how
    /// it can come back. Returns whether this is a new loss.
    pub(super) fn lost(&mut self, loss: Loss, now: SessionTime) -> bool {
        let Loss { cause, method, media_lost, grace } = loss;
        if let Some(away) = &mut self.away {
            away.media_lost |= media_lost;
            if method == ReconnectMethod::Rejoin {
                away.method = method;
            }
            // The server said that this attempt leads nowhere, or it broke: the next one follows the schedule.
            if !matches!(away.phase, Phase::Waiting { .. } | Phase::GivenUp) {
                self.schedule(now);
            }
            return false;
        }
        self.away = Some(Away {
            cause,
            lost: now,
            method,
            media_lost,
            attempts: 0,
            phase: Phase::Waiting { until: now + grace },
            last_error: None,
        });
        if self.policy.attempts == 0 {
            self.give_up();
        }
        true
    }

    /// An attempt failed before the server answered it.
    pub(super) fn attempt_failed(&mut self, error: ForeignText, now: SessionTime) {
        let Some(away) = &mut self.away else { return };
        away.last_error = Some(error);
        if matches!(away.phase, Phase::Connecting { .. } | Phase::Settling { .. }) {
            self.schedule(now);
        }
    }

    /// No attempt will succeed: the server refused the token, or told the participant to leave.
    pub(super) fn refused(&mut self, error: ForeignText) {
        if let Some(away) = &mut self.away {
            away.last_error = Some(error);
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        if let Some(away) = &mut self.away {
            away.phase = Phase::GivenUp;
        }
    }

    /// Plans the next attempt.
    fn schedule(&mut self, now: SessionTime) {
        let policy = self.policy;
        let Some(away) = &mut self.away else { return };
        let until = now + delay_of(away.attempts, now);
        let is_over = away.attempts >= policy.attempts || until > away.lost + policy.within;
        away.phase = if is_over { Phase::GivenUp } else { Phase::Waiting { until } };
    }

    /// The server has accepted an attempt: nothing but media may be missing now.
    pub(super) fn accepted(&mut self, now: SessionTime) {
        if let Some(away) = &mut self.away
            && matches!(away.phase, Phase::Connecting { .. })
        {
            away.phase = Phase::Settling { until: now + MEDIA_TIMEOUT };
        }
    }

    /// Media and data can be sent again. Returns what happened, if the server has accepted an attempt.
    pub(super) fn back(&mut self, now: SessionTime) -> Option<Reconnect> {
        self.away.take_if(|away| matches!(away.phase, Phase::Settling { .. })).map(|away| {
            Reconnect {
                cause: away.cause,
                method: away.method,
                lost: away.lost,
                back: now,
                attempts: away.attempts,
            }
        })
    }

    /// When [`Self::handle_timeout`] must be called.
    pub(super) fn deadline(&self) -> Option<SessionTime> {
        self.away.as_ref().map(|away| match away.phase {
            Phase::Waiting { until } | Phase::Connecting { until } | Phase::Settling { until } => {
                until
            }
            Phase::GivenUp => away.lost,
        })
    }

    /// Advances to `now`.
    pub(super) fn handle_timeout(&mut self, now: SessionTime) -> ReconnectStep {
        let Some(away) = &mut self.away else { return ReconnectStep::None };
        match away.phase {
            Phase::GivenUp => return ReconnectStep::GiveUp,
            Phase::Waiting { until } if now >= until => {
                away.attempts += 1;
                away.phase = Phase::Connecting { until: now + ANSWER_TIMEOUT };
                return ReconnectStep::Connect(away.method);
            }
            Phase::Connecting { until } if now >= until => {
                away.last_error = Some("the server did not answer in time".into());
                self.schedule(now);
            }
            Phase::Settling { until } if now >= until => {
                away.last_error = Some("media found no path to the server in time".into());
                away.method = ReconnectMethod::Rejoin;
                self.schedule(now);
            }
            _ => return ReconnectStep::None,
        }
        // The schedule may be over, or its next attempt due.
        match self.away.as_ref().map(|away| away.phase) {
            Some(Phase::GivenUp) => ReconnectStep::GiveUp,
            _ => ReconnectStep::None,
        }
    }
}

/// How long the attempt after `attempts` others waits. What it is spread by comes from the time itself, whose
/// microseconds differ from participant to participant.
fn delay_of(attempts: u32, now: SessionTime) -> Micros {
    let index = (attempts as usize).min(DELAYS.len() - 1);
    let spread = if attempts < FIRST_SPREAD {
        Micros::ZERO
    } else {
        // Multiplicative hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4).
        Micros((now.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % SPREAD.0)
    };
    DELAYS[index] + spread
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: SessionTime = SessionTime(1_000_000);

    fn reconnection(policy: ReconnectPolicy) -> Reconnection {
        let mut reconnection = Reconnection::new(policy);
        let loss = Loss::new(ReconnectCause::SignalLost, ReconnectMethod::Resume);
        assert!(reconnection.lost(loss, START));
        reconnection
    }

    const RESUME: ReconnectStep = ReconnectStep::Connect(ReconnectMethod::Resume);
    const REJOIN: ReconnectStep = ReconnectStep::Connect(ReconnectMethod::Rejoin);

    /// When the next step is due, and what it is.
    fn next(reconnection: &mut Reconnection) -> (SessionTime, ReconnectStep) {
        let at = reconnection.deadline().expect("it is away");
        (at, reconnection.handle_timeout(at))
    }

    #[test]
    fn the_first_attempt_is_made_at_once_and_the_others_wait_ever_longer() {
        let policy = ReconnectPolicy { attempts: 10, within: Micros::from_secs(600) };
        let mut tried = reconnection(policy);
        let mut waits = Vec::new();
        let mut before = START;
        loop {
            let (at, step) = next(&mut tried);
            if step == ReconnectStep::GiveUp {
                break;
            }
            assert_eq!(step, RESUME);
            waits.push(at.since(before).0 / 1_000);
            tried.attempt_failed("refused".into(), at);
            before = at;
        }
        let least = [0, 300, 1_200, 2_700, 4_800, 7_000, 7_000, 7_000, 7_000, 7_000];
        assert_eq!(waits.len(), least.len());
        for (wait, least) in waits.iter().zip(least) {
            let spread = if least < 1_000 { 0 } else { 1_000 };
            assert!((least..=least + spread).contains(wait), "{waits:?}");
        }
        assert_eq!(tried.attempts(), (10, Some(&"refused".into())));
    }

    #[test]
    fn nothing_is_tried_beyond_the_bound_in_time_nor_where_it_is_off() {
        let mut tried =
            reconnection(ReconnectPolicy { attempts: 10, within: Micros::from_secs(1) });
        for expected in [RESUME, RESUME] {
            let (at, step) = next(&mut tried);
            assert_eq!(step, expected);
            tried.attempt_failed("refused".into(), at);
        }
        assert_eq!(next(&mut tried).1, ReconnectStep::GiveUp);
        assert_eq!(next(&mut reconnection(ReconnectPolicy::OFF)).1, ReconnectStep::GiveUp);
    }

    #[test]
    fn a_resume_is_over_once_the_server_has_accepted_it_and_media_flows() {
        let mut resumed = reconnection(ReconnectPolicy::default());
        assert_eq!(resumed.back(START), None, "nothing has been tried");
        let (at, _) = next(&mut resumed);
        resumed.accepted(at);
        let back = at + Micros(5);
        let expected = Reconnect {
            cause: ReconnectCause::SignalLost,
            method: ReconnectMethod::Resume,
            lost: START,
            back,
            attempts: 1,
        };
        assert_eq!(resumed.back(back), Some(expected));
        assert_eq!((resumed.is_away(), resumed.deadline()), (false, None));
    }

    #[test]
    fn a_server_that_wants_a_new_participant_gets_one_at_the_next_attempt() {
        let mut told = reconnection(ReconnectPolicy::default());
        let (at, step) = next(&mut told);
        assert_eq!(step, RESUME);
        let loss = Loss::new(ReconnectCause::ServerRequest, ReconnectMethod::Rejoin);
        assert!(!told.lost(Loss { media_lost: true, ..loss }, at), "the same loss");
        let (at, step) = next(&mut told);
        assert_eq!(step, REJOIN);
        told.accepted(at);
        let back = told.back(at).expect("it is back");
        assert_eq!((back.cause, back.attempts), (ReconnectCause::SignalLost, 2));
    }

    #[test]
    fn media_that_finds_no_path_after_a_resume_leads_to_a_new_participant() {
        let mut stuck = reconnection(ReconnectPolicy::default());
        let (at, _) = next(&mut stuck);
        stuck.accepted(at);
        assert_eq!(next(&mut stuck), (at + MEDIA_TIMEOUT, ReconnectStep::None));
        assert_eq!(next(&mut stuck).1, REJOIN);
    }

    #[test]
    fn a_server_that_refuses_the_token_is_not_asked_again() {
        let mut refused = reconnection(ReconnectPolicy::default());
        next(&mut refused);
        refused.refused("401 Unauthorized".into());
        assert_eq!(next(&mut refused).1, ReconnectStep::GiveUp);
        assert_eq!(refused.attempts().1, Some(&"401 Unauthorized".into()));
    }

    #[test]
    fn a_server_that_never_answers_is_asked_again() {
        let mut silent = reconnection(ReconnectPolicy::default());
        let (at, _) = next(&mut silent);
        assert_eq!(next(&mut silent), (at + ANSWER_TIMEOUT, ReconnectStep::None));
        assert_eq!(next(&mut silent).1, RESUME);
    }
}
