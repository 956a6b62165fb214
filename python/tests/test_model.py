"""A model in this process answers as the replay that published it would have served."""

import datetime as dt

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import trueup
from conftest import END

QUESTIONS = "data/samples/flights/departures.parquet"


@pytest.fixture(scope="module")
def registry(program):
    if "--publish" not in program.run("backtest", "--help").stdout:
        pytest.skip("this program does not publish")
    done = program.run("backtest", "flight_eta", "--to", END, "--publish")
    assert done.returncode == 0, done.stderr
    return program.project / ".trueup" / "registry"


@pytest.fixture(scope="module")
def model(registry):
    return trueup.load("flight_eta@champion", registry=registry)


@pytest.fixture(scope="module")
def questions(program):
    """The questions of the hours after the last label."""
    end = dt.datetime.fromisoformat(END).replace(tzinfo=dt.timezone.utc)
    hours = [("departed_at", ">=", end), ("departed_at", "<", end + dt.timedelta(hours=3))]
    table = pq.read_table(program.project / QUESTIONS, filters=hours)
    assert len(table) > 50
    return table


def test_rows_dictionaries_and_tables_get_one_answer(model, questions):
    table = pa.table(model.correct(questions))
    assert table.column_names == ["answer", "correction", "status", "reason"]
    assert set(table["status"].to_pylist()) == {"corrected"}
    rows = questions.to_pylist()
    assert model.correct(rows) == table.to_pylist()
    assert model.correct(rows[0]) == table.to_pylist()[0]
    assert pa.table(model.correct(pl.from_arrow(questions))) == table
    estimates = questions["eta_minutes"].to_pylist()
    for estimate, answer in zip(estimates, table.to_pylist(), strict=True):
        assert answer["answer"] == pytest.approx(estimate + answer["correction"])
    assert len(set(table["correction"].to_pylist())) > 10


def test_an_answer_is_the_one_that_a_replay_serves(model, questions):
    """The replay goes on for hours with the last version: nothing more is published."""
    later = dt.datetime.fromisoformat(END) + dt.timedelta(hours=3)
    report = trueup.backtest(
        "flight_eta", end=later.replace(tzinfo=dt.timezone.utc), set={"publish.expires": "24h"}
    )
    served = pl.DataFrame(report.predictions).filter(pl.col("asked_at") >= pl.lit(END).str.to_datetime(time_zone="UTC"))
    first = served.filter(pl.col("version") == served["version"].min())
    answers = pl.DataFrame(model.correct(questions)).with_columns(
        pl.Series("key", questions["trip_id"].cast("string").to_pylist())
    )
    both = first.join(answers, on="key", suffix="_now")
    assert len(both) > 10
    assert (both["served_answer"] - both["answer_now"]).abs().max() < 1e-9


def test_a_question_too_late_is_left_to_the_primary_estimate(model, questions):
    row = {**questions.to_pylist()[0], "departed_at": dt.datetime(2030, 1, 1, tzinfo=dt.timezone.utc)}
    answer = model.correct(row)
    assert answer == {"answer": row["eta_minutes"], "correction": 0, "status": "primary", "reason": "expired"}
    del row["departed_at"]
    assert model.correct(row)["reason"] == "expired", "without a time it is asked now"


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("eta_minutes", None, "estimate is missing"),
        ("eta_minutes", float("nan"), "estimate is not finite"),
        ("departed_at", dt.datetime(2013, 1, 15), "no zone"),
        ("distance_miles", "far", "distance_miles"),
        ("carrier", [1], "carrier"),
    ],
)
def test_what_cannot_be_used_is_refused(model, questions, column, value, said):
    answer = model.correct({**questions.to_pylist()[0], column: value})
    assert answer["status"] == "refused" and answer["answer"] is None
    assert said in answer["reason"]


def test_versions_are_found_by_alias_number_and_digest(registry, model):
    assert model.version > 1 and len(model.digest) == 64
    assert trueup.load("flight_eta", registry=registry).digest == model.digest
    assert trueup.load(f"flight_eta@{model.version}", registry=registry).digest == model.digest
    assert trueup.load(f"flight_eta@{model.digest[:12]}", registry=registry).version == model.version
    first = trueup.load("flight_eta@1", registry=registry)
    assert first.version == 1 and first.digest != model.digest
    with pytest.raises(trueup.OperationError, match="no such version or alias"):
        trueup.load("flight_eta@nobody", registry=registry)


def test_an_alias_is_followed_when_told_to(program, registry, questions):
    model = trueup.load("flight_eta@champion", registry=registry)
    assert model.refresh() is False
    before = model.version
    done = program.run("backtest", "flight_eta", "--to", "2013-01-16", "--publish")
    assert done.returncode == 0, done.stderr
    assert model.version == before
    assert model.refresh() is True
    assert model.version > before
    fresh = trueup.load("flight_eta@champion", registry=registry)
    assert pa.table(fresh.correct(questions)) == pa.table(model.correct(questions))
