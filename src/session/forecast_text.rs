//! The forecast of a session as text: some lines before a run, all of it for `plan`.

use std::fmt::Write;

use jiff::civil::Date;
use url::Url;

use super::cost;
use rushhour_core::bill::BillForecast;
use rushhour_core::plan::{
    CLOUD_REQUESTS_PER_MINUTE, CLOUD_ROOMS, CloudExcess, CloudQuotaExcess, Forecast, PlanWarning,
    StageStart, cloud_excess, cloud_quota_excess,
};
use rushhour_core::profile::{
    CekuraSettings, DispatchMethod, EvaluatorSettings, LiveKitTarget, LoadedProfile,
    NetworkConditions, Profile, RecordingSettings, TargetKind, target_kind,
};
use rushhour_core::units::{SessionTime, format_bytes};
use rushhour_report::render::counted;
use rushhour_report::session::OldPrices;
use rushhour_stats::{Confidence, Design, Power, Quantile, Spread};

/// Some lines before a session: how much will happen, and where.
pub(crate) fn summary(profile: &Profile, forecast: &Forecast, today: Date) -> String {
    let mut text = format!(
        "{}: {} {} runs over {}, about {:.0} in flight at the peak; {}",
        profile.name,
        count(forecast.runs, forecast.estimated),
        profile.mode,
        forecast.last_start.since(SessionTime::START),
        forecast.in_flight.ceil(),
        targets(profile),
    );
    if let Some(bill) = BillForecast::new(profile, forecast.calls()) {
        let _ = write!(text, "\n{}", cost::summary(profile, &bill));
    }
    for note in notes(profile, forecast, today) {
        let _ = write!(text, "\nnote: {note}");
    }
    text
}

/// What to know about a forecast before it is run.
fn notes(profile: &Profile, forecast: &Forecast, today: Date) -> Vec<String> {
    let warnings = forecast.warnings.iter().map(plan_warning);
    let cloud = cloud_excess(profile, forecast).map(|excess| cloud_warning(&excess));
    let quota = cloud_quota_excess(profile, forecast).map(|excess| quota_warning(&excess));
    let in_clear = profile.livekit.addresses_in_clear();
    let judge = profile.judging.as_ref().map(|judging| &judging.cekura);
    let cekura = profile.evaluator.cekura().into_iter().chain(judge);
    let key_in_clear = cekura.filter_map(CekuraSettings::address_in_clear);
    warnings
        .chain(in_clear.into_iter().map(in_clear_note))
        .chain(key_in_clear.map(key_in_clear_note))
        .chain(OldPrices::on_day(&profile.bill, today).map(|old| old.to_string()))
        .chain(cloud)
        .chain(quota)
        .chain(profile.recording.as_ref().map(recording_note))
        .collect()
}

/// That conversations are kept.
fn recording_note(recording: &RecordingSettings) -> String {
    format!(
        "conversations are recorded ({recording}): tell whoever can be heard, and see `recordings` in the session's folder"
    )
}

/// That an address is not encrypted.
fn in_clear_note(address: &str) -> String {
    format!(
        "{address} is not encrypted: tokens and media travel in clear; use wss:// in a network that you do not trust"
    )
}

/// That the address of the evaluator is not encrypted.
fn key_in_clear_note(address: &str) -> String {
    format!(
        "{address} is not encrypted: Cekura's key travels in clear; use https:// in a network that you do not trust"
    )
}

/// How a plan exceeds what LiveKit's acceptable use policy allows without asking.
pub(crate) fn cloud_warning(excess: &CloudExcess) -> String {
    format!(
        "about {} rooms at once on {}: LiveKit has to agree to a load test of more than {CLOUD_ROOMS} (see its acceptable use policy, and --accept-cloud-limits)",
        excess.rooms, excess.host
    )
}

/// How a plan exceeds LiveKit Cloud's quota of requests.
pub(crate) fn quota_warning(excess: &CloudQuotaExcess) -> String {
    format!(
        "about {:.0} requests per minute to {} at the peak, up to {} per run: LiveKit Cloud allows a project {CLOUD_REQUESTS_PER_MINUTE}; further ones are refused, and runs wait",
        excess.per_minute, excess.host, excess.per_run
    )
}

