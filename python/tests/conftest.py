"""A project to try things in, and the program to compare with."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("TRUEUP_ROOT", Path(__file__).parents[2]))
END = "2013-01-15"


class Program:
    """The program ``trueup``, in a project."""

    def __init__(self, path: str, project: Path) -> None:
        self.path = path
        self.project = project

    def run(self, *words: str) -> subprocess.CompletedProcess:
        command = [self.path, "--project", str(self.project), *words]
        return subprocess.run(command, capture_output=True, text=True)

    def backtest(self, *words: str) -> list[dict]:
        done = self.run("backtest", *words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["runs"]


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of this repository, in a folder of its own."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "trueup.toml", folder)
    shutil.copytree(ROOT / "pipelines", folder / "pipelines")
    (folder / "data").symlink_to(ROOT / "data")
    return folder


@pytest.fixture(scope="session")
def program(project: Path) -> Program:
    path = os.environ.get("TRUEUP_BIN")
    if path is None:
        pytest.fail("set TRUEUP_BIN to the program, or run scripts/python")
    return Program(path, project)


@pytest.fixture(autouse=True)
def inside(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
