//! The reference page of every key, made from the table of keys.

use crate::keys::features::FORMS;
use crate::keys::{Choice, Need, Section, Shape, learner, pipeline, project};

/// The page, in Markdown.
#[must_use]
pub fn reference_markdown() -> String {
    let mut page = String::from("# Keys of a project and its pipelines\n");
    page.push_str("\n## `pipelines/NAME.toml`\n");
    sections(&mut page, &pipeline::ROOT);
    page.push_str("\n### Features\n\n| `as` | takes | makes |\n|---|---|---|\n");
    for form in FORMS {
        let takes: Vec<String> = form.takes.iter().map(|key| format!("`{key}`")).collect();
        row(&mut page, &[&code(form.name), &takes.join(", "), form.about]);
    }
    page.push_str("\n### Learners\n");
    for kind in learner::kinds() {
        page.push_str(&format!("\n#### `kind = \"{}\"`\n\n{}.\n\n", kind.name, kind.about));
        page.push_str("| parameter | default | meaning |\n|---|---|---|\n");
        for param in learner::params(kind.name).unwrap_or_default() {
            let default = match &param.default {
                serde_json::Value::Null => String::new(),
                default => code(&default.to_string()),
            };
            row(&mut page, &[&code(&param.name), &default, &param.about]);
        }
    }
    page.push_str("\n### Metrics\n\n| metric | meaning |\n|---|---|\n");
    for metric in learner::metrics() {
        row(&mut page, &[&code(metric.name), metric.about]);
    }
    page.push_str("\n## `trueup.toml`\n");
    sections(&mut page, &project::ROOT);
    page
}

fn sections(page: &mut String, root: &'static Section) {
    for section in root.all() {
        let mut title = section.title.chars();
        let first: String = title.next().into_iter().flat_map(char::to_uppercase).collect();
        let title = match first.as_str() {
            "[" => format!("`{}`", section.title),
            _ if std::ptr::eq(section, root) => "The top of the file".to_owned(),
            _ if section.title.contains('.') => format!("`{}`", section.title),
            _ => format!("{first}{}", title.as_str()),
        };
        page.push_str(&format!("\n### {title}\n\n{}\n\n", section.about));
        page.push_str("| key | value | default | meaning |\n|---|---|---|---|\n");
        for key in section.keys {
            let default = match key.need {
                Need::Required => "required".to_owned(),
                Need::Default(text) => code(text),
                Need::Optional(absent) => absent.to_owned(),
            };
            row(page, &[&code(key.name), &code(key.example), &default, key.about]);
        }
        for key in section.keys {
            choices(page, key.name, &key.shape);
        }
    }
}

/// The words a key may have, where they are few and not listed elsewhere.
fn choices(page: &mut String, key: &str, shape: &Shape) {
    let words: Vec<Choice> = match shape {
        Shape::Choice(choices) => choices(),
        Shape::Either(shapes) => return shapes.iter().for_each(|shape| choices(page, key, shape)),
        Shape::Text
        | Shape::Event
        | Shape::Column
        | Shape::Category
        | Shape::Zone
        | Shape::ZoneOrOffset
        | Shape::Duration(_)
        | Shape::Number(_)
        | Shape::Count
        | Shape::List(_)
        | Shape::Table(_)
        | Shape::Map { .. } => return,
    };
    if ["as", "kind", "metric"].contains(&key) {
        return;
    }
    let words: Vec<String> =
        words.iter().map(|word| format!("`\"{}\"`: {}", word.name, word.about)).collect();
    page.push_str(&format!("\n`{key}` may be {}.\n", words.join("; ")));
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn row(page: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    page.push_str(&format!("| {} |\n", cells.join(" | ")));
}
