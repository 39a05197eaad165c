//! What services charge: the price file, shipped or the user's own, as a typed table.

use std::borrow::Cow;

use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::diagnostic::{Diagnostics, Located, Origin, SourceId, SourceSpan, SourceText};
use super::node::{Node, NodeValue};
use super::read::{Read, raw_choice, raw_table};
use crate::units::{Mode, Usd};

/// The price file that is used where the profile names none.
const SHIPPED: &str = include_str!("../../../../profiles/prices.toml");
/// How reports name it.
const SHIPPED_NAME: &str = "shipped prices";
/// A price older than this many days is warned of.
const FRESH_FOR_DAYS: i32 = 90;

raw_choice! {
    /// Something that is charged.
    pub RawItem {
        /// An agent's session at its host.
        AgentSession = "agent_session",
        /// A caller's connection to the room.
        Participant = "participant",
        /// The agent's speech recognition.
        SpeechToText = "speech_to_text",
        /// The agent's voice.
        TextToSpeech = "text_to_speech",
        /// What the agent's language model reads.
        ModelInput = "model_input",
        /// What the agent's language model writes.
        ModelOutput = "model_output",
        /// The evaluator's spoken minutes.
        EvaluatorVoice = "evaluator_voice",
        /// The evaluator's written messages.
        EvaluatorChat = "evaluator_chat",
        /// The evaluator's judgements.
        EvaluatorMetric = "evaluator_metric",
    }
}

/// Something that is charged.
pub type PriceItem = RawItem;

impl PriceItem {
    /// Every item: what is charged for the agent, then what the evaluator charges.
    pub const ALL: [Self; 9] = [
        Self::AgentSession,
        Self::Participant,
        Self::SpeechToText,
        Self::TextToSpeech,
        Self::ModelInput,
        Self::ModelOutput,
        Self::EvaluatorVoice,
        Self::EvaluatorChat,
        Self::EvaluatorMetric,
    ];

    /// The unit that its price is given for.
    pub const fn unit(self) -> PriceUnit {
        match self {
            Self::AgentSession | Self::Participant | Self::SpeechToText | Self::EvaluatorVoice => {
                PriceUnit::Minute
            }
            Self::TextToSpeech => PriceUnit::MillionCharacters,
            Self::ModelInput | Self::ModelOutput => PriceUnit::MillionTokens,
            Self::EvaluatorChat => PriceUnit::Message,
            Self::EvaluatorMetric => PriceUnit::Metric,
        }
    }

    /// Whether runs of a mode are charged for it.
    pub const fn is_of(self, mode: Mode) -> bool {
        match self {
            Self::SpeechToText | Self::TextToSpeech | Self::EvaluatorVoice => {
                matches!(mode, Mode::Voice)
            }
            Self::EvaluatorChat => matches!(mode, Mode::Chat),
            Self::AgentSession
            | Self::Participant
            | Self::ModelInput
            | Self::ModelOutput
            | Self::EvaluatorMetric => true,
        }
    }

    /// Whether the evaluator charges it; the rest is charged for the agent.
    pub const fn is_evaluators(self) -> bool {
        matches!(self, Self::EvaluatorVoice | Self::EvaluatorChat | Self::EvaluatorMetric)
    }
}

raw_choice! {
    /// What a price is for.
    pub RawPriceUnit {
        /// A minute.
        Minute = "minute",
        /// A message of the testing agent.
        Message = "message",
        /// One judgement of one conversation.
        Metric = "metric",
        /// A million characters.
        MillionCharacters = "1M characters",
        /// A million tokens.
        MillionTokens = "1M tokens",
    }
}

/// What a price is for.
pub type PriceUnit = RawPriceUnit;

raw_choice! {
    /// How a quantity is rounded before it is charged.
    pub RawRounding {
        /// Every connection is rounded up to whole units before it is summed.
        UpPerConnection = "up-per-connection",
        /// Not at all.
        Exact = "exact",
    }
}

/// How a quantity is rounded before it is charged.
pub type Rounding = RawRounding;

raw_table! {
    /// What services charge.
    RawPrices {
        /// The rows, one for each item.
        item: Vec<RawPrice>,
    }
}

raw_table! {
    /// One price.
    RawPrice {
        /// What is charged.
        item: RawItem,
        /// The price of one unit.
        usd: RawUsd,
        /// The unit; each item has its own.
        unit: RawPriceUnit,
        /// How a quantity is rounded before it is charged.
        rounding: RawRounding,
        /// Units a month that are covered by a base fee.
        included: u64,
        /// The service, its tier, the model.
        tier: String,
        /// The day on which the source said so.
        as_of: PriceDate,
        /// Where the price stands to be read.
        source: String,
    }
}

/// A price, which is more than nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RawUsd(Usd);

impl Read for RawUsd {
    fn read(node: &Node, faults: &mut Diagnostics) -> Option<Self> {
        let usd = Usd::read(node, faults)?;
        if usd == Usd::ZERO {
            let hint = "name the item in bill.without where nothing is charged for it";
            faults.at(&node.place, "a price is more than nothing", hint);
            return None;
        }
        Some(Self(usd))
    }
}

impl JsonSchema for RawUsd {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Usd::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Usd::json_schema(generator)
    }
}

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PriceDate(pub Date);

