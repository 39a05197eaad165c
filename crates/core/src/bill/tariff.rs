//! A profile's prices applied to what a run took.

use super::bill::Provenance;
use super::run_usage::RunUsage;
use crate::event::ModelUsage;
use crate::plan::{conversation_bound, preparation_bound};
use crate::profile::{BillSettings, Price, PriceItem, PriceUnit, Profile, Rounding, Scenario};
use crate::units::{Micros, Mode, Usd};

/// Characters that an agent speaks in a minute of conversation: about 900 while it speaks, which is not quite
/// half of the time. Assumed.
const SPOKEN_PER_MINUTE: u64 = 400;
/// Turns in a minute of spoken conversation. Assumed.
const TURNS_PER_MINUTE: u64 = 4;
/// Tokens that the agent's model reads for a turn: its instructions and what was said so far. Assumed.
const TOKENS_READ: u64 = 1_400;
/// Tokens that it writes for a turn. Assumed.
const TOKENS_WRITTEN: u64 = 60;
const MINUTE: u64 = 60_000_000;

/// What a run of a profile is charged for, and how dearly.
#[derive(Debug, Clone, PartialEq)]
pub struct Tariff {
    settings: BillSettings,
    /// A conversation that nobody told the length of is not longer than this.
    longest: Micros,
    /// The dearest that a run can be.
    worst: RunUsage,
}

/// What one run is charged for one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// The item.
    pub item: PriceItem,
    /// How much of it, rounded as its price says, in `per`ths of its unit.
    pub amount: u64,
    /// How many make one unit.
    pub per: u64,
    /// What that costs at the list price.
    pub cost: Usd,
}

