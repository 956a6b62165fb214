//! Wildcards in paths: `*`, `?` and `[a-z]` within a name, `**` for folders at any depth.

/// Whether a name holds a wildcard.
pub(super) fn is_pattern(segment: &str) -> bool {
    segment.contains(['*', '?', '['])
}

/// Whether a name matches a pattern without `/`.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    // Where to go back to when what follows the last star does not match: the star takes one more.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let one = match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, n));
                p += 1;
                continue;
            }
            Some(_) => matches_one(&pattern[p..], name[n]),
            None => None,
        };
        match (one, star) {
            (Some(length), _) => {
                p += length;
                n += 1;
            }
            (None, Some((after, taken))) => {
                star = Some((after, taken + 1));
                (p, n) = (after, taken + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// The length of the pattern's first item if `c` matches it.
fn matches_one(pattern: &[char], c: char) -> Option<usize> {
    match pattern[0] {
        '?' => Some(1),
        '[' => match pattern.iter().skip(2).position(|c| *c == ']') {
            Some(end) => in_class(&pattern[1..end + 2], c).then_some(end + 3),
            None => (c == '[').then_some(1),
        },
        literal => (literal == c).then_some(1),
    }
}

/// Whether `c` is in `a-z_` or not in `!a-z_`.
fn in_class(class: &[char], c: char) -> bool {
    let (negated, mut rest) = match class {
        ['!' | '^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut found = false;
    while let [first, after @ ..] = rest {
        rest = after;
        found |= match after {
            ['-', last, after @ ..] => {
                rest = after;
                (*first..=*last).contains(&c)
            }
            _ => *first == c,
        };
    }
    found != negated
}

/// Whether a path matches a pattern whose segments may be `**`: no folder, or any number of them. A
/// pattern that ends in `**` matches every file beneath.
pub(super) fn matches_path(pattern: &[String], path: &[String]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, rest) => rest.is_none(),
        (Some((first, [])), _) if first == "**" => !path.is_empty(),
        (Some((first, rest)), _) if first == "**" => {
            (0..path.len()).any(|skipped| matches_path(rest, &path[skipped..]))
        }
        (Some(_), None) => false,
        (Some((first, rest)), Some((name, below))) => {
            matches(first, name) && matches_path(rest, below)
        }
    }
}
