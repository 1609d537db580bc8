"""Codes of states and responses, so that a client can translate a message without parsing its sentence."""

from __future__ import annotations

from realtime.protocol.described import DescribedEnum


class StateCode(DescribedEnum):
    """Reason for a stream's state, for clients that translate it."""

    SOURCE_CHANGED = (
        "source_changed",
        "Another source replaces this source, and its hello follows.",
    )
    SOURCE_ERROR = "source_error", "The source cannot be opened or read. The detail has the reason."
    AUDIO_TOO_SHORT = "audio_too_short", "The source ended before one window was full."
    STREAM_ENDED = "stream_ended", "A monitored station ended its stream and is reopened."
    GROUP_UNREACHABLE = (
        "group_unreachable",
        "The process or computer that analyzes the station does not respond.",
    )
    ANALYZER_ERROR = (
        "analyzer_error",
        "The model or the analysis failed. The detail or the log has the reason.",
    )
    MUTED = "muted", "The device is muted, so that it delivers silence. The detail has the remedy."


class ResponseCode(DescribedEnum):
    """Outcome of a control, for clients that translate it."""

    SOURCE_SELECTED = "source_selected", "The selected source is analyzed."
    SOURCE_ALREADY_SELECTED = "source_already_selected", "The selected source was analyzed already."
    PAUSED = "paused", "All sources are closed until a client resumes them."
    ALREADY_PAUSED = "already_paused", "The analysis was paused already."
    RESUMED = "resumed", "The paused sources are open again."
    LEVELS_MEASURED = "levels_measured", "The levels of the idle sources are measured."
    LABEL_SAVED_WITH_AUDIO = "label_saved_with_audio", "The correction is saved together with the audio."
    LABEL_SAVED_WITHOUT_AUDIO = (
        "label_saved_without_audio",
        "The correction is saved; the audio is no longer in memory.",
    )
    LABEL_SAVED_TOO_SHORT = (
        "label_saved_too_short",
        "The correction is saved without audio, which is shorter than one window.",
    )
    LABEL_SAVED_AUDIO_FAILED = (
        "label_saved_audio_failed",
        "The correction is saved; the audio could not be written.",
    )
    LABEL_REMOVED = "label_removed", "The correction is removed."
    HISTORY_DELETED = "history_deleted", "All sessions, corrections and audio are deleted."

    UNAUTHORIZED = "unauthorized", "The client did not send the control token."
    UNSUPPORTED = "unsupported", "The sources of this analyzer cannot be changed."
    BUSY = "busy", "Another change is in progress."
    UNKNOWN_SOURCE = "unknown_source", "No available source has this name."
    SOURCE_UNAVAILABLE = "source_unavailable", "The source cannot be opened. The previous source continues."
    NOTHING_TO_PAUSE = "nothing_to_pause", "All sources have ended."
    NOTHING_TO_RESUME = "nothing_to_resume", "Nothing is paused."
    PAUSED_NOW = "paused_now", "The control does not work during a pause."
    TOO_FREQUENT = "too_frequent", "The levels were measured a moment ago."
    INTERRUPTED = "interrupted", "Another control interrupted the measurement."
    HISTORY_OFF = "history_off", "The analyzer does not record a history."
    HISTORY_FAILED = (
        "history_failed",
        "The history could not carry out the control. The detail has the reason.",
    )
    UNKNOWN_GENRE = "unknown_genre", "The model does not know the genre."
    INTERNAL_ERROR = "internal_error", "Defect of the analyzer, whose log has details."
