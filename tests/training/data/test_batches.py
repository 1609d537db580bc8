"""Composition of training batches, evaluation sets, and prefetching."""

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
from training.data.geometries import COARSE, FINE, LIVE
from training.data.targets import EMBEDDING_SIZE, MAX_DEVIATIONS, Standardizer
from training.data.windows import TrackWindows
from training.errors import DataError

LABELS = ("blues", "jazz")


def silent(windows: TrackWindows) -> TrackWindows:
    """Return windows with zero columns, whose images differ from all others."""
    columns = {name: np.zeros_like(getattr(windows, name)) for name in ("live", "fine", "coarse", "long")}
    return replace(windows, **columns)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """One blues track, nine jazz tracks of which one is silent, other music, and non-music."""
    listed = [(entry("blues.0", "gtzan", "blues"), arrays_of(0, 0))]
    listed += [(entry(f"jazz.{n}", "gtzan", "jazz"), arrays_of(1, n)) for n in range(8)]
    listed += [(entry("jazz.silent", "folder", "jazz"), silent(recording_of(1, 9)))]
    listed += [(entry("other", "music"), recording_of(2, 0))]
    listed += [(entry("talk", "clips", music=False), recording_of(3, 0))]
    return cache(tmp_path_factory.mktemp("cache"), listed)


def test_a_batch_depends_only_on_seed_and_number(corpus: Corpus) -> None:
    sampler = Sampler(corpus, corpus.entries, LABELS, BatchMix(batch=10), 0)
    again = Sampler(corpus, corpus.entries, LABELS, BatchMix(batch=10), 0)
    other = Sampler(corpus, corpus.entries, LABELS, BatchMix(batch=10), 1)
    later = sampler.batch(7)
    for one, same in ((sampler.batch(3), again.batch(3)), (sampler.batch(7), later)):
        assert all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(sampler.batch(3).intensities, sampler.batch(4).intensities)
    assert not np.array_equal(sampler.batch(3).intensities, other.batch(3).intensities)


def test_a_batch_has_the_configured_shares(corpus: Corpus) -> None:
    mix = BatchMix(batch=20, genre_share=0.8, no_music_share=0.15)
    batch = Sampler(corpus, corpus.entries, LABELS, mix, 0).batch(1)
    assert batch.intensities.shape == (20, 256, 256)
    assert batch.intensities.dtype == np.uint8
    assert batch.genre_known.tolist() == [1.0] * 16 + [0.0] * 4
    assert batch.genres[:16].sum(axis=0).min() > 3
    assert np.array_equal(batch.genres.sum(axis=1), batch.genre_known)
    assert batch.music.tolist() == [1.0] * 16 + [0.0] * 3 + [1.0]


@pytest.mark.parametrize(
    ("left_out", "music"), [("clips", [1.0] * 10), ("music", [1.0] * 8 + [0.0, 0.0]), ("both", [1.0] * 10)]
)
def test_a_missing_kind_is_replaced_by_other_windows(
    corpus: Corpus, left_out: str, music: list[float]
) -> None:
    entries = [e for e in corpus.entries if e.genre or (left_out != "both" and e.source != left_out)]
    mix = BatchMix(batch=10, genre_share=0.8, no_music_share=0.1)
    batch = Sampler(corpus, entries, LABELS, mix, 0).batch(1)
    assert batch.music.tolist() == music
    assert (batch.genre_known == 0).sum() == (0 if left_out == "both" else 2)


def test_embeddings_belong_to_their_windows(corpus: Corpus) -> None:
    """Songs without a genre have embeddings too."""
    listed = []
    for n in range(12):
        embeddings = np.full((2, EMBEDDING_SIZE), n % 2) + np.random.default_rng(n).normal(
            0, 0.1, (2, EMBEDDING_SIZE)
        )
        windows = replace(recording_of(n % 2, n, windows=2), embeddings=embeddings.astype(np.float16))
        listed.append((entry(f"song.{n}", "music", "" if n > 9 else LABELS[n % 2]), windows))
    own = cache(corpus.folder.parent / "embedded", listed)
    batch = Sampler(own, own.entries, LABELS, BatchMix(batch=40, genre_share=0.5), 0).batch(1)
    assert batch.has_embedding.all()
    assert batch.genre_known.tolist() == [1.0] * 20 + [0.0] * 20
    assert np.array_equal(batch.genres.sum(axis=1), batch.genre_known)
    assert np.array_equal(batch.genres[:20, 1] > batch.genres[:20, 0], batch.embeddings[:20].mean(axis=1) > 0)
    assert np.ptp(batch.embeddings[20:].mean(axis=1)) > 1  # of both kinds
    assert len(np.unique(batch.embeddings, axis=0)) > len(listed)  # more than one window of a track


def test_embeddings_are_standardized_and_clipped() -> None:
    random = np.random.default_rng(0)
    embeddings = random.normal(3, 2, (4_000, 2)).astype(np.float32)
    standardizer = Standardizer.fit(embeddings)
    assert standardizer.apply(np.array([[3, 5], [1, 3]])) == pytest.approx(
        np.array([[0, 1], [-1, 0]]), abs=0.1
    )
    assert standardizer.apply(np.array([[300.0, -300.0]])).tolist() == [[MAX_DEVIATIONS, -MAX_DEVIATIONS]]
    assert standardizer.apply(embeddings).dtype == np.float32
    still = Standardizer.fit(np.ones((3, 2), np.float32))  # a value that never changes says nothing
    assert still.apply(np.ones((1, 2))).tolist() == [[0, 0]]


