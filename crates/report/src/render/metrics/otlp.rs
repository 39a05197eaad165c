//! Families as OTLP takes them over HTTP, in protobuf or in its JSON.
//!
//! The messages are those of `opentelemetry/proto/metrics/v1` and `collector/metrics/v1`, as far as they are used here.
//! Names and units are such that a Prometheus behind a collector ends up with the names of `/metrics`.

use prost::Message;
use serde::{Serialize, Serializer};

use super::metric_set::{BUCKETS, Family, FamilyKind, FamilyUnit, Labels, Sample};

/// How metrics are written for OTLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtlpEncoding {
    /// `http/protobuf`.
    Protobuf,
    /// `http/json`.
    Json,
}

/// When the counting began, and what the time is now, in nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) start: u64,
    pub(super) now: u64,
}

/// The families as the body of a request.
pub(super) fn write(
    families: Vec<Family>,
    attributes: Vec<(String, String)>,
    interval: Interval,
    encoding: OtlpEncoding,
) -> Vec<u8> {
    let scope =
        Scope { name: "rushhour".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let metrics = families.into_iter().map(|family| metric(family, interval)).collect();
    let attributes = attributes.into_iter().map(|(key, value)| attribute(key, value)).collect();
    let request = ExportRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource { attributes }),
            scope_metrics: vec![ScopeMetrics { scope: Some(scope), metrics }],
        }],
    };
    match encoding {
        OtlpEncoding::Protobuf => request.encode_to_vec(),
        OtlpEncoding::Json => {
            serde_json::to_vec(&request).expect("numbers, texts and lists have a written form")
        }
    }
}

fn attribute(key: String, value: String) -> KeyValue {
    KeyValue { key, value: Some(AnyValue { value: Some(AnyValueKind::StringValue(value)) }) }
}

fn attributes(labels: Labels) -> Vec<KeyValue> {
    labels.into_iter().map(|(name, value)| attribute(name.to_owned(), value)).collect()
}

fn metric(family: Family, interval: Interval) -> Metric {
    let unit = match family.unit {
        FamilyUnit::None => "",
        FamilyUnit::Seconds => "s",
        FamilyUnit::Bytes => "By",
    };
    let (mut numbers, mut histograms) = (Vec::new(), Vec::new());
    for (labels, sample) in family.samples {
        let attributes = attributes(labels);
        match sample {
            Sample::Number(value) => numbers.push(NumberPoint {
                attributes,
                start_time_unix_nano: interval.start,
                time_unix_nano: interval.now,
                value: Some(NumberPointValue::AsDouble(value)),
            }),
            Sample::Histogram { sum, count, counts } => histograms.push(HistogramPoint {
                attributes,
                start_time_unix_nano: interval.start,
                time_unix_nano: interval.now,
                count,
                sum: Some(sum),
                bucket_counts: counts,
                explicit_bounds: BUCKETS.to_vec(),
            }),
        }
    }
    let data = match family.kind {
        FamilyKind::Counter => MetricData::Sum(Sum {
            data_points: numbers,
            aggregation_temporality: CUMULATIVE,
            is_monotonic: true,
        }),
        FamilyKind::Gauge => MetricData::Gauge(Gauge { data_points: numbers }),
        FamilyKind::Histogram => MetricData::Histogram(Histogram {
            data_points: histograms,
            aggregation_temporality: CUMULATIVE,
        }),
    };
    Metric {
        name: format!("rushhour_{}", family.name),
        description: format!("{}.", family.help),
        unit: unit.to_owned(),
        data: Some(data),
    }
}

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: i32 = 2;

/// The JSON of protobuf has whole numbers of 64 bits as texts.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn as_text<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

fn as_texts<S: Serializer>(numbers: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(numbers.iter().map(u64::to_string))
}

