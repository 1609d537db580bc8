"""Settings of the analyzer, in small frozen groups with defaults and range checks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from models.classifier import RUNTIMES
from models.common.text import format_count, quote
from models.common.urls import is_http_url, is_loopback
from models.common.web_requests import parse_allowed_host

if TYPE_CHECKING:
    from models.manifest import ModelManifest

MAX_TRACK_SECONDS = 900.0
"""Seconds after which the analysis of one track is aborted. Three hours of audio take about 150 s."""

T = TypeVar("T")


def setting(
    default: T, help_text: str, *, metavar: str = "", default_text: str = "", advanced: bool = False
) -> T:
    """Define a field of a group, with the text of ``--help`` in its metadata.

    Parameters
    ----------
    default : T
    help_text : str
        Description of the setting. ``realtime.config.loading`` appends the default.
    metavar : str
        Placeholder of the value, such as ``FILE``. If empty, the last word of the name is taken.
    default_text : str
        Description of a default that is not self-explanatory, such as an empty text.
    advanced : bool
        True if ``--help`` lists the option under "advanced".
    """
    metadata = {"help": help_text, "metavar": metavar, "default_text": default_text, "advanced": advanced}
    result: T = field(default=default, metadata=metadata)
    return result


def _check_range(settings: object, name: str, low: float, high: float, note: str = "") -> None:
    """Raise a ValueError if a field lies outside ``low`` to ``high``, both included."""
    value = getattr(settings, name)
    if not low <= value <= high:
        raise ValueError(f"{name} is {quote(value)}; it must lie in {low}..{high}{note}")


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """Audio sources, and how they are opened and reconnected.

    The values of ``source`` and ``allow_source`` are arguments of ``realtime.sources.factory.open_source``.
    """

    source: tuple[str, ...] = setting(
        ("auto",), "auto, system, system:NAME, mic, mic:NAME, a path, a URL, or demo; may be repeated"
    )
    allow_source: tuple[str, ...] = setting(
        (),
        "source that the page may change to; may be repeated",
        metavar="SOURCE",
        default_text="for run: system, mic and demo",
    )
    speed: float = setting(
        1.0, "speed at which a file plays: 1 is real time, 0 as fast as possible", metavar="FACTOR"
    )
    follow_default: bool = setting(False, "move with the system's default output or input device")
    now_playing: bool = setting(True, "show the titles that media players report, for system audio")
    reconnect_timeout_seconds: float = setting(
        0.0, "seconds to wait for a lost device or station, 0 for no limit", advanced=True
    )

    def __post_init__(self) -> None:
        """Check sources and ranges.

        Raises
        ------
        ValueError
            If no source is named, if a source is named twice, or if a number is out of range.
        """
        if not self.source or len(set(self.source)) != len(self.source):
            raise ValueError(f"source is {', '.join(self.source) or 'empty'}; name at least one, each once")
        allowed = self.allow_source
        if len(set(allowed)) != len(allowed) or not all(map(str.strip, allowed)):
            raise ValueError(f"allow_source is {', '.join(allowed)}; name each once, and none that is empty")
        _check_range(self, "reconnect_timeout_seconds", 0, 1_000_000)
        _check_range(self, "speed", 0, 1000, ", 0 meaning as fast as possible")


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Model, the runtime that executes the model, and the time between two updates."""

    manifest: str = setting(
        "", "manifest of another model", metavar="FILE", default_text="the shipped model", advanced=True
    )
    runtime: str = setting("auto", "auto, litert or tflite-runtime", metavar="NAME", advanced=True)
    hop_seconds: float = setting(
        0.0,
        "seconds between updates, rounded to the nearest spectrogram column",
        default_text="the model's",
        advanced=True,
    )

    def __post_init__(self) -> None:
        """Check runtime and hop.

        Raises
        ------
        ValueError
            If the runtime is unknown or the hop is out of range.
        """
        if self.runtime not in ("auto", *RUNTIMES):
            raise ValueError(f"runtime is {self.runtime!r}; there are auto, {', '.join(RUNTIMES)}")
        _check_range(self, "hop_seconds", 0, 3600)


