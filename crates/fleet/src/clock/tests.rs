use proptest::prelude::*;

use super::*;

/// A worker's clock that is as true as one can be: the session's time for each of the worker's, with a rate that
/// changes between the bounds.
#[derive(Debug, Clone)]
struct TrueClock {
    /// The session's time less the worker's at the worker's start.
    offset_us: i64,
    /// The rate of each ten seconds, in millionths faster or slower than the session's clock.
    drifts_ppm: Vec<i64>,
}

const SPAN: u64 = 10_000_000;

impl TrueClock {
    fn steady(offset_us: i64) -> Self {
        Self { offset_us, drifts_ppm: vec![0] }
    }

    /// In millionths of a microsecond, so that nothing is rounded.
    fn offset_at(&self, worker_us: u64) -> i128 {
        let over = |span: u64, drift: &i64| i128::from(span) * i128::from(*drift);
        let round = SPAN * self.drifts_ppm.len() as u64;
        let of_a_round: i128 = self.drifts_ppm.iter().map(|drift| over(SPAN, drift)).sum();
        let mut left = worker_us % round;
        let of_the_rest = self.drifts_ppm.iter().map(|drift| {
            let span = left.min(SPAN);
            left -= span;
            over(span, drift)
        });
        let of_the_rest: i128 = of_the_rest.sum();
        let rounds = i128::from(worker_us / round);
        i128::from(self.offset_us) * 1_000_000 + rounds * of_a_round + of_the_rest
    }

    /// The session's time when the worker's clock shows `worker_us`, cut to microseconds.
    fn session(&self, worker_us: u64) -> SessionTime {
        let time = i128::from(worker_us) * 1_000_000 + self.offset_at(worker_us);
        SessionTime(u64::try_from(time.div_euclid(1_000_000)).expect("the session had started"))
    }

    fn exchange(&self, received: u64, there: u64, held: u64, back: u64) -> ClockExchange {
        let answered = received + held;
        ClockExchange {
            sent: SessionTime(self.session(received).0 - there),
            received: WorkerTime::from_micros(received),
            answered: WorkerTime::from_micros(answered),
            returned: SessionTime(self.session(answered).0 + back),
        }
    }

    #[track_caller]
    fn holds(&self, offset: ClockOffset, worker_us: u64) {
        let truth = self.offset_at(worker_us);
        let (least, most) = (i128::from(offset.least_us), i128::from(offset.most_us));
        assert!(
            least * 1_000_000 <= truth && truth <= most * 1_000_000,
            "{truth} is not in {offset:?} at {worker_us}"
        );
    }
}

fn clocks() -> impl Strategy<Value = TrueClock> {
    let most = i64::try_from(MOST_DRIFT_PPM).unwrap();
    let drifts = proptest::collection::vec(-most..=most, 1..12);
    // The worker started up to a day before the session or after it.
    (-86_400_000_000_i64..=86_400_000_000, drifts)
        .prop_map(|(offset_us, drifts_ppm)| TrueClock { offset_us, drifts_ppm })
}

/// When after the one before it, how long there, held, and back, in microseconds.
fn exchanges() -> impl Strategy<Value = Vec<(u64, u64, u64, u64)>> {
    let way = || prop_oneof![0_u64..500, 0_u64..200_000, Just(0), Just(2_000_000)];
    proptest::collection::vec((0_u64..20_000_000, way(), 0_u64..50_000, way()), 1..40)
}

/// Since when the worker has run at the first exchange: the session has begun by then.
const AWAKE: u64 = 100_000_000_000;

fn measured(clock: &TrueClock, exchanges: &[(u64, u64, u64, u64)]) -> (WorkerClock, u64) {
    let mut known = WorkerClock::default();
    let mut at = AWAKE;
    for (after, there, held, back) in exchanges {
        at += after;
        known.take(clock.exchange(at, *there, *held, *back)).unwrap();
    }
    (known, at)
}

