//! `trueup serve`: corrections over HTTP, with the versions that the registry names.

use crate::failure::Failure;
use crate::setup::Setup;
use crate::{logs, signals, stores, words};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use trueup_registry::{ModelName, Registry};
use trueup_serving_bridge::{Bridge, BridgeOptions, Models, Server, ServerOptions};

/// Answer corrections over HTTP, and follow promotions and rollbacks.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// The models; by default every one of the registry.
    #[arg(value_name = "MODEL")]
    names: Vec<String>,

    /// The environment of `trueup.toml`; by default its `default_environment`.
    #[arg(long, value_name = "NAME")]
    env: Option<String>,

    /// A registry's folder or address, instead of that of an environment.
    #[arg(long, value_name = "LOCATION", conflicts_with = "env")]
    registry: Option<String>,

    /// Where to listen; port 0 is any free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// Allow `--listen` on an address that other machines reach.
    #[arg(long)]
    allow_remote: bool,

    /// The alias whose version answers.
    #[arg(long, value_name = "ALIAS", default_value = "champion")]
    alias: String,

    /// How often the registry is asked, in milliseconds.
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    poll_milliseconds: u64,

    /// Not ready when the last label of a version is older than this by the wall clock, in seconds.
    #[arg(long, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    stale_after: Option<u64>,

    /// Write logs as lines of JSON.
    #[arg(long)]
    json_logs: bool,
}

impl Serve {
    pub(crate) fn run(&self, project: &Path) -> Result<ExitCode, Failure> {
        words::check_address(self.listen, self.allow_remote)?;
        logs::begin(self.json_logs);
        let registry = registry(project, self.env.as_deref(), self.registry.as_deref())?;
        let bridge = Bridge::open(registry, self.options()?).map_err(anyhow::Error::from)?;
        let options = ServerOptions {
            staleness_max: self.stale_after.map(Duration::from_secs),
            ..ServerOptions::default()
        };
        let stop = signals::Stop::default();
        signals::listen(&stop)?;
        trueup_connector::runtime()?.block_on(async {
            let server = Server::bind(self.listen, bridge, options).await.map_err(|error| {
                let message = format!("cannot listen on `{}`: {error}", self.listen);
                let hint = "choose another `--listen`, such as `127.0.0.1:0`".to_owned();
                Failure::Operation(anyhow::anyhow!(message), Some(hint))
            })?;
            let address = server.local_addr().map_err(anyhow::Error::from)?;
            words::out(&format!("listening on http://{address}\n"));
            server.serve(stop.stopped()).await;
            Ok(ExitCode::SUCCESS)
        })
    }

    fn options(&self) -> Result<BridgeOptions, Failure> {
        let mut names = Vec::new();
        for name in &self.names {
            names.push(ModelName::new(name.as_str()).map_err(|error| {
                Failure::Usage(
                    format!("not the name of a model: `{name}`"),
                    Some(error.to_string()),
                )
            })?);
        }
        Ok(BridgeOptions {
            models: if names.is_empty() { Models::All } else { Models::Named(names) },
            alias: stores::alias_name(&self.alias)?,
            poll: Duration::from_millis(self.poll_milliseconds),
            ..BridgeOptions::default()
        })
    }
}

/// The registry at a location, or else of an environment.
pub(crate) fn registry(
    project: &Path,
    environment: Option<&str>,
    location: Option<&str>,
) -> Result<Registry, Failure> {
    let Some(location) = location else {
        return stores::registry(&Setup::load(project, environment)?);
    };
    let here = std::env::current_dir().map_err(anyhow::Error::from)?;
    Ok(Registry::open(stores::at(trueup_connector::store(location, &here)?)?))
}
