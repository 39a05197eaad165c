//! A forecast in words: in brief before a run, in full for `plan`.

use std::fmt::Write;

use jiff::civil::Date;
use url::Url;

use crate::spending;
use rushhour_core::bill::BillForecast;
use rushhour_core::plan::{CLOUD_ROOMS, CloudExcess, Forecast, PlanWarning, cloud_excess};
use rushhour_core::profile::{
    EvaluatorSettings, LiveKitTarget, LoadedProfile, Profile, TargetKind, target_kind,
};
use rushhour_core::units::SessionTime;
use rushhour_stats::{Confidence, Design, Power, Quantile, Spread};

/// Some lines before a run: what is about to happen, and to whom.
pub(crate) fn brief(profile: &Profile, forecast: &Forecast, today: Date) -> String {
    let mut text = format!(
        "{}: {} {} runs over {}, about {:.0} in flight at the peak; {}",
        profile.name,
        about(forecast.runs, forecast.estimated),
        profile.mode,
        forecast.last_start.since(SessionTime::START),
        forecast.in_flight.ceil(),
        targets(profile),
    );
    if let Some(bill) = BillForecast::new(profile, forecast.runs) {
        let _ = write!(text, "\n{}", spending::brief(profile, &bill));
    }
    let old = spending::old_prices(profile, today);
    for words in forecast.cautions.iter().map(caution_words).chain(old) {
        let _ = write!(text, "\nnote: {words}");
    }
    if let Some(excess) = cloud_excess(profile, forecast) {
        let _ = write!(text, "\nnote: {}", cloud_words(&excess));
    }
    text
}

/// What LiveKit's acceptable use policy has to do with a plan.
pub(crate) fn cloud_words(excess: &CloudExcess) -> String {
    format!(
        "about {} rooms at once on {}: above {CLOUD_ROOMS}, a load test of LiveKit Cloud needs LiveKit's word under its acceptable use policy",
        excess.rooms, excess.host
    )
}

/// Everything that `plan` shows.
pub(crate) fn full(loaded: &LoadedProfile, forecast: &Forecast, today: Date) -> String {
    let profile = &loaded.profile;
    let mut text = String::new();
    let _ = writeln!(text, "{} ({} mode, seed {})", profile.name, profile.mode, profile.seed);
    let _ = writeln!(text, "{}\n", targets(profile));
    let _ = writeln!(
        text,
        "{:<16}{:>10}{:>12}{:>12}{:>12}  measured",
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
            about(stage.runs, stage.estimated),
            rate,
            stage.in_flight,
            if stage.measured { "yes" } else { "no" }
        );
    }
    let _ = writeln!(
        text,
        "\n{} runs{}, the last starting after {}",
        about(forecast.runs, forecast.estimated),
        pairs_words(profile, forecast),
        forecast.last_start.since(SessionTime::START)
    );
    let _ = writeln!(
        text,
        "in flight    {:.1} by Little's law (rate times expected length); limits.in_flight is {}",
        forecast.in_flight, profile.limits.in_flight
    );
    let _ = writeln!(
        text,
        "submissions  {:.3} a second at the peak; limits.requests is {}",
        forecast.requests_per_second, profile.limits.requests
    );
    let _ = writeln!(
        text,
        "polls        {:.3} a second at the peak; limits.polls is {}",
        forecast.polls_per_second, profile.limits.polls
    );
    let _ = writeln!(
        text,
        "tokens       valid for {}; rooms stay empty for up to {}",
        forecast.token_lifetime, forecast.room_lifetime
    );
    let _ = writeln!(
        text,
        "dispatch     {}, {}",
        profile.livekit.dispatch.method(),
        dispatch_words(profile)
    );
    let _ = writeln!(text, "difference   {}", difference_words(forecast));
    match BillForecast::new(profile, forecast.runs) {
        Some(bill) => text.push_str(&spending::table(profile, &bill)),
        None => text.push_str("bill         nothing is charged for\n"),
    }
    let old = spending::old_prices(profile, today);
    for words in forecast.cautions.iter().map(caution_words).chain(old) {
        let _ = writeln!(text, "note         {words}");
    }
    if let Some(excess) = cloud_excess(profile, forecast) {
        let _ = writeln!(
            text,
            "note         {}; `run` wants --accept-cloud-limits",
            cloud_words(&excess)
        );
    }
    let _ = writeln!(text, "\n{:<34}{:<44}from", "setting", "value");
    for setting in &loaded.settings {
        let _ = writeln!(text, "{:<34}{:<44}{}", setting.path, setting.value, setting.origin);
    }
    text
}

