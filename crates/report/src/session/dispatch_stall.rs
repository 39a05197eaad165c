//! Stalls of livekit-server's dispatcher, recognised from outside.
//!
//! Once a minute livekit-server looks for workers and waits 5 s for the answers. Until then every dispatch of a named
//! agent holds workers of a pool of 50, so that after some tens of dispatches all others wait for the end of those 5 s,
//! and are released together: whatever the room, whenever they were sent, and before any agent's worker is asked. A
//! slow agent looks different: its joins take as long, but are spread like their dispatches.

use crate::fold::{FoldedSession, JoinTime};
use rushhour_core::profile::LiveKitTarget;
use rushhour_core::units::{Micros, SessionTime};

/// How long the server keeps its list of workers. Without a dispatch for so long, the next one makes it look for them,
pub const WORKERS_KEPT: Micros = Micros::from_secs(60);
/// and wait for so long.
pub const WORKERS_AWAITED: Micros = Micros::from_secs(5);

/// Fewer joins at one moment are chance.
const FEWEST: usize = 8;
/// Where dispatches of one instant were held for as long as the server waits, and others were not, so few are enough.
const FEWEST_OF_BURST: usize = 4;
/// Joins without any quick one beside them are named from so many on.
const FEWEST_ALONE: usize = 20;
/// A dispatch that waits less was not held back.
const SHORTEST_WAIT: Micros = Micros::from_millis(1_000);
/// How long the server waits for workers, with the time that a join takes.
const LONGEST_WAIT: Micros = Micros::from_millis(5_700);
/// Dispatches of one instant are held for all of it, from the first of them on.
const WHOLE_WAIT: Micros = Micros::from_millis(4_800);
/// How far apart joins of one release are,
const SPREAD: Micros = Micros::from_millis(600);
/// and for each of many: agents and server then have much to do at once.
const SPREAD_OF_EACH: Micros = Micros::from_millis(20);
/// The same where no quick join shows how fast agents are otherwise,
const SPREAD_ALONE: Micros = Micros::from_millis(300);
/// and where there are few.
const SPREAD_OF_FEW: Micros = Micros::from_millis(150);
/// The server looks for workers once a minute: stalls are not closer to each other.
const CLOSEST: Micros = Micros::from_secs(50);

/// Dispatches that the server held back and released at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DispatchStall {
    /// When the first of them joined,
    pub released: SessionTime,
    /// and the last.
    pub last: SessionTime,
    /// How many there were.
    pub held: u64,
}

/// What stalls did to the joins of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StalledJoins {
    /// Each stall, in order.
    pub stalls: Vec<DispatchStall>,
    /// The p95 of all joins,
    pub p95: Micros,
    /// and of those that were not held back, if there are any.
    pub p95_without: Option<Micros>,
    /// All joins.
    pub joins: u64,
}

impl StalledJoins {
    /// The stalls of a session on a server that may have them: the sandbox and LiveKit Cloud have another dispatcher.
    pub fn of_session(folded: &FoldedSession) -> Option<Self> {
        let livekit = &folded.opening.profile.livekit;
        if livekit.target == LiveKitTarget::Sandbox || livekit.is_livekit_cloud() {
            return None;
        }
        Self::find(folded.joins.as_slice())
    }

