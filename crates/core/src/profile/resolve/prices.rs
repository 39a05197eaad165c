//! Reads and resolves the price file: the one that the profile names, or the shipped one.

use crate::profile::diagnostic::{
    DiagnosticKind, Diagnostics, Located, Origin, SourceId, SourceSpan,
};
use crate::profile::from_node::FromNode;
use crate::profile::raw::prices::{RawPrice, RawPrices};
use crate::profile::settings::prices::{Price, Prices, Rounding};
use crate::profile::sources::Sources;

const SHIPPED: &str = include_str!("../../../../../profiles/prices.toml");
/// The name of the shipped file in reports.
const SHIPPED_NAME: &str = "shipped prices";

/// `file`: the path in the profile.
pub(crate) fn read_prices(
    file: Option<&Located<String>>,
    sources: &mut Sources<'_>,
    diagnostics: &mut Diagnostics,
) -> Prices {
    let (name, (source, tree)) = match file {
        None => (SHIPPED_NAME, sources.parse(Origin::Default, SHIPPED_NAME, SHIPPED, diagnostics)),
        Some(at) => match sources.read_file(&at.value, &["item"], diagnostics) {
            Ok(read) => (at.value.as_str(), read),
            Err(error) => {
                diagnostics.at(
                    DiagnosticKind::UnreadableFile,
                    &at.span,
                    format!("this price file cannot be read: {error}"),
                    "name a TOML file, relative to the profile",
                );
                return Prices::default();
            }
        },
    };
    let raw = RawPrices::from_node(&tree, diagnostics).unwrap_or_default();
    Prices { file: name.to_owned(), rows: resolve_rows(&raw, source, diagnostics) }
}

fn resolve_rows(raw: &RawPrices, source: SourceId, diagnostics: &mut Diagnostics) -> Vec<Price> {
    let mut rows: Vec<Price> = Vec::new();
    for raw in raw.item.iter().flat_map(|at| &at.value) {
        if let Some(unit) = &raw.unit
            && let Some(item) = &raw.item
            && unit.value != item.value.unit()
        {
            let message = format!("{} is not priced per {}", item.value, unit.value);
            let hint = format!("write unit = \"{}\"", item.value.unit());
            diagnostics.invalid(&unit.span, message, hint);
        }
        if let Some(item) = raw.item.as_ref()
            && rows.iter().any(|row| row.item == item.value)
        {
            let message = format!("{} has two prices", item.value);
            diagnostics.conflict(&item.span, message, "remove one of them");
            continue;
        }
        match resolve_row(raw) {
            Ok(row) => rows.push(row),
            // A key that could not be read is reported already.
            Err(_) if raw.has_errors => {}
            Err(MissingKey { message, hint }) => {
                let start = SourceSpan { source, range: 0..0 };
                let span = raw.item.as_ref().map_or(&start, |item| &item.span);
                diagnostics.missing_at(span, message, hint);
            }
        }
    }
    rows
}

struct MissingKey {
    message: &'static str,
    hint: &'static str,
}

fn resolve_row(raw: &RawPrice) -> Result<Price, MissingKey> {
    let missing = |message, hint| MissingKey { message, hint };
    let item = raw.item.as_ref().ok_or(missing("this price names no item", "add `item`"))?;
    let usd = raw
        .usd
        .as_ref()
        .ok_or(missing("this row has no price", "add `usd`, such as usd = \"0.01 USD\""))?;
    let as_of = raw
        .as_of
        .as_ref()
        .ok_or(missing("this price has no date", "add `as_of`, the date of its source"))?;
    let published = raw
        .source
        .as_ref()
        .ok_or(missing("this price has no source", "add `source`: a URL or an invoice"))?;
    Ok(Price {
        item: item.value,
        usd: usd.value.0,
        rounding: raw.rounding.as_ref().map_or(Rounding::Exact, |at| at.value),
        included: raw.included.as_ref().map_or(0, |at| at.value),
        tier: raw.tier.as_ref().map_or(String::new(), |at| at.value.clone()),
        as_of: as_of.value,
        source: published.value.clone(),
    })
}