/// How many pairs the runs are, where each conversation is held twice.
fn pairs_words(profile: &Profile, forecast: &Forecast) -> String {
    if !profile.mode.is_paired() {
        return String::new();
    }
    format!(
        " in {} pairs: each copy is held spoken and written, the two beside each other",
        about(forecast.runs / 2, forecast.estimated)
    )
}

/// The smallest difference that two sessions of this many measured runs would show.
fn difference_words(forecast: &Forecast) -> String {
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
        "two such sessions would show one of {} and {}, four times in five, where latencies spread as usual (sigma 0.5)",
        smallest(Quantile::P50),
        smallest(Quantile::P95)
    )
}

fn about(count: u64, estimated: bool) -> String {
    if estimated { format!("~{count}") } else { count.to_string() }
}

fn dispatch_words(profile: &Profile) -> &'static str {
    use rushhour_core::profile::DispatchMethod;
    match profile.livekit.dispatch.method() {
        DispatchMethod::Explicit => "into a room created with an agents list",
        DispatchMethod::ExplicitFresh => {
            "into a room created without an agents list: the open-source server launches a nameless job beside it, and joins clog above some 20 starts a second"
        }
        DispatchMethod::Room => "by the room's configuration",
        DispatchMethod::Token => "by the evaluator's token",
        DispatchMethod::None => "automatic",
    }
}

fn targets(profile: &Profile) -> String {
    let livekit = match &profile.livekit.target {
        LiveKitTarget::Sandbox => "the embedded LiveKit stand-in".to_owned(),
        LiveKitTarget::Url(url) => format!("{url} ({})", kind_words(url)),
    };
    let evaluator = match &profile.evaluator {
        EvaluatorSettings::Native(_) => "called by callers of our own".to_owned(),
        EvaluatorSettings::Cekura(settings) => match &settings.url {
            None => "judged by the embedded Cekura stand-in".to_owned(),
            Some(url) => format!("judged by Cekura at {url}"),
        },
    };
    format!("rooms on {livekit}, {evaluator}")
}

fn kind_words(url: &str) -> &'static str {
    match Url::parse(url).map(|url| target_kind(&url)) {
        Ok(TargetKind::Loopback) => "this machine",
        Ok(TargetKind::Private) => "a private network",
        Ok(TargetKind::LiveKitCloud) => "LiveKit Cloud",
        Ok(TargetKind::Public) | Err(_) => "a public server",
    }
}

pub(crate) fn caution_words(caution: &PlanWarning) -> String {
    match caution {
        PlanWarning::InFlight { needed, limit } => format!(
            "about {:.0} places in flight are needed and limits.in_flight is {limit}: starts will wait or be skipped",
            needed.ceil()
        ),
        PlanWarning::Requests { needed, limit } => format!(
            "{needed:.2} submissions a second are needed and limits.requests allows {limit:.2}: they will queue up"
        ),
        PlanWarning::Polls { needed, limit } => format!(
            "{needed:.2} polls a second are needed and limits.polls allows {limit:.2}: ends will be seen late"
        ),
        PlanWarning::CopiesLeft { left } => {
            format!(
                "the stages end before {left} of the copies' runs are started: lengthen them or raise the rate"
            )
        }
        PlanWarning::StageCutShort { stage } => {
            format!("the copies are used up before stage `{stage}` is over")
        }
    }
}
