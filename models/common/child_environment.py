"""Environment of child processes: what a program needs to run, and no secrets.

Children decode audio from files and stations, run programs of the system, or read a device. A fault in a
decoder must not reveal the keys of the song services, the tokens, or passwords in addresses.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

NAMES: Final = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "TERM", "COLUMNS",
    "NO_COLOR", "SSL_CERT_FILE", "SSL_CERT_DIR", "VIRTUAL_ENV", "DISPLAY", "DBUS_SESSION_BUS_ADDRESS",
    "MALLOC_ARENA_MAX",
    # Windows
    "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "HOMEDRIVE", "HOMEPATH",
    "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "NUMBER_OF_PROCESSORS",
})  # fmt: skip
"""Variables that children receive."""

PREFIXES: Final = (
    "LC_", "XDG_", "PYTHON", "LD_", "DYLD_", "OMP_", "MKL_", "OPENBLAS_", "PULSE_", "PIPEWIRE_", "ALSA_",
    "JACK_", "PROCESSOR_", "COVERAGE_", "OVERHEARD_",
)  # fmt: skip
"""Beginnings of further variables that children receive: language, libraries, threads, sound, settings."""

SECRETS: Final = frozenset({
    "OVERHEARD_TOKEN", "OVERHEARD_PAGE_KEY", "OVERHEARD_MQTT", "OVERHEARD_WEBHOOK", "OVERHEARD_SOURCE",
    "OVERHEARD_ALLOW_SOURCE",
})  # fmt: skip
"""Settings that are secrets or addresses with passwords."""


def child_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables for a child process that needs no secret."""
    return {
        name: value
        for name, value in environment.items()
        if (name in NAMES or name.startswith(PREFIXES)) and name not in SECRETS
    }
