"""The bundled demonstration, as the shipped model hears it."""

from __future__ import annotations

from collections.abc import Iterator

from models.classifier import load_classifier
from realtime.clock import SystemClock
from realtime.config import Settings
from realtime.pipeline.analyzer import Analyzer
from realtime.protocol.estimate import GenreEstimate, StreamState
from realtime.sources import FileSource
from tests.support.paths import DEMONSTRATION


def hear_demonstration() -> Iterator[GenreEstimate]:
    """Analyze the demonstration once, as fast as possible."""
    clock, settings = SystemClock(), Settings()
    source = FileSource(str(DEMONSTRATION), clock, speed=0.0)
    classifier = load_classifier(settings.model.manifest, settings.model.runtime)
    analyzer = Analyzer(classifier, settings, source.sample_rate, clock)
    for block in source.blocks():
        yield from (analysis.estimate for analysis in analyzer.process(block))
    yield from (analysis.estimate for analysis in analyzer.flush())


def test_the_model_is_sure_of_the_genres_of_the_demonstration() -> None:
    """New users judge the program by this recording."""
    estimates = list(hear_demonstration())
    sure = [estimate for estimate in estimates if estimate.state is StreamState.LISTENING]
    genres = {estimate.stable_label for estimate in sure}
    print(f"sure {len(sure)} of {len(estimates)}: {genres}")
    assert len(sure) >= 0.8 * len(estimates)
    assert len(genres) >= 5
