"""Clients of station groups that run in child processes of this machine or in actors of a Ray cluster.

A client starts its group at the first request, and again after the group was lost. Messages of a lost group
are never requested, so no message is published twice.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import signal
from typing import Any, Protocol

from models.audio.decoder_process import share_server
from models.common.child_environment import child_environment
from models.common.descriptors import raise_descriptor_limit
from models.common.text import first_line, format_count
from models.errors import OverheardError
from realtime.config import AnalysisSettings
from realtime.errors import SettingsError
from realtime.monitoring.group import HEARTBEAT_SECONDS, StationGroup, child_argv, child_stdin
from realtime.monitoring.stations import Group
from realtime.protocol.messages import Message, decode

POLL_SECONDS = 1.0
"""Maximum wait of an actor for a message."""
RESPONSE_TIMEOUT_SECONDS = 10.0
"""Time without a response after which the stations of a group are reported as lost. The request continues."""
CORES_PER_STATION = 0.05
"""Cores that an actor requests for each station: the measured 0.032 at the model's hop, and a reserve."""
MAX_LINE_BYTES = 1 << 20
"""Maximum length of a child's line. A child that writes a longer line counts as lost."""
SILENCE_TIMEOUT_SECONDS = 30.0
"""Time without a line after which a child is killed. A working child writes a line every second."""
START_TIMEOUT_SECONDS = 600.0
"""Timeout of the first line, which is long because hundreds of children may start at once on few cores."""
FILES_PER_PROCESS, OTHER_FILES = 3, 100
"""Open files for each child (input, output, process), and other open files except those of clients."""


COMPUTER_LOST = "the computer that analyzed it is unreachable; another computer takes over"
"""Reason that is reported for the stations of a lost node."""


COMPUTER_LOST = "the computer that analyzed it is unreachable; another computer takes over"
"""Reason that is reported for the stations of a lost node."""


class GroupLostError(OverheardError):
    """Group that does not respond. The next request restarts it.

    Parameters
    ----------
    reason : str
        Reason in one sentence, which is also sent to clients.
    late : bool
        True if the group may still run, so that its messages are only late. Otherwise the group is restarted.
    """

    def __init__(self, reason: str, *, late: bool = False) -> None:
        super().__init__(reason)
        self.late = late


class GroupClient(Protocol):
    """Client of one group."""

    async def take(self) -> list[Message]:
        """Return the messages since the last call. The list may be empty.

        Raises
        ------
        GroupLostError
            If the group does not respond.
        """
        ...

    async def close(self) -> None:
        """End the group."""
        ...


