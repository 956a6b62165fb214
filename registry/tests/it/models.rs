//! What a model's log means.

use crate::support::{
    base, delta, learner, memory, model, model_name, nonce, person, publish, shard,
};
use trueup_registry::{
    AliasName, Change, Commit, ErrorKind, Expect, ModelRegistry, Promotion, Refusal, Registry,
    RollbackTo,
};

fn champion(model: &ModelRegistry) -> Option<u64> {
    model.state().aliases().get(&AliasName::champion()).and_then(|alias| alias.version)
}

fn alias() -> AliasName {
    AliasName::champion()
}

#[test]
fn a_version_comes_back_as_it_was_published() {
    let store = memory();
    let mut writer = model(&store);
    let published = writer.publish(&[base("a"), delta("b", "a")], &learner(1, 7)).unwrap();
    assert_eq!(published.numbers, [1, 2]);
    assert_eq!(published.entry, Some(1));
    assert_eq!(published.promotion, Promotion::Moved { from: None, to: 2 });
    assert_eq!(store.list("").unwrap().len(), 2, "two versions cost one blob and one entry");
    let mut reader = model(&store);
    assert_eq!(reader.refresh().unwrap().len(), 1);
    assert!(reader.refresh().unwrap().is_empty());
    assert_eq!(reader.state(), writer.state());
    let chain = reader.chain(2).unwrap();
    let serving: Vec<_> = chain.iter().map(|s| reader.read_slice(&s.serving).unwrap()).collect();
    assert_eq!(serving, [b"serving a", b"serving b"]);
    let summary = reader.resolve("champion").unwrap();
    assert_eq!((summary.version, summary.parent), (2, Some(1)));
    assert_eq!(reader.read_slice(&summary.training).unwrap(), b"training b");
    let manifest = reader.manifest(2).unwrap();
    assert_eq!(manifest.record, base("b").manifest);
    assert_eq!(reader.read_slice(&manifest.definition).unwrap(), b"a definition");
    assert_eq!(reader.resolve("1").unwrap().id, "a");
    assert_eq!(reader.resolve(&base("a").state_digest[..8]).unwrap().id, "a");
    for unknown in ["0", "3", "latest", "ffff", "../a", ""] {
        assert_eq!(reader.resolve(unknown).unwrap_err().kind(), ErrorKind::Missing, "{unknown}");
    }
    assert_eq!(Registry::open(store).models().unwrap(), [model_name()]);
}

