//! Resolves `[notify]`.

use super::resolver::Resolver;
use crate::profile::address::parse_service_url;
use crate::profile::raw::monitoring::RawNotify;
use crate::profile::settings::notify::{NoticeFormat, NotifySettings};

pub(super) fn resolve_notify(raw: &RawNotify, resolver: &mut Resolver<'_>) -> NotifySettings {
    if let Some(url) = &raw.url
        && let Err(problem) = parse_service_url(&url.value)
    {
        let hint = "write a URL that begins with https://; set one that holds a secret as RUSHHOUR_NOTIFY_URL in the environment";
        resolver.diagnostics.at(problem.kind, &url.span, problem.message, hint);
    }
    NotifySettings {
        url: resolver.optional("notify.url", raw.url.as_ref()),
        format: resolver.or_default("notify.format", raw.format.as_ref(), NoticeFormat::Summary),
    }
}
