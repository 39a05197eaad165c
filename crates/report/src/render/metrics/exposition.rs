//! Families in the formats that Prometheus reads.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::metric_set::{BUCKETS, Family, FamilyKind, FamilyUnit, Sample};

/// A format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsFormat {
    /// Prometheus' text format 0.0.4.
    Prometheus,
    /// `OpenMetrics` 1.0.
    OpenMetrics,
}

/// The families as text.
pub(super) fn write(families: Vec<Family>, format: MetricsFormat) -> String {
    let mut registry = Registry::with_prefix("rushhour");
    registry.register_collector(Box::new(Families(families)));
    let mut written = String::new();
    let result = match format {
        MetricsFormat::Prometheus => prometheus_text::encode(&mut written, &registry),
        MetricsFormat::OpenMetrics => text::encode(&mut written, &registry),
    };
    result.expect("a string takes every text");
    written
}

#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for family in &self.0 {
            let unit = match family.unit {
                FamilyUnit::None => None,
                FamilyUnit::Seconds => Some(Unit::Seconds),
                FamilyUnit::Bytes => Some(Unit::Bytes),
            };
            let kind = match family.kind {
                FamilyKind::Counter => MetricType::Counter,
                FamilyKind::Gauge => MetricType::Gauge,
                FamilyKind::Histogram => MetricType::Histogram,
            };
            let help = format!("{}.", family.help);
            let mut metric = encoder.encode_descriptor(&family.name, &help, unit.as_ref(), kind)?;
            for (labels, sample) in &family.samples {
                if labels.is_empty() {
                    encode(&mut metric, family.kind, sample)?;
                } else {
                    encode(&mut metric.encode_family(labels)?, family.kind, sample)?;
                }
            }
        }
        Ok(())
    }
}

fn encode(
    encoder: &mut MetricEncoder<'_>,
    kind: FamilyKind,
    sample: &Sample,
) -> Result<(), fmt::Error> {
    match (kind, sample) {
        (FamilyKind::Counter, Sample::Number(value)) => {
            encoder.encode_counter::<NoLabelSet, f64, f64>(value, None)
        }
        (_, Sample::Number(value)) => encoder.encode_gauge(value),
        (_, Sample::Histogram { sum, count, counts }) => {
            // OpenMetrics has no bucket without an end unless it is given.
            let ends = BUCKETS.into_iter().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = ends.zip(counts.iter().copied()).collect();
            encoder.encode_histogram::<NoLabelSet>(*sum, *count, &buckets, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::metric_set::MAX_LABEL_VALUES;
    use super::*;

    fn families() -> Vec<Family> {
        let mode = |name: &str| vec![("mode", name.to_owned())];
        let mut counts = vec![0; BUCKETS.len() + 1];
        (counts[0], counts[6], counts[16]) = (2, 3, 1);
        let sample = Sample::Histogram { sum: 70.5, count: 6, counts };
        let mut histogram = Family::new(FamilyKind::Histogram, "agent_join", "From A to B");
        histogram = histogram.in_unit(FamilyUnit::Seconds).with_sample(mode("chat"), sample);
        vec![
            Family::counter("runs_started", "Runs that started").of(3.0),
            Family::gauge("info", "Always 1").with(vec![("profile", "a\"b\\c\nd".to_owned())], 1.0),
            Family::counter("generator_cpu", "Time").in_unit(FamilyUnit::Seconds).of(1.5),
            histogram,
        ]
    }

    #[test]
    fn counters_end_in_total_and_histograms_are_cumulative() {
        let written = write(families(), MetricsFormat::Prometheus);
        for line in [
            "# TYPE rushhour_runs_started_total counter",
            "rushhour_runs_started_total 3.0",
            "rushhour_info{profile=\"a\\\"b\\\\c\\nd\"} 1.0",
            "rushhour_generator_cpu_seconds_total 1.5",
            "rushhour_agent_join_seconds_bucket{mode=\"chat\",le=\"0.05\"} 2",
            "rushhour_agent_join_seconds_bucket{mode=\"chat\",le=\"1\"} 5",
            "rushhour_agent_join_seconds_bucket{mode=\"chat\",le=\"60\"} 5",
            "rushhour_agent_join_seconds_bucket{mode=\"chat\",le=\"+Inf\"} 6",
            "rushhour_agent_join_seconds_count{mode=\"chat\"} 6",
        ] {
            assert!(written.lines().any(|found| found == line), "{line} in\n{written}");
        }
        let open = write(families(), MetricsFormat::OpenMetrics);
        assert!(open.ends_with("# EOF\n"), "{open}");
        assert!(open.contains("le=\"+Inf\",mode=\"chat\"} 6\n"), "{open}");
        assert!(open.contains("# TYPE rushhour_runs_started counter\n"), "{open}");
        assert!(open.contains("# UNIT rushhour_agent_join_seconds seconds\n"), "{open}");
    }

    #[test]
    fn a_label_takes_no_more_values_than_there_is_room_for() {
        let mut family = Family::gauge("worker_capacity", "Callers");
        for worker in 0..1_000 {
            family = family.with(vec![("worker", worker.to_string())], 1.0);
        }
        let written = write(vec![family], MetricsFormat::Prometheus);
        let samples = written.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(samples, MAX_LABEL_VALUES);
    }
}
