//! What becomes of each datagram on one path: a pure function of its time, its size and a seed.

use rushhour_core::profile::NetworkConditions;
use rushhour_core::rng::SeededRng;
use rushhour_core::units::{Bandwidth, Micros, Percent, PositiveDuration, SessionTime};

/// What waits longer for the bandwidth is dropped at the end of the queue.
const LONGEST_QUEUE: Micros = Micros::from_millis(500);
/// How much longer a datagram takes that is to be overtaken.
const REORDERED_BY: Micros = Micros::from_millis(50);
/// The headers of IPv4 and UDP, which are carried too.
const HEADER_BYTES: usize = 28;

/// What becomes of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatagramFate {
    /// It is lost on the way.
    Lost,
    /// It is dropped, because too much waits before it.
    QueueFull,
    /// It arrives.
    Arrives(SessionTime),
}

/// One direction of a network.
///
/// **Loss** follows Gilbert's model: in the bad state everything is lost, in the good state nothing. From datagram to
/// datagram the bad state ends with a probability of 1 / `loss_burst`, and begins so that `loss` is lost in all.
/// Without `loss_burst` each datagram is lost independently.
///
/// **Jitter** J is the standard deviation of the delay. The path is open at single moments only, and a datagram waits
/// for the next one, so that none overtakes another. The gaps between those moments are uniform in [0, A]. A datagram
/// meets a gap in proportion to its length, so that its wait W has the density 2 (1 - w/A) / A: of mean A/3 and variance
/// A^2/18. With A = J sqrt(18) the standard deviation is J, the mean 1.41 J and the most 4.24 J.
#[derive(Debug, Clone)]
pub struct PathModel {
    rng: SeededRng,
    loss: Option<Gilbert>,
    delay: Micros,
    jitter: Option<Openings>,
    reorder: f64,
    queue: Option<BandwidthQueue>,
    /// The clock of one participant may be read out of order: kernel timestamps are older than the current time.
    latest: SessionTime,
}

impl PathModel {
    /// A path with these conditions; the same seed gives every datagram the same fate.
    pub fn new(conditions: &NetworkConditions, seed: u64) -> Self {
        let NetworkConditions { loss, loss_burst, delay, jitter, reorder, bandwidth, .. } =
            conditions;
        Self {
            rng: SeededRng::new(seed),
            loss: loss.map(|loss| Gilbert::new(loss, *loss_burst)),
            delay: delay.map_or(Micros::ZERO, PositiveDuration::micros),
            jitter: jitter.map(|jitter| Openings::new(jitter.micros())),
            reorder: reorder.map_or(0.0, Percent::fraction),
            queue: bandwidth.map(BandwidthQueue::new),
            latest: SessionTime::START,
        }
    }

    /// What becomes of the next datagram, of so many bytes, that is sent at `sent`.
    pub fn pass(&mut self, sent: SessionTime, bytes: usize) -> DatagramFate {
        self.latest = self.latest.max(sent);
        let mut at = self.latest;
        if let Some(queue) = &mut self.queue {
            match queue.leave(at, bytes) {
                Some(left) => at = left,
                None => return DatagramFate::QueueFull,
            }
        }
        if let Some(loss) = &mut self.loss
            && loss.loses(&mut self.rng)
        {
            return DatagramFate::Lost;
        }
        if let Some(openings) = &mut self.jitter {
            at = openings.next(at, &mut self.rng);
        }
        if self.reorder > 0.0 && self.rng.uniform() < self.reorder {
            at += REORDERED_BY;
        }
        DatagramFate::Arrives(at + self.delay)
    }
}

/// E. N. Gilbert, "Capacity of a burst-noise channel", Bell System Technical Journal 39 (1960), 1253: the special case of
/// E. O. Elliott's (1963) in which the bad state loses everything.
#[derive(Debug, Clone)]
struct Gilbert {
    /// The probability that a datagram after a lost one is lost,
    after_loss: f64,
    /// and that one is lost after one that was not.
    after_none: f64,
    is_bad: bool,
}

impl Gilbert {
    fn new(loss: Percent, burst: Option<f64>) -> Self {
        let loss = loss.fraction();
        let (after_loss, after_none) = match burst {
            None => (loss, loss),
            Some(burst) => (1.0 - 1.0 / burst, loss / (burst * (1.0 - loss))),
        };
        Self { after_loss, after_none, is_bad: false }
    }

    fn loses(&mut self, rng: &mut SeededRng) -> bool {
        let chance = if self.is_bad { self.after_loss } else { self.after_none };
        self.is_bad = rng.uniform() < chance;
        self.is_bad
    }
}

