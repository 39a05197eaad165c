//! Applies a profile's prices to what a run used.

use super::provenance::Provenance;
use super::run_usage::RunUsage;
use crate::event::ModelUsage;
use crate::plan::{conversation_bound, preparation_bound};
use crate::profile::{BillSettings, Price, PriceItem, PriceUnit, Profile, Rounding, Scenario};
use crate::units::{Micros, Mode, Usd};

/// Characters that an agent speaks per minute of conversation, assumed: about 900 while it speaks, which is
/// a little less than half of the time.
const SPOKEN_PER_MINUTE: u64 = 400;
/// Turns per minute of a voice conversation, assumed.
const TURNS_PER_MINUTE: u64 = 4;
/// Input tokens of the agent's model per turn, assumed: its instructions and the conversation so far.
const INPUT_TOKENS: u64 = 1_400;
/// Output tokens per turn, assumed.
const OUTPUT_TOKENS: u64 = 60;
/// In microseconds.
const MINUTE: u64 = 60_000_000;

/// What a run of a profile is charged for, and at which prices.
#[derive(Debug, Clone, PartialEq)]
pub struct Tariff {
    settings: BillSettings,
    /// The longest conversation, unless the evaluator reports a longer one.
    longest: Micros,
    /// The usage of the most expensive run.
    worst: RunUsage,
}

/// What one run is charged for one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// The item.
    pub item: PriceItem,
    /// The quantity in parts of a unit, rounded according to the price.
    pub amount: u64,
    /// Parts per unit.
    pub per: u64,
    /// The cost at the list price.
    pub cost: Usd,
}

impl Tariff {
    /// The tariff of a profile; `None` if its runs are not charged.
    pub fn new(profile: &Profile) -> Option<Self> {
        if profile.bill.charged.is_empty() {
            return None;
        }
        let longest = conversation_bound(profile);
        let connected = preparation_bound(profile) + longest;
        let scenarios = profile.mix.scenarios();
        let scripted = scenarios.iter().filter_map(|scenario| scripted_messages(scenario)).max();
        let unscripted = |mode| matches!(mode, Mode::Chat).then_some(profile.bill.most_messages);
        let worst = |mode: Mode| RunUsage {
            mode,
            agent: connected,
            caller: longest,
            conversation: longest,
            conversation_reported: false,
            messages: scripted.or(unscripted(mode)),
            model_usage: ModelUsage::default(),
            judged: true,
        };
        let usages = profile.mode.modes().iter().map(|mode| worst(*mode));
        let settings = profile.bill.clone();
        let tariff = Self { settings, longest, worst: worst(Mode::Voice) };
        let most_expensive = usages.max_by_key(|usage| tariff.cost(usage))?;
        Some(Self { worst: most_expensive, ..tariff })
    }

    /// The usage of the most expensive run.
    pub const fn worst(&self) -> &RunUsage {
        &self.worst
    }

    /// The price of an item.
    pub fn price(&self, item: PriceItem) -> Option<&Price> {
        self.settings.prices.price(item)
    }

    /// The items that are charged.
    pub fn items(&self) -> &[PriceItem] {
        &self.settings.charged
    }

    /// The charges of a run, item by item.
    pub fn charges(&self, usage: &RunUsage) -> impl Iterator<Item = Charge> {
        let usage = *usage;
        let charged = self.settings.charged.iter().filter(move |item| item.applies_to(usage.mode));
        charged.filter_map(move |item| Some(self.charge(self.price(*item)?, &usage)))
    }

    /// The cost of a run.
    pub fn cost(&self, usage: &RunUsage) -> Usd {
        self.charges(usage).map(|charge| charge.cost).sum()
    }

    /// The billed duration of the conversation.
    pub fn conversation(&self, usage: &RunUsage) -> Micros {
        if usage.conversation_reported {
            usage.conversation
        } else {
            usage.conversation.min(self.longest)
        }
    }

