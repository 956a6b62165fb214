//! The texts behind the hashes of category features, for reports.

use std::collections::BTreeMap;
use trueup_event::EventBatch;
use trueup_learner::features::{BindError, FeatureSet};

/// Values per feature whose text is kept; the rest are shown by their hash.
const VALUES_MAX: usize = 4_096;

/// The texts of the values of each category feature.
#[derive(Debug, Clone, Default)]
pub(crate) struct Vocabulary {
    texts: Vec<BTreeMap<u64, String>>,
}

impl Vocabulary {
    /// Takes the new values of a batch of questions.
    pub(crate) fn learn(
        &mut self,
        features: &FeatureSet,
        batch: &EventBatch,
    ) -> Result<(), BindError> {
        let bound = features.bind(&batch.rows)?;
        self.texts.resize(bound.categories.len(), BTreeMap::new());
        for (index, (texts, hashes)) in self.texts.iter_mut().zip(&bound.categories).enumerate() {
            let mut last = None;
            for (row, &hash) in hashes.iter().enumerate() {
                if last == Some(hash) || texts.len() >= VALUES_MAX || texts.contains_key(&hash) {
                    last = Some(hash);
                    continue;
                }
                texts.insert(hash, features.category_text(&batch.rows, row, index));
            }
        }
        Ok(())
    }

    /// The text of a value, or its hash.
    pub(crate) fn text(&self, feature: usize, hash: u64) -> String {
        let known = self.texts.get(feature).and_then(|texts| texts.get(&hash));
        known.cloned().unwrap_or_else(|| format!("#{hash:016x}"))
    }
}