/// Everything that `plan` shows.
pub(crate) fn plan(loaded: &LoadedProfile, forecast: &Forecast, today: Date) -> String {
    let profile = &loaded.profile;
    let mut text = String::new();
    let _ = writeln!(text, "{} ({} mode, seed {})", profile.name, profile.mode, profile.seed);
    let _ = writeln!(text, "{}\n", targets(profile));
    text.push_str(&stages(forecast));
    let _ = writeln!(
        text,
        "\n{} runs{}; the last one starts after {}",
        count(forecast.runs, forecast.estimated),
        pairs(profile, forecast),
        forecast.last_start.since(SessionTime::START)
    );
    let _ = writeln!(
        text,
        "in flight    {:.1} by Little's law (rate times expected duration); limits.in_flight is {}",
        forecast.in_flight, profile.limits.in_flight
    );
    let _ = writeln!(
        text,
        "submissions  {:.3} per second at the peak; limits.requests is {}",
        forecast.requests_per_second, profile.limits.requests
    );
    let _ = writeln!(
        text,
        "polls        {:.3} per second at the peak; limits.polls is {}",
        forecast.polls_per_second, profile.limits.polls
    );
    let _ = writeln!(
        text,
        "tokens       valid for {}; an empty room stays for up to {}",
        forecast.token_lifetime, forecast.room_lifetime
    );
    let _ = writeln!(
        text,
        "dispatch     {}, {}",
        profile.livekit.dispatch.method(),
        dispatch(profile.livekit.dispatch.method())
    );
    for network in &profile.networks {
        let NetworkConditions { name, share, .. } = network;
        let _ = writeln!(text, "network      {name}: {network}; for {share} of the callers");
    }
    if let Some(recording) = &profile.recording {
        let _ = writeln!(text, "recording    {recording}");
    }
    let _ = writeln!(text, "difference   {}", detectable_difference(forecast));
    match BillForecast::new(profile, forecast.calls()) {
        Some(bill) => text.push_str(&cost::table(profile, &bill)),
        None => text.push_str("bill         nothing is charged for\n"),
    }
    for note in notes(profile, forecast, today) {
        let _ = writeln!(text, "note         {note}");
    }
    let _ = writeln!(text, "\n{:<34}{:<44}from", "setting", "value");
    for setting in &loaded.settings {
        let _ = writeln!(text, "{:<34}{:<44}{}", setting.path, setting.value, setting.origin);
    }
    text
}

fn stages(forecast: &Forecast) -> String {
    let mut text = format!(
        "{:<16}{:>10}{:>12}{:>12}{:>12}  measured\n",
        "stage", "begins", "runs", "peak rate", "in flight"
    );
    for stage in &forecast.stages {
        let begins = if stage.begins == SessionTime::NEVER {
            "never".to_owned()
        } else {
            stage.begins.since(SessionTime::START).to_string()
        };
        let rate = stage.peak_rate.map_or("at once".to_owned(), |rate| format!("{rate:.3}/s"));
        let _ = writeln!(
            text,
            "{:<16}{:>10}{:>12}{:>12}{:>12.1}  {}",
            stage.name,
            begins,
            count(stage.runs, stage.estimated),
            rate,
            stage.in_flight,
            if stage.measured { "yes" } else { "no" }
        );
    }
    text
}

/// How many pairs the runs form, in a paired session.
fn pairs(profile: &Profile, forecast: &Forecast) -> String {
    if !profile.mode.is_paired() {
        return String::new();
    }
    format!(
        " in {} pairs: each conversation is run once in voice and once in chat, next to each other in time",
        count(forecast.runs / 2, forecast.estimated)
    )
}

/// The smallest difference that two sessions of this many measured runs would show.
fn detectable_difference(forecast: &Forecast) -> String {
    let measured: u64 =
        forecast.stages.iter().filter(|stage| stage.measured).map(|stage| stage.runs).sum();
    let smallest = |quantile: Quantile| {
        let design = Design {
            quantile,
            runs_per_arm: measured,
            spread: Spread::DEFAULT,
            confidence: Confidence::default(),
        };
        match design.detectable_ratio(Power::PERCENT_80) {
            Ok(ratio) => format!("{:.0} % at {quantile}", (ratio - 1.0) * 100.0),
            Err(few) => format!("none at {quantile} (needs {} runs)", few.needs),
        }
    };
    format!(
        "two such sessions can tell apart {} and {}, with 80 % power and the usual spread of latencies (sigma 0.5)",
        smallest(Quantile::P50),
        smallest(Quantile::P95)
    )
}

