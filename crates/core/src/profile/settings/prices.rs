//! List prices of the services.

use std::borrow::Cow;

use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::profile::diagnostic::Diagnostics;
use crate::profile::from_node::FromNode;
use crate::profile::node::{Node, NodeValue};
use crate::profile::table::choice;
use crate::units::{Mode, Usd};

/// Reports warn of a price that is older than this many days.
const FRESH_FOR_DAYS: i32 = 90;

choice! {
    /// Something that is charged.
    #[schemars(rename = "RawItem")]
    pub PriceItem {
        /// An agent's session at its host.
        AgentSession = "agent_session",
        /// A caller's connection to the room.
        Participant = "participant",
        /// The agent's speech recognition.
        SpeechToText = "speech_to_text",
        /// The agent's speech synthesis.
        TextToSpeech = "text_to_speech",
        /// Input tokens of the agent's language model.
        ModelInput = "model_input",
        /// Output tokens of the agent's language model.
        ModelOutput = "model_output",
        /// The evaluator's voice minutes.
        EvaluatorVoice = "evaluator_voice",
        /// The evaluator's chat messages.
        EvaluatorChat = "evaluator_chat",
        /// The evaluator's metrics.
        EvaluatorMetric = "evaluator_metric",
    }
}

impl PriceItem {
    /// Every item: first what is charged for the agent, then what the evaluator charges.
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

    /// The unit that its price refers to.
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
    pub const fn applies_to(self, mode: Mode) -> bool {
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

    /// Whether the evaluator charges it; all other items are charged for the agent.
    pub const fn is_evaluator_charge(self) -> bool {
        matches!(self, Self::EvaluatorVoice | Self::EvaluatorChat | Self::EvaluatorMetric)
    }
}

choice! {
    /// The unit of a price.
    pub PriceUnit {
        /// A minute.
        Minute = "minute",
        /// A message of the testing agent.
        Message = "message",
        /// One metric of one conversation.
        Metric = "metric",
        /// A million characters.
        MillionCharacters = "1M characters",
        /// A million tokens.
        MillionTokens = "1M tokens",
    }
}

choice! {
    /// How a quantity is rounded before it is charged.
    pub Rounding {
        /// Up to whole units for every connection, before they are summed.
        UpPerConnection = "up-per-connection",
        /// Not at all.
        Exact = "exact",
    }
}

/// A calendar day, such as 2026-02-17.
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
    fn from(date: PriceDate) -> Self {
        date.0.to_string()
    }
}

impl FromNode for PriceDate {
    fn from_node(node: &Node, diagnostics: &mut Diagnostics) -> Option<Self> {
        const HINT: &str = "write a date such as 2026-02-17";
        let (NodeValue::Datetime(text) | NodeValue::String(text)) = &node.value else {
            let message = format!("this is {}, not a date", node.value.kind());
            diagnostics.invalid(&node.span, message, HINT);
            return None;
        };
        let date = text.parse().map(Self).ok();
        if date.is_none() {
            diagnostics.invalid(&node.span, format!("`{text}` is not a date"), HINT);
        }
        date
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

/// The price of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// What is charged.
    pub item: PriceItem,
    /// The price of one unit of the item; above zero.
    pub usd: Usd,
    /// How a quantity is rounded before it is charged.
    pub rounding: Rounding,
    /// Units per month that a base fee covers.
    pub included: u64,
    /// The service, its tier, the model.
    pub tier: String,
    /// The day on which the source stated the price.
    pub as_of: PriceDate,
    /// Where the price was published.
    pub source: String,
}

impl Price {
    /// Whether the price was more than 90 days old on `day`.
    pub fn is_old_on(&self, day: Date) -> bool {
        day.since(self.as_of.0).is_ok_and(|age| age.get_days() > FRESH_FOR_DAYS)
    }
}

/// A price file: at most one price for each item.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prices {
    /// The file's name in reports.
    pub file: String,
    /// The prices, in the order of the file.
    pub rows: Vec<Price>,
}

impl Prices {
    /// The price of an item.
    pub fn price(&self, item: PriceItem) -> Option<&Price> {
        self.rows.iter().find(|price| price.item == item)
    }
}
