//! The fold as a property: where it is interrupted does not matter.

use super::*;
use crate::decide::{self, Draft, Expect, RollbackTo};
use crate::entry::{Form, Slice};
use crate::registry::{decode_state, encode_state};
use proptest::prelude::*;

/// Something somebody does.
#[derive(Debug, Clone)]
enum Deed {
    Publish { count: u64, is_promoted: bool, is_delta: bool },
    Promote(u64),
    Rollback(Option<u64>),
    Primary,
    Tag(u64),
    Quarantine(u64),
    Collect { keep_last: usize, history_micros: i64 },
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (1..4_u64, any::<bool>(), any::<bool>()).prop_map(|(count, is_promoted, is_delta)| {
            Deed::Publish { count, is_promoted, is_delta }
        }),
        2 => (1..20_u64).prop_map(Deed::Promote),
        2 => proptest::option::of(1..20_u64).prop_map(Deed::Rollback),
        1 => Just(Deed::Primary),
        1 => (1..20_u64).prop_map(Deed::Tag),
        1 => (1..20_u64).prop_map(Deed::Quarantine),
        1 => (0..4_usize, 0..20_i64).prop_map(|(keep_last, history_micros)| {
            Deed::Collect { keep_last, history_micros }
        }),
    ]
}

fn draft(number: u64, is_promoted: bool, parent: Option<String>) -> Draft {
    let digest = Digest::of(&number.to_le_bytes());
    let slice = Slice { blob: digest, offset: number, length: 1, sha256: digest };
    Draft {
        id: format!("v{number}"),
        lineage: 0,
        ordinal: number,
        form: if parent.is_some() { Form::Delta } else { Form::Base },
        parent,
        verdict: "admitted".to_owned(),
        boundary_micros: 0,
        trained_until_micros: 0,
        state_digest: digest.to_string(),
        serving: slice,
        training: slice,
        manifest: slice,
        is_promoted,
    }
}

fn changes(state: &State, deed: &Deed, at_micros: i64) -> Result<Vec<Change>, Refusal> {
    let champion = AliasName::champion();
    match deed {
        Deed::Publish { count, is_promoted, is_delta } => {
            let last = state.version_last();
            let parent = |number: u64| {
                let is_there = number - 1 > last || state.versions().contains_key(&(number - 1));
                (*is_delta && is_there).then(|| format!("v{}", number - 1))
            };
            let draft = |number| draft(number, *is_promoted, parent(number));
            let drafts: Vec<_> = (last + 1..=last + count).map(draft).collect();
            let seen = state.number();
            decide::publish(state, &drafts, None, seen).map(|(changes, _)| changes)
        }
        Deed::Promote(version) => decide::promote(state, &champion, *version, Expect::Anything),
        Deed::Rollback(to) => {
            let to = to.map_or(RollbackTo::Previous, RollbackTo::Version);
            decide::rollback(state, &champion, to, Expect::Anything)
        }
        Deed::Primary => decide::rollback(state, &champion, RollbackTo::Primary, Expect::Anything),
        Deed::Tag(version) => decide::tag(state, *version, ("at", &at_micros.to_string())),
        Deed::Quarantine(version) => decide::quarantine(state, *version),
        Deed::Collect { keep_last, history_micros } => {
            let policy = crate::GcPolicy {
                now_micros: at_micros,
                keep_last: *keep_last,
                keep_hourly_hours: 0,
                keep_daily_days: 0,
                grace_micros: -1,
                history_micros: *history_micros,
            };
            Ok(vec![Change::Tombstone {
                versions: crate::retention::doomed(state, &policy),
                condemned: vec![Digest::of(&at_micros.to_le_bytes())],
                collected: state.condemned().keys().take(1).copied().collect(),
                history_from_micros: policy.history_from(),
            }])
        }
    }
}

/// The entries of all deeds that are allowed, and the state they make.
fn log(deeds: &[Deed]) -> (Vec<Entry>, State) {
    let mut state = State::new(ModelName::new("m").unwrap());
    let mut entries = Vec::new();
    for (at_micros, deed) in (0..).zip(deeds) {
        let Ok(changes) = changes(&state, deed, at_micros) else { continue };
        let entry = Entry {
            format: FORMAT,
            model: state.model.clone(),
            number: state.number + 1,
            previous: state.tip,
            nonce: Nonce::new(at_micros as u128),
            at_micros,
            actor: "ada".to_owned(),
            reason: String::new(),
            writer: None,
            changes,
        };
        state.apply(&entry, Digest::of(&entry.encode())).unwrap();
        holds(&state);
        entries.push(entry);
    }
    (entries, state)
}

/// What must be true of every state.
fn holds(state: &State) {
    for version in state.versions.keys() {
        state.chain(*version).expect("what a version is made of is kept");
    }
    for (alias, found) in &state.aliases {
        if let Some(version) = found.version {
            assert!(!state.version(version).unwrap().is_quarantined, "nobody serves it");
        }
        assert_ne!(state.previous(alias), Some(found.version.unwrap_or(0)));
        assert_eq!(state.as_of(i64::MAX).unwrap()[alias], found.version);
    }
    let known = state.versions.len() + state.tombstones.len();
    assert_eq!(state.ids.len(), known);
}

proptest! {
    #[test]
    fn a_checkpoint_and_the_rest_is_the_whole(
        deeds in proptest::collection::vec(deed(), 1..60),
        cut in any::<proptest::sample::Index>(),
    ) {
        let (entries, whole) = log(&deeds);
        let cut = cut.index(entries.len() + 1);
        let mut state = State::new(whole.model.clone());
        for (number, entry) in entries.iter().enumerate() {
            if number == cut {
                state = decode_state(&encode_state(&state)).unwrap();
            }
            let bytes = entry.encode();
            let read = Entry::decode(&bytes).unwrap();
            prop_assert_eq!(&read, entry);
            state.apply(&read, Digest::of(&bytes)).unwrap();
        }
        prop_assert_eq!(&decode_state(&encode_state(&state)).unwrap(), &whole);
        prop_assert_eq!(state, whole);
    }
}

#[test]
fn entries_that_cannot_be_are_refused() {
    let deeds = [Deed::Publish { count: 2, is_promoted: true, is_delta: false }];
    let (entries, state) = log(&deeds);
    let next = |changes| Entry { number: 2, previous: state.tip, changes, ..entries[0].clone() };
    let refused = |entry: &Entry| {
        let entry = Entry::decode(&entry.encode()).unwrap();
        state.clone().apply(&entry, Digest::of(b"")).unwrap_err()
    };
    assert!(state.clone().apply(&next(Vec::new()), Digest::of(b"")).is_ok());
    let model = ModelName::new("other").unwrap();
    refused(&Entry { model, ..next(Vec::new()) });
    refused(&Entry { previous: None, ..next(Vec::new()) });
    refused(&Entry { number: 3, ..next(Vec::new()) });
    refused(&next(entries[0].changes.clone()));
    let alias = AliasName::champion();
    refused(&next(vec![Change::Alias { alias, from: None, to: Some(9), hold: false }]));
    refused(&next(vec![Change::Quarantine { version: 9 }]));
    let collected = Vec::new();
    let condemned = Vec::new();
    let versions = vec![9];
    let history_from_micros = 0;
    refused(&next(vec![Change::Tombstone { versions, condemned, collected, history_from_micros }]));
}