impl TryFrom<String> for PriceDate {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl From<PriceDate> for String {
    fn from(day: PriceDate) -> Self {
        day.0.to_string()
    }
}

impl Read for PriceDate {
    fn read(node: &Node, faults: &mut Diagnostics) -> Option<Self> {
        let (NodeValue::Datetime(text) | NodeValue::Text(text)) = &node.value else {
            let what = format!("this is {}, not a day", node.value.kind());
            faults.at(&node.place, what, "write a day such as 2026-02-17");
            return None;
        };
        let day = text.parse().map(Self).ok();
        if day.is_none() {
            let what = format!("`{text}` is no day");
            faults.at(&node.place, what, "write a day such as 2026-02-17");
        }
        day
    }
}

impl JsonSchema for PriceDate {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Day".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date" })
    }
}

/// One price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// What is charged.
    pub item: PriceItem,
    /// The price of one unit of the item; more than nothing.
    pub usd: Usd,
    /// How a quantity is rounded before it is charged.
    pub rounding: Rounding,
    /// Units a month that are covered by a base fee.
    pub included: u64,
    /// The service, its tier, the model.
    pub tier: String,
    /// The day on which the source said so.
    pub as_of: PriceDate,
    /// Where the price stands to be read.
    pub source: String,
}

/// What services charge, at most one price for each item.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prices {
    /// The file, as reports name it.
    pub file: String,
    /// The prices, in the order of the file.
    pub rows: Vec<Price>,
}

impl Prices {
    /// The price of an item.
    pub fn of(&self, item: PriceItem) -> Option<&Price> {
        self.rows.iter().find(|price| price.item == item)
    }
}

impl Price {
    /// Whether it was more than 90 days old on `day`: prices drift.
    pub fn is_old_on(&self, day: Date) -> bool {
        day.since(self.as_of.0).is_ok_and(|age| age.get_days() > FRESH_FOR_DAYS)
    }
}

/// Reads the price file that a profile names, or the shipped one.
pub(super) fn read_prices(
    named: Option<&Located<String>>,
    lend: &dyn Fn(&str) -> Result<Vec<u8>, String>,
    sources: &mut Vec<SourceText>,
    faults: &mut Diagnostics,
) -> Prices {
    let (file, text) = match named {
        None => (SHIPPED_NAME.to_owned(), Ok(SHIPPED.to_owned())),
        Some(at) => {
            let text = lend(&at.value).and_then(|bytes| {
                String::from_utf8(bytes).map_err(|_| "it is no text (UTF-8)".to_owned())
            });
            (at.value.clone(), text)
        }
    };
    let text = match (text, named) {
        (Ok(text), _) => text,
        (Err(words), Some(at)) => {
            let what = format!("these prices cannot be read: {words}");
            faults.at(&at.place, what, "a TOML file, relative to the profile");
            return Prices::default();
        }
        (Err(_), None) => return Prices::default(),
    };
    let source = SourceId(sources.len());
    let tree = Node::parse(&text, source, faults);
    let origin = if named.is_some() { Origin::Profile } else { Origin::Default };
    sources.push(SourceText { origin, name: file.clone(), text });
    let raw = RawPrices::read(&tree, faults).unwrap_or_default();
    Prices { file, rows: rows(&raw, source, faults) }
}

fn rows(raw: &RawPrices, source: SourceId, faults: &mut Diagnostics) -> Vec<Price> {
    let mut rows: Vec<Price> = Vec::new();
    for raw in raw.item.iter().flat_map(|at| &at.value) {
        let Some(item) = &raw.item else {
            incomplete(
                raw,
                "this price does not say of what",
                "add `item`",
                (source, None),
                faults,
            );
            continue;
        };
        let place = (source, Some(&item.place));
        if let Some(unit) = raw.unit.as_ref().filter(|unit| unit.value != item.value.unit()) {
            let what = format!("{} is not priced by the {}", item.value, unit.value);
            faults.at(&unit.place, what, format!("write unit = \"{}\"", item.value.unit()));
        }
        if rows.iter().any(|row| row.item == item.value) {
            faults.at(&item.place, format!("{} has two prices", item.value), "keep one of them");
            continue;
        }
        let Some(usd) = &raw.usd else {
            incomplete(
                raw,
                "this row has no price",
                "add `usd`, such as usd = \"0.01 USD\"",
                place,
                faults,
            );
            continue;
        };
        let Some(as_of) = &raw.as_of else {
            incomplete(
                raw,
                "this price has no day",
                "add `as_of`, the day its source said so",
                place,
                faults,
            );
            continue;
        };
        let Some(from) = &raw.source else {
            incomplete(
                raw,
                "this price has no source",
                "add `source`: an address, an invoice",
                place,
                faults,
            );
            continue;
        };
        rows.push(Price {
            item: item.value,
            usd: usd.value.0,
            rounding: raw.rounding.as_ref().map_or(Rounding::Exact, |at| at.value),
            included: raw.included.as_ref().map_or(0, |at| at.value),
            tier: raw.tier.as_ref().map_or(String::new(), |at| at.value.clone()),
            as_of: as_of.value,
            source: from.value.clone(),
        });
    }
    rows
}

/// A row whose missing key is not the one that could not be read.
fn incomplete(
    raw: &RawPrice,
    what: &str,
    hint: &str,
    (source, place): (SourceId, Option<&SourceSpan>),
    faults: &mut Diagnostics,
) {
    if !raw.spoiled {
        let whole = SourceSpan { source, span: 0..0 };
        faults.at(place.unwrap_or(&whole), what, hint);
    }
}
