"""Media players on macOS: Music and Spotify, asked by AppleScript.

The system's own list of what plays is closed to programs since macOS 15.4. macOS asks the user for permission
when a player is asked the first time.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator

from models.common.child_environment import child_environment
from realtime.now_playing.players import Player, clean_song
from realtime.now_playing.polling import PlayingSong, poll_players

POLL_SECONDS = 3.0
"""Interval at which the players are asked. Each time starts a process."""

TIMEOUT_SECONDS = 10.0
"""Seconds after which a player that has not answered counts as hanging."""

SEPARATOR = "\x1f"
"""Character between the parts of an answer, which no title contains."""

SCRIPT = """
set answers to ""
repeat with theName in {"Music", "Spotify"}
    if application theName is running then
        try
            using terms from application "Music"
                tell application theName
                    if player state is playing then
                        set parts to {theName as text, name of current track, artist of current track}
                        set AppleScript's text item delimiters to (character id 31)
                        set answers to answers & (parts as text) & linefeed
                    end if
                end tell
            end using terms from
        end try
    end if
end repeat
return answers
"""


def watch(report: Callable[[tuple[Player, ...]], None], closed: threading.Event) -> None:
    """Report the players at an interval, until ``closed`` is set.

    Raises
    ------
    OSError
        If ``osascript`` fails or is missing.
    subprocess.TimeoutExpired
        If a player hangs.
    """
    poll_players(lambda: parse_answers(_ask_players()), POLL_SECONDS, report, closed)


def parse_answers(output: str) -> Iterator[PlayingSong]:
    """Yield name and song of each player in the output of the script."""
    for line in output.split("\n"):
        parts = line.split(SEPARATOR)
        if len(parts) == 3:
            name, title, artist = parts
            yield (name,), clean_song(title, [artist])


def _ask_players() -> str:
    done = subprocess.run(
        ["osascript", "-e", SCRIPT],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=TIMEOUT_SECONDS,
        env=child_environment(),
        check=False,
    )
    if done.returncode:
        raise OSError(f"osascript failed: {done.stderr.strip()}")
    return done.stdout
