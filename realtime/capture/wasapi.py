"""Loopback capture on Windows (WASAPI) through soundcard; PortAudio has none."""

from __future__ import annotations

import threading

from realtime.capture.device import Device
from realtime.capture.live_source import LiveSource, Start, Stop
from realtime.errors import SourceError


def start_loopback(identifier: str, sample_rate: int, channels: int) -> Start:
    """Capture a loopback through soundcard: what Windows plays, which PortAudio cannot give."""

    def start(source: LiveSource) -> Stop:
        import soundcard

        try:
            # Where nothing plays Windows delivers nothing; soundcard then gives zeros.
            microphone = soundcard.get_microphone(identifier, include_loopback=True)
        except (RuntimeError, OSError, IndexError) as error:
            raise SourceError(f"cannot open the loopback of {source.name}: {error}") from error
        stopped = threading.Event()

        def read() -> None:
            try:
                with microphone.recorder(samplerate=sample_rate, channels=channels) as recorder:
                    while not stopped.is_set():
                        source.deliver(recorder.record(numframes=sample_rate // 50))
            except Exception as error:  # whatever it is, nobody else would hear of it
                source.fail(f"{source.name} failed: {error}")

        thread = threading.Thread(target=read, name="capture", daemon=True)
        thread.start()
        return stopped.set

    return start


def list_speakers() -> list[Device]:
    """List the outputs that Windows names.

    Raises
    ------
    SourceError
        If Windows names none.
    """
    try:
        import soundcard

        default = str(soundcard.default_speaker().name)
        names = [str(speaker.name) for speaker in soundcard.all_speakers()]
    except Exception as error:  # whatever Windows says, it means that there is nothing to listen to
        raise SourceError(f"Windows names no speaker: {error}") from error
    return [Device(name, 48_000, 2, is_default=name == default) for name in names]
