"""What batches are made of, and what networks are scored on."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.corpora import arrays_of, cache, entry, recording_of
from training.data.augmentation import window_intensities
from training.data.batches import BatchMix, Sampler, prefetch
from training.data.corpus import Corpus
from training.data.eval_sets import array_eval_set, recording_eval_set
from training.data.geometries import COARSE, FINE
from training.data.targets import EMBEDDING_SIZE, MAX_DEVIATIONS, Standardizer
from training.data.windows import TrackWindows
from training.errors import DataError

LABELS = ("blues", "jazz")


def silent(windows: TrackWindows) -> TrackWindows:
    """The same with nothing to be seen, so that its pictures can be told from all others."""
    return TrackWindows(
        np.zeros_like(windows.fine),
        np.zeros_like(windows.coarse),
        windows.embeddings,
        np.zeros_like(windows.long),
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """One blues and nine jazz tracks, of which one is silent; other music; no music."""
    listed = [(entry("blues.0", "gtzan", "blues"), arrays_of(0, 0))]
    listed += [(entry(f"jazz.{n}", "gtzan", "jazz"), arrays_of(1, n)) for n in range(8)]
    listed += [(entry("jazz.silent", "folder", "jazz"), silent(recording_of(1, 9)))]
    listed += [(entry("other", "music"), recording_of(2, 0))]
    listed += [(entry("talk", "clips", music=False), recording_of(3, 0))]
    return cache(tmp_path_factory.mktemp("cache"), listed)


def test_a_batch_is_the_same_whenever_it_is_asked_for(corpus: Corpus) -> None:
    sampler = Sampler(corpus, corpus.entries, LABELS, BatchMix(batch=10), 0)
    again = Sampler(corpus, corpus.entries, LABELS, BatchMix(batch=10), 0)
    other = Sampler(corpus, corpus.entries, LABELS, BatchMix(batch=10), 1)
    later = sampler.batch(7)
    for one, same in ((sampler.batch(3), again.batch(3)), (sampler.batch(7), later)):
        assert all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(sampler.batch(3).intensities, sampler.batch(4).intensities)
    assert not np.array_equal(sampler.batch(3).intensities, other.batch(3).intensities)


def test_a_batch_holds_the_shares_that_were_asked_for(corpus: Corpus) -> None:
    mixture = BatchMix(batch=20, genre_share=0.8, no_music_share=0.15)
    batch = Sampler(corpus, corpus.entries, LABELS, mixture, 0).batch(1)
    assert batch.intensities.shape == (20, 256, 256)
    assert batch.intensities.dtype == np.uint8
    assert batch.genre_known.tolist() == [1.0] * 16 + [0.0] * 4
    assert batch.genres[:16].sum(axis=0).min() > 3
    assert np.array_equal(batch.genres.sum(axis=1), batch.genre_known)
    assert batch.music.tolist() == [1.0] * 16 + [0.0] * 3 + [1.0]


@pytest.mark.parametrize(
    ("left_out", "music"), [("clips", [1.0] * 10), ("music", [1.0] * 8 + [0.0, 0.0]), ("both", [1.0] * 10)]
)
def test_what_there_is_none_of_is_made_up_for(corpus: Corpus, left_out: str, music: list[float]) -> None:
    entries = [e for e in corpus.entries if e.genre or (left_out != "both" and e.source != left_out)]
    mixture = BatchMix(batch=10, genre_share=0.8, no_music_share=0.1)
    batch = Sampler(corpus, entries, LABELS, mixture, 0).batch(1)
    assert batch.music.tolist() == music
    assert (batch.genre_known == 0).sum() == (0 if left_out == "both" else 2)


def test_what_the_teacher_heard_comes_with_its_window(corpus: Corpus) -> None:
    """Songs without a genre are learnt from as well."""
    listed = []
    for n in range(12):
        heard = np.full((2, EMBEDDING_SIZE), n % 2) + np.random.default_rng(n).normal(
            0, 0.1, (2, EMBEDDING_SIZE)
        )
        windows = replace(recording_of(n % 2, n, windows=2), embeddings=heard.astype(np.float16))
        listed.append((entry(f"song.{n}", "music", "" if n > 9 else LABELS[n % 2]), windows))
    own = cache(corpus.folder.parent / "heard", listed)
    batch = Sampler(own, own.entries, LABELS, BatchMix(batch=40, genre_share=0.5), 0).batch(1)
    assert batch.has_embedding.all()
    assert batch.genre_known.tolist() == [1.0] * 20 + [0.0] * 20
    assert np.array_equal(batch.genres.sum(axis=1), batch.genre_known)
    assert np.array_equal(batch.genres[:20, 1] > batch.genres[:20, 0], batch.embeddings[:20].mean(axis=1) > 0)
    assert np.ptp(batch.embeddings[20:].mean(axis=1)) > 1  # of both kinds
    assert len(np.unique(batch.embeddings, axis=0)) > len(listed)  # more than one window of a track


def test_what_was_heard_is_measured_in_deviations_and_clipped() -> None:
    random = np.random.default_rng(0)
    heard = random.normal(3, 2, (4_000, 2)).astype(np.float32)
    standardizer = Standardizer.fit(heard)
    assert standardizer.apply(np.array([[3, 5], [1, 3]])) == pytest.approx(
        np.array([[0, 1], [-1, 0]]), abs=0.1
    )
    assert standardizer.apply(np.array([[300.0, -300.0]])).tolist() == [[MAX_DEVIATIONS, -MAX_DEVIATIONS]]
    assert standardizer.apply(heard).dtype == np.float32
    still = Standardizer.fit(np.ones((3, 2), np.float32))  # a value that never changes says nothing
    assert still.apply(np.ones((1, 2))).tolist() == [[0, 0]]


def test_genres_are_drawn_equally_often_and_sources_by_their_weights(corpus: Corpus) -> None:
    """One blues track weighs as much as nine of jazz; of jazz, the published arrays three times as much."""
    entries = [each for each in corpus.entries if each.genre]
    batch = Sampler(corpus, entries, LABELS, BatchMix(batch=400, source_weights={"gtzan": 3.0}), 5).batch(1)
    places, genres = batch.intensities, batch.genres.argmax(axis=1)
    assert (genres == 0).mean() == pytest.approx(0.5, abs=0.08)
    blank = places.reshape(400, -1).max(axis=1) == 0
    assert not blank[genres == 0].any()
    assert blank[genres == 1].mean() == pytest.approx(0.25, abs=0.09)


def test_a_genre_without_tracks_is_an_error(corpus: Corpus) -> None:
    with pytest.raises(DataError, match="no track of metal or pop to train on; prepare"):
        Sampler(corpus, corpus.entries, ("blues", "metal", "pop"), BatchMix(), 0)


def test_published_arrays_are_scored_window_by_window(corpus: Corpus) -> None:
    entries = [each for each in corpus.entries if each.source == "gtzan"][:2]
    fine = array_eval_set(corpus, entries, LABELS, FINE)
    assert (fine.track.tolist(), fine.labels.tolist()) == ([0, 1], [0, 1])
    assert np.array_equal(
        fine.intensities[1], window_intensities(corpus.windows(entries[1]).fine[0, 0], FINE)
    )
    coarse = array_eval_set(corpus, entries, LABELS, COARSE)
    assert coarse.track.tolist() == [0, 0, 1, 1]  # 124 columns: 0 to 82 and 41 to 123
    assert np.array_equal(
        coarse.intensities[3], window_intensities(corpus.windows(entries[1]).long[41:124], COARSE)
    )


def test_tracks_that_lack_a_picture_are_left_out_but_not_all(tmp_path: Path) -> None:
    listed = [
        (entry("blues.0", "gtzan", "blues"), arrays_of(0, 0, long=0)),
        (entry("jazz.0", "gtzan", "jazz"), arrays_of(1, 0)),
    ]
    corpus = cache(tmp_path, listed)
    assert array_eval_set(corpus, corpus.entries, LABELS, COARSE).labels.tolist() == [1]
    with pytest.raises(DataError, match=r"none of 1 tracks has columns every 1334 samples"):
        array_eval_set(corpus, corpus.entries[:1], LABELS, COARSE)


def test_recordings_are_scored_clean_and_whole(corpus: Corpus) -> None:
    (talk,) = (each for each in corpus.entries if not each.music)
    scored = recording_eval_set(corpus, [talk], LABELS, FINE, genre="jazz")
    assert (scored.track.tolist(), scored.labels.tolist()) == ([0, 0], [1])
    assert np.array_equal(scored.intensities[1], window_intensities(corpus.windows(talk).fine[1, 0], FINE))


def test_batches_come_in_order() -> None:
    assert list(prefetch(lambda number: number * number, range(3, 60))) == [n * n for n in range(3, 60)]


def test_a_fault_while_drawing_ends_the_training() -> None:
    def batch(number: int) -> int:
        if number == 3:
            raise DataError("the disk is gone")
        return number

    seen: list[int] = []
    with pytest.raises(DataError, match="the disk is gone"):
        seen.extend(prefetch(batch, range(1, 9)))
    assert seen == [1, 2]


def test_whoever_stops_early_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    batches = prefetch(lambda number: number, range(10_000), max_waiting=2)
    assert next(batches) == 0
    assert threading.active_count() == before + 1
    batches.close()  # type: ignore[attr-defined]  # a generator
    assert threading.active_count() == before