/// The moments at which the path is open.
#[derive(Debug, Clone)]
struct Openings {
    /// The longest gap between two of them, in microseconds.
    longest: f64,
    next: Option<SessionTime>,
}

impl Openings {
    fn new(jitter: Micros) -> Self {
        Self { longest: jitter.0 as f64 * 18.0_f64.sqrt(), next: None }
    }

    fn next(&mut self, from: SessionTime, rng: &mut SeededRng) -> SessionTime {
        let longest = self.longest;
        let micros = |share: f64| Micros::from_secs_f64(share * longest / 1e6);
        // The first datagram meets a gap in proportion to its length, as all do.
        let mut next =
            self.next.unwrap_or_else(|| from + micros(1.0 - (1.0 - rng.uniform()).sqrt()));
        if from.since(next) > Micros::from_secs(60) {
            // After a long silence nothing depends on the openings in between.
            next = from + micros(1.0 - (1.0 - rng.uniform()).sqrt());
        }
        while next < from {
            // At least a microsecond, so that this ends.
            next += micros(rng.uniform()).max(Micros(1));
        }
        self.next = Some(next);
        next
    }
}

/// A queue that is served at a bandwidth.
#[derive(Debug, Clone)]
struct BandwidthQueue {
    bandwidth: Bandwidth,
    free: SessionTime,
}

impl BandwidthQueue {
    const fn new(bandwidth: Bandwidth) -> Self {
        Self { bandwidth, free: SessionTime::START }
    }