proptest! {
    #[test]
    fn the_true_offset_is_within_the_bounds_whatever_the_ways_and_the_drift(
        clock in clocks(), exchanges in exchanges(), moment in -120_000_000_i64..120_000_000,
    ) {
        let (known, last) = measured(&clock, &exchanges);
        let at = last.saturating_add_signed(moment);
        let estimate = known.offset_at(WorkerTime::from_micros(at)).unwrap();
        prop_assert_eq!(estimate.agreement, ClockAgreement::Agrees);
        clock.holds(estimate.offset, at);
    }

    #[test]
    fn moments_of_a_run_are_within_their_bounds_and_their_differences_exact(
        clock in clocks(), before in exchanges(), during in exchanges(),
        length in 0_u64..900_000_000,
    ) {
        let (mut known, mut at) = measured(&clock, &before);
        let first = WorkerTime::from_micros(at);
        let run = RunClock::new(first, known.offset_at(first).unwrap());
        for (after, there, held, back) in during {
            at += after;
            known.take(clock.exchange(at, there, held, back)).unwrap();
        }
        let ended = WorkerTime::from_micros(first.as_micros() + length);
        let start = run.convert(first, known.offset_at(first));
        for estimate in [None, known.offset_at(ended)] {
            let end = run.convert(ended, estimate);
            prop_assert_eq!(end.at.since(start.at), Micros(length));
            let truth = clock.session(ended.as_micros());
            prop_assert!(end.earliest() <= truth && truth <= end.latest(), "{:?} {:?}", truth, end);
        }
    }

    #[test]
    fn after_a_jump_the_bounds_hold_both_offsets_and_say_so(
        clock in clocks(), before in exchanges(), jump in 1_000_000_i64..50_000_000,
        there in 0_u64..200_000, back in 0_u64..200_000,
    ) {
        let (mut known, last) = measured(&clock, &before);
        let jumped = TrueClock { offset_us: clock.offset_us + jump + 4_500_000, ..clock.clone() };
        known.take(jumped.exchange(last + 1_000, there, 0, back)).unwrap();
        let estimate = known.offset_at(WorkerTime::from_micros(last)).unwrap();
        clock.holds(estimate.offset, last);
        jumped.holds(estimate.offset, last + 1_000);
        prop_assert_eq!(estimate.agreement, ClockAgreement::Jumped);
    }
}

#[test]
fn a_perfect_network_leaves_only_the_grain() {
    let clock = TrueClock::steady(5_000_000);
    let (known, at) = measured(&clock, &[(0, 0, 40, 0)]);
    let estimate = known.offset_at(WorkerTime::from_micros(at)).unwrap();
    assert_eq!(estimate.offset.middle_us(), 5_000_000);
    assert!(estimate.offset.half_width() <= Micros(2), "{estimate:?}");
    assert_eq!((estimate.round_trip, estimate.exchanges), (Micros(0), 1));
}

#[test]
fn half_the_round_trip_is_what_remains_of_a_one_sided_one() {
    let clock = TrueClock::steady(-3_000_000);
    let (known, at) = measured(&clock, &[(0, 40_000, 0, 0)]);
    let estimate = known.offset_at(WorkerTime::from_micros(at)).unwrap();
    assert_eq!(estimate.round_trip, Micros(40_000));
    assert_eq!(estimate.offset.middle_us(), -3_020_000);
    assert_eq!(estimate.offset.half_width(), Micros(20_001));
}

#[test]
fn two_one_sided_exchanges_narrow_each_other() {
    let clock = TrueClock::steady(0);
    let (known, at) = measured(&clock, &[(0, 40_000, 0, 100), (0, 100, 0, 40_000)]);
    let estimate = known.offset_at(WorkerTime::from_micros(at)).unwrap();
    assert_eq!(estimate.offset.half_width(), Micros(101), "{estimate:?}");
}

#[test]
fn bounds_widen_with_the_age_of_the_exchange() {
    let clock = TrueClock::steady(0);
    let (known, at) = measured(&clock, &[(0, 200, 0, 200)]);
    let width = |later: u64| {
        known.offset_at(WorkerTime::from_micros(at + later)).unwrap().offset.half_width()
    };
    assert_eq!(width(0), Micros(201));
    assert_eq!(width(10_000_000), Micros(201 + 5_000));
    assert_eq!(width(60_000_000), Micros(201 + 30_000));
    // The reply was 200 us under way, which are 200 us less of age.
    let now = SessionTime(clock.session(at).0 + 10_000_200);
    assert_eq!(known.offset_now(now).unwrap().offset.half_width(), Micros(201 + 5_000));
}

#[test]
fn exchanges_of_more_than_a_minute_ago_are_forgotten() {
    let clock = TrueClock::steady(0);
    let jumped = TrueClock::steady(9_000_000);
    let mut known = WorkerClock::default();
    known.take(clock.exchange(AWAKE, 100, 0, 100)).unwrap();
    known.take(jumped.exchange(AWAKE + 1_000_000, 100, 0, 100)).unwrap();
    let later = AWAKE + 62_000_000;
    let at = WorkerTime::from_micros(later);
    assert_eq!(known.offset_at(at).unwrap().agreement, ClockAgreement::Jumped);
    known.take(jumped.exchange(later, 100, 0, 100)).unwrap();
    let estimate = known.offset_at(at).unwrap();
    assert_eq!((estimate.agreement, estimate.exchanges), (ClockAgreement::Agrees, 1));
    assert_eq!(estimate.offset.middle_us(), 9_000_000);
}

