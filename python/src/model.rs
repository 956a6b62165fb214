//! `trueup.load`: a version of the registry that answers in the process.
//!
//! The rules are those of the serving bridge: a version whose last label is too old for a question
//! leaves it to the primary estimate, unless a person holds it; what cannot serve its feature is
//! refused, not guessed. Nothing here follows an alias by itself: [`Model::refresh`] does.

use crate::arrow_io::Table;
use crate::error::Failure;
use crate::question::{Question, Questions, floor_micros};
use arrow::array::{ArrayRef, Float64Array, StringArray};
use arrow::record_batch::RecordBatch;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use pyo3_arrow::PyRecordBatchReader;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use trueup_backtest::publication;
use trueup_event::EventTime;
use trueup_learner::features::{FeatureSet, Value};
use trueup_learner::model::{Model as Learned, Scratch};
use trueup_learner::spec::Spec;
use trueup_registry::store::Disk;
use trueup_registry::{AliasName, ModelName, ModelRegistry, Registry};

/// A version of a registry that answers questions.
#[pyclass(frozen, module = "trueup")]
#[derive(Debug)]
pub(crate) struct Model {
    name: String,
    /// The alias, number or digest that was asked for.
    wanted: String,
    registry: Mutex<ModelRegistry>,
    current: Mutex<Arc<Current>>,
}

/// What answers.
#[derive(Debug)]
struct Current {
    /// The version, or why the primary estimate answers alone.
    served: Result<Served, &'static str>,
    definition: Definition,
}

#[derive(Debug)]
struct Served {
    version: u64,
    digest: String,
    trained_until: EventTime,
    is_held: bool,
    lineage: usize,
    model: Learned,
}

/// What is needed to read questions.
#[derive(Debug, PartialEq)]
struct Definition {
    spec: Spec,
    time: String,
    /// The columns that are read, by name.
    columns: Vec<String>,
}

/// An answer, or why there is none.
#[derive(Debug)]
struct Answer {
    answer: Option<f64>,
    correction: Option<f64>,
    status: &'static str,
    reason: Option<Cow<'static, str>>,
}

impl From<trueup_registry::Error> for Failure {
    fn from(error: trueup_registry::Error) -> Self {
        let kind = Some(format!("{:?}", error.kind()).to_lowercase());
        let hint = error.hint().map(str::to_owned);
        match Self::operation(&error) {
            Self::Operation { message, .. } => Self::Operation { message, kind, hint },
            other => other,
        }
    }
}

/// Loads a version of a model: `NAME`, `NAME@ALIAS`, `NAME@VERSION` or `NAME@DIGEST`.
#[pyfunction]
#[pyo3(signature = (name, *, registry = PathBuf::from(".trueup/registry")))]
pub(crate) fn load(py: Python<'_>, name: &str, registry: PathBuf) -> Result<Model, Failure> {
    let (name, wanted) = name.split_once('@').unwrap_or((name, "champion"));
    let model = ModelName::new(name).map_err(|error| Failure::operation(&error))?;
    let folder = registry.display().to_string();
    py.detach(|| {
        let store = Disk::open(&registry).map_err(|error| Failure::operation(&error))?;
        let mut registry = Registry::open(Arc::new(store)).model(&model);
        registry.refresh()?;
        if registry.state().versions().is_empty() {
            return Err(Failure::Operation {
                message: format!("no version of the model in registry {folder}: `{name}`"),
                kind: Some("missing".to_owned()),
                hint: Some(format!("publish one with `trueup backtest {name} --publish`")),
            });
        }
        let current = Current::load(&registry, wanted, None)?;
        let (name, wanted) = (name.to_owned(), wanted.to_owned());
        let (registry, current) = (Mutex::new(registry), Mutex::new(Arc::new(current)));
        Ok(Model { name, wanted, registry, current })
    })
}

impl Definition {
    fn load(registry: &ModelRegistry, version: u64) -> Result<Self, Failure> {
        let time = publication::record(registry, version)?.question_time;
        let spec = publication::definition(registry, version)?;
        let features =
            FeatureSet::new(spec.features.clone()).map_err(|error| Failure::operation(&error))?;
        let asked = [spec.question.estimate.as_str(), time.as_str()];
        let columns: BTreeSet<_> = features.columns_needed().into_iter().chain(asked).collect();
        let columns = columns.into_iter().map(str::to_owned).collect();
        Ok(Self { columns, time, spec })
    }
}

