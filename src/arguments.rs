//! Arguments that several commands share.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueHint};

use crate::error::CliError;
use crate::profile_files::ProfileFiles;
use crate::session::live::{LiveArgs, LiveView};
use crate::session::new_session::SessionOptions;
use rushhour_core::units::{ParseUnitError, Percent};
use rushhour_report::session::Criterion;

/// A profile, and settings that override it.
#[derive(Debug, Args)]
pub(crate) struct ProfileArgs {
    /// The profile, a TOML file.
    #[arg(value_name = "PROFILE", value_hint = ValueHint::FilePath)]
    pub(crate) profile: PathBuf,
    /// Override one setting, such as `limits.in_flight=50` or `stage.steady.rate=2/s`.
    ///
    /// Takes precedence over the profile and the environment. A stage is named by its name or its number, from 0. May
    /// be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    #[command(flatten)]
    pub(crate) workers: OnWorkersArgs,
    #[command(flatten)]
    pub(crate) files: FurtherFilesArgs,
}

impl ProfileArgs {
    /// A profile as it is in its file.
    #[cfg(feature = "fleet")]
    pub(crate) fn of_file(profile: PathBuf) -> Self {
        let files = FurtherFilesArgs { files: None };
        Self { profile, set: Vec::new(), workers: OnWorkersArgs::default(), files }
    }

    /// Where the files that the profile names may be.
    pub(crate) fn files(&self) -> ProfileFiles {
        self.files.files(&self.profile)
    }

    /// Every setting that overrides the profile's.
    pub(crate) fn overrides(&self) -> Vec<String> {
        let workers = self.workers.workers.iter().map(|nats| format!("workers.nats={nats}"));
        self.set.iter().cloned().chain(workers).collect()
    }
}

/// Where the native callers run.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct OnWorkersArgs {
    /// Have the native callers on the workers that wait on this NATS server, such as `nats://10.0.0.5:4222`.
    ///
    /// The same as `--set workers.nats=NATS`. `rushhour worker` starts one.
    #[arg(long, value_name = "NATS")]
    workers: Option<String>,
}

/// Where else a profile's files may be.
#[derive(Debug, Clone, Args)]
pub(crate) struct FurtherFilesArgs {
    /// Read files that the profile names (scripts, clips, prices, keys) below this folder too, not only below the
    /// profile's own.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    files: Option<PathBuf>,
}

impl FurtherFilesArgs {
    /// Where the files that the profile at `profile` names may be.
    pub(crate) fn files(&self, profile: &Path) -> ProfileFiles {
        ProfileFiles::of_profile(profile, self.files.as_deref())
    }

    /// Where the files may be that the profile in a journal names.
    pub(crate) fn files_of_journal(&self) -> ProfileFiles {
        ProfileFiles::of_journal(self.files.as_deref())
    }
}

/// What decides whether a threshold passed.
#[derive(Debug, Args)]
pub(crate) struct CriterionArgs {
    /// Judge thresholds by the estimate alone, not by its confidence interval.
    #[arg(long)]
    point_estimate: bool,
}

impl CriterionArgs {
    pub(crate) const fn criterion(&self) -> Criterion {
        if self.point_estimate { Criterion::PointEstimate } else { Criterion::Interval }
    }
}

/// How a session is run from this terminal.
#[derive(Debug, Args)]
pub(crate) struct InteractionArgs {
    /// Show no progress.
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Start without asking, whatever the forecast cost.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// The folder in which sessions are created.
#[derive(Debug, Args)]
pub(crate) struct OutArgs {
    /// The folder in which to create the session's folder.
    #[arg(long, value_name = "FOLDER", default_value = "reports", value_hint = ValueHint::DirPath)]
    pub(crate) out: PathBuf,
}

/// Permission for a large load test of LiveKit Cloud.
#[derive(Debug, Args)]
pub(crate) struct CloudArgs {
    /// Confirm that LiveKit agreed to a load test of more than 50 rooms at once on LiveKit Cloud.
    #[arg(long)]
    pub(crate) accept_cloud_limits: bool,
}

/// How to run a new session.
#[derive(Debug, Args)]
pub(crate) struct NewSessionArgs {
    #[command(flatten)]
    out: OutArgs,
    #[command(flatten)]
    criterion: CriterionArgs,
    #[command(flatten)]
    pub(crate) interaction: InteractionArgs,
    #[command(flatten)]
    pub(crate) cloud: CloudArgs,
    #[command(flatten)]
    live: LiveArgs,
}

impl NewSessionArgs {
    /// Listens where the user wants to watch the session.
    pub(crate) fn start_live(&self) -> Result<Option<LiveView>, CliError> {
        self.live.start(self.criterion())
    }

    /// The options of a session with a profile that names these files.
    pub(crate) fn options<'a>(
        &'a self,
        files: &'a ProfileFiles,
        live: Option<&'a LiveView>,
    ) -> SessionOptions<'a> {
        SessionOptions {
            files,
            out: &self.out.out,
            quiet: self.interaction.quiet,
            print_summary: true,
            criterion: self.criterion.criterion(),
            live: live.map(LiveView::feed),
            stopped_by: None,
        }
    }

    pub(crate) const fn criterion(&self) -> Criterion {
        self.criterion.criterion()
    }
}

/// A session that was run before.
#[derive(Debug, Args)]
pub(crate) struct SessionArgs {
    /// The session's folder, or its journal.
    #[arg(value_name = "SESSION", value_hint = ValueHint::AnyPath)]
    pub(crate) session: PathBuf,
}

/// Where the files are that a profile in a journal names.
#[derive(Debug, Args)]
pub(crate) struct ProfileFilesArgs {
    /// The folder of the original profile: the files it names are read below it, keys only if it is given.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    files: Option<PathBuf>,
}

impl ProfileFilesArgs {
    /// Where the files that the profile in a journal names may be.
    pub(crate) fn files(&self) -> ProfileFiles {
        ProfileFiles::of_journal(self.files.as_deref())
    }
}

/// Parses a value; the error also says what would be accepted.
pub(crate) fn parse_unit<T: FromStr<Err = ParseUnitError>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: ParseUnitError| format!("{error}; {}", error.hint))
}

/// Parses `NAME=SHARE`, such as `drop=5%`.
pub(crate) fn parse_share<T>(text: &str) -> Result<(T, Percent), String>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    let (name, share) =
        text.split_once('=').ok_or("write a name and a share, such as `some_fault=5%`")?;
    let name = name.trim().parse().map_err(|error: T::Err| error.to_string())?;
    Ok((name, parse_unit(share)?))
}

/// A help text, and below it a list of names and what each means.
pub(crate) fn help_with_list(
    help: &str,
    entries: impl Iterator<Item = (&'static str, &'static str)>,
) -> String {
    let entries: Vec<_> = entries.collect();
    let width = entries.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let lines = entries.iter().map(|(name, meaning)| format!("\n  {name:<width$}  {meaning}"));
    help.to_owned() + &lines.collect::<String>()
}
