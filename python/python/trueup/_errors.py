"""What is raised, and what is warned of."""

from __future__ import annotations

from typing import Any


class TrueupError(Exception):
    """The root of all errors of this package."""

    hint: str | None
    """What would be right, where that is known."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(TrueupError, ValueError):
    """What was declared or asked for is wrong: a definition, a project, an argument.

    The text shows every problem with its place. The attributes are those of the first error; they
    are ``None`` when it has no place.
    """

    path: str | None
    """The file, as messages name it."""
    line: int | None
    """The line, from 1."""
    column: int | None
    """The column in characters, from 1."""
    findings: list[dict[str, Any]]
    """All problems: severity, file, line, column, message and remedy."""

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        line: int | None = None,
        column: int | None = None,
        hint: str | None = None,
        findings: list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.path = path
        self.line = line
        self.column = column
        self.findings = findings or []


class OperationError(TrueupError):
    """Something could not be done: a file is missing or damaged, a store does not answer."""

    kind: str | None
    """What to do: ``retry``, ``missing``, ``invalid``, ``corrupt``, or ``None``."""

    def __init__(
        self, message: str, *, kind: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind


class ConfigWarning(UserWarning):
    """What was declared can run, but is probably not meant."""
