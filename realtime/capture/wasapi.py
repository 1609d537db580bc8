"""Loopback capture on Windows (WASAPI) through soundcard, because PortAudio does not support loopback."""

from __future__ import annotations

import threading

from realtime.capture.device import Device
from realtime.capture.live_source import LiveSource, Start, Stop
from realtime.errors import SourceError

SAMPLE_RATE = 48_000
"""Hz at which outputs are captured. Windows resamples outputs with another rate."""


def start_loopback(identifier: str, sample_rate: int, channels: int) -> Start:
    """Capture the audio that an output of Windows plays.

    Parameters
    ----------
    identifier : str
        Name or number of the output in soundcard.
    sample_rate, channels : int

    Returns
    -------
    callable
        Function that starts the capture, for ``LiveSource``.
    """

    def start(source: LiveSource) -> Stop:
        import soundcard

        try:
            # Windows delivers no samples while nothing plays. soundcard fills such pauses with zeros.
            microphone = soundcard.get_microphone(identifier, include_loopback=True)
        except (RuntimeError, OSError, IndexError) as error:
            raise SourceError(f"cannot open the loopback of {source.name}: {error}") from error
        stopped = threading.Event()

        def read() -> None:
            try:
                with microphone.recorder(samplerate=sample_rate, channels=channels) as recorder:
                    while not stopped.is_set():
                        source.deliver(recorder.record(numframes=sample_rate // 50))
            except Exception as error:  # the consumer would otherwise wait forever
                source.fail(f"{source.name} failed: {error}")

        thread = threading.Thread(target=read, name="capture", daemon=True)
        thread.start()
        return stopped.set

    return start


def list_speakers() -> list[Device]:
    """List the outputs of Windows.

    Raises
    ------
    SourceError
        If Windows has no output.
    """
    try:
        import soundcard

        default = str(soundcard.default_speaker().name)
        names = [str(speaker.name) for speaker in soundcard.all_speakers()]
    except Exception as error:  # soundcard does not document its exceptions
        raise SourceError(f"Windows reports no speaker: {error}") from error
    return [Device(name, SAMPLE_RATE, 2, is_default=name == default) for name in names]
