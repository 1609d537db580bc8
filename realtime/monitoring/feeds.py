"""Where a group of stations is heard: in a child process of this machine, or in an actor of a Ray cluster.

Each feed begins its group when it is first asked, and again when it was lost; what a lost one still hears is
never asked for, so that nothing is told twice.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import signal
from typing import Any, Protocol

from models.common.text import first_line
from models.errors import OverheardError
from realtime.config import AnalysisSettings
from realtime.errors import SettingsError
from realtime.monitoring.group import BEAT_SECONDS, StationGroup, child_argv, child_stdin
from realtime.monitoring.stations import Group
from realtime.protocol.messages import Message, decode

POLL_SECONDS = 1.0
"""How long a group waits for something to say."""
ANSWER_SECONDS = 10.0
"""Without an answer for so long its stations are told to be lost; it is waited for nevertheless."""
CORES_A_STATION = 0.05
"""What an actor asks the cluster for: measured 0.032 at the model's hop, and some to spare."""
MAX_LINE_BYTES = 1 << 20
SILENCE_TIMEOUT_SECONDS = 30.0
"""A child that has said nothing for so long, not even that it lives, hangs and is killed."""
START_TIMEOUT_SECONDS = 600.0
"""The same before its first word: hundreds may begin at once, on few cores."""
FILES_A_PROCESS, FILES_BESIDES = 3, 100
"""Open files that a child takes here (input, output, itself), and all that are neither its nor a client's."""


class GroupLostError(OverheardError):
    """A group does not answer; ask again, it comes back by itself.

    Parameters
    ----------
    reason : str
        One sentence, for clients too.
    late : bool
        It may still be heard as before, and what it says is only late; else it begins anew.
    """

    def __init__(self, reason: str, *, late: bool = False) -> None:
        super().__init__(reason)
        self.late = late


class GroupClient(Protocol):
    """One group, wherever it is heard."""

    async def take(self) -> list[Message]:
        """What was said since; perhaps nothing.

        Raises
        ------
        GroupLostError
            It does not answer; one sentence why.
        """
        ...

    async def close(self) -> None:
        """End it."""
        ...


