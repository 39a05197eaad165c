//! `[[network]]` as written.

use crate::profile::settings::network::NetworkDirection;
use crate::profile::table::raw_table;
use crate::units::{Bandwidth, Percent, PositiveDuration};

raw_table! {
    /// Conditions of a network that a share of the native callers get, between their UDP socket and their media: audio, chat and what sets the connection up, but not the WebSocket of the signalling.
    RawNetwork {
        /// Names them in reports, `runs.csv` and `compare --arms network=A,B`; `none` is the callers without conditions.
        name: String,
        /// The share of the callers that get them, drawn from the seed; may be left out of a single [[network]], which all callers then get.
        share: Percent,
        /// Whether they apply to what the caller sends, to what it receives, or to both, each on its own.
        direction: NetworkDirection,
        /// The share of the datagrams that are lost; below 100%.
        loss: Percent,
        /// How many datagrams are lost in a row, on average (the model of Gilbert and Elliott, whose bad state loses everything); by default each is lost independently of the others.
        loss_burst: f64,
        /// The least time that a datagram takes, one way.
        delay: PositiveDuration,
        /// The standard deviation of the time that datagrams take, one way. They wait up to 4.24 times as long, 1.41 times on average, in addition to `delay`, and never overtake each other: they pass in batches, as where a radio link or a queue is busy. It is not the interarrival jitter of RTCP (RFC 3550), which is about 30 ms at 50 ms.
        jitter: PositiveDuration,
        /// The share of the datagrams that are held back for another 50 ms, so that later ones overtake them.
        reorder: Percent,
        /// How much the network carries, IP and UDP headers included. Up to half a second waits in its queue; more is lost.
        bandwidth: Bandwidth,
    }
}
