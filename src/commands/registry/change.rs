//! `trueup registry promote`, `rollback`, `quarantine` and `gc`: what a person decides.

use super::{Context, find, print, split};
use crate::daemon::now_micros;
use crate::failure::Failure;
use crate::{stores, words};
use serde_json::json;
use std::process::ExitCode;
use trueup_registry::{
    AliasName, Commit, Expect, GcMode, GcPolicy, ModelRegistry, Moved, RollbackTo,
};

/// Who, why, and on what condition.
#[derive(Debug, clap::Args)]
pub(crate) struct Word {
    /// The alias that is moved.
    #[arg(long, value_name = "ALIAS", default_value = "champion")]
    alias: String,

    /// Only if the alias names this version now; `none` is none.
    #[arg(long, value_name = "VERSION")]
    expect: Option<String>,

    /// Why, for the log.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,

    /// Who, for the log; by default the name you are logged in by.
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,

    /// Say what would happen, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Word {
    fn alias(&self) -> Result<AliasName, Failure> {
        stores::alias_name(&self.alias)
    }

    fn expect(&self) -> Result<Expect, Failure> {
        match self.expect.as_deref() {
            None => Ok(Expect::Anything),
            Some("none") => Ok(Expect::Nothing),
            Some(text) => text.parse().map(Expect::Version).map_err(|_| {
                let hint = "write the number of a version, or `none`".to_owned();
                Failure::Usage(format!("not a version: `--expect {text}`"), Some(hint))
            }),
        }
    }

    fn commit(&self) -> Commit {
        commit(self.actor.as_deref(), &self.reason)
    }
}

fn commit(actor: Option<&str>, reason: &str) -> Commit {
    let user = || std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let actor = actor.map_or_else(|| user().unwrap_or("unknown".to_owned()), str::to_owned);
    stores::by_person(&actor, reason)
}

/// Make a version the champion, and end a hold.
#[derive(Debug, clap::Args)]
pub(crate) struct Promote {
    /// The version, such as `flight_eta@12`; `flight_eta@latest` is the newest that may serve.
    #[arg(value_name = "MODEL@VERSION")]
    version: String,

    #[command(flatten)]
    word: Word,
}

impl Promote {
    pub(super) fn run(&self, context: &Context) -> Result<ExitCode, Failure> {
        let (name, text) = split(&self.version);
        let (mut model, version) = match text {
            "latest" => {
                let model = context.model(name)?;
                let version = latest(&model)?;
                (model, version)
            }
            _ => {
                let (model, found) = find(context, &self.version)?;
                (model, found.version)
            }
        };
        let (alias, expect) = (self.word.alias()?, self.word.expect()?);
        if self.word.dry_run {
            model.check_promote(&alias, version, expect)?;
            return would(context, &model, &alias, Some(version));
        }
        let moved = model.promote(&alias, version, expect, &self.word.commit())?;
        tell(context, name, &alias, &moved)
    }
}

/// The newest version that is not in quarantine.
fn latest(model: &ModelRegistry) -> Result<u64, Failure> {
    let versions = model.state().versions().values().rev();
    let good = versions.filter(|version| !version.is_quarantined);
    good.map(|version| version.summary.version).next().ok_or_else(|| {
        let message = format!("no version may serve: `{}`", model.state().model());
        Failure::Operation(anyhow::anyhow!(message), None)
    })
}

/// Go back to an earlier version and hold it until a promotion.
#[derive(Debug, clap::Args)]
pub(crate) struct Rollback {
    /// The model.
    #[arg(value_name = "MODEL")]
    model: String,

    /// Where to: `previous`, a version's number, or `primary` for the primary estimate alone.
    #[arg(long, value_name = "VERSION", default_value = "previous")]
    to: String,

    #[command(flatten)]
    word: Word,
}

impl Rollback {
    pub(super) fn run(&self, context: &Context) -> Result<ExitCode, Failure> {
        let mut model = context.model(&self.model)?;
        let alias = self.word.alias()?;
        let (to, version) = match self.to.as_str() {
            "previous" => (RollbackTo::Previous, model.state().previous(&alias)),
            "primary" => (RollbackTo::Primary, None),
            text => {
                let version = model.resolve(text)?.version;
                (RollbackTo::Version(version), Some(version))
            }
        };
        let expect = self.word.expect()?;
        if self.word.dry_run {
            model.check_rollback(&alias, to, expect)?;
            return would(context, &model, &alias, version);
        }
        let moved = model.rollback(&alias, to, expect, &self.word.commit())?;
        tell(context, &self.model, &alias, &moved)
    }
}