impl Tariff {
    /// The tariff of a profile; none where nothing is charged for its runs.
    pub fn of(profile: &Profile) -> Option<Self> {
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
            told: false,
            messages: scripted.or(unscripted(mode)),
            used: ModelUsage::default(),
            judged: true,
        };
        let each = profile.mode.modes().iter().map(|mode| worst(*mode));
        let settings = profile.bill.clone();
        let tariff = Self { settings, longest, worst: worst(Mode::Voice) };
        let dearest = each.max_by_key(|usage| tariff.cost(usage))?;
        Some(Self { worst: dearest, ..tariff })
    }

    /// What the dearest run takes.
    pub const fn worst(&self) -> &RunUsage {
        &self.worst
    }

    /// The price of an item.
    pub fn price(&self, item: PriceItem) -> Option<&Price> {
        self.settings.prices.of(item)
    }

    /// The items that are charged.
    pub fn items(&self) -> &[PriceItem] {
        &self.settings.charged
    }

    /// What a run is charged, item by item.
    pub fn charges(&self, usage: &RunUsage) -> impl Iterator<Item = Charge> {
        let usage = *usage;
        let charged = self.settings.charged.iter().filter(move |item| item.is_of(usage.mode));
        charged.filter_map(move |item| Some(self.charge(self.price(*item)?, &usage)))
    }

    /// What a run costs.
    pub fn cost(&self, usage: &RunUsage) -> Usd {
        self.charges(usage).map(|charge| charge.cost).sum()
    }

    /// How long the conversation is taken to have lasted.
    pub fn conversation(&self, usage: &RunUsage) -> Micros {
        if usage.told { usage.conversation } else { usage.conversation.min(self.longest) }
    }

    /// How the amount of an item that a run took is known.
    pub const fn known(item: PriceItem, usage: &RunUsage) -> Provenance {
        match item {
            PriceItem::EvaluatorVoice if usage.told => Provenance::Measured,
            PriceItem::EvaluatorChat if usage.messages.is_some() => Provenance::Measured,
            PriceItem::TextToSpeech if told(usage.used.characters).is_some() => {
                Provenance::Measured
            }
            PriceItem::ModelInput if told(usage.used.tokens_read).is_some() => Provenance::Measured,
            PriceItem::ModelOutput if told(usage.used.tokens_written).is_some() => {
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
        let per = per(price.item.unit());
        let amount = self.amount(price.item, usage);
        let amount = match price.rounding {
            Rounding::UpPerConnection => amount.div_ceil(per).saturating_mul(per),
            Rounding::Exact => amount,
        };
        Charge { item: price.item, amount, per, cost: price.usd.for_amount(amount, per) }
    }

    fn amount(&self, item: PriceItem, usage: &RunUsage) -> u64 {
        let conversation = self.conversation(usage);
        let a_minute = |count: u64| conversation.0.saturating_mul(count).div_ceil(MINUTE);
        let messages = || match (usage.talked(), usage.messages, usage.mode) {
            (false, ..) => 0,
            (true, Some(counted), _) => u64::from(counted),
            (true, None, Mode::Chat) => u64::from(self.settings.messages),
            (true, None, Mode::Voice) => a_minute(TURNS_PER_MINUTE),
        };
        match item {
            PriceItem::AgentSession | PriceItem::SpeechToText => usage.agent.0,
            PriceItem::Participant => usage.caller.0.min(self.longest.0),
            PriceItem::TextToSpeech => {
                told(usage.used.characters).unwrap_or_else(|| a_minute(SPOKEN_PER_MINUTE))
            }
            // All at the one price that there is: what the model had in its cache may cost less.
            PriceItem::ModelInput => told(usage.used.tokens_read)
                .unwrap_or_else(|| TOKENS_READ.saturating_mul(messages())),
            PriceItem::ModelOutput => told(usage.used.tokens_written)
                .unwrap_or_else(|| TOKENS_WRITTEN.saturating_mul(messages())),
            PriceItem::EvaluatorVoice => conversation.0,
            PriceItem::EvaluatorChat => messages(),
            PriceItem::EvaluatorMetric if usage.judged => u64::from(self.settings.metrics),
            PriceItem::EvaluatorMetric => 0,
        }
    }
}

/// What an agent told of its models; one that speaks by another measure tells zero, which says nothing.
const fn told(amount: Option<u64>) -> Option<u64> {
    match amount {
        Some(0) | None => None,
        some => some,
    }
}

/// How many turns a caller of our own takes in a scenario.
pub(super) fn scripted_messages(scenario: &Scenario) -> Option<u32> {
    u32::try_from(scenario.script.as_ref()?.turns.len()).ok()
}

/// How many of what is counted make one unit.
const fn per(unit: PriceUnit) -> u64 {
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
        Tariff::of(plan_of(&text).profile()).unwrap()
    }

    fn spoken(seconds: u64) -> RunUsage {
        let length = Micros::from_secs(seconds);
        RunUsage {
            mode: Mode::Voice,
            agent: length,
            caller: length,
            conversation: length,
            told: false,
            messages: None,
            used: ModelUsage::default(),
            judged: true,
        }
    }

    fn cost_of(tariff: &Tariff, usage: &RunUsage, item: PriceItem) -> Usd {
        tariff.charges(usage).find(|charge| charge.item == item).unwrap().cost
    }

    #[test]
    fn minutes_are_rounded_up_for_each_connection_before_they_are_summed() {
        let tariff = tariff("");
        let cents = |hundredths: f64| Usd::from_dollars(hundredths / 100.0);
        for (seconds, cost) in [(0, 0.0), (1, 1.0), (10, 1.0), (60, 1.0), (61, 2.0), (70, 2.0)] {
            let session = cost_of(&tariff, &spoken(seconds), PriceItem::AgentSession);
            assert_eq!(session, cents(cost), "{seconds} s");
        }
        let mut bill = Bill::of(&tariff);
        for _ in 0..3 {
            bill.add(&tariff, &spoken(10), 1);
        }
        let row = bill.rows.iter().find(|row| row.item == PriceItem::AgentSession).unwrap();
        assert!((row.quantity() - 3.0).abs() < 1e-9, "three connections, three minutes");
        assert_eq!(row.list, cents(3.0));
        assert_eq!(row.after_included, Usd::ZERO, "5000 minutes are included");
        // By the second, where that is how it is charged: 30 s at 0.0077 USD a minute.
        let heard = bill.rows.iter().find(|row| row.item == PriceItem::SpeechToText).unwrap();
        assert_eq!(heard.list, Usd::from_dollars(0.003_852), "each rounded up to the millionth");
    }

    #[test]
    fn two_minutes_of_voice_cost_what_they_are_known_to() {
        let tariff = tariff("[bill]\nmetrics = 3\n");
        let mut bill = Bill::of(&tariff);
        bill.add(&tariff, &spoken(120), 1);
        // 0.020 session, 0.001 caller, 0.0154 heard, 0.040 spoken, 0.0052 thought; 0.50 and three metrics.
        assert_eq!(bill.agent(), Usd::from_dollars(0.081_648));
        assert_eq!(bill.evaluator(), Usd::from_dollars(0.53));
        assert_eq!(bill.list(), bill.agent() + bill.evaluator());
    }

    #[test]
    fn what_the_agent_tells_of_its_models_is_measured_and_not_assumed() {
        let tariff = tariff("");
        let (tokens_read, tokens_written) = (Some(50_000), Some(1_000));
        let used = ModelUsage {
            tokens_read,
            tokens_written,
            characters: Some(900),
            ..ModelUsage::default()
        };
        let usage = RunUsage { used, ..spoken(60) };
        let costs = [
            (PriceItem::TextToSpeech, 0.045),
            (PriceItem::ModelInput, 0.02),
            (PriceItem::ModelOutput, 0.0016),
        ];
        for (item, cost) in costs {
            assert_eq!(cost_of(&tariff, &usage, item), Usd::from_dollars(cost), "{item}");
            assert_eq!(Tariff::known(item, &usage), Provenance::Measured, "{item}");
            assert_eq!(Tariff::known(item, &spoken(60)), Provenance::Assumed, "{item}");
        }
        let silent = RunUsage { used: ModelUsage { characters: Some(0), ..used }, ..usage };
        assert_eq!(Tariff::known(PriceItem::TextToSpeech, &silent), Provenance::Assumed);
    }

    #[test]
    fn nothing_that_a_run_can_be_is_dearer_than_the_worst() {
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
