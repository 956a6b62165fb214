"""The pipeline object is the definition of a file."""

import datetime as dt
import subprocess
import sys
from pathlib import Path

import trueup
from conftest import END, ROOT


def built():
    return (
        trueup.RealtimeMLPipeline("built")
        .question("departures", join="trip_id", estimate="eta_minutes")
        .label("arrivals", join="trip_id", value="actual_minutes", wait=dt.timedelta(hours=24))
        .category("carrier", "origin")
        .number("distance_miles")
        .feature("hour", as_="hour_of_day", time="departed_at", zone="America/New_York")
        .feature("far", {"column": "distance_miles", "as": "bucket", "edges": [500, 1500.0]})
        .learner("segment", levels=[["origin"]], limit={"absolute": 45, "floor": 0})
        .challenger("linear")
        .gate(independent="trip_id")
        .guard("p95", 0.5, per="origin")
        .publish(every="2h", promote="automatic")
    )


def test_what_is_built_reads_back_and_replays_as_its_file(program, project):
    pipeline = built()
    path = project / "pipelines" / "built.toml"
    path.write_text(pipeline.to_toml())
    try:
        assert trueup.RealtimeMLPipeline.load("built") == pipeline
        assert trueup.RealtimeMLPipeline.load(path) == pipeline
        (run,) = program.backtest("built", "--to", END)
    finally:
        path.unlink()
    assert pipeline.backtest(end=END).digest == run["digest"]
    assert pipeline.check() == []


def test_a_changed_pipeline_is_another():
    pipeline = trueup.RealtimeMLPipeline.load("flight_eta")
    assert pipeline == trueup.RealtimeMLPipeline.load("flight_eta")
    assert pipeline.publish(every="2h") is pipeline
    assert pipeline != trueup.RealtimeMLPipeline.load("flight_eta")
    changed = pipeline.backtest(end=END).digest
    assert changed == trueup.backtest("flight_eta", end=END, set={"publish.every": "2h"}).digest


def test_the_stubs_say_what_is_there(tmp_path):
    allow = tmp_path / "allow"
    allow.write_text("trueup._native.__all__\n")
    command = [sys.executable, "-m", "mypy.stubtest", "trueup", "--concise", "--allowlist"]
    done = subprocess.run([*command, str(allow)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_types_help_who_uses_the_package(tmp_path):
    script = tmp_path / "use.py"
    script.write_text(
        "import trueup\n"
        'report = trueup.backtest("flight_eta", end="2013-02-01")\n'
        "reveal_type(report.digest)\n"
        'reveal_type(trueup.load("flight_eta").correct({"carrier": "UA"}))\n'
        "trueup.backtest(3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", script], capture_output=True, text=True
    )
    assert 'Revealed type is "str"' in done.stdout.replace("builtins.", "")
    assert "dict[" in done.stdout
    assert 'use.py:5: error: Argument 1 to "backtest"' in done.stdout


def test_the_version_is_that_of_the_workspace():
    manifest = Path(ROOT, "Cargo.toml").read_text()
    assert f'version = "{trueup.__version__}"' in manifest
