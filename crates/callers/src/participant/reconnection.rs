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

/// Why a participant that only resumes gives up.
const ONLY_RESUMES: &str = "it would have to join anew, and only resumes";

/// How hard a participant tries to stay in its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReconnectPolicy {
    /// The first loss ends it.
    Off,
    /// It comes back to a server that still knows it, after a connection that broke. Whoever joins anew, or asks a server
    /// that was started again or has closed the connection itself, may make a room anew that is deleted.
    Resume(ReconnectBounds),
    /// It comes back, and joins anew where the server has forgotten it, as LiveKit's clients do.
    Rejoin(ReconnectBounds),
}

impl Default for ReconnectPolicy {
    fn default() -> Self {
        Self::Rejoin(ReconnectBounds::default())
    }
}

impl ReconnectPolicy {
    const fn allows(self, method: ReconnectMethod) -> bool {
        match self {
            Self::Off => false,
            Self::Resume(_) => matches!(method, ReconnectMethod::Resume),
            Self::Rejoin(_) => true,
        }
    }

    /// Whether another attempt may be made at `next`, after `attempts` others.
    fn allows_attempt(self, attempts: u32, next: SessionTime, lost: SessionTime) -> bool {
        match self {
            Self::Off => false,
            Self::Resume(bounds) | Self::Rejoin(bounds) => {
                attempts < bounds.attempts && next <= lost + bounds.within
            }
        }
    }
}

/// When a participant gives up to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReconnectBounds {
    /// The most attempts for one loss.
    pub attempts: u32,
    /// How long after the loss the last one is made, at most.
    pub within: Micros,
}

impl Default for ReconnectBounds {
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
                self.must_rejoin();
            }
            // The server said that this attempt leads nowhere, or it broke: the next one follows the schedule.
            self.reschedule(now);
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
        match (self.policy, method) {
            (ReconnectPolicy::Off, _) => self.give_up(),
            (_, ReconnectMethod::Rejoin) => self.must_rejoin(),
            (_, ReconnectMethod::Resume) => {}
        }
        true
    }

    /// Only a new participant can take this one's place.
    fn must_rejoin(&mut self) {
        let policy = self.policy;
        let Some(away) = &mut self.away else { return };
        away.method = ReconnectMethod::Rejoin;
        if !policy.allows(ReconnectMethod::Rejoin) {
            away.last_error.get_or_insert_with(|| ONLY_RESUMES.into());
            // Until then the server may say that the room is gone.
            if !matches!(away.phase, Phase::Waiting { .. }) {
                away.phase = Phase::GivenUp;
            }
        }
    }

    /// Plans the next attempt in the place of one that is under way.
    fn reschedule(&mut self, now: SessionTime) {
        let under_way =
            |away: &Away| matches!(away.phase, Phase::Connecting { .. } | Phase::Settling { .. });
        if self.away.as_ref().is_some_and(under_way) {
            self.schedule(now);
        }
    }

    /// An attempt failed before the server answered it.
    pub(super) fn attempt_failed(&mut self, error: ForeignText, now: SessionTime) {
        if let Some(away) = &mut self.away {
            away.last_error = Some(error);
        }
        self.reschedule(now);
    }

    /// Whether a participant whose signal connection the server closed in due form, and did not say why, comes back.
    pub(super) const fn survives_closing(&self) -> bool {
        !matches!(self.policy, ReconnectPolicy::Resume(_))
    }

    /// The server has stopped, and with it what it knew of the participant.
    pub(super) fn server_stopped(&mut self, error: ForeignText, now: SessionTime) {
        if self.policy.allows(ReconnectMethod::Rejoin) {
            self.attempt_failed(error, now);
        } else {
            self.refused(error);
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
        let is_allowed = policy.allows_attempt(away.attempts, until, away.lost);
        away.phase = if is_allowed { Phase::Waiting { until } } else { Phase::GivenUp };
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
            Phase::Waiting { until } if now >= until && !self.policy.allows(away.method) => {
                away.phase = Phase::GivenUp;
                return ReconnectStep::GiveUp;
            }
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
                self.must_rejoin();
                self.reschedule(now);
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

    fn rejoining(attempts: u32, seconds: u64) -> ReconnectPolicy {
        let within = Micros::from_secs(seconds);
        ReconnectPolicy::Rejoin(ReconnectBounds { attempts, within })
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
        let mut tried = reconnection(rejoining(10, 600));
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
        let mut tried = reconnection(rejoining(10, 1));
        for expected in [RESUME, RESUME] {
            let (at, step) = next(&mut tried);
            assert_eq!(step, expected);
            tried.attempt_failed("refused".into(), at);
        }
        assert_eq!(next(&mut tried).1, ReconnectStep::GiveUp);
        assert_eq!(next(&mut reconnection(ReconnectPolicy::Off)).1, ReconnectStep::GiveUp);
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
    fn whoever_only_resumes_asks_no_server_that_has_forgotten_it() {
        let policy = ReconnectPolicy::Resume(ReconnectBounds::default());
        // A connection that broke is resumed as often as others are.
        let mut broken = reconnection(policy);
        for _ in 0..2 {
            let (at, step) = next(&mut broken);
            assert_eq!(step, RESUME);
            broken.attempt_failed("502 Bad Gateway".into(), at);
        }
        // The server wants a new participant, before or after an attempt.
        let told = Loss::new(ReconnectCause::ServerRequest, ReconnectMethod::Rejoin);
        let (at, _) = next(&mut broken);
        assert!(!broken.lost(told, at));
        assert_eq!(next(&mut broken).1, ReconnectStep::GiveUp);
        let mut unknown = Reconnection::new(policy);
        assert!(unknown.lost(told, START));
        assert_eq!(next(&mut unknown).1, ReconnectStep::GiveUp);
        assert_eq!(unknown.attempts(), (0, Some(&ONLY_RESUMES.into())));
        // Media found no path.
        let mut stuck = reconnection(policy);
        let (at, _) = next(&mut stuck);
        stuck.accepted(at);
        assert_eq!(next(&mut stuck).1, ReconnectStep::GiveUp);
        // The server has stopped; others wait for it.
        let mut stopped = reconnection(policy);
        let (at, _) = next(&mut stopped);
        stopped.server_stopped("Connection refused".into(), at);
        assert_eq!(next(&mut stopped).1, ReconnectStep::GiveUp);
        let mut waiting = reconnection(ReconnectPolicy::default());
        let (at, _) = next(&mut waiting);
        waiting.server_stopped("Connection refused".into(), at);
        assert_eq!(next(&mut waiting).1, RESUME);
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
