//! Rust files as the tests of style see them: their code without comments and texts.

use std::path::{Path, PathBuf};

/// A Rust file of the repository.
#[derive(Debug)]
pub(super) struct Source {
    /// Relative to the root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
    /// The text with every comment, string and character blanked out, line by line.
    pub(super) code: String,
}

/// All Rust files, sorted.
pub(super) fn sources(root: &Path) -> Vec<Source> {
    let source = |path: PathBuf| {
        let text = super::read(&path);
        let code = blanked(&text);
        Source { path: path.display().to_string().replace('\\', "/"), text, code }
    };
    let sources: Vec<_> = files(root, &["rs"]).into_iter().map(source).collect();
    assert!(sources.len() > 50, "the files were found");
    sources
}

/// All files with one of these extensions, relative to the root and sorted; what is hidden, built
/// or fetched is passed over.
pub(super) fn files(root: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut folders = vec![root.to_path_buf()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder can be read") {
            let path = entry.expect("a folder can be read").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or(".");
            if name.starts_with('.') || ["artifacts", "book", "corpus", "target"].contains(&name) {
                continue;
            }
            let extension = path.extension().and_then(|extension| extension.to_str());
            if path.is_dir() {
                folders.push(path);
            } else if extensions.contains(&extension.unwrap_or("")) {
                found.push(path.strip_prefix(root).expect("it is beneath").to_path_buf());
            }
        }
    }
    found.sort();
    found
}

/// The identifiers, keywords and numbers of a line.
pub(super) fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

impl Source {
    /// Whether all of it serves tests or benches.
    pub(super) fn is_test(&self) -> bool {
        let folders = ["tests", "benches", "examples"];
        self.path.split('/').any(|part| folders.contains(&part)) || self.path.ends_with("/tests.rs")
    }

    /// Whether cargo compiles it as the root of a crate.
    pub(super) fn is_crate_root(&self) -> bool {
        let parts: Vec<_> = self.path.split('/').collect();
        matches!(
            parts[..],
            [.., "src", "lib.rs" | "main.rs"]
                | [.., "tests", "it", "main.rs"]
                | [.., "benches" | "examples" | "fuzz_targets", _]
        )
    }

    /// The lines up to the tests inside the file.
    pub(super) fn code_lines(&self) -> usize {
        let lines: Vec<_> = self.text.lines().collect();
        let is_tests = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ");
        lines.windows(2).position(is_tests).unwrap_or(lines.len())
    }

    /// Every function with a body, with its number of lines from `fn` to the closing brace.
    pub(super) fn functions(&self) -> Vec<(String, usize)> {
        let mut found = Vec::new();
        for (start, _) in self.code.match_indices("fn ") {
            let is_word = self.code[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let name = words(&self.code[start + 3..]).next().unwrap_or_default();
            let is_named = self.code[start + 3..].trim_start().starts_with(name);
            if is_word || name.is_empty() || !is_named {
                continue;
            }
            if let Some(len) = body_end(&self.code[start..]) {
                let lines = self.code[start..start + len].lines().count();
                found.push((name.to_owned(), lines));
            }
        }
        found
    }

    /// For each `mod name;`, the files that it may stand for.
    pub(super) fn modules(&self) -> Vec<Vec<PathBuf>> {
        let path = Path::new(&self.path);
        let folder = path.parent().expect("a file is in a folder");
        let stem = path.file_stem().expect("a file has a name");
        let beneath = if self.is_crate_root() { folder.to_path_buf() } else { folder.join(stem) };
        let mut found = Vec::new();
        let mut told = None;
        for (code, text) in self.code.lines().zip(self.text.lines()) {
            if code.trim_start().starts_with("#[path") {
                told = text.split('"').nth(1).map(|told| normal(&folder.join(told)));
            }
            let Some(declared) = code.trim_end().strip_suffix(';') else { continue };
            let mut words = words(declared).skip_while(|word| ["pub", "crate"].contains(word));
            if let (Some("mod"), Some(name), None) = (words.next(), words.next(), words.next()) {
                let file = beneath.join(format!("{name}.rs"));
                let candidates = vec![file, beneath.join(name).join("mod.rs")];
                found.push(told.take().map_or(candidates, |told| vec![told]));
            }
        }
        found
    }
}

/// A path without its `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path {
        if part == ".." {
            normal.pop();
        } else {
            normal.push(part);
        }
    }
    normal
}

