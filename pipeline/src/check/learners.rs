//! Checks of the learners: parameters that name features, and their ranges.

use super::{Check, is_category};
use crate::keys::learner;
use serde_json::Value;
use trueup_learner::learners::{BuildError, LearnerSpec, Shape};

impl Check<'_> {
    pub(super) fn learners(&mut self) {
        let pipeline = self.pipeline;
        if pipeline.features.is_empty() {
            self.warning(
                "features",
                "no features: every question gets the same correction",
                "name columns in [features], such as `carrier = \"category\"`",
            );
        }
        self.one("learner", &pipeline.learner);
        for (i, challenger) in pipeline.challengers.iter().enumerate() {
            let path = format!("challenger[{i}]");
            self.one(&path, challenger);
            let before = &pipeline.challengers[..i];
            if pipeline.learner == *challenger || before.contains(challenger) {
                let message = format!("the same learner twice: `{}`", challenger.kind());
                let remedy = "give it other parameters, or remove it";
                self.error(&format!("{path}.kind"), message, remedy);
            }
        }
    }

    fn one(&mut self, path: &str, spec: &LearnerSpec) {
        let faults_before = self.found.len();
        for (key, value) in learner::to_json(spec).as_object().into_iter().flatten() {
            for (i, group) in lists(value).enumerate() {
                for (j, name) in lists_of_texts(group) {
                    self.category(&format!("{path}.{key}[{i}][{j}]"), name);
                }
            }
        }
        if self.found.len() > faults_before {
            return;
        }
        match spec.build(&self.shape()) {
            Ok(_) => {}
            Err(BuildError::Parameter { name, range }) => {
                let at = format!("{path}.{name}");
                let params = learner::to_json(spec);
                let value = params.get(name).map(Value::to_string).unwrap_or_default();
                let message = format!("`{name}` is out of range: `{value}`");
                self.error(&at, message, format!("`{name}` must be {range}"));
            }
            Err(BuildError::NotACategory(name)) => {
                self.category(path, &name);
            }
        }
    }

    fn shape(&self) -> Shape {
        let of = |wanted: bool| {
            let features = self.pipeline.features.iter();
            let chosen = features.filter(|feature| is_category(&feature.kind) == wanted);
            chosen.map(|feature| feature.name.clone()).collect()
        };
        Shape { categories: of(true), numbers: of(false), objective: self.pipeline.objective }
    }
}

/// The members of a list that are lists themselves.
fn lists(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten().filter(|member| member.is_array())
}

fn lists_of_texts(group: &Value) -> impl Iterator<Item = (usize, &str)> {
    let members = group.as_array().into_iter().flatten().enumerate();
    members.filter_map(|(j, name)| Some((j, name.as_str()?)))
}
