"""Settings of the analyzer from a TOML file, the environment and the command line."""

from realtime.config.loading import add_options, load
from realtime.config.settings import (
    AnalysisSettings,
    DashboardSettings,
    HistorySettings,
    ModelSettings,
    OutputSettings,
    ServerSettings,
    Settings,
    SilenceSettings,
    SmoothingSettings,
    SourceSettings,
)

__all__ = [
    "AnalysisSettings",
    "DashboardSettings",
    "HistorySettings",
    "ModelSettings",
    "OutputSettings",
    "ServerSettings",
    "Settings",
    "SilenceSettings",
    "SmoothingSettings",
    "SourceSettings",
    "add_options",
    "load",
]