class ProcessGroupClient:
    """Client of a group in a child process.

    Parameters
    ----------
    group : Group
    settings : AnalysisSettings
    silence_timeout_seconds : float
        Time without a line after which the child is killed.
    """

    def __init__(
        self,
        group: Group,
        settings: AnalysisSettings,
        *,
        silence_timeout_seconds: float = SILENCE_TIMEOUT_SECONDS,
    ) -> None:
        self._group, self._settings = group, settings
        self._silence_timeout_seconds = silence_timeout_seconds
        self.process: asyncio.subprocess.Process | None = None
        self._timeout_seconds = START_TIMEOUT_SECONDS

    async def take(self) -> list[Message]:
        """Return the next message, or an empty list if the child is alive and has no message."""
        process = self.process or await self._start()
        try:
            line = await self._read_line(process)
            if line.endswith(b"\n"):
                self._timeout_seconds = self._silence_timeout_seconds
                return [decode(line)] if line.strip() else []
            async with asyncio.timeout(self._timeout_seconds):
                code = await process.wait()
            reason = f"has ended ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})"
        except TimeoutError:
            reason = f"has sent nothing for {self._timeout_seconds:g} s"
        except ValueError:  # the line is too long or not a message
            reason = "has sent an invalid message"
        await self.close()
        self.process = None
        raise GroupLostError(f"its process {reason}; a new process starts")

    async def close(self) -> None:
        """End the child."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        try:
            server = share_server()
            process = await asyncio.create_subprocess_exec(
                *child_argv(self._settings, server),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=MAX_LINE_BYTES,
                env=child_environment(),
                pass_fds=() if server is None else (server,),
            )
        except OSError as error:
            raise GroupLostError(
                f"its process cannot start ({error.strerror}); the analyzer tries again"
            ) from error
        if process.stdin is not None:
            process.stdin.write(child_stdin(self._group))
        self.process, self._timeout_seconds = process, START_TIMEOUT_SECONDS
        return process

    async def _read_line(self, process: asyncio.subprocess.Process) -> bytes:
        """Read the next line.

        The timeout counts only time in which this process runs, so that Ctrl-Z and fg do not kill a child.

        Raises
        ------
        TimeoutError
            If no line arrives in time.
        """
        for _ in range(round(self._timeout_seconds / HEARTBEAT_SECONDS)):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    return await process.stdout.readline() if process.stdout else b""
        raise TimeoutError


def raise_file_limit(groups: int, clients: int) -> None:
    """Raise this process's limit of open files to what child processes and clients need.

    Raises
    ------
    SettingsError
        If the system allows fewer files.
    """
    needed = FILES_PER_PROCESS * groups + 2 * clients + OTHER_FILES  # the server plans two per client
    allowed = raise_descriptor_limit(needed)
    if allowed is not None and allowed < needed:
        raise SettingsError(
            f"{needed} open files are needed for {format_count(groups, 'group')} of stations and "
            f"{format_count(clients, 'client')}, but this system allows {allowed}; "
            "raise the limit with ulimit -n, or increase group_size"
        )


class GroupActor:
    """Ray actor with a group. If its node is lost, Ray restarts the actor on another node.

    The group starts at the first request, because Ray raises errors of a method at the caller, but not errors
    of an actor's constructor.
    """

    def __init__(self, group: Group, settings: AnalysisSettings) -> None:
        self._start = functools.partial(StationGroup, group, settings)
        self._group: StationGroup | None = None

    def take(self) -> list[Message]:
        """Return the messages since the last call."""
        if self._group is None:
            self._group = self._start()
        return self._group.take(POLL_SECONDS)


class RayGroupClient:
    """Client of a group in a Ray actor, which is restarted without limit."""

    def __init__(self, ray: Any, group: Group, settings: AnalysisSettings) -> None:
        self._ray, self._group, self._settings = ray, group, settings
        self._actor: Any = None
        self._response: asyncio.Future[list[Message]] | None = None

    async def take(self) -> list[Message]:
        """Return the messages of the actor since the last call."""
        if self._response is None:
            self._response = asyncio.wrap_future(self._request())
        done, _ = await asyncio.wait({self._response}, timeout=RESPONSE_TIMEOUT_SECONDS)
        if not done:
            raise GroupLostError(
                f"its group waits for {CORES_PER_STATION * len(self._group):g} free cores in the cluster, "
                "or for the computer that runs it",
                late=True,
            )
        response, self._response = self._response, None
        try:
            return response.result()
        except self._ray.exceptions.RayTaskError as error:
            raise GroupLostError(f"its group failed: {first_line(error.cause)}") from error
        except self._ray.exceptions.ActorUnavailableError as error:
            raise GroupLostError(COMPUTER_LOST) from error
        except self._ray.exceptions.RayError as error:
            self._actor = None
            if getattr(error, "actor_init_failed", False):  # the last line names the missing package
                raise GroupLostError(f"its group cannot start: {str(error).splitlines()[-1]}") from error
            raise GroupLostError(COMPUTER_LOST) from error

    def _request(self) -> concurrent.futures.Future[list[Message]]:
        try:
            if self._actor is None:
                cores = CORES_PER_STATION * len(self._group)
                options = {"num_cpus": cores, "max_restarts": -1, "scheduling_strategy": "SPREAD"}
                actor = self._ray.remote(GroupActor).options(**options)
                self._actor = actor.remote(self._group, self._settings)
            request: concurrent.futures.Future[list[Message]] = self._actor.take.remote().future()
        except Exception:
            self._actor = None  # the next request starts a new actor
            raise
        return request

    async def close(self) -> None:
        """End the actor, unless it was lost."""
        if self._response is not None:
            self._response.cancel()
        if self._actor is not None:
            with contextlib.suppress(self._ray.exceptions.RayError, RuntimeError, OSError):
                self._ray.kill(self._actor, no_restart=True)
