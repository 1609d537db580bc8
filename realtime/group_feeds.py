"""Where a group of stations is heard: in a child process of this machine, or in an actor of a Ray cluster.

Each feed begins its group when it is first asked, and again when it was lost; what a lost one still hears is
never asked for, so that nothing is told twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import Any, Protocol

from models.errors import OverheardError
from realtime.messages import Message
from realtime.station_group import StationGroup, child_input, child_words
from realtime.stations import Group
from realtime.track_hearing import Hearing

TAKE_SECONDS = 1.0
"""How long a group waits for something to say."""
ANSWER_SECONDS = 10.0
"""Without an answer for so long its stations are told to be lost; it is waited for nevertheless."""
CORES_A_STATION = 0.1
"""What an actor asks the cluster for: measured 0.07 at the model's hop, and some to spare."""
LARGEST_LINE = 1 << 20


class GroupLostError(OverheardError):
    """A group does not answer; ask again, it comes back by itself."""


class Feed(Protocol):
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


class ProcessFeed:
    """A child process."""

    def __init__(self, group: Group, hearing: Hearing) -> None:
        self._group, self._hearing = group, hearing
        self.process: asyncio.subprocess.Process | None = None

    async def take(self) -> list[Message]:
        """The next message."""
        from json import loads

        if self.process is None:
            self.process = await asyncio.create_subprocess_exec(
                *child_words(self._group, self._hearing),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=LARGEST_LINE,
            )
            if self.process.stdin is not None:
                self.process.stdin.write(child_input(self._group))
        process = self.process
        line = await process.stdout.readline() if process.stdout else b""
        if line.endswith(b"\n"):
            return [loads(line)]
        code = await process.wait()
        self.process = None
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        raise GroupLostError(f"the process that heard it has ended ({how}); another one begins")

    async def close(self) -> None:
        """End the child."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()


class GroupActor:
    """A group in a Ray actor; when its node is lost Ray begins it on another."""

    def __init__(self, group: Group, hearing: Hearing) -> None:
        self._group = StationGroup(group, hearing)

    def take(self) -> list[Message]:
        """What was said since."""
        return self._group.take(TAKE_SECONDS)


class RayFeed:
    """An actor that is restarted for good; it asks for ``CORES_A_STATION`` a station."""

    def __init__(self, ray: Any, group: Group, hearing: Hearing) -> None:
        self._ray, self._group, self._hearing = ray, group, hearing
        self._actor: Any = None
        self._answer: asyncio.Future[list[Message]] | None = None

    async def take(self) -> list[Message]:
        """What the actor has heard since."""
        if self._actor is None:
            cores = CORES_A_STATION * len(self._group)
            options = {"num_cpus": cores, "max_restarts": -1, "scheduling_strategy": "SPREAD"}
            self._actor = self._ray.remote(GroupActor).options(**options).remote(self._group, self._hearing)
        if self._answer is None:
            self._answer = asyncio.wrap_future(self._actor.take.remote().future())
        done, _ = await asyncio.wait({self._answer}, timeout=ANSWER_SECONDS)
        if not done:
            raise GroupLostError(
                f"its group waits for {CORES_A_STATION * len(self._group):g} free cores in the cluster, "
                "or for the computer that hears it"
            )
        answer, self._answer = self._answer, None
        try:
            return answer.result()
        except self._ray.exceptions.RayTaskError as error:
            raise GroupLostError(f"its group failed: {str(error.cause).splitlines()[0]}") from error
        except self._ray.exceptions.ActorUnavailableError as error:
            raise GroupLostError("the computer that heard it is gone; another one takes over") from error
        except self._ray.exceptions.RayError as error:
            self._actor = None
            raise GroupLostError("the computer that heard it is gone; another one takes over") from error

    async def close(self) -> None:
        """End the actor."""
        if self._actor is not None:
            self._ray.kill(self._actor, no_restart=True)
        if self._answer is not None:
            self._answer.cancel()
