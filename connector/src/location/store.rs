//! Opens object stores: the local disk, and with the feature `cloud` those of S3, GCS and Azure,
//! which take their credentials and endpoints from the environment (`AWS_*`, `GOOGLE_*`,
//! `AZURE_*`).

use crate::error::Error;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use std::path::Path;
use std::sync::Arc;

const CLOUD_SCHEMES: [&str; 8] = ["s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss"];

/// The local disk from `folder` downwards.
pub(super) fn local(folder: &Path) -> Result<Arc<dyn ObjectStore>, Error> {
    let absolute = std::path::absolute(folder)
        .map_err(|error| Error::disk("cannot resolve the folder", folder, error))?;
    let store = LocalFileSystem::new_with_prefix(&absolute).map_err(|error| {
        Error::store("cannot open the folder", &folder.display().to_string(), error)
    })?;
    Ok(Arc::new(store))
}

/// The store of a URL.
pub(super) fn open(
    scheme: &str,
    authority: &str,
    written: &str,
) -> Result<Arc<dyn ObjectStore>, Error> {
    match scheme {
        _ if CLOUD_SCHEMES.contains(&scheme) => cloud(scheme, authority, written),
        "memory" => Err(Error::invalid(format!("a store in memory has no address: `{written}`"))
            .with_hint("hand the store over with `Dataset::open_in`")),
        _ => Err(Error::invalid(format!("unknown kind of location: `{scheme}://`"))
            .with_hint("use a path, `file://`, `s3://`, `gs://` or `az://`")),
    }
}

#[cfg(not(feature = "cloud"))]
fn cloud(scheme: &str, _: &str, written: &str) -> Result<Arc<dyn ObjectStore>, Error> {
    Err(Error::invalid(format!(
        "this build reads local files only, not `{scheme}://`: `{written}`"
    ))
    .with_hint("build with the feature `cloud`: `cargo build --release --features cloud`"))
}

#[cfg(feature = "cloud")]
fn cloud(scheme: &str, authority: &str, written: &str) -> Result<Arc<dyn ObjectStore>, Error> {
    let root = format!("{scheme}://{authority}/");
    let url = url::Url::parse(&root).ok().filter(url::Url::has_host).ok_or_else(|| {
        Error::invalid(format!("no bucket in the location: `{written}`")).with_hint(
            "write `s3://bucket/folder`, `gs://bucket/folder` or `az://container/folder`",
        )
    })?;
    let settings = std::env::vars().filter_map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        ["aws_", "google_", "azure_"].iter().any(|p| name.starts_with(p)).then_some((name, value))
    });
    let (store, _) = object_store::parse_url_opts(&url, settings).map_err(|error| {
        Error::store("cannot open the store", &root, error)
            .with_hint("check the variables `AWS_*`, `GOOGLE_*` or `AZURE_*` of the environment")
    })?;
    Ok(Arc::from(store))
}
