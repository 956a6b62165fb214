"""The native half of the package."""

import datetime
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, final, overload

from typing_extensions import Self

__version__: str

class _Arrow(Protocol):
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

_Path: TypeAlias = str | os.PathLike[str]
_Time: TypeAlias = str | datetime.date | datetime.datetime
_Duration: TypeAlias = str | datetime.timedelta
_Set: TypeAlias = str | Sequence[str] | Mapping[str, Any]
_Progress: TypeAlias = bool | Callable[[int, int], object]
_Pipeline: TypeAlias = "str | RealtimeMLPipeline"

@final
class Table:
    """A table of a result, as an Arrow stream that can be read many times."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows as an Arrow stream (the Arrow PyCapsule interface)."""
    def __len__(self) -> int: ...
    @property
    def column_names(self) -> list[str]:
        """The names of the columns."""
    def to_pyarrow(self) -> Any:
        """As a table of pyarrow."""
    def to_polars(self) -> Any:
        """As a data frame of polars."""
    def to_pandas(self) -> Any:
        """As a data frame of pandas; needs pyarrow."""

@final
class Report:
    """What a replay found. Shown in a notebook, it draws itself."""

    @property
    def digest(self) -> str:
        """The digest of the first pipeline's state at the end."""
    @property
    def digests(self) -> list[str]:
        """The digests of all pipelines, in the order in which they were named."""
    @property
    def pipelines(self) -> list[str]:
        """The names of the pipelines."""
    @property
    def metrics(self) -> Table:
        """The errors of every source of answers, a row each."""
    @property
    def predictions(self) -> Table:
        """Every question of the first pipeline with its answers and what came true."""
    def to_json(self) -> str:
        """The whole report as JSON, as ``trueup backtest --json`` prints it."""
    def to_dict(self) -> dict[str, Any]:
        """The whole report as dictionaries and lists."""
    def to_html(self) -> str:
        """The page with all plots, as ``trueup backtest --report`` writes it."""
    def _repr_html_(self) -> str: ...

@final
class Model:
    """A version of a registry that answers questions in this process."""

    @overload
    def correct(self, questions: Mapping[str, Any]) -> dict[str, Any]: ...
    @overload
    def correct(self, questions: _Arrow) -> Table: ...
    @overload
    def correct(self, questions: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Answers a question, a list of questions, or a table of them.

        An answer has ``answer``, ``correction``, ``status`` (``corrected``, ``primary`` or
        ``refused``) and ``reason``.
        """
    def refresh(self) -> bool:
        """Reads the registry again, and takes what is named now; whether anything else answers."""
    @property
    def name(self) -> str:
        """The model's name."""
    @property
    def version(self) -> int | None:
        """The number of the version; ``None`` when the primary estimate answers alone."""
    @property
    def digest(self) -> str | None:
        """The digest of its state; ``None`` when the primary estimate answers alone."""
    @property
    def trained_until(self) -> str | None:
        """The time of the last label in it; ``None`` when the primary estimate answers alone."""
    @property
    def columns(self) -> list[str]:
        """The columns that are read of a question; others are passed over."""

@final
class RealtimeMLPipeline:
    """One definition of a real-time machine-learning application: the object behind a file of
    ``pipelines/``. Each word of the builder changes it and gives it back."""

    def __new__(cls, name: str, *, unit: str = "minutes") -> Self: ...
    @staticmethod
    def load(path_or_name: _Path, *, project: _Path = ...) -> RealtimeMLPipeline:
        """Reads the definition of a project by its name, or any by the path of its file."""
    @property
    def name(self) -> str:
        """The pipeline's name."""
    def unit(self, unit: str) -> Self:
        """The unit of estimate, label, correction and every error."""
    def event(self, name: str, *, time: str, **more: Any) -> Self:
        """Declares an event, as ``[event.NAME]`` of ``trueup.toml`` does, for use without a
        project: its ``time`` column, ``disorder``, ``zone``, ``epoch``."""
    def question(self, event: str, *, join: str, estimate: str, **more: Any) -> Self:
        """The event, join key and estimate of questions; also ``id`` and ``served_answer``."""
    def label(
        self,
        event: str,
        *,
        join: str,
        value: str | Mapping[str, str],
        wait: _Duration,
        **more: Any,
    ) -> Self:
        """The event, join key and value of labels, and how long they are waited for."""
    def reference(self, *columns: str) -> Self:
        """Question columns with other models' estimates."""
    def feature(self, name: str, kind: str | Mapping[str, Any] | None = None, **how: Any) -> Self:
        """A feature: ``"category"``, ``"number"``, or how it is computed and from what."""
    def category(self, *columns: str) -> Self:
        """Category features: the columns of these names."""
    def number(self, *columns: str) -> Self:
        """Number features: the columns of these names."""
    def learner(self, kind: str, **parameters: Any) -> Self:
        """The main learner: its kind, objective, correction, limit and parameters."""
    def challenger(self, kind: str, **parameters: Any) -> Self:
        """A learner that learns beside the main one."""
    def gate(self, **keys: Any) -> Self:
        """When a candidate may replace the champion."""
    def guard(self, metric: str, worse_by: float, **more: Any) -> Self:
        """A metric that must not get worse by more than this; ``per`` a category feature."""
    def publish(self, **keys: Any) -> Self:
        """When candidates are made and how long they stay good."""
    def join(self, **keys: Any) -> Self:
        """How questions wait for their labels."""
    def to_toml(self) -> str:
        """The text of its file: what differs from the defaults, in the order of the reference."""
    def check(
        self, project: _Path | None = None, *, env: str | None = None, offline: bool = False
    ) -> list[dict[str, Any]]:
        """Holds it against its project and its data; gives what is probably not meant."""
    def backtest(self, **options: Any) -> Report:
        """Replays it: ``trueup.backtest`` with this pipeline."""
    def __eq__(self, other: object, /) -> bool: ...

def backtest(
    *pipelines: _Pipeline | Sequence[_Pipeline],
    project: _Path | None = None,
    env: str | None = None,
    set: _Set | None = None,
    start: _Time | None = None,
    end: _Time | None = None,
    questions: _Arrow | _Path | None = None,
    labels: _Arrow | _Path | None = None,
    predictions: bool = True,
    progress: _Progress | None = None,
) -> Report:
    """Replays pipelines over recorded events, and reports what serving would have seen.

    The events are those of the project's environment ``env``, or what is given as ``questions`` and
    ``labels``: anything with ``__arrow_c_stream__`` (pyarrow, polars, pandas), or a path. Several
    pipelines are compared with the first.
    """

def load(name: str, *, registry: _Path = ...) -> Model:
    """Loads a version of a model: ``NAME``, ``NAME@ALIAS``, ``NAME@VERSION`` or ``NAME@DIGEST``."""
