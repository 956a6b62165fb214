"""What is wrong is told with its place, and with what would be right."""

import pytest
import trueup

WRONG = """\
unit = "minutes"

[question]
event = "departures"
join = "trip_id"
estimate = "eta_minuts"

[label]
event = "arrivals"
join = "trip_id"
value = "actual_minutes"
wait = "24h"

[learner]
kind = "rls"
"""


def test_an_error_has_line_column_path_and_hint(project):
    path = project / "pipelines" / "wrong.toml"
    path.write_text(WRONG)
    try:
        with pytest.raises(trueup.ConfigError) as caught:
            trueup.backtest("wrong")
    finally:
        path.unlink()
    error = caught.value
    assert (error.path, error.line, error.column) == ("pipelines/wrong.toml", 6, 12)
    assert error.hint == "did you mean `eta_minutes`?"
    assert "eta_minuts" in str(error) and "^^^" in str(error)
    assert error.findings[0]["message"] in str(error)
    assert isinstance(error, trueup.TrueupError) and isinstance(error, ValueError)


def test_what_is_built_in_code_is_held_to_the_same_rules():
    pipeline = trueup.RealtimeMLPipeline.load("flight_eta").learner("rsl")
    with pytest.raises(trueup.ConfigError) as caught:
        pipeline.check()
    error = caught.value
    assert error.path == "pipelines/flight_eta.toml (changed in code)"
    assert error.hint == "did you mean `rls`?"
    assert error.line > 0
    with pytest.raises(trueup.ConfigError, match="label"):
        trueup.RealtimeMLPipeline("x").to_toml()


def test_a_warning_is_warned_of():
    pipeline = trueup.RealtimeMLPipeline.load("flight_eta").publish(every="12h", expires="6h")
    assert [found["severity"] for found in pipeline.check()] == ["warning"]
    with pytest.warns(trueup.ConfigWarning, match="expires before the next one is made"):
        pipeline.backtest(end="2013-01-02")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"set": "learner"}, "KEY=VALUE"),
        ({"set": {"learner.kind": object()}}, "not a value of a definition"),
        ({"start": "yesterday"}, "not a time given as start"),
        ({"start": "2013-02-01", "end": "2013-01-01"}, "nothing lies between"),
        ({"questions": 3}, "neither a table nor a path"),
        ({"env": "prodution"}, "no such environment"),
    ],
)
def test_wrong_arguments_are_told(options, said):
    with pytest.raises(trueup.ConfigError, match=said) as caught:
        trueup.backtest("flight_eta", **options)
    assert caught.value.hint


def test_what_cannot_be_read_is_another_error():
    with pytest.raises(trueup.OperationError, match=r"nope\.parquet") as caught:
        trueup.backtest("flight_eta", questions="nope.parquet")
    assert caught.value.kind == "missing"
    with pytest.raises(trueup.OperationError, match="no version of the model") as caught:
        trueup.load("flight_eta", registry="no/registry")
    assert "--publish" in caught.value.hint