@dataclass(frozen=True, slots=True)
class SmoothingSettings:
    """Smoothing of the estimates.

    The weight of a prediction halves every ``half_life_seconds``. A genre that leads for ``hold_seconds`` by
    ``switch_margin`` (probability) in the predictions of the last second or so ends the influence of all
    earlier predictions.
    """

    half_life_seconds: float = setting(10.0, "seconds until an old prediction counts half")
    switch_margin: float = setting(
        0.3, "lead in probability with which a new genre replaces the old one", metavar="PROBABILITY"
    )
    hold_seconds: float = setting(0.5, "seconds for which a new genre must keep its lead")

    def __post_init__(self) -> None:
        """Check ranges.

        Raises
        ------
        ValueError
            If a value is out of range.
        """
        _check_range(self, "half_life_seconds", 0, 3600)
        _check_range(self, "switch_margin", 0, 1)
        _check_range(self, "hold_seconds", 0, 3600)


@dataclass(frozen=True, slots=True)
class SilenceSettings:
    """Level and duration of silence: audio below ``silence_dbfs`` for ``silence_seconds``."""

    silence_dbfs: float = setting(-60.0, "level below which audio counts as silence", metavar="DBFS")
    silence_seconds: float = setting(2.0, "seconds for which the level must stay below")

    def __post_init__(self) -> None:
        """Check ranges.

        Raises
        ------
        ValueError
            If level or duration is out of range.
        """
        _check_range(self, "silence_dbfs", -119, 0)
        if not 0 < self.silence_seconds <= 4.5:
            raise ValueError(
                f"silence_seconds is {self.silence_seconds}; it must lie above 0, up to 4.5, within a window"
            )


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Address, access control and TLS of the websocket server.

    Web pages of an ``allow_origin`` may connect besides the program's own page. If there is a ``token``,
    clients must send the token. ``tls_certificate`` and ``tls_key`` are PEM files.
    """

    host: str = setting("127.0.0.1", "address that the websocket listens on", metavar="ADDRESS")
    port: int = setting(8765, "port of the websocket, 0 for any free port")
    allow_origin: tuple[str, ...] = setting(
        (),
        "origin of a web page that may connect, such as http://radio.example; may be repeated",
        metavar="ORIGIN",
    )
    token: str = setting(
        "",
        "secret that clients must send; prefer the variable OVERHEARD_TOKEN, because other users can read "
        "options",
    )
    max_clients: int = setting(64, "largest number of websockets at a time", metavar="N", advanced=True)
    tls_certificate: str = setting("", "certificate (PEM), to serve wss and https", metavar="FILE")
    tls_key: str = setting("", "private key of the certificate (PEM)", metavar="FILE")

    def __post_init__(self) -> None:
        """Check address, access control and TLS.

        Raises
        ------
        ValueError
            If a value is invalid, or if the host is a network address and there is no token.
        """
        if not self.host.strip():
            raise ValueError("host is empty, which would mean every network; name 127.0.0.1 or 0.0.0.0")
        _check_range(self, "port", 0, 65535, ", 0 meaning any free one")
        _check_range(self, "max_clients", 1, 10_000)
        if self.token and not re.fullmatch(r"[\w.~-]{16,256}", self.token, re.ASCII):
            raise ValueError(
                f"the token has {format_count(len(self.token), 'character')}; it must have 16 to 256, "
                "letters, digits and . _ ~ -"
            )
        if not self.token and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host} can be reached from other machines; set a token of 16 or more characters "
                "(OVERHEARD_TOKEN or token under [server]), or listen on 127.0.0.1"
            )
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("tls_certificate and tls_key belong together; name both files or none")
        for origin in self.allow_origin:
            if not re.fullmatch(r"https?://[^/\s]+", origin):
                raise ValueError(
                    f"allow_origin is {origin!r}; it must be scheme, host and port only, "
                    "such as http://radio.example:8501"
                )


@dataclass(frozen=True, slots=True)
class HistorySettings:
    """File of the history, and length of the audio buffer from which corrections save clips."""

    history: str = setting(
        "auto", "SQLite file for the history of sessions, auto for the usual place, or off", metavar="FILE"
    )
    audio_buffer_minutes: float = setting(
        3.0, "minutes of audio held in memory for label corrections, 0 for none"
    )

    def __post_init__(self) -> None:
        """Check the length of the buffer.

        Raises
        ------
        ValueError
            If the length is out of range.
        """
        _check_range(self, "audio_buffer_minutes", 0, 60)


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """Receivers of genre changes: an MQTT broker and a webhook, each empty for none."""

    mqtt: str = setting(
        "", "publish genre changes to a broker: mqtt://USER:PASSWORD@HOST:PORT/TOPIC", metavar="URL"
    )
    webhook: str = setting("", "send genre changes to this address by POST", metavar="URL")

    def __post_init__(self) -> None:
        """Check addresses.

        Raises
        ------
        ValueError
            If an address has another scheme, or no host.
        """
        if self.mqtt and not re.fullmatch(r"mqtts?://([^@/\s]+@)?[^@/\s]+/\S+", self.mqtt):
            raise ValueError("mqtt must be an address such as mqtt://broker.example:1883/overheard")
        if self.webhook and not is_http_url(
            self.webhook
        ):  # the address may be a secret, so it is not repeated
            raise ValueError("webhook must be an http or https address such as https://hooks.example/genre")


@dataclass(frozen=True, slots=True)
class DashboardSettings:
    """Port and access control of the page that ``overheard run`` serves, and whether a browser opens it.

    Browsers may open the page under a name of ``allow_host`` besides the loopback names. If there is a
    ``page_key``, the page asks for this key.
    """

    dashboard_port: int = setting(8501, "port of the page")
    allow_host: tuple[str, ...] = setting(
        (),
        "further name under which browsers may open the page, such as radio.example; may be repeated",
        metavar="NAME",
    )
    page_key: str = setting(
        "",
        "secret that the page asks for; prefer the variable OVERHEARD_PAGE_KEY, because other users can read "
        "options",
        metavar="KEY",
    )
    library: str = setting(
        "", "table of `overheard library`, whose tracks the page offers and plays", metavar="FOLDER"
    )
    browser: bool = setting(True, "open the page in the browser", default_text="if there is a display")

    def __post_init__(self) -> None:
        """Check port, names and key.

        Raises
        ------
        ValueError
            If the port is out of range, a name is not one of a host, or the key is malformed.
        """
        _check_range(self, "dashboard_port", 1, 65535)
        for name in self.allow_host:
            try:
                parse_allowed_host(name)
            except ValueError as error:
                raise ValueError(f"allow_host {error}") from error
        if self.page_key and not re.fullmatch(r"[\w.~-]{16,256}", self.page_key, re.ASCII):
            raise ValueError(
                f"the page_key has {format_count(len(self.page_key), 'character')}; it must have 16 to 256, "
                "letters, digits and . _ ~ -"
            )


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the analyzer. The name of a group is its section in the file."""

    source: SourceSettings = field(default_factory=SourceSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    smoothing: SmoothingSettings = field(default_factory=SmoothingSettings)
    silence: SilenceSettings = field(default_factory=SilenceSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    history: HistorySettings = field(default_factory=HistorySettings)
    outputs: OutputSettings = field(default_factory=OutputSettings)
    dashboard: DashboardSettings = field(default_factory=DashboardSettings)


@dataclass(frozen=True, slots=True)
class AnalysisSettings:
    """Settings that the result of a track depends on, in a form that can be sent to other machines."""

    model: ModelSettings
    smoothing: SmoothingSettings
    silence: SilenceSettings
    max_track_seconds: float = MAX_TRACK_SECONDS

    @classmethod
    def from_settings(cls, settings: Settings) -> AnalysisSettings:
        """Select the groups that the result of a track depends on."""
        return cls(settings.model, settings.smoothing, settings.silence)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> AnalysisSettings:
        """Convert the output of ``dataclasses.asdict`` back to settings."""
        return cls(
            ModelSettings(**fields["model"]),
            SmoothingSettings(**fields["smoothing"]),
            SilenceSettings(**fields["silence"]),
            fields["max_track_seconds"],
        )

    @property
    def settings(self) -> Settings:
        """Complete settings, with defaults for the other groups."""
        return Settings(model=self.model, smoothing=self.smoothing, silence=self.silence)

    def describe(self, manifest: ModelManifest) -> str:
        """Describe model, hop and silence in one line.

        A table of tracks keeps this line. Tracks whose line differs are analyzed again.
        """
        hop = f"{self.model.hop_seconds:g} s" if self.model.hop_seconds else "the model's hop"
        silence = f"{self.silence.silence_dbfs:g} dBFS for {self.silence.silence_seconds:g} s"
        return f"{manifest.identity}, {hop}, silence {silence}"
