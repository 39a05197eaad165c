//! What runs come to together: item by item, the agent's side and the evaluator's apart.

use super::run_usage::RunUsage;
use super::tariff::Tariff;
use crate::profile::PriceItem;
use crate::units::Usd;

/// How an amount is known; what is summed is as sure as the least sure of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provenance {
    /// Counted, or told by who charges it.
    Measured,
    /// From moments that were seen.
    Derived,
    /// Taken to be so.
    Assumed,
}

impl Provenance {
    /// The word used in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Derived => "derived",
            Self::Assumed => "assumed",
        }
    }
}

/// One item of a bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BillRow {
    /// The item.
    pub item: PriceItem,
    /// How much of it, in `per`ths of its unit.
    amount: u64,
    /// How many make one unit.
    per: u64,
    /// The price of one unit.
    pub each: Usd,
    /// What it comes to at that price.
    pub list: Usd,
    /// What is left to pay where nothing else uses up the units that the base fee covers.
    pub after_included: Usd,
    /// How the quantity is known.
    pub known: Provenance,
}

impl BillRow {
    /// How many units.
    pub fn quantity(&self) -> f64 {
        self.amount as f64 / self.per as f64
    }
}

/// What runs come to together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bill {
    /// Item by item; none where nothing is charged.
    pub rows: Vec<BillRow>,
}

impl Bill {
    /// A bill of no run.
    pub fn of(tariff: &Tariff) -> Self {
        let row = |item: &PriceItem| {
            let each = tariff.price(*item)?.usd;
            Some(BillRow {
                item: *item,
                amount: 0,
                per: 1,
                each,
                list: Usd::ZERO,
                after_included: Usd::ZERO,
                known: Provenance::Measured,
            })
        };
        Self { rows: tariff.items().iter().filter_map(row).collect() }
    }

    /// Adds so many runs that each took this.
    pub fn add(&mut self, tariff: &Tariff, usage: &RunUsage, runs: u64) {
        for charge in tariff.charges(usage) {
            let Some(row) = self.rows.iter_mut().find(|row| row.item == charge.item) else {
                continue;
            };
            let included = tariff.price(row.item).map_or(0, |price| price.included);
            row.per = charge.per;
            row.amount = row.amount.saturating_add(charge.amount.saturating_mul(runs));
            row.list += charge.cost.for_amount(runs, 1);
            let beyond = row.amount.saturating_sub(included.saturating_mul(row.per));
            row.after_included = row.each.for_amount(beyond, row.per).min(row.list);
            if charge.amount > 0 {
                row.known = row.known.max(Tariff::known(row.item, usage));
            }
        }
    }

    /// What the agent's side comes to: its host, its room, its models.
    pub fn agent(&self) -> Usd {
        self.sum(|row| !row.item.is_evaluators())
    }

    /// What the test comes to: the evaluator.
    pub fn evaluator(&self) -> Usd {
        self.sum(|row| row.item.is_evaluators())
    }

    /// All of it.
    pub fn list(&self) -> Usd {
        self.sum(|_| true)
    }

    /// All of it, less what base fees cover.
    pub fn after_included(&self) -> Usd {
        self.rows.iter().map(|row| row.after_included).sum()
    }

    fn sum(&self, wanted: impl Fn(&BillRow) -> bool) -> Usd {
        self.rows.iter().filter(|row| wanted(row)).map(|row| row.list).sum()
    }
}
