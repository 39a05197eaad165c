//! What a session cost at list prices, compared with its forecast.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::capacity::SearchSpend;
use crate::fold::FoldedSession;
use rushhour_core::bill::{Bill, BillForecast, BillRow, Tariff};
use rushhour_core::profile::{BillSettings, PriceItem};
use rushhour_core::units::Usd;

/// The cost of a session at list prices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BillSummary {
    /// The price file.
    pub prices: String,
    /// Whether agent and evaluator were stand-ins: the bill is what the session would have cost, and nothing was
    /// charged.
    pub rehearsal: bool,
    /// Item by item.
    pub items: Vec<BillItem>,
    /// The agent's side: its hosting, its rooms, its models.
    pub agent_usd: f64,
    /// The test's side: the evaluator.
    pub test_usd: f64,
    /// Both sides.
    pub list_usd: f64,
    /// Both sides, if nothing else uses up the units that base fees include.
    pub after_included_usd: f64,
    /// Both sides, per completed run.
    pub per_completed_usd: Option<f64>,
    /// At list prices: in total, per run, per completed run and per run judged as passed.
    #[serde(default)]
    pub list_each: CostEach,
    /// The same if nothing else uses up the units that base fees include.
    #[serde(default)]
    pub after_included_each: CostEach,
    /// The forecast for the same number of runs.
    pub forecast_usd: f64,
    /// The bill's excess over the forecast, as a share of the forecast; negative if the bill is lower.
    #[serde(default)]
    pub forecast_error: Option<f64>,
    /// The session's budget.
    pub budget_usd: Option<f64>,
}

/// The cost of runs, in total and each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CostEach {
    /// All runs.
    pub total_usd: f64,
    /// Per run.
    pub per_run_usd: Option<f64>,
    /// Per completed run.
    pub per_completed_usd: Option<f64>,
    /// Per run that was judged as passed; null if nothing was judged.
    pub per_successful_usd: Option<f64>,
}

impl CostEach {
    pub(crate) fn of(total: Usd, runs: u64, completed: u64, successful: Option<u64>) -> Self {
        let each = |count: u64| (count > 0).then(|| total.dollars() / count as f64);
        Self {
            total_usd: total.dollars(),
            per_run_usd: each(runs),
            per_completed_usd: each(completed),
            per_successful_usd: successful.and_then(each),
        }
    }
}

/// One item of a bill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BillItem {
    /// The item.
    pub item: String,
    /// Whose side it is on: `agent` or `test`.
    pub side: String,
    /// The number of units.
    pub quantity: f64,
    /// The unit.
    pub unit: String,
    /// The price of one unit.
    pub each_usd: f64,
    /// The cost at that price.
    pub list_usd: f64,
    /// The forecast for the same number of runs.
    #[serde(default)]
    pub forecast_usd: f64,
    /// The cost's excess over its forecast, as a share of the forecast; null if nothing was forecast.
    #[serde(default)]
    pub forecast_error: Option<f64>,
    /// The cost, if nothing else uses up the units that base fees include.
    pub after_included_usd: f64,
    /// Where the quantity comes from: `measured`, `derived` or `assumed`.
    pub known: String,
    /// The service, its tier, the model.
    pub tier: String,
    /// The date on which the source stated the price.
    pub as_of: String,
    /// The source of the price.
    pub source: String,
}

impl BillSummary {
    /// The bill of a session; `None` if nothing is charged.
    pub(crate) fn of(folded: &FoldedSession) -> Option<Self> {
        let (bill, profile) = (&folded.bill, &folded.opening.profile);
        let forecast = forecast(folded)?;
        let item = |row: &BillRow| {
            let price = profile.bill.prices.price(row.item)?;
            let forecast = forecast_of(&forecast, row.item);
            Some(BillItem {
                item: row.item.name().to_owned(),
                side: if row.item.is_evaluator_charge() { "test" } else { "agent" }.to_owned(),
                quantity: row.quantity(),
                unit: row.item.unit().name().to_owned(),
                each_usd: row.each.dollars(),
                list_usd: row.list.dollars(),
                forecast_usd: forecast.dollars(),
                forecast_error: relative_error(row.list, forecast),
                after_included_usd: row.after_included.dollars(),
                known: row.provenance.name().to_owned(),
                tier: price.tier.clone(),
                as_of: price.as_of.into(),
                source: price.source.clone(),
            })
        };
        Some(Self {
            prices: profile.bill.prices.file.clone(),
            rehearsal: profile.bill.rehearsal,
            items: bill.rows.iter().filter_map(item).collect(),
            agent_usd: bill.agent().dollars(),
            test_usd: bill.evaluator().dollars(),
            list_usd: bill.list().dollars(),
            after_included_usd: bill.after_included().dollars(),
            per_completed_usd: per_completed(folded).map(Usd::dollars),
            list_each: cost_each(folded, bill.list()),
            after_included_each: cost_each(folded, bill.after_included()),
            forecast_usd: forecast.list().dollars(),
            forecast_error: relative_error(bill.list(), forecast.list()),
            budget_usd: profile.limits.budget.map(Usd::dollars),
        })
    }
}

/// The bill of a session in a few figures, at list prices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BillTotals {
    /// Whether agent and evaluator were stand-ins, so that nothing was charged.
    pub rehearsal: bool,
    /// Both sides.
    pub list: Usd,
    /// The agent's side.
    pub agent: Usd,
    /// The evaluator's side.
    pub evaluator: Usd,
    /// Both sides, per completed run.
    pub per_completed: Option<Usd>,
    /// Both sides, per run that was judged as passed; `None` if that is the cost per completed run.
    pub per_successful: Option<Usd>,
    /// The forecast for the same number of runs.
    pub forecast: Usd,
    /// The excess over the forecast, as a share of the forecast.
    pub forecast_error: Option<f64>,
    /// The item that differs most from its forecast, in dollars, and its excess as a share of its forecast.
    pub furthest_off: Option<(PriceItem, f64)>,
}

