//! JSON lines that carry their own digest: a changed or missing byte is always noticed.
//!
//! The form is `{"WHAT":BODY,"sha256":"DIGEST OF BODY"}` and a line feed, byte for byte. The body
//! is hashed as it stands and only then parsed.

use crate::digest::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of every file's format.
pub(crate) const FORMAT: u32 = 1;

const HEX: usize = 64;

/// What stands in every body, whatever its format.
#[derive(Deserialize)]
struct Head {
    format: u32,
}

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
    let head: Head = serde_json::from_slice(body).map_err(|_| Broken::Damaged("its format"))?;
    if head.format != FORMAT {
        return Err(Broken::Format(head.format));
    }
    serde_json::from_slice(body).map_err(|_| Broken::Damaged("its fields"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Body {
        format: u32,
        text: String,
    }

    #[test]
    fn a_line_comes_back_whole_or_not_at_all() {
        let body = Body { format: FORMAT, text: "ü \" }\n".to_owned() };
        let line = seal("body", &body);
        assert_eq!(open::<Body>("body", &line).unwrap(), body);
        assert!(open::<Body>("other", &line).is_err());
        for at in 0..line.len() {
            assert!(open::<Body>("body", &line[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut changed = line.clone();
                changed[at] ^= 1 << bit;
                assert!(open::<Body>("body", &changed).is_err(), "bit {bit} of byte {at}");
            }
        }
        let spaced = [&line[..], b" "].concat();
        assert!(open::<Body>("body", &spaced).is_err());
    }

    #[test]
    fn another_format_is_told_apart_from_damage() {
        let newer = Body { format: FORMAT + 1, text: String::new() };
        let broken = open::<Body>("body", &seal("body", &newer)).unwrap_err();
        assert_eq!(broken, Broken::Format(FORMAT + 1));
    }
}
