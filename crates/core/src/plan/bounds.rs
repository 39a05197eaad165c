//! Upper bounds on how long a run may take, and what must stay valid as long.

use crate::profile::{Limits, Profile};
use crate::units::Micros;

/// Added to a token's lifetime for clocks that disagree.
const CLOCK_SKEW: Micros = Micros::from_secs(60);
/// How late a busy machine may act.
const MACHINE_LAG: Micros = Micros::from_secs(5);

/// How long a token must be valid. It is signed just before the submission, and last used when the
/// evaluator joins, which happens before the run times out.
pub fn token_lifetime(profile: &Profile) -> Micros {
    let limits = &profile.limits;
    limits.submit_timeout.micros() + limits.run_timeout.micros() + CLOCK_SKEW
}

/// How long an empty room must stay open: until the agent has joined, the limiter has admitted the
/// submission, and the evaluator joins.
pub fn room_lifetime(profile: &Profile) -> Micros {
    let limiter = limiter_bound(&profile.limits);
    profile.livekit.give_up_after.micros() + limiter + token_lifetime(profile)
}

/// The longest time from a run's start to its submission in a session with a budget: three requests for
/// room, dispatch and job, the wait for the agent, and the limiter.
pub fn preparation_bound(profile: &Profile) -> Micros {
    let limits = &profile.limits;
    let request = limits.livekit_timeout.micros();
    let limiter = limiter_bound(limits);
    request + request + request + profile.livekit.give_up_after.micros() + limiter
}

/// The longest time from a run's submission to its end: the answer, then either the run and its last
/// status poll or the watch of its room.
pub(crate) fn conversation_bound(profile: &Profile) -> Micros {
    let limits = &profile.limits;
    let request = limits.livekit_timeout.micros();
    let polled = limits.run_timeout.micros() + limits.poll_timeout.micros();
    let watched = limits.watch_unknown.micros() + request;
    limits.submit_timeout.micros() + polled.max(watched) + request + MACHINE_LAG
}

/// How long the limiter takes to admit as many submissions as may be in flight.
fn limiter_bound(limits: &Limits) -> Micros {
    Micros::from_secs_f64(f64::from(limits.in_flight) / limits.requests.per_second())
}
