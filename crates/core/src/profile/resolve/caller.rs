//! Resolves `[caller]`.

use std::collections::BTreeMap;

use super::metadata::{resolve_metadata, resolve_template};
use super::resolver::Resolver;
use crate::profile::diagnostic::Located;
use crate::profile::from_node::DottedTexts;
use crate::profile::raw::caller::RawCaller;
use crate::profile::settings::caller::{CallerKind, CallerSettings};
use crate::profile::settings::template::Template;

pub(super) fn resolve_caller(
    raw: Option<&Located<RawCaller>>,
    resolver: &mut Resolver<'_>,
) -> CallerSettings {
    let raw = raw.map(|at| at.value.clone()).unwrap_or_default();
    CallerSettings {
        kind: resolver.or_default("caller.kind", raw.kind.as_ref(), CallerKind::Standard),
        name: raw
            .name
            .as_ref()
            .map(|at| resolve_template("caller.name", &at.value, &at.span, resolver)),
        metadata: raw.metadata.as_ref().map(|at| resolve_metadata("caller.metadata", at, resolver)),
        attributes: resolve_attributes(raw.attributes.as_ref(), resolver),
    }
}

fn resolve_attributes(
    raw: Option<&Located<DottedTexts>>,
    resolver: &mut Resolver<'_>,
) -> BTreeMap<String, Template> {
    let mut attributes = BTreeMap::new();
    for (key, text) in raw.iter().flat_map(|at| &at.value.0) {
        let path = format!("caller.attributes.{}", key.value);
        let template = resolve_template(&path, text, &key.span, resolver);
        if attributes.insert(key.value.clone(), template).is_some() {
            resolver.diagnostics.conflict(
                &key.span,
                format!("the attribute `{}` is given twice", key.value),
                "`a.b = ..` and `\"a.b\" = ..` are the same attribute",
            );
        }
    }
    attributes
}
