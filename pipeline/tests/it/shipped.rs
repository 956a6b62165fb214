//! The shipped definitions are right, and say what their readers are told they say.

use crate::{flights, project, repository};
use trueup_event::Duration;
use trueup_pipeline::{Definition, Project};

#[test]
fn shipped_definitions_pass_without_a_warning() {
    let project = Project::load(&repository().join("pipeline")).expect("found above");
    let names = project.definition_names();
    assert!(names.len() >= 2, "{names:?}");
    for name in names {
        let definition = project.definition(&name).unwrap_or_else(|faults| panic!("{faults}"));
        let checked = definition
            .check(&project, Some(&flights()))
            .unwrap_or_else(|faults| panic!("{name}:\n{faults}"));
        assert!(checked.warnings.is_empty(), "{}", checked.warnings);
        assert_eq!(checked.spec.name, name);
        assert_eq!(checked.spec.label.wait, Duration::from_hours(24));
        assert_eq!(checked.spec.disorder, Duration::from_seconds(300));
    }
    let environment = project.environment(None).expect("is whole");
    for event in ["departures", "arrivals"] {
        let location = project.location(&environment, event).expect("is said");
        let location = location.files().expect("is a file");
        assert!(project.root().join(location).is_file(), "{location}");
    }
}

#[test]
fn what_was_read_is_written_and_read_again() {
    let project = project();
    for name in project.definition_names() {
        let read = project.definition(&name).expect("is right");
        let text = read.pipeline().to_toml();
        let again = Definition::read(&name, "again.toml", &text)
            .unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(read.pipeline(), again.pipeline());
        assert_eq!(again.pipeline().to_toml(), text);
    }
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let faults = project().definition("flight_eat").expect_err("is not there").to_string();
    assert!(faults.contains("no such pipeline: `flight_eat`"), "{faults}");
    assert!(faults.contains("did you mean `flight_eta`?"), "{faults}");
    let faults = project().environment(Some("lokal")).expect_err("is not there").to_string();
    assert!(faults.contains("did you mean `local`?"), "{faults}");
    let empty = tempfile::tempdir().expect("a folder");
    let faults = Project::load(empty.path()).expect_err("no project").to_string();
    assert!(faults.contains("trueup init"), "{faults}");
    std::fs::write(empty.path().join("trueup.toml"), [0xff, 0xfe]).expect("is writable");
    let faults = Project::load(empty.path()).expect_err("no text").to_string();
    assert!(faults.contains("save the file as UTF-8"), "{faults}");
}
