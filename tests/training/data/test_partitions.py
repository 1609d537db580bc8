"""Partitions: no evaluated track or artist is trained on, in any source."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.holdout import is_held_out_artist, is_validation_artist, normalize_artist
from tests.support.corpora import entry
from training.data.corpus import HELD_OUT_ORIGINS, Corpus, Entry
from training.data.gtzan import LABELS
from training.data.partitions import (
    SHORT_SUFFIX,
    Partition,
    artist_folds,
    fault_filtered,
    out_of_domain_tracks,
)
from training.distillation.distill import distillation_entries, is_allowed_for_distillation
from training.errors import DataError

ARTISTS = [f"{word} {n}" for word in ("Doors", "Blue Band", "Miles") for n in range(12)]
PARTS = ("train", "valid", "test")


def plain(name: str) -> str:
    """Normalize an artist's name independently of the code under test."""
    words = name.lower().split()
    return " ".join(words[1:] if words[:1] == ["the"] else words)


def spelled(artist: str, chance: random.Random) -> str:
    return chance.choice([artist, artist.upper(), artist.lower(), f"The {artist}", f"the {artist} "])


def corpus(seed: int) -> Corpus:
    """GTZAN's arrays and three other sources, with common artists, tracks and duplicates."""
    chance = random.Random(seed)
    owns = {artist: (chance.choice(LABELS), chance.choice(PARTS)) for artist in ARTISTS}
    listed: list[Entry] = []
    for number in range(80):
        artist = chance.choice(ARTISTS) if chance.random() < 0.8 else ""
        genre, part = owns.get(artist, (LABELS[number % 10], chance.choice(PARTS)))
        name = f"{genre}.{number:05d}"
        same = [e.name for e in listed if e.genre == genre and e.part == part and not e.duplicate_of]
        listed.append(
            entry(
                name, "gtzan", genre, spelled(artist, chance) if artist else "", part=part,
                duplicate_of=chance.choice(same) if same and chance.random() < 0.1 else "",
            )
        )  # fmt: skip
    for each in chance.sample(listed, 30):
        artist = each.artist if chance.random() < 0.7 else ""
        listed.append(entry(each.name, "gtzan-audio", each.genre, artist, part=each.part, origin="audio"))
    for number in range(60):
        artist = chance.choice([*ARTISTS, *(f"Newcomer {n}" for n in range(20)), ""])
        kind = chance.choice(["music", "music", "music", "speech"])
        origin = chance.choice(["somewhere", *HELD_OUT_ORIGINS])
        listed.append(
            entry(
                chance.choice([f"song {number}", listed[number].name]),
                chance.choice(["more-music", "folder", "songs"]),
                chance.choice(["", *LABELS]) if kind == "music" else "",
                spelled(artist, chance) if artist and kind == "music" else "",
                origin=f"{kind} {origin}",
                music=kind == "music",
                duplicate_of=listed[number].name if chance.random() < 0.1 else "",
            )
        )
    return Corpus(Path("nowhere"), listed)


def assert_disjoint(of: Corpus, parts: Partition) -> None:
    evaluated = [*parts.valid, *parts.test]
    assert {each.source for each in evaluated} <= {"gtzan"}
    assert not {each.name for each in parts.valid} & {each.name for each in parts.test}
    tracks = {each.name for each in evaluated} | {each.duplicate_of for each in evaluated} - {""}
    artists = {plain(each.artist) for each in evaluated} - {""}
    held_out = {plain(each.artist) for each in of.entries if is_held_out_artist(each.artist, each.source)} - {
        ""
    }
    selecting = [each for each in parts.valid_recordings if not each.source.startswith("gtzan")]
    assert all(is_validation_artist(each.artist) and each.genre in LABELS for each in selecting)
    assert not {plain(each.artist) for each in selecting} & held_out
    assert not {plain(each.artist) for each in selecting} & artists
    for recordings, arrays in ((parts.valid_recordings, parts.valid), (parts.test_recordings, parts.test)):
        names = {each.name for each in recordings if each.source.startswith("gtzan")}
        assert names <= {each.name for each in arrays}
        assert not any(each.file.endswith(SHORT_SUFFIX) for each in recordings)
    for each in parts.train:
        assert each.name not in tracks, each
        assert each.duplicate_of not in tracks, each
        assert plain(each.artist) not in artists, each
        assert plain(each.artist) not in {plain(e.artist) for e in selecting} - {""}, each
        if not each.source.startswith("gtzan"):
            assert plain(each.artist) not in held_out, each
            assert not any(origin in each.origin for origin in HELD_OUT_ORIGINS), each
    known = {plain(each.artist) for each in parts.train} - {""}
    for each in out_of_domain_tracks(of, parts.train):
        assert plain(each.artist) not in known
        assert each.music
        assert each.genre in LABELS


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_fault_filtered_parts_are_disjoint_in_every_source(seed: int) -> None:
    of = corpus(seed)
    parts = fault_filtered(of)
    assert_disjoint(of, parts)
    assert {each.part for each in parts.valid} <= {"valid"}
    assert {each.part for each in parts.test} <= {"test"}