#[test]
fn publishing_again_is_without_effect_and_other_content_is_refused() {
    let store = memory();
    let mut first = model(&store);
    let mut second = model(&store);
    first.publish(&[base("a"), base("b")], &learner(1, 1)).unwrap();
    first.rollback(&alias(), RollbackTo::Version(1), Expect::Version(2), &person(2)).unwrap();
    first.promote(&alias(), 1, Expect::Version(1), &person(2)).unwrap();
    let again = second.publish(&[base("b"), base("c"), base("c")], &learner(1, 3)).unwrap();
    assert_eq!(again.numbers, [2, 3, 3]);
    let nothing = second.publish(&[base("b"), base("a")], &learner(1, 4)).unwrap();
    assert_eq!((nothing.numbers, nothing.entry), (vec![2, 1], None));
    assert_eq!(nothing.promotion, Promotion::NotAsked);
    let mut other = base("b");
    other.serving.push(b'!');
    let error = second.publish(&[base("d"), other], &learner(1, 5)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let conflict = Refusal::Conflict { id: "b".to_owned(), version: 2 };
    assert_eq!(error.refusal(), Some(&conflict));
    assert!(error.to_string().contains("version 2") && error.to_string().contains("`b`"));
    assert_eq!(second.state().version_last(), 3, "all or nothing of a commit");
}

#[test]
fn a_delta_needs_a_parent_that_is_there() {
    let mut model = model(&memory());
    let problem = |model: &mut ModelRegistry, version| {
        model.publish(&[version], &learner(1, 1)).unwrap_err().kind()
    };
    assert_eq!(problem(&mut model, delta("b", "a")), ErrorKind::Invalid);
    let orphan = trueup_registry::NewVersion { parent: None, ..delta("b", "a") };
    assert_eq!(problem(&mut model, orphan), ErrorKind::Invalid);
    let child = trueup_registry::NewVersion { parent: Some("a".to_owned()), ..base("b") };
    assert_eq!(problem(&mut model, child), ErrorKind::Invalid);
    let late = model.publish(&[delta("b", "a"), base("a")], &learner(1, 1));
    assert_eq!(late.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(model.state().number(), 0);
}

#[test]
fn an_alias_moves_only_from_where_it_is_expected() {
    let store = memory();
    let mut one = model(&store);
    let mut other = model(&store);
    for id in ["a", "b", "c"] {
        publish(&mut one, base(id), 1);
    }
    one.promote(&alias(), 1, Expect::Version(3), &person(2)).unwrap();
    let error = other.promote(&alias(), 2, Expect::Version(3), &person(3)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Moved);
    let moved = Refusal::Moved { alias: alias(), expected: Some(3), found: Some(1) };
    assert_eq!(error.refusal(), Some(&moved));
    let error = other.promote(&alias(), 2, Expect::Nothing, &person(3)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Moved);
    let moved = other.promote(&alias(), 2, Expect::Anything, &person(3)).unwrap();
    assert_eq!((moved.from, moved.to), (Some(1), Some(2)));
    let nothing = other.promote(&alias(), 2, Expect::Anything, &person(3)).unwrap();
    assert_eq!((nothing.entry, nothing.to), (None, Some(2)));
    let challenger = AliasName::new("challenger").unwrap();
    other.promote(&challenger, 3, Expect::Nothing, &person(4)).unwrap();
    assert_eq!(other.resolve("challenger").unwrap().version, 3);
    for version in [0, 4] {
        let error = other.promote(&alias(), version, Expect::Anything, &person(5)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Missing);
    }
}

#[test]
fn a_rollback_holds_until_a_person_promotes() {
    let store = memory();
    let mut person_side = model(&store);
    let mut shard_side = model(&store);
    for id in ["a", "b"] {
        publish(&mut shard_side, base(id), 1);
    }
    let moved =
        person_side.rollback(&alias(), RollbackTo::Previous, Expect::Version(2), &person(2));
    let entry = moved.unwrap().entry.unwrap();
    let seen = Commit { seen: entry, ..learner(1, 3) };
    let held = shard_side.publish(&[base("c")], &seen).unwrap();
    assert_eq!(held.promotion, Promotion::Held { entry });
    assert_eq!(champion(&shard_side), Some(1));
    let seen = Commit { seen: entry, ..learner(1, 3) };
    let moved = shard_side.promote(&alias(), 2, Expect::Anything, &seen).unwrap_err();
    assert_eq!(moved.refusal(), Some(&Refusal::Held { alias: alias(), entry }));
    let to = RollbackTo::Previous;
    let error = shard_side.rollback(&alias(), to, Expect::Anything, &person(3)).unwrap_err();
    assert_eq!(error.refusal(), Some(&Refusal::NoPrevious { alias: alias() }));
    // The same version again, and yet not without effect: it ends the hold.
    let entry = person_side.promote(&alias(), 1, Expect::Anything, &person(4)).unwrap().entry;
    let entry = entry.unwrap();
    let unseen = shard_side.publish(&[base("d")], &learner(1, 5)).unwrap();
    assert_eq!(unseen.promotion, Promotion::Unseen { entry });
    let seen = Commit { seen: entry, ..learner(1, 6) };
    let free = shard_side.publish(&[base("e"), base("f")], &seen).unwrap();
    assert_eq!(free.promotion, Promotion::Moved { from: Some(1), to: 6 });
    let none = RollbackTo::Primary;
    shard_side.rollback(&alias(), none, Expect::Version(6), &person(7)).unwrap();
    assert_eq!(champion(&shard_side), None);
    assert_eq!(shard_side.resolve("champion").unwrap_err().kind(), ErrorKind::Missing);
}

#[test]
fn the_log_tells_what_an_alias_named_at_any_time() {
    let mut model = model(&memory());
    publish(&mut model, base("a"), 10);
    publish(&mut model, base("b"), 20);
    // The clock of this writer is behind: its move still comes after the others.
    let behind = person(5);
    model.rollback(&alias(), RollbackTo::Version(1), Expect::Anything, &behind).unwrap();
    publish(&mut model, base("c"), 30);
    model.promote(&alias(), 3, Expect::Anything, &person(40)).unwrap();
    let at = |at| model.as_of(at).unwrap().get(&alias()).copied().flatten();
    let named = [(9, None), (10, Some(1)), (19, Some(1)), (20, Some(1)), (39, Some(1))];
    for (time, version) in named.into_iter().chain([(40, Some(3)), (i64::MAX, Some(3))]) {
        assert_eq!(at(time), version, "at {time}");
    }
    let history = model.history(&alias());
    let moves: Vec<_> = history.iter().map(|m| (m.from, m.to, m.is_by_person)).collect();
    let expected = [
        (None, Some(1), false),
        (Some(1), Some(2), false),
        (Some(2), Some(1), true),
        (Some(1), Some(3), true),
    ];
    assert_eq!(moves, expected);
    assert_eq!((&*history[2].actor, &*history[2].reason), ("ada", "a test"));
}

#[test]
fn a_quarantined_version_serves_nobody() {
    let mut model = model(&memory());
    for id in ["a", "b", "c"] {
        publish(&mut model, base(id), 1);
    }
    model.quarantine(2, &person(2)).unwrap();
    assert_eq!(champion(&model), Some(3));
    let entry = model.quarantine(3, &person(3)).unwrap().unwrap();
    assert_eq!(champion(&model), Some(1), "the good one before, not the quarantined 2");
    let changes = model.entry(entry).unwrap().unwrap().changes;
    assert_eq!(changes[0], Change::Quarantine { version: 3 });
    assert_eq!(model.quarantine(3, &person(3)).unwrap(), None);
    let error = model.promote(&alias(), 2, Expect::Anything, &person(4)).unwrap_err();
    assert_eq!(error.refusal(), Some(&Refusal::Quarantined { version: 2 }));
    let to = RollbackTo::Version(3);
    assert!(model.rollback(&alias(), to, Expect::Anything, &person(4)).is_err());
    model.quarantine(1, &person(5)).unwrap();
    assert_eq!(champion(&model), None, "none is good: the primary estimate alone");
    model.tag(1, "why", "drift", &person(6)).unwrap();
    assert_eq!(model.tag(1, "why", "drift", &person(6)).unwrap(), None);
    assert_eq!(model.state().versions()[&1].tags["why"], "drift");
}

#[test]
fn a_newer_owner_of_the_shard_fences_the_older() {
    let store = memory();
    let mut old = model(&store);
    let mut new = model(&store);
    old.announce(&shard(), 1, &learner(1, 1)).unwrap().unwrap();
    publish(&mut old, base("a"), 1);
    new.announce(&shard(), 2, &learner(2, 2)).unwrap().unwrap();
    assert_eq!(new.announce(&shard(), 2, &learner(2, 2)).unwrap(), None);
    let fenced = Refusal::Fenced { shard: shard(), epoch: 1, found: 2 };
    let error = old.publish(&[base("b")], &learner(1, 3)).unwrap_err();
    assert_eq!((error.kind(), error.refusal()), (ErrorKind::Fenced, Some(&fenced)));
    let error = old.promote(&alias(), 1, Expect::Anything, &learner(1, 3)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert_eq!(old.announce(&shard(), 1, &learner(1, 3)).unwrap_err().kind(), ErrorKind::Fenced);
    new.publish(&[base("b")], &learner(3, 4)).unwrap();
    let error = new.publish(&[base("c")], &learner(2, 5)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "publishing announces, too");
    assert_eq!(new.state().version_last(), 2);
}

#[test]
fn repeating_a_commit_with_its_nonce_does_it_once() {
    let store = memory();
    let mut model_side = model(&store);
    publish(&mut model_side, base("a"), 1);
    publish(&mut model_side, base("b"), 1);
    let commit = Commit { nonce: nonce(), ..person(2) };
    let mut again = model(&store);
    let to = RollbackTo::Previous;
    let first = model_side.rollback(&alias(), to, Expect::Version(2), &commit).unwrap();
    let second = again.rollback(&alias(), to, Expect::Version(2), &commit).unwrap();
    assert_eq!(first, second);
    assert_eq!(again.state().number(), 3);
}

#[test]
fn a_thousand_versions_are_one_entry() {
    let store = memory();
    let mut writer = model(&store);
    let versions: Vec<_> = (0..1000).map(|number| base(&format!("v{number}"))).collect();
    let published = writer.publish(&versions, &learner(1, 1)).unwrap();
    assert_eq!(published.numbers, (1..=1000).collect::<Vec<_>>());
    assert_eq!(published.promotion, Promotion::Moved { from: None, to: 1000 });
    assert_eq!(writer.history(&alias()).len(), 1, "the last promoted one alone moves the alias");
    assert_eq!(store.list("").unwrap().len(), 2);
    let summary = writer.resolve("500").unwrap();
    assert_eq!(writer.read_slice(&summary.serving).unwrap(), b"serving v499");
}