    /// How the amount of an item that a run used is known.
    pub const fn provenance(item: PriceItem, usage: &RunUsage) -> Provenance {
        match item {
            PriceItem::EvaluatorVoice if usage.conversation_reported => Provenance::Measured,
            PriceItem::EvaluatorChat if usage.messages.is_some() => Provenance::Measured,
            PriceItem::TextToSpeech if reported(usage.model_usage.characters).is_some() => {
                Provenance::Measured
            }
            PriceItem::ModelInput if reported(usage.model_usage.tokens_read).is_some() => {
                Provenance::Measured
            }
            PriceItem::ModelOutput if reported(usage.model_usage.tokens_written).is_some() => {
                Provenance::Measured
            }
            PriceItem::AgentSession
            | PriceItem::Participant
            | PriceItem::SpeechToText
            | PriceItem::EvaluatorVoice => Provenance::Derived,
            PriceItem::TextToSpeech
            | PriceItem::ModelInput
            | PriceItem::ModelOutput
            | PriceItem::EvaluatorChat
            | PriceItem::EvaluatorMetric => Provenance::Assumed,
        }
    }

    fn charge(&self, price: &Price, usage: &RunUsage) -> Charge {
        let per = parts_per(price.item.unit());
        let amount = self.amount(price.item, usage);
        let amount = match price.rounding {
            Rounding::UpPerConnection => amount.div_ceil(per).saturating_mul(per),
            Rounding::Exact => amount,
        };
        Charge { item: price.item, amount, per, cost: price.usd.for_amount(amount, per) }
    }

    fn amount(&self, item: PriceItem, usage: &RunUsage) -> u64 {
        let conversation = self.conversation(usage);
        let per_minute = |count: u64| conversation.0.saturating_mul(count).div_ceil(MINUTE);
        let messages = || match (usage.had_conversation(), usage.messages, usage.mode) {
            (false, ..) => 0,
            (true, Some(counted), _) => u64::from(counted),
            (true, None, Mode::Chat) => u64::from(self.settings.messages),
            (true, None, Mode::Voice) => per_minute(TURNS_PER_MINUTE),
        };
        match item {
            PriceItem::AgentSession | PriceItem::SpeechToText => usage.agent.0,
            PriceItem::Participant => usage.caller.0.min(self.longest.0),
            PriceItem::TextToSpeech => reported(usage.model_usage.characters)
                .unwrap_or_else(|| per_minute(SPOKEN_PER_MINUTE)),
            // There is one price for all tokens, although cached ones may cost less.
            PriceItem::ModelInput => reported(usage.model_usage.tokens_read)
                .unwrap_or_else(|| INPUT_TOKENS.saturating_mul(messages())),
            PriceItem::ModelOutput => reported(usage.model_usage.tokens_written)
                .unwrap_or_else(|| OUTPUT_TOKENS.saturating_mul(messages())),
            PriceItem::EvaluatorVoice => conversation.0,
            PriceItem::EvaluatorChat => messages(),
            PriceItem::EvaluatorMetric if usage.judged => u64::from(self.settings.metrics),
            PriceItem::EvaluatorMetric => 0,
        }
    }
}

/// What an agent reports about a model. Agents report zero for models that are billed in another unit.
const fn reported(amount: Option<u64>) -> Option<u64> {
    match amount {
        Some(0) | None => None,
        some => some,
    }
}

/// The number of turns of a scenario for native callers.
pub(super) fn scripted_messages(scenario: &Scenario) -> Option<u32> {
    u32::try_from(scenario.script.as_ref()?.turns.len()).ok()
}