class ProcessGroupClient:
    """A child process.

    Parameters
    ----------
    group : Group
    hearing : AnalysisSettings
    silence_timeout_seconds : float
        A child that is silent for longer hangs and is killed.
    """

    def __init__(
        self,
        group: Group,
        hearing: AnalysisSettings,
        *,
        silence_timeout_seconds: float = SILENCE_TIMEOUT_SECONDS,
    ) -> None:
        self._group, self._hearing = group, hearing
        self._silence_timeout_seconds = silence_timeout_seconds
        self.process: asyncio.subprocess.Process | None = None
        self._patience = START_TIMEOUT_SECONDS

    async def take(self) -> list[Message]:
        """The next message, or none for a sign of life."""
        process = self.process or await self._begin()
        try:
            line = await self._line(process)
            if line.endswith(b"\n"):
                self._patience = self._silence_timeout_seconds
                return [decode(line)] if line.strip() else []
            async with asyncio.timeout(self._patience):
                code = await process.wait()
            reason = f"has ended ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})"
        except TimeoutError:
            reason = f"has said nothing for {self._patience:g} s"
        except ValueError:  # too long, or no message
            reason = "has said what is no message"
        await self.close()
        self.process = None
        raise GroupLostError(f"the process that heard it {reason}; another one begins")

    async def close(self) -> None:
        """End the child."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()

    async def _begin(self) -> asyncio.subprocess.Process:
        try:
            process = await asyncio.create_subprocess_exec(
                *child_argv(self._group, self._hearing),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=MAX_LINE_BYTES,
            )
        except OSError as error:
            raise GroupLostError(
                f"the process that hears it cannot begin ({error.strerror}); it is tried again"
            ) from error
        if process.stdin is not None:
            process.stdin.write(child_stdin(self._group))
        self.process, self._patience = process, START_TIMEOUT_SECONDS
        return process

    async def _line(self, process: asyncio.subprocess.Process) -> bytes:
        """What it says next; a TimeoutError when it says nothing.

        Counted in seconds that we were awake for: after Ctrl-Z and fg nobody is found to hang.
        """
        for _ in range(round(self._patience / BEAT_SECONDS)):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT_SECONDS):
                    return await process.stdout.readline() if process.stdout else b""
        raise TimeoutError


def allow_files(groups: int, clients: int) -> None:
    """Let this process open the files that so many child processes and clients take.

    Raises
    ------
    SettingsError
        The system does not allow them; names the numbers and the remedy.
    """
    try:
        import resource
    except ModuleNotFoundError:  # Windows has no such limit
        return
    needed = FILES_A_PROCESS * groups + clients + FILES_BESIDES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    most = needed if hard == resource.RLIM_INFINITY else hard
    with contextlib.suppress(ValueError, OSError):  # macOS has a second limit, which it does not tell
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    if soft < needed:
        raise SettingsError(
            f"{groups} groups of stations and {clients} clients need {needed} open files, and this system "
            f"allows {soft}; allow more with ulimit -n, or make group_size larger"
        )


class GroupActor:
    """A group in a Ray actor; when its node is lost Ray begins it on another.

    It is heard from the first question on: a fault of an answer reaches whoever asks as it is, one of an
    actor's beginning does not.
    """

    def __init__(self, group: Group, hearing: AnalysisSettings) -> None:
        self._begin = functools.partial(StationGroup, group, hearing)
        self._group: StationGroup | None = None

    def take(self) -> list[Message]:
        """What was said since."""
        if self._group is None:
            self._group = self._begin()
        return self._group.take(POLL_SECONDS)


class RayGroupClient:
    """An actor that is restarted for good; it asks for ``CORES_A_STATION`` a station."""

    def __init__(self, ray: Any, group: Group, hearing: AnalysisSettings) -> None:
        self._ray, self._group, self._hearing = ray, group, hearing
        self._actor: Any = None
        self._answer: asyncio.Future[list[Message]] | None = None

    async def take(self) -> list[Message]:
        """What the actor has heard since."""
        if self._answer is None:
            self._answer = asyncio.wrap_future(self._ask())
        done, _ = await asyncio.wait({self._answer}, timeout=ANSWER_SECONDS)
        if not done:
            raise GroupLostError(
                f"its group waits for {CORES_A_STATION * len(self._group):g} free cores in the cluster, "
                "or for the computer that hears it",
                late=True,
            )
        answer, self._answer = self._answer, None
        try:
            return answer.result()
        except self._ray.exceptions.RayTaskError as error:
            raise GroupLostError(f"its group failed: {first_line(error.cause)}") from error
        except self._ray.exceptions.ActorUnavailableError as error:
            raise GroupLostError("the computer that heard it is gone; another one takes over") from error
        except self._ray.exceptions.RayError as error:
            self._actor = None
            if getattr(error, "actor_init_failed", False):  # a package is missing there, the last line says
                raise GroupLostError(f"its group cannot begin: {str(error).splitlines()[-1]}") from error
            raise GroupLostError("the computer that heard it is gone; another one takes over") from error

    def _ask(self) -> concurrent.futures.Future[list[Message]]:
        try:
            if self._actor is None:
                cores = CORES_A_STATION * len(self._group)
                options = {"num_cpus": cores, "max_restarts": -1, "scheduling_strategy": "SPREAD"}
                actor = self._ray.remote(GroupActor).options(**options)
                self._actor = actor.remote(self._group, self._hearing)
            asked: concurrent.futures.Future[list[Message]] = self._actor.take.remote().future()
        except Exception:
            self._actor = None  # the next question goes to a new one
            raise
        return asked

    async def close(self) -> None:
        """End the actor; one that is lost has ended."""
        if self._answer is not None:
            self._answer.cancel()
        if self._actor is not None:
            with contextlib.suppress(self._ray.exceptions.RayError, RuntimeError, OSError):
                self._ray.kill(self._actor, no_restart=True)