impl Current {
    /// What is wanted, from what is at hand where it extends it.
    fn load(
        registry: &ModelRegistry,
        wanted: &str,
        before: Option<&Self>,
    ) -> Result<Self, Failure> {
        let alias = AliasName::new(wanted).ok();
        let alias = alias.and_then(|alias| registry.state().aliases().get(&alias));
        let silent = match alias {
            Some(alias) => alias.version.is_none().then_some("withdrawn"),
            None => (wanted == AliasName::champion().as_str()).then_some("no_version"),
        };
        if let Some(reason) = silent {
            let definition = Definition::load(registry, registry.state().version_last())?;
            return Ok(Self { served: Err(reason), definition });
        }
        let summary = registry.resolve(wanted)?;
        let definition = Definition::load(registry, summary.version)?;
        let lineage = usize::try_from(summary.lineage).unwrap_or(usize::MAX);
        let chain = registry.chain(summary.version)?;
        let kin = before.filter(|before| before.definition == definition).and_then(|before| {
            let served = before.served.as_ref().ok().filter(|served| served.lineage == lineage)?;
            let at = chain.iter().position(|link| link.version == served.version)?;
            Some((served.model.duplicate(), at + 1))
        });
        let fresh = || Learned::new(definition.spec.clone(), lineage);
        let (mut model, from) = match kin {
            Some(kin) => kin,
            None => (fresh().map_err(|error| Failure::operation(&error))?, 0),
        };
        publication::apply(registry, &mut model, &chain[from..])?;
        if !model.is_finite() {
            return Err(Failure::Operation {
                message: format!("a weight is not finite in version `{}`", summary.version),
                kind: Some("corrupt".to_owned()),
                hint: None,
            });
        }
        let served = Served {
            version: summary.version,
            digest: summary.state_digest.clone(),
            trained_until: EventTime::from_micros(summary.trained_until_micros),
            is_held: alias.is_some_and(|alias| alias.is_held),
            lineage,
            model,
        };
        Ok(Self { served: Ok(served), definition })
    }

    /// Answers one question, whose columns `lookup` gives by name.
    fn answer<'v>(
        &self,
        lookup: &dyn Fn(&str) -> Option<Value<'v>>,
        scratch: &mut Scratch,
    ) -> Result<Answer, Cow<'static, str>> {
        let definition = &self.definition;
        let estimate = estimate(&definition.spec.question.estimate, lookup)?;
        let time = time(&definition.time, lookup)?;
        let served = match &self.served {
            Ok(served) => served,
            Err(reason) => return Ok(Answer::primary(estimate, reason)),
        };
        let expires = definition.spec.publish.expires;
        if !served.is_held && served.trained_until.plus(expires) < time {
            return Ok(Answer::primary(estimate, "expired"));
        }
        let named = |name: &str| {
            if name == definition.spec.question.estimate {
                Some(Value::Number(estimate))
            } else if name == definition.time {
                Some(Value::TimeMicros(time.micros()))
            } else {
                lookup(name)
            }
        };
        let corrected = served.model.correct(time, estimate, &named, scratch);
        let answer = corrected.map_err(|refusal| refusal.detail)?;
        let correction = Some(answer - estimate);
        Ok(Answer { answer: Some(answer), correction, status: "corrected", reason: None })
    }
}

type Lookup<'l, 'v> = &'l dyn Fn(&str) -> Option<Value<'v>>;

fn estimate(column: &str, lookup: Lookup<'_, '_>) -> Result<f64, Cow<'static, str>> {
    let estimate = match lookup(column) {
        Some(Value::Number(value)) => value,
        Some(Value::Integer(value)) => value as f64,
        Some(Value::Text(_) | Value::Boolean(_) | Value::TimeMicros(_) | Value::DateDays(_)) => {
            return Err(format!("estimate is not a number: `{column}`").into());
        }
        None => return Err(format!("estimate is missing: `{column}`").into()),
    };
    if estimate.is_finite() {
        Ok(estimate)
    } else {
        Err(format!("estimate is not finite: `{estimate}`").into())
    }
}

/// When a question is asked; now if it does not say.
fn time(column: &str, lookup: Lookup<'_, '_>) -> Result<EventTime, Cow<'static, str>> {
    let wrong = || Cow::Owned(format!("time of the question is no time with its zone: `{column}`"));
    let micros = match lookup(column) {
        None => floor_micros(jiff::Timestamp::now()),
        Some(Value::TimeMicros(micros)) => micros,
        Some(Value::Text(text)) => {
            floor_micros(text.parse::<jiff::Timestamp>().map_err(|_| wrong())?)
        }
        Some(Value::Integer(_) | Value::Number(_) | Value::Boolean(_) | Value::DateDays(_)) => {
            return Err(wrong());
        }
    };
    Ok(EventTime::from_micros(micros))
}

impl Answer {
    fn primary(estimate: f64, reason: &'static str) -> Self {
        Self {
            answer: Some(estimate),
            correction: Some(0.0),
            status: "primary",
            reason: Some(reason.into()),
        }
    }

    fn refused(reason: Cow<'static, str>) -> Self {
        Self { answer: None, correction: None, status: "refused", reason: Some(reason) }
    }