/// Where the body of a function ends, from its `fn`; none for a declaration alone.
fn body_end(code: &str) -> Option<usize> {
    let (mut braces, mut parens) = (0_usize, 0_usize);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => parens += 1,
            ')' | ']' => parens = parens.checked_sub(1)?,
            ';' if braces == 0 && parens == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces = braces.checked_sub(1)?;
                if braces == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// What the scanner is inside of.
enum Inside {
    Code,
    LineComment,
    /// Nested so deep.
    BlockComment(usize),
    Text,
    /// Closed by a quote and so many `#`.
    RawText(usize),
}

/// The text with every comment, string and character blanked out, line by line.
fn blanked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut inside = Inside::Code;
    let mut at = 0;
    while at < chars.len() {
        let (next, len) = step(&chars, at, &inside);
        let is_code = matches!((&inside, &next), (Inside::Code, Inside::Code)) && len == 1;
        for &c in &chars[at..at + len] {
            code.push(if is_code || c == '\n' { c } else { ' ' });
        }
        inside = next;
        at += len;
    }
    code
}

/// What the scanner is inside of after the next few characters, and how many these are.
fn step(chars: &[char], at: usize, inside: &Inside) -> (Inside, usize) {
    let is = |text: &str| text.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    match *inside {
        Inside::Code if is("//") => (Inside::LineComment, 2),
        Inside::Code if is("/*") => (Inside::BlockComment(1), 2),
        Inside::Code if is("\"") => (Inside::Text, 1),
        Inside::Code if is("r\"") || is("r#") || is("br\"") || is("br#") => raw(chars, at),
        Inside::Code if is("'") => (Inside::Code, character(&chars[at..])),
        Inside::Code => (Inside::Code, 1),
        Inside::LineComment if is("\n") => (Inside::Code, 1),
        Inside::LineComment => (Inside::LineComment, 1),
        Inside::BlockComment(1) if is("*/") => (Inside::Code, 2),
        Inside::BlockComment(deep) if is("*/") => (Inside::BlockComment(deep - 1), 2),
        Inside::BlockComment(deep) if is("/*") => (Inside::BlockComment(deep + 1), 2),
        Inside::BlockComment(deep) => (Inside::BlockComment(deep), 1),
        Inside::Text if is("\\") => (Inside::Text, 2),
        Inside::Text if is("\"") => (Inside::Code, 1),
        Inside::Text => (Inside::Text, 1),
        Inside::RawText(hashes) if is(&format!("\"{}", "#".repeat(hashes))) => {
            (Inside::Code, 1 + hashes)
        }
        Inside::RawText(hashes) => (Inside::RawText(hashes), 1),
    }
}

/// A raw string, if one begins here and no identifier such as `r#type`.
fn raw(chars: &[char], at: usize) -> (Inside, usize) {
    let is_inside_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    let letters = chars[at..].iter().take_while(|c| c.is_ascii_alphabetic()).count();
    let hashes = chars[at + letters..].iter().take_while(|c| **c == '#').count();
    let opens = chars.get(at + letters + hashes) == Some(&'"');
    if opens && !is_inside_word {
        (Inside::RawText(hashes), letters + hashes + 1)
    } else {
        (Inside::Code, 1)
    }
}

/// How long the character literal is that begins here; 1 for a lifetime.
fn character(chars: &[char]) -> usize {
    match chars {
        ['\'', '\\', _, rest @ ..] => {
            3 + rest.iter().position(|c| *c == '\'').map_or(0, |end| end + 1)
        }
        ['\'', _, '\'', ..] => 3,
        _ => 1,
    }
}

#[test]
fn comments_and_texts_are_no_code() {
    let text = "fn a() { \"}\"; '}'; '\\''; r#\"}\"#; /* } /* } */ } */ } // fn b() {}\n\
                fn c<'a>(x: [u8; 3]) {\n}\nfn d();\nlet r#fn = b\"{\";\n";
    let code = blanked(text);
    let source = Source { path: "a/src/b.rs".into(), text: text.into(), code };
    let lines = source.functions();
    assert_eq!(lines, [("a".to_owned(), 1), ("c".to_owned(), 2)], "{}", source.code);
    assert_eq!(source.code.lines().count(), text.lines().count());
}
