//! The load over time.

use serde::{Deserialize, Serialize};

use crate::profile::table::choice;
use crate::units::{PositiveDuration, Rate};

choice! {
    /// How starts are spaced.
    #[schemars(rename = "RawArrivals")]
    pub Arrivals {
        /// Evenly.
        Even = "even",
        /// As a Poisson process, like independent callers.
        Poisson = "poisson",
    }
}

/// A period with one kind of load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Its name in reports, unique in the profile.
    pub name: String,
    /// Whether its runs count in the figures.
    pub measured: bool,
    /// The load.
    pub load: StageLoad,
    /// How long it lasts; `None` if it lasts until the copies are used up.
    pub lasts: Option<PositiveDuration>,
}

/// One kind of load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageLoad {
    /// Open model: starts at a rate, independent of the runs in flight.
    Open {
        /// The rate over the stage.
        curve: ArrivalRate,
        /// How the starts are spaced.
        arrivals: Arrivals,
    },
    /// Closed model: a constant number of runs in flight, including those of earlier stages. Each run
    /// that ends is followed by the next.
    Hold {
        /// The number in flight, at least 1.
        in_flight: u32,
        /// How fast that number is reached; at once if `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ramp: Option<Rate>,
    },
    /// A number of runs at the same instant.
    Burst {
        /// The number, at least 1.
        runs: u32,
    },
}

/// The arrival rate over a stage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalRate {
    /// One rate throughout.
    Constant(Rate),
    /// Linear from one rate to another.
    Ramp {
        /// At the beginning.
        from: Rate,
        /// At the end.
        to: Rate,
    },
    /// Equal intervals, each at a constant rate, evenly spaced from one rate to another.
    Steps {
        /// In the first interval.
        from: Rate,
        /// In the last interval.
        to: Rate,
        /// The number of intervals, at least 2.
        steps: u32,
    },
}
