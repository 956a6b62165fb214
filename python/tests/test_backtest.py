"""A replay in Python is the replay of the program."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import trueup
from conftest import END

QUESTIONS = "data/samples/flights/departures.parquet"
LABELS = "data/samples/flights/arrivals.parquet"


@pytest.fixture(scope="module")
def report(project):
    os.chdir(project)
    return trueup.backtest("flight_eta", end=END)


def test_the_digest_is_that_of_the_program(program, report):
    (run,) = program.backtest("flight_eta", "--to", END)
    assert len(run["digest"]) == 64
    assert report.digest == run["digest"]
    ours = report.to_dict()["runs"][0]
    for key in ("events_per_second", "elapsed_seconds"):
        del run[key], ours[key]
    assert ours == run


@pytest.mark.parametrize("change", [{"publish.every": dt.timedelta(hours=6)}, ["publish.every=6h"]])
def test_keys_are_changed_for_one_run_as_by_the_program(program, report, change):
    (run,) = program.backtest("flight_eta", "--to", END, "--set", "publish.every=6h")
    changed = trueup.backtest("flight_eta", end=END, set=change)
    assert changed.digest == run["digest"]
    assert changed.metrics.to_pyarrow() != report.metrics.to_pyarrow()


def tables(library):
    """The rows of January as tables of a library, in another order than in the files."""
    end = dt.datetime(2013, 1, 15, tzinfo=dt.timezone.utc)
    for path, column in ((QUESTIONS, "departed_at"), (LABELS, "arrived_at")):
        table = pq.read_table(path, filters=[(column, "<", end)])
        table = table.take(list(reversed(range(len(table)))))
        yield table if library == "pyarrow" else pl.from_arrow(table)


@pytest.mark.parametrize("library", ["pyarrow", "polars"])
def test_tables_give_the_digest_of_the_same_rows_in_files(tmp_path, library):
    questions, labels = tables(library)
    paths = [tmp_path / "q.parquet", tmp_path / "l.parquet"]
    for table, path in zip((questions, labels), paths, strict=True):
        pq.write_table(pa.table(table), path, row_group_size=1000)
    of_tables = trueup.backtest("flight_eta", questions=questions, labels=labels)
    of_files = trueup.backtest("flight_eta", questions=paths[0], labels=str(paths[1]))
    assert of_tables.digest == of_files.digest
    run = of_tables.to_dict()["runs"][0]
    assert run["counts"]["learned"] > 10_000
    assert run["question_event"]["location"] == "(table in memory)"
    fewer = questions.slice(1)
    assert trueup.backtest("flight_eta", questions=fewer, labels=labels).digest != of_files.digest


def test_a_notebook_needs_no_project(tmp_path, monkeypatch):
    questions, labels = tables("pyarrow")
    monkeypatch.chdir(tmp_path)
    pipeline = (
        trueup.RealtimeMLPipeline("eta")
        .event("asked", time="departed_at", disorder="5m")
        .event("came", time="arrived_at", disorder="5m")
        .question("asked", join="trip_id", estimate="eta_minutes")
        .label("came", join="trip_id", value="actual_minutes", wait="24h")
        .category("carrier", "origin")
        .learner("rls")
        .guard("p95", 0.5)
    )
    found = pipeline.backtest(questions=questions, labels=labels).to_dict()["runs"][0]
    assert found["corrected"]["mae"] < found["primary"]["mae"]


def test_a_report_is_read_by_other_libraries_and_shown(report):
    metrics = pl.DataFrame(report.metrics)
    assert metrics["answers"].to_list() == ["primary", "corrected", "as_served"]
    run = report.to_dict()["runs"][0]
    assert metrics["mae"].to_list() == [run[name]["mae"] for name in metrics["answers"]]
    predictions = pa.table(report.predictions)
    assert len(predictions) == len(report.predictions) == run["counts"]["fed"]
    assert predictions == report.predictions.to_pyarrow(), "a stream is read as often as wanted"
    learned = predictions.filter(pa.compute.equal(predictions["outcome"], "learned"))
    errors = pa.compute.abs(pa.compute.subtract(learned["actual"], learned["answer"]))
    assert pa.compute.mean(errors).as_py() == pytest.approx(run["corrected"]["mae"])
    page = report._repr_html_()
    assert "<svg" in page and "<table" in page
    assert "<script" not in page and "<html" not in page
    assert json.loads(report.to_json()) == report.to_dict()
    assert report.digest[:16] in repr(report)


def test_several_pipelines_are_compared(program):
    both = trueup.backtest("flight_eta", "flight_eta_mean", end=END, predictions=False)
    runs = program.backtest("flight_eta", "flight_eta_mean", "--to", END)
    assert both.digests == [run["digest"] for run in runs]
    assert both.pipelines == ["flight_eta", "flight_eta_mean"]
    assert len(both.to_dict()["comparisons"]) == 1
    with pytest.raises(trueup.ConfigError, match="kept no predictions"):
        _ = both.predictions


def test_progress_is_told(report):
    told = []
    same = trueup.backtest("flight_eta", end=END, progress=lambda *counts: told.append(counts))
    assert same.digest == report.digest
    assert told[-1][0] == sum(same.to_dict()["runs"][0][of]["fed"] for of in ("counts", "labels"))


SLEEPER = """
import trueup
counts = (0, 0)
def tell(*told):
    global counts
    counts = told
    if counts[0]:
        print("begun", flush=True)
try:
    while True:
        trueup.backtest("flight_eta", progress=tell)
except KeyboardInterrupt:
    print("stopped", *counts)
"""


def test_control_c_stops_a_replay():
    process = subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=60)
    word, done, total = told.splitlines()[-1].split()
    assert word == "stopped" and process.returncode == 0
    assert 0 < int(done) < int(total), "it did not wait for the end"