fn count(runs: u64, estimated: bool) -> String {
    if estimated { format!("~{runs}") } else { runs.to_string() }
}

const fn dispatch(method: DispatchMethod) -> &'static str {
    match method {
        DispatchMethod::Explicit => "into a room that is created with an agents list",
        DispatchMethod::ExplicitFresh => {
            "into a room that is created without an agents list: the open-source server starts a nameless job next to it, and joins slow down above some 20 starts per second"
        }
        DispatchMethod::Room => "by the room's configuration",
        DispatchMethod::Token => "by the evaluator's token",
        DispatchMethod::None => "automatic",
    }
}

fn targets(profile: &Profile) -> String {
    let livekit = match &profile.livekit.target {
        LiveKitTarget::Sandbox => "in the embedded sandbox".to_owned(),
        LiveKitTarget::Url(url) => format!("on {url} ({})", kind_of_server(url)),
    };
    let evaluator = match &profile.evaluator {
        EvaluatorSettings::Native(_) => "called by Rushhour's own callers".to_owned(),
        EvaluatorSettings::Cekura(settings) => match &settings.url {
            None => "judged by the sandbox's stand-in for Cekura".to_owned(),
            Some(url) => format!("judged by Cekura at {url}"),
        },
    };
    format!("rooms {livekit}, {evaluator}")
}

fn kind_of_server(url: &str) -> &'static str {
    match Url::parse(url).map(|url| target_kind(&url)) {
        Ok(TargetKind::Loopback) => "this machine",
        Ok(TargetKind::Private) => "a private network",
        Ok(TargetKind::LiveKitCloud) => "LiveKit Cloud",
        Ok(TargetKind::Public) | Err(_) => "a public server",
    }
}

/// Where a plan needs more than its limits allow.
pub(crate) fn plan_warning(warning: &PlanWarning) -> String {
    match warning {
        PlanWarning::InFlight { needed, limit } => format!(
            "about {:.0} runs in flight are needed, and limits.in_flight is {limit}: starts will wait or be skipped",
            needed.ceil()
        ),
        PlanWarning::Requests { needed, limit } => format!(
            "{needed:.2} submissions per second are needed, and limits.requests allows {limit:.2}: they will queue up"
        ),
        PlanWarning::Polls { needed, limit } => format!(
            "{needed:.2} polls per second are needed, and limits.polls allows {limit:.2}: the ends of runs will be seen late"
        ),
        PlanWarning::CopiesLeft { left } => format!(
            "the stages end before {left} of the scenarios' copies have started: lengthen the stages, or raise their rates"
        ),
        PlanWarning::DispatchStall { stage, start } => {
            let start = match start {
                StageStart::AtOnce(runs) => format!("{runs} agents at the same instant"),
                StageStart::PerSecond(rate) => format!("{rate:.1} agents per second"),
            };
            format!(
                "stage `{stage}` dispatches {start}: livekit-server may hold dispatches back for up to 5 s, once a minute; at most 10 at once (20 with `dispatch = \"room\"` or `\"token\"`) or 3 per second avoid it, or one call 8 s before, after a quiet minute"
            )
        }
        PlanWarning::Redials { runs } => format!(
            "about {} that hang up may call again ([redial]), beside these runs: they count in costs and limits, and so do calls that nobody answers",
            counted(*runs, "caller")
        ),
        PlanWarning::RecordingBytes { needed, limit } => format!(
            "recordings of runs in flight may take {}, and recording.max_bytes is {}: some of them stop before it is known whether they are kept; raise it, or record a sample only",
            format_bytes(*needed),
            format_bytes(*limit)
        ),
        PlanWarning::StageCutShort { stage } => {
            format!("all copies have started before stage `{stage}` is over")
        }
    }
}