    fn dictionary<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let answer = PyDict::new(py);
        answer.set_item("answer", self.answer)?;
        answer.set_item("correction", self.correction)?;
        answer.set_item("status", self.status)?;
        answer.set_item("reason", self.reason.as_deref())?;
        Ok(answer)
    }
}

impl Model {
    fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn one<'py>(
        current: &Current,
        question: &Bound<'py, PyAny>,
        scratch: &mut Scratch,
    ) -> Result<Bound<'py, PyDict>, Failure> {
        let question = question.cast::<PyDict>().map_err(PyErr::from)?;
        let answer = Question::read(question, &current.definition.columns)
            .map_err(Cow::Owned)
            .and_then(|question| current.answer(&|name| question.get(name), scratch))
            .unwrap_or_else(Answer::refused);
        Ok(answer.dictionary(question.py())?)
    }

    fn table(current: &Current, questions: PyRecordBatchReader) -> Result<Table, Failure> {
        let mut answers = Vec::new();
        let mut scratch = Scratch::default();
        for batch in questions.into_reader()? {
            let batch = batch.map_err(|error| Failure::operation(&error))?;
            let questions = Questions::read(&batch, &current.definition.columns)?;
            for row in 0..questions.len {
                let answer = current.answer(&|name| questions.get(row, name), &mut scratch);
                answers.push(answer.unwrap_or_else(Answer::refused));
            }
        }
        Ok(Table::of(columns(&answers)))
    }
}

fn columns(answers: &[Answer]) -> RecordBatch {
    let number = |of: fn(&Answer) -> Option<f64>| -> ArrayRef {
        Arc::new(answers.iter().map(of).collect::<Float64Array>())
    };
    let status: StringArray = answers.iter().map(|answer| Some(answer.status)).collect();
    let reason: StringArray = answers.iter().map(|answer| answer.reason.as_deref()).collect();
    let columns: [(&str, ArrayRef); 4] = [
        ("answer", number(|answer| answer.answer)),
        ("correction", number(|answer| answer.correction)),
        ("status", Arc::new(status)),
        ("reason", Arc::new(reason)),
    ];
    let columns = columns.map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).expect("every column has a cell per answer")
}

#[pymethods]
impl Model {
    /// Answers a question, a list of questions, or a table of them.
    fn correct<'py>(
        &self,
        py: Python<'py>,
        questions: &Bound<'py, PyAny>,
    ) -> Result<Bound<'py, PyAny>, Failure> {
        let current = self.current();
        let mut scratch = Scratch::default();
        if questions.is_instance_of::<PyDict>() {
            return Ok(Self::one(&current, questions, &mut scratch)?.into_any());
        }
        if questions.hasattr("__arrow_c_stream__")? {
            let reader = questions.extract::<PyRecordBatchReader>()?;
            let table = py.detach(|| Self::table(&current, reader))?;
            return Ok(Bound::new(py, table)?.into_any());
        }
        let answers = PyList::empty(py);
        for question in questions.try_iter()? {
            answers.append(Self::one(&current, &question?, &mut scratch)?)?;
        }
        Ok(answers.into_any())
    }

    /// Reads the registry again, and takes what is named now; whether anything else answers.
    fn refresh(&self, py: Python<'_>) -> Result<bool, Failure> {
        py.detach(|| {
            let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
            registry.refresh()?;
            let before = self.current();
            let next = Current::load(&registry, &self.wanted, Some(&before))?;
            let told = |current: &Current| {
                let served = current.served.as_ref();
                served.map(|served| (served.version, served.is_held)).map_err(|reason| *reason)
            };
            let is_other = told(&before) != told(&next);
            *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
            Ok(is_other)
        })
    }

    /// The model's name.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// The number of the version that answers; `None` when the primary estimate answers alone.
    #[getter]
    fn version(&self) -> Option<u64> {
        self.current().served.as_ref().ok().map(|served| served.version)
    }

    /// The digest of the state that answers; `None` when the primary estimate answers alone.
    #[getter]
    fn digest(&self) -> Option<String> {
        self.current().served.as_ref().ok().map(|served| served.digest.clone())
    }

    /// The time of the last label in it, as a text; `None` when the primary estimate answers alone.
    #[getter]
    fn trained_until(&self) -> Option<String> {
        self.current().served.as_ref().ok().map(|served| served.trained_until.to_string())
    }

    /// The columns that are read of a question; others are passed over.
    #[getter]
    fn columns(&self) -> Vec<String> {
        self.current().definition.columns.clone()
    }

    fn __repr__(&self) -> String {
        let (name, wanted) = (&self.name, &self.wanted);
        match &self.current().served {
            Ok(served) => format!("Model({name}@{wanted}: version {})", served.version),
            Err(reason) => format!("Model({name}@{wanted}: primary estimate, {reason})"),
        }
    }
}