@pytest.mark.filterwarnings("ignore:The least populated class")  # scikit-learn, of tiny corpora
@given(seed=st.integers(0, 2**32))
@settings(max_examples=4, deadline=None, derandomize=True)
def test_artist_folds_are_disjoint_in_every_source(seed: int) -> None:
    of = corpus(seed)
    whole = [
        entry(f"{genre}.9{n:04d}", "gtzan", genre, f"{genre} player {n}")
        for genre in LABELS
        for n in range(7)
    ]
    of = Corpus(of.folder, [*of.entries, *whole])
    folds = artist_folds(of)
    assert len(folds) == 5
    for parts in folds:
        assert_disjoint(of, parts)
    tested = [each.name for parts in folds for each in parts.test]
    assert len(tested) == len(set(tested))
    assert {each.name for each in whole} <= set(tested)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_no_evaluated_and_no_selecting_artist_is_distilled_from(seed: int) -> None:
    of = corpus(seed)
    parts = fault_filtered(of)
    evaluated = [*parts.valid, *parts.test, *parts.valid_recordings]
    artists = {plain(each.artist) for each in evaluated} - {""}
    for each in distillation_entries(of):
        assert plain(each.artist) not in artists, each
        assert not is_held_out_artist(each.artist, each.source), each


def other_name(names: list[str]) -> str:
    return next(name for name in names if not is_held_out_artist(name))


def held_out_name(names: list[str]) -> str:
    return next(name for name in names if is_held_out_artist(name))


NAMES = [f"Artist {n}" for n in range(20)]


def test_all_allowed_tracks_are_trained_on() -> None:
    """Disjoint parts would be easy if nothing were left."""
    free, kept = other_name(NAMES), held_out_name(NAMES)
    listed = [
        entry("blues.1", "gtzan", "blues", "A", part="train"),
        entry("blues.2", "gtzan", "blues", "B", part="valid"),
        entry("blues.3", "gtzan", "blues", "C", part="test"),
        entry("blues.1", "gtzan-audio", "blues", "A"),
        entry("blues.3", "gtzan-audio", "blues", "C"),
        entry("ours", "folder", "blues", free),
        entry("nameless", "folder", "blues"),
        entry("kept", "folder", "blues", kept),
        entry("noise-1", "clips", origin="noise elsewhere", music=False),
        entry("noise-2", "clips", origin="noise ESC-10", music=False),
    ]
    parts = fault_filtered(Corpus(Path("nowhere"), listed))
    assert [(e.name, e.source) for e in parts.train] == [
        ("blues.1", "gtzan"), ("blues.1", "gtzan-audio"), ("ours", "folder"), ("nameless", "folder"),
        ("noise-1", "clips"),
    ]  # fmt: skip
    assert [e.name for e in out_of_domain_tracks(Corpus(Path("nowhere"), listed), parts.train)] == ["kept"]


def test_nearly_equal_names_count_as_one_artist() -> None:
    kept = held_out_name([f"Jimi Hendrix Experience {n}" for n in range(20)])
    of = Corpus(Path("nowhere"), [entry("a", "folder", "rock", kept)])
    assert out_of_domain_tracks(of, [])
    assert not out_of_domain_tracks(of, [entry("b", "gtzan", "rock", "Jimi Hendrix")])