#[test]
fn no_more_exchanges_are_kept_than_allowed() {
    let clock = TrueClock::steady(0);
    let many = vec![(1_000, 100, 0, 100); MOST_KEPT + 20];
    let (known, at) = measured(&clock, &many);
    let estimate = known.offset_at(WorkerTime::from_micros(at)).unwrap();
    assert_eq!(usize::try_from(estimate.exchanges), Ok(MOST_KEPT));
}

#[test]
fn a_run_that_outlives_its_offset_widens_unless_newer_exchanges_hold_it() {
    let clock = TrueClock::steady(0);
    let (mut known, at) = measured(&clock, &[(0, 200, 0, 200)]);
    let first = WorkerTime::from_micros(at);
    let run = RunClock::new(first, known.offset_at(first).unwrap());
    let ended = WorkerTime::from_micros(at + 600_000_000);
    assert_eq!(run.convert(ended, None).within, Micros(202 + 300_000));
    known.take(clock.exchange(at + 600_000_000, 200, 0, 200)).unwrap();
    assert_eq!(run.convert(ended, known.offset_at(ended)).within, Micros(202));
}

#[test]
fn a_clock_that_jumped_during_a_run_widens_the_moments_after_it() {
    let clock = TrueClock::steady(0);
    let (mut known, at) = measured(&clock, &[(0, 200, 0, 200)]);
    let first = WorkerTime::from_micros(at);
    let run = RunClock::new(first, known.offset_at(first).unwrap());
    // The machine was suspended for 7 s: its clock stood still meanwhile.
    let jumped = TrueClock::steady(7_000_000);
    known.take(jumped.exchange(at + 5_000_000, 200, 0, 200)).unwrap();
    let ended = WorkerTime::from_micros(at + 5_000_000);
    let end = run.convert(ended, known.offset_at(ended));
    let truth = jumped.session(ended.as_micros());
    assert!(end.earliest() <= truth && truth <= end.latest(), "{end:?} {truth:?}");
}

#[test]
fn a_moment_before_the_session_is_its_start() {
    let clock = TrueClock::steady(-10_000_000);
    let mut known = WorkerClock::default();
    known.take(clock.exchange(11_000_000, 1_000, 0, 1_000)).unwrap();
    let early = WorkerTime::from_micros(9_000_000);
    let run = RunClock::new(early, known.offset_at(early).unwrap());
    let converted = run.convert(early, None);
    assert_eq!(converted.at, SessionTime::START);
    assert_eq!(converted.earliest(), SessionTime::START);
}

#[test]
fn timestamps_that_belong_to_no_exchange_are_refused() {
    let good = TrueClock::steady(0).exchange(AWAKE, 100, 50, 100);
    assert_eq!(good.round_trip(), Ok(Micros(200)));
    let mut known = WorkerClock::default();
    let mut refuse = |exchange, why| assert_eq!(known.take(exchange), Err(why));
    let backwards = ImpossibleExchange::Backwards;
    refuse(ClockExchange { returned: SessionTime(good.sent.0 - 1), ..good }, backwards);
    let before = WorkerTime::from_micros(AWAKE - 1);
    refuse(ClockExchange { answered: before, ..good }, backwards);
    let long_after = WorkerTime::from_micros(AWAKE + 300);
    refuse(ClockExchange { answered: long_after, ..good }, ImpossibleExchange::HeldTooLong);
    refuse(ClockExchange { returned: SessionTime::NEVER, ..good }, ImpossibleExchange::TooLate);
    assert_eq!(known.offset_at(good.received), None);
    assert_eq!(known.offset_now(good.returned), None);
}

#[test]
fn any_number_from_a_worker_is_a_time() {
    let read = |text: &str| serde_json::from_str::<WorkerTime>(text);
    assert_eq!(read("7").unwrap(), WorkerTime::from_micros(7));
    let most = read("18446744073709551615").unwrap();
    assert_eq!(most, WorkerTime::from_micros(LATEST));
    let (known, _) = measured(&TrueClock::steady(0), &[(0, 100, 0, 100)]);
    let estimate = known.offset_at(most).unwrap();
    let run = RunClock::new(WorkerTime::from_micros(0), estimate);
    assert!(run.convert(most, Some(estimate)).within > Micros::from_secs(1));
}
