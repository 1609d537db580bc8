"""Codes of states and responses, so that a client can translate a message without parsing its sentence."""

from __future__ import annotations

from realtime.protocol.described import DescribedEnum


class StateCode(DescribedEnum):
    """Reason for a stream's state, for clients that translate it."""

    SOURCE_CHANGED = (
        "source_changed",
        "Another source takes the place of this one; its hello follows.",
    )
    SOURCE_ERROR = "source_error", "The source cannot be opened or read; the detail says why."
    AUDIO_TOO_SHORT = "audio_too_short", "The source ended before one window was full."
    STREAM_ENDED = "stream_ended", "A monitored station ended its stream and is opened again."
    GROUP_UNREACHABLE = (
        "group_unreachable",
        "The process or computer that analyzes the station is gone.",
    )
    ANALYZER_ERROR = "analyzer_error", "The model or the analysis failed; the detail or the log says why."


class ResponseCode(DescribedEnum):
    """Outcome of a control, for clients that translate it."""

    SOURCE_SELECTED = "source_selected", "The selected source plays."
    SOURCE_ALREADY_SELECTED = "source_already_selected", "The selected source played before."
    PAUSED = "paused", "All sources are closed until a client resumes them."
    ALREADY_PAUSED = "already_paused", "The analysis was paused before."
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

    UNAUTHORIZED = "unauthorized", "The client did not show the control token."
    UNSUPPORTED = "unsupported", "This analyzer has no sources that could be switched."
    BUSY = "busy", "Another change is under way."
    UNKNOWN_SOURCE = "unknown_source", "No available source has this name."
    SOURCE_UNAVAILABLE = "source_unavailable", "The source cannot be opened; the previous one plays on."
    NOTHING_TO_PAUSE = "nothing_to_pause", "All sources have ended."
    NOTHING_TO_RESUME = "nothing_to_resume", "Nothing is paused."
    PAUSED_NOW = "paused_now", "The control does not work during a pause."
    TOO_FREQUENT = "too_frequent", "The levels were measured a moment ago."
    INTERRUPTED = "interrupted", "Another control interrupted the measurement."
    HISTORY_OFF = "history_off", "The analyzer keeps no history."
    HISTORY_FAILED = "history_failed", "The history could not do it; the detail says why."
    UNKNOWN_GENRE = "unknown_genre", "The model has no such genre."
    INTERNAL_ERROR = "internal_error", "A defect of the analyzer; its log has more."
