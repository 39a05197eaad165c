//! Resolves `[soak]`.

use super::resolver::Resolver;
use crate::profile::raw::monitoring::RawSoak;
use crate::profile::settings::soak::SoakSettings;

pub(super) fn resolve_soak(raw: &RawSoak, resolver: &mut Resolver<'_>) -> SoakSettings {
    let defaults = SoakSettings::default();
    SoakSettings {
        material: resolver.or_default("soak.material", raw.material.as_ref(), defaults.material),
        material_failures: resolver.or_default(
            "soak.material_failures",
            raw.material_failures.as_ref(),
            defaults.material_failures,
        ),
        window: resolver.optional("soak.window", raw.window.as_ref()),
    }
}