def test_the_broken_track_is_not_trained_on() -> None:
    listed = [entry("jazz.00054", source, "jazz", part="train") for source in ("gtzan", "gtzan-audio")]
    listed += [entry(f"jazz.{n}", "gtzan", "jazz", part=part) for n, part in enumerate(PARTS)]
    assert [each.name for each in fault_filtered(Corpus(Path("nowhere"), listed)).train] == ["jazz.0"]


def test_an_empty_part_raises_one_sentence() -> None:
    """Without tracks.csv no array has a part, and training once ended in the sampler or at the evaluation."""
    listed = [entry(f"jazz.{n}", "gtzan", "jazz", part=part) for n, part in enumerate(PARTS)]
    folder = Path("nowhere")
    assert fault_filtered(Corpus(folder, listed)).test
    for n in range(3):
        lacking = Corpus(folder, [each for place, each in enumerate(listed) if place != n])
        counts = [int(place != n) for place in range(3)]
        sentence = "{} train, {} validate and {} test; each part needs one".format(*counts)
        with pytest.raises(DataError, match=rf"{sentence}.*stft_full30s\.npz and tracks\.csv") as error:
            fault_filtered(lacking)
        assert "\n" not in str(error.value)


def test_a_corpus_without_arrays_raises_one_sentence() -> None:
    listed = [entry("a", "folder", "rock"), entry("rock.00001", "gtzan-audio", "rock", part="train")]
    sentence = (
        r"holds no GTZAN arrays; run overheard train prepare --gtzan DIR, where DIR holds "
        r"stft_first5s\.npz, stft_full30s\.npz and tracks\.csv \(1 recordings"
    )
    with pytest.raises(DataError, match=sentence):
        fault_filtered(Corpus(Path("nowhere"), listed))


def test_out_of_domain_tracks_have_genres_of_the_model() -> None:
    """A genre outside the ten labels once ended a release after its training."""
    kept = held_out_name(NAMES)
    listed = [entry("a", "folder", "rock", kept), entry("b", "folder", "polka", kept)]
    assert [each.name for each in out_of_domain_tracks(Corpus(Path("nowhere"), listed), [])] == ["a"]


@pytest.mark.parametrize(
    ("one", "other"), [("The Beatles", "beatles"), (" Miles Davis ", "MILES DAVIS"), ("Theo", "theo")]
)
def test_spellings_of_one_artist(one: str, other: str) -> None:
    assert normalize_artist(one) == normalize_artist(other)
    assert normalize_artist("Them") != normalize_artist("The m")


def test_no_evaluated_artist_is_distilled_from() -> None:
    free, kept = other_name(NAMES), held_out_name(NAMES)
    gtzans = other_name([f"Band {n}" for n in range(20)])
    singers = [f"Singer {n}" for n in range(40)]
    other_spelling = next(
        name for name in singers if is_held_out_artist(f"The {name}") and not is_held_out_artist(name)
    )
    listed = [
        entry("rock.1", "gtzan", "rock", f"The {gtzans}"),
        entry("rock.1", "gtzan-audio", "rock"),
        entry("free", "more-music", "", free),
        entry("nameless", "music"),
        entry("kept", "more-music", "", kept),
        entry("by gtzan's", "more-music", "", gtzans.upper()),
        entry("the kept", "more-music", "", f"The {other_spelling}"),
        entry("kept by another name", "music", "", other_spelling),
        entry("talk", "clips", music=False),
        *(entry("held out", "clips", "", free, origin=f"music x/{origin}") for origin in HELD_OUT_ORIGINS),
    ]
    assert [each.name for each in listed if is_allowed_for_distillation(each)] == [
        "free", "nameless", "by gtzan's", "kept by another name", "talk",
    ]  # fmt: skip
    assert [each.name for each in distillation_entries(Corpus(Path("nowhere"), listed))] == [
        "free",
        "nameless",
        "talk",
    ]
