"""History of the analyzer: sessions, segments and label corrections in an SQLite file."""

from realtime.history.audio_buffer import RecentAudioBuffer
from realtime.history.errors import HistoryError
from realtime.history.queries import open_history, read_session, read_sessions
from realtime.history.recorder import HistoryRecorder
from realtime.history.service import HistoryService
from realtime.history.writer import HistoryWriter, default_path, resolve_path

__all__ = [
    "HistoryError",
    "HistoryRecorder",
    "HistoryService",
    "HistoryWriter",
    "RecentAudioBuffer",
    "default_path",
    "open_history",
    "read_session",
    "read_sessions",
    "resolve_path",
]