def test_genres_are_equally_likely_and_sources_weighted(corpus: Corpus) -> None:
    """One blues track is as likely as nine of jazz, and its arrays three times as likely as the folder."""
    entries = [each for each in corpus.entries if each.genre]
    batch = Sampler(corpus, entries, LABELS, BatchMix(batch=400, source_weights={"gtzan": 3.0}), 5).batch(1)
    intensities, genres = batch.intensities, batch.genres.argmax(axis=1)
    assert (genres == 0).mean() == pytest.approx(0.5, abs=0.08)
    blank = intensities.reshape(400, -1).max(axis=1) == 0
    assert not blank[genres == 0].any()
    assert blank[genres == 1].mean() == pytest.approx(0.25, abs=0.09)


def test_a_genre_without_tracks_is_an_error(corpus: Corpus) -> None:
    with pytest.raises(DataError, match="no track of metal or pop to train on; prepare"):
        Sampler(corpus, corpus.entries, ("blues", "metal", "pop"), BatchMix(), 0)


def test_eval_sets_of_arrays_contain_every_window(corpus: Corpus) -> None:
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


def test_tracks_without_the_array_are_left_out_and_none_is_an_error(tmp_path: Path) -> None:
    listed = [
        (entry("blues.0", "gtzan", "blues"), arrays_of(0, 0, long=0)),
        (entry("jazz.0", "gtzan", "jazz"), arrays_of(1, 0)),
    ]
    corpus = cache(tmp_path, listed)
    assert array_eval_set(corpus, corpus.entries, LABELS, COARSE).labels.tolist() == [1]
    with pytest.raises(DataError, match=r"none of 1 track has columns every 1334 samples"):
        array_eval_set(corpus, corpus.entries[:1], LABELS, COARSE)


def test_eval_sets_of_recordings_contain_every_clean_window(corpus: Corpus) -> None:
    (talk,) = (each for each in corpus.entries if not each.music)
    eval_set = recording_eval_set(corpus, [replace(talk, genre="jazz")], LABELS, FINE)
    assert (eval_set.track.tolist(), eval_set.labels.tolist()) == ([0, 0], [1])
    assert np.array_equal(eval_set.intensities[1], window_intensities(corpus.windows(talk).fine[1, 0], FINE))


def test_prefetched_batches_come_in_order() -> None:
    assert list(prefetch(lambda number: number * number, range(3, 60))) == [n * n for n in range(3, 60)]


def test_an_exception_while_prefetching_reaches_the_caller() -> None:
    def batch(number: int) -> int:
        if number == 3:
            raise DataError("the disk is gone")
        return number

    seen: list[int] = []
    with pytest.raises(DataError, match="the disk is gone"):
        seen.extend(prefetch(batch, range(1, 9)))
    assert seen == [1, 2]


def test_closing_the_iterator_ends_its_thread() -> None:
    before = threading.active_count()
    batches = prefetch(lambda number: number, range(10_000), max_waiting=2)
    assert next(batches) == 0
    assert threading.active_count() == before + 1
    batches.close()  # type: ignore[attr-defined]  # a generator
    assert threading.active_count() == before


def test_live_windows_are_those_of_labeled_recordings(tmp_path: Path) -> None:
    """Each comes clean and degraded, with its soft label and the weight of its track."""
    listed = [
        (
            entry(f"song.{n}", "songs", LABELS[n > 2], "One" if n < 2 else f"Artist {n}"),
            recording_of(n > 2, n),
        )
        for n in range(4)
    ]
    listed += [(entry("array", "gtzan", "blues"), arrays_of(0, 0))]
    listed += [
        (entry("other", "music"), recording_of(2, 0)),
        (entry("talk", "x", music=False), recording_of(3, 0)),
    ]
    for _, windows in listed[:4]:
        windows.live[:, 1] = windows.live[:, 1, ::-1]  # the degraded version differs
    corpus = cache(tmp_path, listed)
    soft = {corpus.entries[0].file: np.full((2, 2), 0.5, np.float32)}
    live = Sampler(corpus, corpus.entries, LABELS, BatchMix(), 0, soft).live_windows()
    assert [each.name for each in live.entries] == [f"song.{n}" for n in range(4)]
    images = np.concatenate(list(live.intensities()))
    assert images.shape == (16, 256, 256)
    assert len(live.targets) == 16
    first = corpus.windows(live.entries[0])
    assert np.array_equal(images[1], window_intensities(first.live[1, 0], LIVE))
    assert np.array_equal(images[9], window_intensities(first.live[1, 1], LIVE))
    assert not np.array_equal(images[1], images[9])
    weights = live.targets.sum(axis=1)
    assert np.array_equal(live.targets[:8], live.targets[8:])
    assert live.targets[0] == pytest.approx(weights[0] * np.array([0.5, 0.5]))
    assert live.targets[2] == pytest.approx(weights[2] * np.array([1, 0]))
    assert weights[4] / weights[0] == pytest.approx(2**0.5)  # an artist with one track, and one with two
    assert weights[6] > weights[4]  # the only track of its genre


def test_without_recordings_there_are_no_live_windows(tmp_path: Path) -> None:
    corpus = cache(
        tmp_path, [(entry(label, "gtzan", label), arrays_of(n, 0)) for n, label in enumerate(LABELS)]
    )
    live = Sampler(corpus, corpus.entries, LABELS, BatchMix(), 0).live_windows()
    assert (live.targets.shape, list(live.intensities())) == ((0, 2), [])