impl BillTotals {
    /// The bill of a session; `None` if nothing is charged.
    pub(crate) fn of(folded: &FoldedSession) -> Option<Self> {
        let forecast = forecast(folded)?;
        let (bill, list) = (&folded.bill, folded.bill.list());
        let per_successful = cost_each(folded, list).per_successful_usd;
        let some_did_not_pass = folded.tally.judged_passed < folded.tally.completed;
        Some(Self {
            rehearsal: folded.opening.profile.bill.rehearsal,
            list,
            agent: bill.agent(),
            evaluator: bill.evaluator(),
            per_completed: per_completed(folded),
            per_successful: per_successful.filter(|_| some_did_not_pass).map(Usd::from_dollars),
            forecast: forecast.list(),
            forecast_error: relative_error(list, forecast.list()),
            furthest_off: furthest_off(bill, &forecast),
        })
    }
}

/// What a session has used of its limits on money and runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitsUsed {
    /// The cost of the runs at list prices, of those in flight as far as they got.
    pub spent: Usd,
    /// The limit on it.
    pub budget: Option<Usd>,
    /// Runs started.
    pub runs: u64,
    /// The limit on them.
    pub most_runs: Option<u64>,
    /// Runs in flight of a session that runs.
    pub in_flight: u64,
    /// The most that one of them may cost, which is what the budget counts until it ends.
    pub worst_run: Usd,
}

impl LimitsUsed {
    /// Those of a session.
    pub(crate) fn of(folded: &FoldedSession) -> Self {
        let profile = &folded.opening.profile;
        let in_flight = if folded.is_running { folded.tally.open() } else { 0 };
        let worst = Tariff::new(profile).map_or(Usd::ZERO, |tariff| tariff.cost(tariff.worst()));
        Self {
            spent: folded.bill.list(),
            budget: profile.limits.budget,
            runs: folded.tally.started,
            most_runs: profile.limits.max_runs,
            in_flight,
            worst_run: worst,
        }
    }

    /// Those of a search, in a level of it: the level's limits are what the levels before it, which used `before`, have left.
    #[must_use]
    pub(crate) fn after(self, before: SearchSpend) -> Self {
        Self {
            spent: self.spent + before.money,
            budget: self.budget.map(|left| left + before.money),
            runs: self.runs + before.runs,
            most_runs: self.most_runs.map(|left| left + before.runs),
            ..self
        }
    }
}

/// The forecast for as many runs as were started; `None` if nothing is charged.
fn forecast(folded: &FoldedSession) -> Option<Bill> {
    let forecast = BillForecast::new(&folded.opening.profile, folded.tally.started)?;
    Some(forecast.expected)
}

fn forecast_of(forecast: &Bill, item: PriceItem) -> Usd {
    let row = forecast.rows.iter().find(|row| row.item == item);
    row.map_or(Usd::ZERO, |row| row.list)
}

/// The excess over a forecast, as a share of the forecast; `None` if nothing was forecast.
fn relative_error(billed: Usd, forecast: Usd) -> Option<f64> {
    (forecast > Usd::ZERO).then(|| billed.dollars() / forecast.dollars() - 1.0)
}

fn cost_each(folded: &FoldedSession, total: Usd) -> CostEach {
    let tally = &folded.tally;
    let judged = tally.judged_passed + tally.judged_failed;
    let successful = (judged > 0).then_some(tally.judged_passed);
    CostEach::of(total, tally.started, tally.completed, successful)
}

fn per_completed(folded: &FoldedSession) -> Option<Usd> {
    let completed = folded.tally.completed;
    (completed > 0).then(|| folded.bill.list().for_amount(1, completed))
}

fn furthest_off(bill: &Bill, forecast: &Bill) -> Option<(PriceItem, f64)> {
    let off = |row: &BillRow| row.list.micros().abs_diff(forecast_of(forecast, row.item).micros());
    let row = bill.rows.iter().filter(|row| off(row) > 0).max_by_key(|row| off(row))?;
    Some((row.item, relative_error(row.list, forecast_of(forecast, row.item))?))
}

/// Prices that were stated too long ago to rely on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldPrices {
    /// The price file.
    pub file: String,
    /// The date of the oldest price in the file.
    pub oldest: Date,
    /// The charged items whose prices are old.
    pub items: Vec<PriceItem>,
}

impl OldPrices {
    /// The old prices among those that a profile is charged; `None` if all are recent enough on `day`.
    pub fn on_day(bill: &BillSettings, day: Date) -> Option<Self> {
        let is_old =
            |item: &PriceItem| bill.prices.price(*item).is_some_and(|price| price.is_old_on(day));
        let items: Vec<PriceItem> = bill.charged.iter().copied().filter(is_old).collect();
        let oldest = bill.prices.rows.iter().map(|price| price.as_of.0).min()?;
        let file = bill.prices.file.clone();
        (!items.is_empty()).then_some(Self { file, oldest, items })
    }

    /// The prices that were old when a session started.
    pub(crate) fn of_session(folded: &FoldedSession) -> Option<Self> {
        let started: Timestamp = folded.opening.anchor.parse().ok()?;
        Self::on_day(&folded.opening.profile.bill, started.to_zoned(TimeZone::UTC).date())
    }
}