    /// When a datagram has left the queue; `None` if it is full.
    fn leave(&mut self, at: SessionTime, bytes: usize) -> Option<SessionTime> {
        let begins = self.free.max(at);
        if begins.since(at) > LONGEST_QUEUE {
            return None;
        }
        let bits = (bytes + HEADER_BYTES) as f64 * 8.0;
        self.free = begins + Micros::from_secs_f64(bits / self.bandwidth.bits_per_second());
        Some(self.free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::profile::NetworkDirection;

    /// An Opus packet of 20 ms with RTP, SRTP, as it is sent.
    const BYTES: usize = 100;

    fn conditions() -> NetworkConditions {
        NetworkConditions {
            name: String::new(),
            share: "100%".parse().unwrap(),
            direction: NetworkDirection::Both,
            loss: None,
            loss_burst: None,
            delay: None,
            jitter: None,
            reorder: None,
            bandwidth: None,
        }
    }

    /// The fates of 10,000 datagrams, one every 20 ms, with the times at which they were sent.
    fn fates(conditions: &NetworkConditions, seed: u64) -> Vec<(SessionTime, DatagramFate)> {
        let mut model = PathModel::new(conditions, seed);
        let sent = (0..10_000).map(|n| SessionTime(n * 20_000));
        sent.map(|at| (at, model.pass(at, BYTES))).collect()
    }

    fn lost(fates: &[(SessionTime, DatagramFate)]) -> f64 {
        let lost = fates.iter().filter(|(_, fate)| *fate == DatagramFate::Lost).count();
        lost as f64 / fates.len() as f64
    }

    /// The delays in milliseconds of what arrives.
    fn delays(fates: &[(SessionTime, DatagramFate)]) -> Vec<f64> {
        let delay = |(sent, fate): &(SessionTime, DatagramFate)| match fate {
            DatagramFate::Arrives(at) => Some(at.since(*sent).0 as f64 / 1e3),
            _ => None,
        };
        fates.iter().filter_map(delay).collect()
    }

    fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
        (mean, variance.sqrt())
    }

    #[test]
    fn five_percent_loss_and_50_ms_jitter_are_measured_as_that_for_every_seed() {
        let conditions = NetworkConditions {
            loss: Some("5%".parse().unwrap()),
            delay: Some(PositiveDuration::millis(40)),
            jitter: Some(PositiveDuration::millis(50)),
            ..conditions()
        };
        for seed in 0..50 {
            let fates = fates(&conditions, seed);
            // The standard error is 4.4 % of it.
            let lost = lost(&fates);
            assert!((lost - 0.05).abs() < 0.05 * 0.2, "seed {seed}: {lost}");
            let delays = delays(&fates);
            let (mean, deviation) = mean_and_deviation(&delays);
            assert!((deviation - 50.0).abs() < 5.0, "seed {seed}: {deviation}");
            assert!((mean - 40.0 - 50.0 * 2.0_f64.sqrt()).abs() < 7.0, "seed {seed}: {mean}");
            assert!(delays.iter().all(|delay| (40.0..40.0 + 212.2).contains(delay)));
        }
        // The seed that the bound is checked with.
        let lost = lost(&fates(&conditions, 1));
        assert!((lost - 0.05).abs() < 0.005, "{lost}");
    }

    #[test]
    fn jitter_and_delay_keep_the_order_and_reordering_does_not() {
        let arrivals = |conditions: &NetworkConditions| {
            let fates = fates(conditions, 3);
            let arrivals: Vec<SessionTime> = fates
                .iter()
                .filter_map(|(_, fate)| match fate {
                    DatagramFate::Arrives(at) => Some(*at),
                    _ => None,
                })
                .collect();
            let overtaken = arrivals.windows(2).filter(|pair| pair[1] < pair[0]).count();
            overtaken as f64 / arrivals.len() as f64
        };
        let jitter = NetworkConditions {
            jitter: Some(PositiveDuration::millis(50)),
            delay: Some(PositiveDuration::millis(40)),
            ..conditions()
        };
        assert!(arrivals(&jitter) < 1e-9);
        let reorder = NetworkConditions { reorder: Some("2%".parse().unwrap()), ..conditions() };
        let overtaken = arrivals(&reorder);
        assert!((overtaken - 0.02).abs() < 0.005, "{overtaken}");
    }

    #[test]
    fn losses_come_in_bursts_of_the_given_length() {
        for (loss, burst) in [("5%", 3.0), ("20%", 8.0), ("60%", 2.0)] {
            let conditions = NetworkConditions {
                loss: Some(loss.parse().unwrap()),
                loss_burst: Some(burst),
                ..conditions()
            };
            let (mut shares, mut lengths) = (Vec::new(), Vec::new());
            for seed in 0..20 {
                let fates = fates(&conditions, seed);
                shares.push(lost(&fates));
                let bursts = fates.chunk_by(|one, other| {
                    (one.1 == DatagramFate::Lost) == (other.1 == DatagramFate::Lost)
                });
                let bursts: Vec<f64> = bursts
                    .filter(|chunk| chunk[0].1 == DatagramFate::Lost)
                    .map(|chunk| chunk.len() as f64)
                    .collect();
                lengths.push(mean_and_deviation(&bursts).0);
            }
            let wanted = loss.parse::<Percent>().unwrap().fraction();
            let share = mean_and_deviation(&shares).0;
            let length = mean_and_deviation(&lengths).0;
            assert!((share / wanted - 1.0).abs() < 0.05, "{loss} {burst}: {share}");
            assert!((length / burst - 1.0).abs() < 0.05, "{loss} {burst}: {length}");
        }
    }

    #[test]
    fn a_bandwidth_below_the_traffic_fills_the_queue_and_drops_the_rest() {
        // 128 bytes every 20 ms are 51.2 kbit/s.
        let enough = NetworkConditions { bandwidth: "52 kbit/s".parse().ok(), ..conditions() };
        let fits = fates(&enough, 1);
        let delays_of = delays(&fits);
        assert_eq!(delays_of.len(), 10_000);
        assert!(delays_of.iter().all(|delay| (delay - 19.69).abs() < 0.1));
        let half = NetworkConditions { bandwidth: "25.6 kbit/s".parse().ok(), ..conditions() };
        let fates = fates(&half, 1);
        let arrived = delays(&fates);
        assert!((arrived.len() as f64 / 10_000.0 - 0.5).abs() < 0.01, "{}", arrived.len());
        assert!(arrived.iter().all(|delay| *delay <= 540.0));
        assert!(arrived[1_000..].iter().all(|delay| *delay > 480.0));
    }

    #[test]
    fn times_that_go_back_and_long_silences_are_taken() {
        let conditions =
            NetworkConditions { jitter: Some(PositiveDuration::millis(1)), ..conditions() };
        let mut model = PathModel::new(&conditions, 1);
        for at in [5_000_000, 4_990_000, 900_000_000_000, 900_000_000_001] {
            let DatagramFate::Arrives(arrives) = model.pass(SessionTime(at), BYTES) else {
                panic!("nothing is lost")
            };
            let late = arrives.since(SessionTime(at).max(SessionTime(5_000_000)));
            assert!(late < Micros::from_millis(5), "{late}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_fates() {
        let conditions = NetworkConditions {
            loss: Some("5%".parse().unwrap()),
            jitter: Some(PositiveDuration::millis(50)),
            ..conditions()
        };
        assert_eq!(fates(&conditions, 1), fates(&conditions, 1));
        assert_ne!(fates(&conditions, 1), fates(&conditions, 2));
    }
}