#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
struct ExportRequest {
    #[prost(message, repeated, tag = "1")]
    resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceMetrics {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
struct ScopeMetrics {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message, Serialize)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
struct AnyValue {
    #[prost(oneof = "AnyValueKind", tags = "1")]
    #[serde(flatten)]
    value: Option<AnyValueKind>,
}

#[derive(Clone, PartialEq, prost::Oneof, Serialize)]
#[serde(rename_all = "camelCase")]
enum AnyValueKind {
    #[prost(string, tag = "1")]
    StringValue(String),
}

#[derive(Clone, PartialEq, Message, Serialize)]
struct Metric {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    description: String,
    #[prost(string, tag = "3")]
    unit: String,
    #[prost(oneof = "MetricData", tags = "5, 7, 9")]
    #[serde(flatten)]
    data: Option<MetricData>,
}

#[derive(Clone, PartialEq, prost::Oneof, Serialize)]
#[serde(rename_all = "camelCase")]
enum MetricData {
    #[prost(message, tag = "5")]
    Gauge(Gauge),
    #[prost(message, tag = "7")]
    Sum(Sum),
    #[prost(message, tag = "9")]
    Histogram(Histogram),
}

#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
struct Gauge {
    #[prost(message, repeated, tag = "1")]
    data_points: Vec<NumberPoint>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
struct Sum {
    #[prost(message, repeated, tag = "1")]
    data_points: Vec<NumberPoint>,
    #[prost(int32, tag = "2")]
    aggregation_temporality: i32,
    #[prost(bool, tag = "3")]
    is_monotonic: bool,
}

#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
struct Histogram {
    #[prost(message, repeated, tag = "1")]
    data_points: Vec<HistogramPoint>,
    #[prost(int32, tag = "2")]
    aggregation_temporality: i32,
}

#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
struct NumberPoint {
    #[prost(message, repeated, tag = "7")]
    attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "2")]
    #[serde(serialize_with = "as_text")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "3")]
    #[serde(serialize_with = "as_text")]
    time_unix_nano: u64,
    #[prost(oneof = "NumberPointValue", tags = "4")]
    #[serde(flatten)]
    value: Option<NumberPointValue>,
}

#[derive(Clone, PartialEq, prost::Oneof, Serialize)]
#[serde(rename_all = "camelCase")]
enum NumberPointValue {
    #[prost(double, tag = "4")]
    AsDouble(f64),
}

#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
struct HistogramPoint {
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "2")]
    #[serde(serialize_with = "as_text")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "3")]
    #[serde(serialize_with = "as_text")]
    time_unix_nano: u64,
    #[prost(fixed64, tag = "4")]
    #[serde(serialize_with = "as_text")]
    count: u64,
    #[prost(double, optional, tag = "5")]
    sum: Option<f64>,
    #[prost(fixed64, repeated, tag = "6")]
    #[serde(serialize_with = "as_texts")]
    bucket_counts: Vec<u64>,
    #[prost(double, repeated, tag = "7")]
    explicit_bounds: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn families() -> Vec<Family> {
        let mut counts = vec![0; BUCKETS.len() + 1];
        (counts[0], counts[16]) = (2, 1);
        let sample = Sample::Histogram { sum: 70.5, count: 3, counts };
        let histogram = Family::new(FamilyKind::Histogram, "agent_join", "From A to B");
        let mode = vec![("mode", "chat".to_owned())];
        vec![
            Family::counter("runs_started", "Runs that started").of(3.0),
            Family::gauge("generator_memory", "Memory").in_unit(FamilyUnit::Bytes).of(1.5),
            histogram.in_unit(FamilyUnit::Seconds).with_sample(mode, sample),
        ]
    }

    fn written(encoding: OtlpEncoding) -> Vec<u8> {
        let interval =
            Interval { start: 1_764_000_000_000_000_001, now: 1_764_000_060_000_000_002 };
        let attributes = vec![("service.name".to_owned(), "load".to_owned())];
        write(families(), attributes, interval, encoding)
    }

    #[test]
    fn json_has_the_names_of_the_protocol_and_long_numbers_as_texts() {
        let found: Value = serde_json::from_slice(&written(OtlpEncoding::Json)).unwrap();
        let resource = &found["resourceMetrics"][0];
        let name = json!({ "key": "service.name", "value": { "stringValue": "load" } });
        assert_eq!(resource["resource"]["attributes"], json!([name]));
        let scope = &resource["scopeMetrics"][0];
        assert_eq!(scope["scope"]["name"], "rushhour");
        let [started, memory, join] = scope["metrics"].as_array().unwrap().as_slice() else {
            panic!("three metrics: {scope}")
        };
        let times = ("1764000000000000001", "1764000060000000002");
        assert_eq!(started["name"], "rushhour_runs_started");
        assert_eq!(started["unit"], "");
        assert_eq!(
            started["sum"],
            json!({
                "dataPoints": [{
                    "attributes": [],
                    "startTimeUnixNano": times.0,
                    "timeUnixNano": times.1,
                    "asDouble": 3.0,
                }],
                "aggregationTemporality": 2,
                "isMonotonic": true,
            })
        );
        assert_eq!(
            (&memory["unit"], &memory["gauge"]["dataPoints"][0]["asDouble"]),
            (&json!("By"), &json!(1.5))
        );
        let point = &join["histogram"]["dataPoints"][0];
        assert_eq!(
            (&join["unit"], &point["count"], &point["sum"]),
            (&json!("s"), &json!("3"), &json!(70.5))
        );
        assert_eq!(point["attributes"][0]["value"]["stringValue"], "chat");
        let (bounds, counts) = (&point["explicitBounds"], &point["bucketCounts"]);
        assert_eq!((bounds.as_array().unwrap().len(), counts.as_array().unwrap().len()), (16, 17));
        assert_eq!((&bounds[0], &counts[0], &counts[16]), (&json!(0.05), &json!("2"), &json!("1")));
    }

    #[test]
    fn protobuf_is_read_again_as_it_was_written() {
        let bytes = written(OtlpEncoding::Protobuf);
        let read = ExportRequest::decode(bytes.as_slice()).unwrap();
        assert_eq!(serde_json::to_vec(&read).unwrap(), written(OtlpEncoding::Json));
        // `resource_metrics` is field 1, a message.
        assert_eq!(bytes[0], 0x0a);
    }
}