/// Mark a version as bad: it is never promoted again.
#[derive(Debug, clap::Args)]
pub(crate) struct Quarantine {
    /// The version, such as `flight_eta@12`.
    #[arg(value_name = "MODEL@VERSION")]
    version: String,

    /// Why, for the log.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,

    /// Who, for the log; by default the name you are logged in by.
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
}

impl Quarantine {
    pub(super) fn run(&self, context: &Context) -> Result<ExitCode, Failure> {
        let (mut model, found) = find(context, &self.version)?;
        let commit = commit(self.actor.as_deref(), &self.reason);
        let entry = model.quarantine(found.version, &commit)?;
        let alias = model.state().aliases().get(&AliasName::champion());
        let champion = alias.and_then(|alias| alias.version);
        let value = json!({ "version": found.version, "entry": entry, "champion": champion });
        let state = if entry.is_some() { "is in quarantine" } else { "was in quarantine already" };
        let champion = named(champion);
        let line = format!("version {} {state}; champion is {champion}", found.version);
        print(context, &value, &[vec![line]]);
        Ok(ExitCode::SUCCESS)
    }
}

/// Give up old versions and delete what only they need.
#[derive(Debug, clap::Args)]
pub(crate) struct Gc {
    /// The model.
    #[arg(value_name = "MODEL")]
    model: String,

    /// How many of the newest versions are kept.
    #[arg(long, value_name = "N", default_value_t = 60)]
    keep_last: usize,

    /// Of how many hours back the newest version of each is kept.
    #[arg(long, value_name = "N", default_value_t = 48)]
    keep_hourly_hours: u32,

    /// Of how many days back the newest version of each is kept.
    #[arg(long, value_name = "N", default_value_t = 90)]
    keep_daily_days: u32,

    /// Nothing younger is deleted, in minutes.
    #[arg(long, value_name = "N", default_value_t = 60)]
    grace_minutes: u32,

    /// Say what would go, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Gc {
    pub(super) fn run(&self, context: &Context) -> Result<ExitCode, Failure> {
        let mut model = context.model(&self.model)?;
        let policy = GcPolicy {
            keep_last: self.keep_last,
            keep_hourly_hours: self.keep_hourly_hours,
            keep_daily_days: self.keep_daily_days,
            grace_micros: i64::from(self.grace_minutes) * 60_000_000,
            ..GcPolicy::at(now_micros())
        };
        let mode = if self.dry_run { GcMode::DryRun } else { GcMode::Apply };
        let plan = model.gc(&policy, mode, &commit(None, "collected"))?;
        let [gave, deleted] = match self.dry_run {
            true => ["would give up", "delete"],
            false => ["gave up", "deleted"],
        };
        let line = format!(
            "{gave} {} versions and {deleted} {} files of {} bytes; {} more go after the grace \
             period",
            plan.versions.len(),
            plan.files.len(),
            plan.size_bytes(),
            plan.condemned.len(),
        );
        print(context, &plan, &[vec![line]]);
        Ok(ExitCode::SUCCESS)
    }
}

fn named(version: Option<u64>) -> String {
    version.map_or("none (the primary estimate)".to_owned(), |version| version.to_string())
}

fn would(
    context: &Context,
    model: &ModelRegistry,
    alias: &AliasName,
    to: Option<u64>,
) -> Result<ExitCode, Failure> {
    let from = model.state().aliases().get(alias).and_then(|alias| alias.version);
    let value = json!({ "alias": alias, "from": from, "to": to, "is_done": false });
    let line = format!("would move {alias} from {} to {}", named(from), named(to));
    print(context, &value, &[vec![line]]);
    Ok(ExitCode::SUCCESS)
}

fn tell(
    context: &Context,
    model: &str,
    alias: &AliasName,
    moved: &Moved,
) -> Result<ExitCode, Failure> {
    let Moved { entry, from, to } = *moved;
    let value = json!({ "alias": alias, "from": from, "to": to, "entry": entry, "is_done": true });
    let (from, to) = (named(from), named(to));
    let rows = match entry {
        Some(_) => vec![vec![format!("{alias} of {model}: {from} -> {to}")]],
        None => vec![vec![format!("{alias} of {model} is {to} already")]],
    };
    print(context, &value, &rows);
    if entry.is_some() && !context.json {
        words::say("servers follow at once; a running learner obeys it as a control input");
    }
    Ok(ExitCode::SUCCESS)
}