/// In how many parts a unit is counted: minutes in microseconds.
const fn parts_per(unit: PriceUnit) -> u64 {
    match unit {
        PriceUnit::Minute => MINUTE,
        PriceUnit::Message | PriceUnit::Metric => 1,
        PriceUnit::MillionCharacters | PriceUnit::MillionTokens => 1_000_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::Bill;
    use crate::plan::testing::plan_of;

    fn tariff(more: &str) -> Tariff {
        let text = format!("[[scenario]]\nid = 1\ncopies = 3\n[[stage]]\nrate = \"1/s\"\n{more}");
        Tariff::new(plan_of(&text).profile()).unwrap()
    }

    fn spoken(seconds: u64) -> RunUsage {
        let length = Micros::from_secs(seconds);
        RunUsage {
            mode: Mode::Voice,
            agent: length,
            caller: length,
            conversation: length,
            conversation_reported: false,
            messages: None,
            model_usage: ModelUsage::default(),
            judged: true,
        }
    }

    fn cost_of(tariff: &Tariff, usage: &RunUsage, item: PriceItem) -> Usd {
        tariff.charges(usage).find(|charge| charge.item == item).unwrap().cost
    }

    #[test]
    fn minutes_are_rounded_up_per_connection_before_they_are_summed() {
        let tariff = tariff("");
        let cents = |hundredths: f64| Usd::from_dollars(hundredths / 100.0);
        for (seconds, cost) in [(0, 0.0), (1, 1.0), (10, 1.0), (60, 1.0), (61, 2.0), (70, 2.0)] {
            let session = cost_of(&tariff, &spoken(seconds), PriceItem::AgentSession);
            assert_eq!(session, cents(cost), "{seconds} s");
        }
        let mut bill = Bill::new(&tariff);
        for _ in 0..3 {
            bill.add(&tariff, &spoken(10), 1);
        }
        let row = bill.rows.iter().find(|row| row.item == PriceItem::AgentSession).unwrap();
        assert!((row.quantity() - 3.0).abs() < 1e-9, "three connections, three minutes");
        assert_eq!(row.list, cents(3.0));
        assert_eq!(row.after_included, Usd::ZERO, "5000 minutes are included");
        // Exact to the microsecond: 30 s at 0.0077 USD per minute.
        let transcribed = bill.rows.iter().find(|row| row.item == PriceItem::SpeechToText).unwrap();
        assert_eq!(
            transcribed.list,
            Usd::from_dollars(0.003_852),
            "each rounded up to the millionth"
        );
    }

    #[test]
    fn two_minutes_of_voice_cost_the_sum_of_their_items() {
        let tariff = tariff("[bill]\nmetrics = 3\n");
        let mut bill = Bill::new(&tariff);
        bill.add(&tariff, &spoken(120), 1);
        // 0.020 session, 0.001 caller, 0.0154 transcription, 0.040 speech, 0.0052 model; 0.50 and three metrics.
        assert_eq!(bill.agent(), Usd::from_dollars(0.081_648));
        assert_eq!(bill.evaluator(), Usd::from_dollars(0.53));
        assert_eq!(bill.list(), bill.agent() + bill.evaluator());
    }

    #[test]
    fn what_the_agent_reports_about_its_models_is_measured() {
        let tariff = tariff("");
        let (tokens_read, tokens_written) = (Some(50_000), Some(1_000));
        let used = ModelUsage {
            tokens_read,
            tokens_written,
            characters: Some(900),
            ..ModelUsage::default()
        };
        let usage = RunUsage { model_usage: used, ..spoken(60) };
        let costs = [
            (PriceItem::TextToSpeech, 0.045),
            (PriceItem::ModelInput, 0.02),
            (PriceItem::ModelOutput, 0.0016),
        ];
        for (item, cost) in costs {
            assert_eq!(cost_of(&tariff, &usage, item), Usd::from_dollars(cost), "{item}");
            assert_eq!(Tariff::provenance(item, &usage), Provenance::Measured, "{item}");
            assert_eq!(Tariff::provenance(item, &spoken(60)), Provenance::Assumed, "{item}");
        }
        let silent = RunUsage { model_usage: ModelUsage { characters: Some(0), ..used }, ..usage };
        assert_eq!(Tariff::provenance(PriceItem::TextToSpeech, &silent), Provenance::Assumed);
    }

    #[test]
    fn no_run_costs_more_than_the_worst() {
        let tariff = tariff("");
        let worst = *tariff.worst();
        let cost = tariff.cost(&worst);
        for share in [1, 3, 17, 99] {
            let part = |length: Micros| Micros(length.0 * share / 100);
            let usage = RunUsage {
                agent: part(worst.agent),
                caller: part(worst.caller),
                conversation: part(worst.conversation),
                ..worst
            };
            assert!(tariff.cost(&usage) <= cost);
        }
    }
}
