"""A model in this process answers as the replay that published it would have served."""

import datetime as dt
import shutil
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import trueup
from conftest import ROOT, Program

FILES = {
    "departures": "data/samples/flights/departures.parquet",
    "arrivals": "data/samples/flights/arrivals.parquet",
}
MIDNIGHT = dt.datetime(2013, 1, 15, tzinfo=dt.timezone.utc)
TIMES = {"departures": "departed_at", "arrivals": "arrived_at"}


def rows(event, start, end):
    span = [(TIMES[event], ">=", start), (TIMES[event], "<", end)]
    return pq.read_table(ROOT / FILES[event], filters=span)


class Publisher:
    """A project whose events are folders that grow, and whose versions are published."""

    def __init__(self, program: Program, folder: Path) -> None:
        text = (ROOT / "trueup.toml").read_text()
        for event, path in FILES.items():
            (folder / event).mkdir()
            text = text.replace(path, event)
        (folder / "trueup.toml").write_text(text)
        shutil.copytree(ROOT / "pipelines", folder / "pipelines")
        self.program = Program(program.path, folder)
        self.registry = folder / ".trueup" / "registry"
        self.published_until = dt.datetime(2013, 1, 1, tzinfo=dt.timezone.utc)

    def publish(self, until: dt.datetime) -> None:
        for event in FILES:
            path = self.program.project / event / f"{until:%Y-%m-%dT%H}.parquet"
            pq.write_table(rows(event, self.published_until, until), path)
        self.published_until = until
        words = ["run", "flight_eta", "--once"]
        if "--publish" in self.program.run("backtest", "--help").stdout:
            words = ["backtest", "flight_eta", "--publish"]
        done = self.program.run(*words)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def publisher(program, tmp_path_factory):
    publisher = Publisher(program, tmp_path_factory.mktemp("published"))
    publisher.publish(MIDNIGHT)
    return publisher


@pytest.fixture(scope="module")
def registry(publisher):
    return publisher.registry


@pytest.fixture(scope="module")
def model(registry):
    return trueup.load("flight_eta@champion", registry=registry)


@pytest.fixture(scope="module")
def questions():
    """The questions of the hours after the last label."""
    table = rows("departures", MIDNIGHT, MIDNIGHT + dt.timedelta(hours=3))
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
    """Until the next publish point, a replay that goes on serves the version of midnight."""
    report = trueup.backtest("flight_eta", end=MIDNIGHT + dt.timedelta(hours=3))
    served = pl.DataFrame(report.predictions).filter(pl.col("asked_at") >= MIDNIGHT)
    first = served.filter(pl.col("version") == served["version"].min())
    keys = pl.Series("key", [str(key) for key in questions["trip_id"].to_pylist()])
    both = first.join(pl.DataFrame(model.correct(questions)).with_columns(keys), on="key")
    assert len(both) > 3
    assert both["served_answer"].to_list() == both["answer_right"].to_list()


def test_a_question_too_late_is_left_to_the_primary_estimate(model, questions):
    later = dt.datetime(2030, 1, 1, tzinfo=dt.timezone.utc)
    row = {**questions.to_pylist()[0], "departed_at": later}
    assert model.correct(row) == {
        "answer": row["eta_minutes"],
        "correction": 0.0,
        "status": "primary",
        "reason": "expired",
    }
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


def test_an_alias_is_followed_when_told_to(publisher, questions):
    model = trueup.load("flight_eta@champion", registry=publisher.registry)
    assert model.refresh() is False
    before = model.version
    publisher.publish(MIDNIGHT + dt.timedelta(hours=6))
    assert model.version == before
    assert model.refresh() is True
    assert model.version > before
    fresh = trueup.load("flight_eta@champion", registry=publisher.registry)
    assert pa.table(fresh.correct(questions)) == pa.table(model.correct(questions))
