//! JSON lines that carry their own digest: a changed or missing byte is always noticed.
//!
//! The form is `{"WHAT":BODY,"sha256":"DIGEST OF BODY"}` and a line feed, byte for byte. The body is
//! hashed as it stands and only then parsed, so no two files mean the same.

use crate::digest::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of every file's format.
pub(crate) const FORMAT: u32 = 1;

const HEX: usize = 64;

/// Why some bytes are not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Cut, changed, or never ours.
    Damaged(&'static str),
    /// Whole, but of a format this program does not know.
    Format(u32),
}

/// The line of `body`.
pub(crate) fn seal<T: Serialize>(what: &str, body: &T) -> Vec<u8> {
    let body = serde_json::to_vec(body).expect("plain data has a JSON form");
    let digest = Digest::of(&body).to_string();
    let mut line = Vec::with_capacity(body.len() + what.len() + HEX + 20);
    line.extend_from_slice(format!("{{\"{what}\":").as_bytes());
    line.extend_from_slice(&body);
    line.extend_from_slice(format!(",\"sha256\":\"{digest}\"}}\n").as_bytes());
    line
}

/// The body of a line, once its digest is verified.
pub(crate) fn open<T: DeserializeOwned>(what: &str, line: &[u8]) -> Result<T, Broken> {
    let tail = ",\"sha256\":\"".len() + HEX + "\"}\n".len();
    let head = format!("{{\"{what}\":");
    let rest = line.strip_prefix(head.as_bytes()).ok_or(Broken::Damaged("its beginning"))?;
    let at = rest.len().checked_sub(tail).ok_or(Broken::Damaged("its length"))?;
    let (body, tail) = rest.split_at(at);
    if tail != format!(",\"sha256\":\"{}\"}}\n", Digest::of(body)).as_bytes() {
        return Err(Broken::Damaged("its digest"));
    }
    #[derive(Deserialize)]
    struct Head {
        format: u32,
    }
    let head: Head = serde_json::from_slice(body).map_err(|_| Broken::Damaged("its format"))?;
    if head.format != FORMAT {
        return Err(Broken::Format(head.format));
    }
    serde_json::from_slice(body).map_err(|_| Broken::Damaged("its fields"))
}
