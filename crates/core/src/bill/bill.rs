//! The bill of a number of runs, item by item.

use super::provenance::Provenance;
use super::run_usage::RunUsage;
use super::tariff::Tariff;
use crate::profile::PriceItem;
use crate::units::Usd;

/// One item of a bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BillRow {
    /// The item.
    pub item: PriceItem,
    /// The quantity, in parts of a unit.
    amount: u64,
    /// Parts per unit.
    per: u64,
    /// The price of one unit.
    pub each: Usd,
    /// The cost at that list price.
    pub list: Usd,
    /// The cost if these runs alone use the units that the base fee covers.
    pub after_included: Usd,
    /// How the quantity is known.
    pub provenance: Provenance,
}

impl BillRow {
    /// The quantity in units.
    pub fn quantity(&self) -> f64 {
        self.amount as f64 / self.per as f64
    }
}

/// The bill of a number of runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bill {
    /// One row per item; empty if nothing is charged.
    pub rows: Vec<BillRow>,
}

impl Bill {
    /// The bill of no runs.
    pub fn new(tariff: &Tariff) -> Self {
        let row = |item: &PriceItem| {
            let each = tariff.price(*item)?.usd;
            Some(BillRow {
                item: *item,
                amount: 0,
                per: 1,
                each,
                list: Usd::ZERO,
                after_included: Usd::ZERO,
                provenance: Provenance::Measured,
            })
        };
        Self { rows: tariff.items().iter().filter_map(row).collect() }
    }

    /// Adds `runs` runs with the same usage.
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
                row.provenance = row.provenance.max(Tariff::provenance(row.item, usage));
            }
        }
    }

    /// The cost of the agent: its host, its rooms, its models.
    pub fn agent(&self) -> Usd {
        self.sum(|row| !row.item.is_evaluator_charge())
    }

    /// The cost of the evaluator.
    pub fn evaluator(&self) -> Usd {
        self.sum(|row| row.item.is_evaluator_charge())
    }

    /// The whole cost at list prices.
    pub fn list(&self) -> Usd {
        self.sum(|_| true)
    }

    /// The whole cost if these runs alone use what base fees cover.
    pub fn after_included(&self) -> Usd {
        self.rows.iter().map(|row| row.after_included).sum()
    }

    fn sum(&self, include: impl Fn(&BillRow) -> bool) -> Usd {
        self.rows.iter().filter(|row| include(row)).map(|row| row.list).sum()
    }
}
