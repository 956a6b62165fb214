"""Corrects the estimates of a primary model with a light one that learns from every label.

A notebook uses the same definition, the same replay and the same model as the program ``trueup``:
equal data and equal definitions give equal digests.
"""

from ._errors import ConfigError, ConfigWarning, OperationError, TrueupError
from ._native import Model, RealtimeMLPipeline, Report, Table, __version__, backtest, load

__all__ = [
    "ConfigError",
    "ConfigWarning",
    "Model",
    "OperationError",
    "RealtimeMLPipeline",
    "Report",
    "Table",
    "TrueupError",
    "__version__",
    "backtest",
    "load",
]