    /// The stalls among the joins of a session; `None` where the pattern is not there.
    pub fn find(joins: &[JoinTime]) -> Option<Self> {
        let mut sorted = joins.to_vec();
        sorted.sort_unstable_by_key(|join| (join.joined, join.requested));
        let quick = sorted.iter().filter(|join| join.wait() < SHORTEST_WAIT).count();
        let held: Vec<JoinTime> =
            sorted.iter().copied().filter(|join| join.wait() >= SHORTEST_WAIT).collect();
        let mut stalls = Vec::new();
        let mut rest = &held[..];
        while let Some(first) = rest.first() {
            let (group, after) = rest.split_at(released_with_first(rest));
            if is_release(group, quick) {
                let last = group.last().map_or(first.joined, |join| join.joined);
                let held = group.len() as u64;
                stalls.push(DispatchStall { released: first.joined, last, held });
                rest = after;
            } else {
                rest = &rest[1..];
            }
        }
        let once_a_minute =
            stalls.windows(2).all(|pair| pair[1].released.since(pair[0].released) >= CLOSEST);
        if stalls.is_empty() || !once_a_minute {
            return None;
        }
        let was_held = |join: &JoinTime| {
            stalls.iter().any(|stall| {
                let is_within = (stall.released..=stall.last).contains(&join.joined);
                is_within && join.wait() >= SHORTEST_WAIT
            })
        };
        let without: Vec<JoinTime> =
            sorted.iter().copied().filter(|join| !was_held(join)).collect();
        Some(Self {
            p95: p95(&sorted)?,
            p95_without: p95(&without),
            joins: sorted.len() as u64,
            stalls,
        })
    }

    /// How many dispatches were held back.
    pub fn held(&self) -> u64 {
        self.stalls.iter().map(|stall| stall.held).sum()
    }
}

/// How many of the joins, which are sorted, may have been released together with the first.
fn released_with_first(joins: &[JoinTime]) -> usize {
    let Some(first) = joins.first() else { return 0 };
    let within =
        |spread: Micros| joins.partition_point(|join| join.joined <= first.joined + spread);
    // The more there are, the longer the last takes: as many as that explains.
    let mut count = within(SPREAD);
    loop {
        let more = within(SPREAD.max(Micros(SPREAD_OF_EACH.0 * count as u64)));
        if more <= count {
            return count;
        }
        count = more;
    }
}

/// Whether joins that are close to each other were released together.
fn is_release(group: &[JoinTime], quick: usize) -> bool {
    let (Some(first), Some(last)) = (group.first(), group.last()) else { return false };
    let joined = last.joined.since(first.joined);
    let requests = group.iter().map(|join| join.requested);
    let (Some(from), Some(until)) = (requests.clone().min(), requests.max()) else { return false };
    let requested = until.since(from);
    // The first of a release is not slowed down by the others.
    if first.wait() > LONGEST_WAIT || first.joined.since(from) > LONGEST_WAIT {
        return false;
    }
    let whole = first.joined.since(from) >= WHOLE_WAIT;
    if group.len() < FEWEST {
        let few = group.len() >= FEWEST_OF_BURST && joined <= SPREAD_OF_FEW;
        return few && whole && quick >= FEWEST;
    }
    if requested >= Micros(joined.0.max(250_000) * 2) {
        // Dispatches that were sent one after another joined at once.
        return true;
    }
    // Dispatches of one instant: only how long they waited tells, and that others did not.
    let is_close =
        |spread: Micros| joined <= spread.max(Micros(SPREAD_OF_EACH.0 * group.len() as u64));
    whole && (quick >= FEWEST || (group.len() >= FEWEST_ALONE && is_close(SPREAD_ALONE)))
}

