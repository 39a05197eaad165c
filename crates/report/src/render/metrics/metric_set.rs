//! Families of samples, as both Prometheus and OpenMetrics have them.

/// The most values that a label takes in one family: whoever wrote the journal says how many there are.
pub(super) const MAX_LABEL_VALUES: usize = 100;

/// The upper ends of the buckets of every histogram, in seconds.
pub(super) const BUCKETS: [f64; 16] =
    [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0];

/// What a family counts or measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FamilyKind {
    /// It never falls while a session runs; its name ends in `_total`.
    Counter,
    /// It is as it is now.
    Gauge,
    /// It has buckets.
    Histogram,
}

/// A unit, which ends a family's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FamilyUnit {
    None,
    Seconds,
    Bytes,
}

/// Samples of one name.
#[derive(Debug, Clone)]
pub(super) struct Family {
    /// Without prefix, unit and `_total`.
    pub(super) name: String,
    /// Without a full stop.
    pub(super) help: String,
    pub(super) kind: FamilyKind,
    pub(super) unit: FamilyUnit,
    pub(super) samples: Vec<(Labels, Sample)>,
}

pub(super) type Labels = Vec<(&'static str, String)>;

#[derive(Debug, Clone)]
pub(super) enum Sample {
    Number(f64),
    Histogram {
        sum: f64,
        count: u64,
        /// As many as [`BUCKETS`], each without those below it, and one beyond.
        counts: Vec<u64>,
    },
}

impl Family {
    pub(super) fn new(kind: FamilyKind, name: impl Into<String>, help: impl Into<String>) -> Self {
        let (name, help) = (name.into(), help.into());
        Self { name, help, kind, unit: FamilyUnit::None, samples: Vec::new() }
    }

    pub(super) fn counter(name: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(FamilyKind::Counter, name, help)
    }

    pub(super) fn gauge(name: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(FamilyKind::Gauge, name, help)
    }

    pub(super) fn in_unit(self, unit: FamilyUnit) -> Self {
        Self { unit, ..self }
    }

    /// A sample without labels.
    pub(super) fn of(self, value: impl Into<f64>) -> Self {
        self.with(Vec::new(), value)
    }

    /// A sample without labels, where it is known.
    pub(super) fn of_known(self, value: Option<impl Into<f64>>) -> Self {
        match value {
            Some(value) => self.of(value),
            None => self,
        }
    }

    /// A sample with labels, unless there are too many.
    pub(super) fn with(self, labels: Labels, value: impl Into<f64>) -> Self {
        self.with_sample(labels, Sample::Number(value.into()))
    }

    pub(super) fn with_sample(mut self, labels: Labels, sample: Sample) -> Self {
        if self.samples.len() < MAX_LABEL_VALUES {
            self.samples.push((labels, sample));
        }
        self
    }
}