/// The nearest-rank p95 of the waits.
fn p95(joins: &[JoinTime]) -> Option<Micros> {
    let mut waits: Vec<Micros> = joins.iter().map(JoinTime::wait).collect();
    waits.sort_unstable();
    let rank = (waits.len() * 95).div_ceil(100).max(1);
    waits.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(requested_ms: u64, wait_ms: u64) -> JoinTime {
        let requested = SessionTime(requested_ms * 1_000);
        JoinTime { requested, joined: requested + Micros::from_millis(wait_ms) }
    }

    /// A burst at a time, whose joins take from `least` on, evenly over `spread`.
    fn burst(at_ms: u64, runs: u64, least: u64, spread: u64) -> Vec<JoinTime> {
        (0..runs).map(|run| join(at_ms, least + run * spread / runs)).collect()
    }

    #[test]
    fn a_cold_burst_that_is_released_together_is_named_beside_a_warm_one() {
        // As measured: 26 at once joined after 5,182 to 5,294 ms, and after 275 to 392 ms twelve seconds later.
        let mut joins = burst(64_000, 26, 5_182, 112);
        joins.extend(burst(76_000, 26, 275, 117));
        let found = StalledJoins::find(&joins).unwrap();
        assert_eq!((found.stalls.len(), found.held(), found.joins), (1, 26, 52));
        assert!(found.p95 > Micros::from_secs(5), "{:?}", found.p95);
        assert!(found.p95_without.unwrap() < Micros::from_millis(400));
        // Alone it is named too, because no agent takes 5 s so evenly.
        assert_eq!(StalledJoins::find(&burst(0, 26, 5_182, 112)).unwrap().held(), 26);
    }

    #[test]
    fn bursts_of_any_size_are_named_as_they_were_measured() {
        // 60 explicit dispatches took 450 ms to send; the agents joined from 5,037 ms after the first one on, within 1.2 s.
        let mut joins: Vec<JoinTime> =
            (0..60).map(|run| join(64_000 + run * 7, 5_037 + run * 12)).collect();
        joins.extend(burst(76_000, 60, 307, 425));
        let found = StalledJoins::find(&joins).unwrap();
        assert_eq!((found.held(), found.stalls.len()), (60, 1));
        // 26 by the room's configuration: 22 were quick, and 4 waited.
        let mut joins = burst(64_000, 22, 385, 30);
        joins.extend(burst(64_000, 4, 5_263, 7));
        assert_eq!(StalledJoins::find(&joins).unwrap().held(), 4);
        // Without the quick ones, or at another time, or apart, four are chance.
        assert_eq!(StalledJoins::find(&joins[22..]), None);
        for (least, spread) in [(3_900, 7), (5_263, 400), (6_000, 7)] {
            let mut joins = burst(64_000, 22, 385, 30);
            joins.extend(burst(64_000, 4, least, spread));
            assert_eq!(StalledJoins::find(&joins), None, "{least}");
        }
        // A warm burst of 60 that fills the server's pool is slow, but not for this reason.
        assert_eq!(StalledJoins::find(&burst(0, 60, 693, 1_250)), None);
    }

    #[test]
    fn dispatches_at_a_steady_rate_that_join_at_once_are_named_once_a_minute() {
        let mut joins: Vec<JoinTime> = Vec::new();
        for n in 0..1_800 {
            // 15 a second for two minutes: the pool is full 2 s after the look begins, and empty 5 s after it.
            let at = n * 67;
            let within = at % 60_000;
            let wait = if (2_000..4_700).contains(&within) { 5_000 - within + n % 40 } else { 300 };
            joins.push(join(at, wait));
        }
        let found = StalledJoins::find(&joins).unwrap();
        assert_eq!(found.stalls.len(), 2);
        assert!(found.held() > 40, "{}", found.held());
    }

    #[test]
    fn slow_agents_are_not_excused() {
        // Every agent takes 5.2 s, give or take: joins are spread like their dispatches.
        let steady: Vec<JoinTime> = (0..200).map(|n| join(n * 500, 5_000 + n * 37 % 400)).collect();
        assert_eq!(StalledJoins::find(&steady), None);
        // A burst of agents that start one after another.
        assert_eq!(StalledJoins::find(&burst(0, 40, 400, 8_000)), None);
        // The same slow start in burst after burst is not once a minute.
        let again: Vec<JoinTime> = (0..6).flat_map(|n| burst(n * 12_000, 26, 5_100, 200)).collect();
        assert_eq!(StalledJoins::find(&again), None);
        // Few joins, and quick ones.
        assert_eq!(StalledJoins::find(&burst(0, 5, 5_100, 100)), None);
        assert_eq!(StalledJoins::find(&burst(0, 60, 275, 117)), None);
        assert_eq!(StalledJoins::find(&[]), None);
    }
}
