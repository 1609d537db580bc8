"""Data of the recommendations page in five languages."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from dashboard.analyzer.snapshot import Snapshot
from dashboard.components.next_songs import next_songs_data
from dashboard.i18n.languages import LANGUAGES
from dashboard.i18n.translator import Translator, load_texts
from dashboard.recommendations.domain.localized import localize
from dashboard.recommendations.domain.tracks import INSTRUMENTAL, Relaxed, ReleaseRange, Track
from dashboard.recommendations.engine.feedback import ArtistFeedback, FeedbackStore
from dashboard.recommendations.engine.listening_profile import ListeningProfile
from dashboard.recommendations.engine.playlist import (
    Filters,
    Playlist,
    PlaylistItem,
    SearchOutcome,
    build_notes,
    explain_item,
)
from dashboard.recommendations.providers.base import ProviderResult, Status
from dashboard.recommendations.providers.catalog.provider import NAME as OWN_LIST
from dashboard.recommendations.service import ProviderReport
from dashboard.viewmodels.songs import (
    MAX_LISTED_CHOICES,
    Situation,
    artwork_url,
    choices_data,
    format_minutes,
    missing_music_text,
    song_data,
    song_links,
)
from realtime.protocol.estimate import StreamState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLAYING = Snapshot(connected=True, state=StreamState.LISTENING)
EN = Translator("en")

TRACK = Track(
    "YouTube", "無情のスキャット", ("人間椅子",), "https://www.youtube.com/watch?v=abcdefghijk", "metal",
    "ja",
    published=date(2019, 5, 22), precision="day", romanized="Mujo no Scat",
    artwork_url="https://i.ytimg.com/vi/abcdefghijk/mqdefault.jpg",
)  # fmt: skip


def profile_of(*genre_seconds: tuple[str, int]) -> ListeningProfile:
    """Return the profile after the given seconds of each genre in turn, with probability 1."""
    made, at = ListeningProfile(), 0
    for genre, seconds in genre_seconds:
        for _ in range(seconds):
            at += 1
            made.add_estimate(float(at), {genre: 1.0}, "LISTENING")
    return made


def situation(profile: ListeningProfile | None = None, **changes: Any) -> Situation:
    return replace(Situation(PLAYING, profile or profile_of(("metal", 60)), {}, NOW), **changes)


def playlist(*rows: PlaylistItem, notes: tuple[Any, ...] = (), **mix: float) -> Playlist:
    return Playlist(items=rows, number=1, notes=notes, mix=mix)


def data_of(shown: Playlist, now: Situation, translator: Translator = EN) -> dict[str, Any]:
    data = song_data(shown, now, (), translator)
    assert json.loads(json.dumps(data)) == data
    return data


@pytest.mark.parametrize(
    ("genre_seconds", "mix", "sentence"),
    [
        ([("jazz", 400)], {"jazz": 1.0}, "jazz for 6 minutes"),
        ([("hiphop", 70)], {"hiphop": 0.7, "jazz": 0.3}, "Mostly hip hop for one minute"),
        ([("jazz", 40)], {"jazz": 0.4, "pop": 0.35, "rock": 0.25},
         "More jazz than anything else for less than a minute"),
        ([("jazz", 400), ("rock", 60)], {"jazz": 1.0}, "Chosen for jazz"),
        ([("jazz", 400), ("rock", 90)], {"rock": 0.8, "jazz": 0.2}, "Mostly rock for one minute"),
    ],
)  # fmt: skip
def test_the_cause_names_the_leading_genre_and_its_duration(
    genre_seconds: list[tuple[str, int]], mix: Mapping[str, float], sentence: str
) -> None:
    assert data_of(Playlist(mix=mix), situation(profile_of(*genre_seconds)))["cause"] == sentence


def test_a_headline_names_a_genre_of_its_mix_and_a_change_is_shown_beside() -> None:
    """Regression: the page showed "Now hip hop" over a bar without hip hop."""
    now = situation(profile_of(("jazz", 400), ("rock", 60)))
    data = data_of(playlist(PlaylistItem(TRACK, "jazz", ()), jazz=1.0), now)
    assert data["cause"] == "Chosen for jazz"
    assert data["now"] == "Now rock for less than a minute. The songs follow if this continues."
    silent = replace(now, snapshot=replace(PLAYING, state=StreamState.SILENT))
    assert data_of(playlist(PlaylistItem(TRACK, "jazz", ()), jazz=1.0), silent)["now"].startswith(
        "Nothing is playing"
    )
    alike = data_of(playlist(PlaylistItem(TRACK, "jazz", ()), rock=0.49, jazz=0.51), now)
    assert (alike["cause"], alike["now"]) == ("More rock than anything else for less than a minute", "")


def test_two_equally_probable_genres_do_not_alternate_in_the_lead() -> None:
    made = ListeningProfile()
    for second in range(200):
        made.add_estimate(
            second, {"jazz": 0.5 + 0.02 * (-1) ** second, "blues": 0.5 - 0.02 * (-1) ** second}, "LISTENING"
        )
    assert made.leading_genre is not None
    assert (made.leading_genre.genre, made.leading_genre.seconds) == ("jazz", made.music_seconds)


def test_before_there_are_songs_the_page_counts_the_music() -> None:
    data = data_of(
        playlist(notes=(localize("note.waiting", seconds="30"),)), situation(profile_of(("jazz", 12)))
    )
    assert data["instead"] == "Songs appear here after 30 seconds of music. So far: 12."
    assert (data["cause"], data["notes"], data["mix"], data["now"]) == ("", [], [], ""), (
        "the message must appear once"
    )


def test_a_list_without_songs_has_a_sentence_in_its_place() -> None:
    """Regression: the list was blank during a search."""
    looking = tuple(build_notes({SearchOutcome.LOOKING: ["metal"]}, Filters()))
    data = data_of(playlist(notes=looking, metal=1.0), situation())
    assert (data["instead"], data["notes"]) == ("Looking for songs.", [])
    assert data_of(playlist(metal=1.0), situation())["instead"] == "No song passes your filters and choices."
    assert data_of(playlist(PlaylistItem(TRACK, "metal", ()), metal=1.0), situation())["instead"] == ""
    beside = next_songs_data(playlist(metal=1.0, notes=looking), profile_of(("metal", 60)), False, EN)
    assert beside["message"] == "Looking for songs."


def test_a_sentence_about_several_genres_appears_once() -> None:
    found = {SearchOutcome.NONE: ["hiphop", "metal"], SearchOutcome.LOOKING: ["pop"]}
    assert [str(note) for note in build_notes(found, Filters("ja", ReleaseRange.MONTH))] == [
        "hip hop, metal: no songs of this language and age (Japanese, Last month) were found.",
        "Looking for more songs: pop.",
    ]
    of_age = next(str(note) for note in build_notes(found, Filters(None, ReleaseRange.MONTH)))
    assert of_age == "hip hop, metal: no songs of this age (Last month) were found."


def test_a_sentence_about_missing_songs_names_all_languages_that_were_searched() -> None:
    """Regression: the page said "no songs in Japanese", though there were none in English either."""
    (note,) = build_notes({SearchOutcome.NONE: ["metal"]}, Filters("ja", beside=("en", INSTRUMENTAL)))
    assert str(note) == "metal: no songs in Japanese, English were found."
    assert "日本語、英語" in note.translate(Translator("ja"))


def test_songs_beyond_the_filters_are_offered_with_their_number() -> None:
    now = replace(situation(), filters=Filters("ko", ReleaseRange.YEAR))
    short = replace(playlist(jazz=1.0), beyond={Relaxed.RANGE: 3, Relaxed.LANGUAGE: 12})
    assert data_of(short, now)["more"] == [
        {"key": "language", "label": "Include other languages (12)"},
        {"key": "range", "label": "Include older songs (3)"},
    ]
    decade = replace(now, filters=Filters("ko", ReleaseRange.FROM_1990))
    assert data_of(short, decade)["more"][1] == {"key": "range", "label": "Include other years (3)"}
    included = replace(now, filters=replace(now.filters, included=frozenset({Relaxed.LANGUAGE})))
    assert data_of(replace(short, beyond={}), included)["more"] == [
        {"key": "language", "label": "Leave out other languages"}
    ]
    assert data_of(short, replace(now, muted=True))["more"] == [], "a muted list does not change"


def test_the_mix_is_named_and_coloured_heaviest_first() -> None:
    data = data_of(playlist(rock=0.25, hiphop=0.75), situation())
    assert [(part["name"], part["percent"]) for part in data["mix"]] == [("hip hop", "75%"), ("rock", "25%")]
    assert data["genre"] == "hiphop"
    assert len({part["color"] for part in data["mix"]}) == 2


def test_a_state_without_music_has_a_message() -> None:
    assert missing_music_text(PLAYING, EN) == ""
    messages = {
        missing_music_text(replace(PLAYING, state=state), EN)
        for state in set(StreamState) - {StreamState.LISTENING}
    }
    assert len(messages) == 4, "nothing while unsure; silence, talk, and the rest"
    assert missing_music_text(replace(PLAYING, connected=False), EN).startswith(
        "The analyzer is not reachable"
    )


def test_a_song_is_laid_out_with_its_links_marks_and_reasons() -> None:
    why = explain_item(TRACK, "metal", Filters("ko", ReleaseRange.WEEK), 0.0, 0.6, NOW.date())
    row = PlaylistItem(
        TRACK, "metal", why, frozenset({Relaxed.RANGE, Relaxed.LANGUAGE}), liked=True, opened=True
    )
    data = data_of(
        playlist(row, notes=tuple(build_notes({SearchOutcome.LOOKING: ["metal"]}, Filters())), metal=1.0),
        situation(),
    )
    (song,) = data["songs"]
    assert data["notes"] == ["Looking for more songs: metal."]
    assert song["published"] == "2019-05-22"
    assert song["reason"] == (
        "Because metal played in the last few minutes, because you liked songs by this artist, "
        "in another language: Japanese, older than a week"
    )
    assert song["relaxed"] == "Outside your filters: age, language"
    assert [(link["service"], link["tooltip"]) for link in song["links"]] == [
        ("YouTube", ""),
        ("Spotify", "Search on Spotify"),
    ]
    assert song["links"][0]["address"] == TRACK.url, (
        "the link must lead to the page of the song, not to a search"
    )
    assert [link["label"] for link in song["links"]] == [
        f"Open {TRACK.title} on YouTube",
        f"Search for {TRACK.title} on Spotify",
    ]
    assert (song["marks"], song["language"], song["from"]) == (["like", "open"], "ja", "From YouTube")
    bundled = replace(
        TRACK, provider=OWN_LIST, precision="year", url="https://open.spotify.com/x", language=None
    )
    (song,) = data_of(playlist(PlaylistItem(bundled, "metal", why), metal=1.0), situation())["songs"]
    assert [link["address"] for link in song["links"]] == [bundled.spotify_search, bundled.youtube_search]
    assert [link["tooltip"] for link in song["links"]] == ["Search on Spotify", "Search on YouTube"]
    assert song["from"] == "", "the provider is named in the list of providers"
    assert (song["published"], song["artwork"], song["language"]) == ("2019", "", "")


@pytest.mark.parametrize(
    ("provider", "address", "shown"),
    [
        ("Spotify", "https://i.scdn.co/image/ab67", True),
        ("YouTube", "https://i.ytimg.com/vi/x/mqdefault.jpg", True),
        ("iTunes", "https://is1-ssl.mzstatic.com/image/100.jpg", True),
        ("Spotify", "https://i.ytimg.com/vi/x/mqdefault.jpg", False),  # another's host
        ("Spotify", "http://i.scdn.co/image/ab67", False),
        ("Spotify", "https://i.scdn.co.evil.example/image/ab67", False),
        ("Spotify", "https://evil.example/?i.scdn.co", False),
        ("Spotify", "javascript:alert(1)//i.scdn.co", False),
        (OWN_LIST, "https://i.scdn.co/image/ab67", False),
        ("YouTube", "", False),
    ],
)
def test_only_a_providers_own_pictures_are_shown(provider: str, address: str, shown: bool) -> None:
    track = replace(TRACK, provider=provider, artwork_url=address)
    assert artwork_url(track) == (address if shown else "")


def test_a_link_that_is_not_the_providers_becomes_a_search() -> None:
    for address in (
        "javascript:alert(1)",
        "https://youtube.com.evil.example/watch",
        "http://www.youtube.com/watch",
    ):
        links = song_links(replace(TRACK, url=address))
        assert links == {"Spotify": TRACK.spotify_search, "YouTube": TRACK.youtube_search}


def test_a_song_on_the_live_page_has_the_links_of_its_card() -> None:
    """Regression: the song looked like a button and had one link at most."""
    shown = playlist(PlaylistItem(replace(TRACK, url="https://evil.example/"), "metal", ()), metal=1.0)
    now = situation()
    (song,) = next_songs_data(shown, now.profile, False, EN)["songs"]
    assert song["links"] == data_of(shown, now)["songs"][0]["links"]
    assert [link["address"] for link in song["links"]] == [TRACK.spotify_search, TRACK.youtube_search]
    assert next_songs_data(shown, now.profile, True, EN)["songs"] == []


def test_a_muted_page_has_a_message_and_no_pictures() -> None:
    shown = playlist(PlaylistItem(TRACK, "metal", ()), metal=1.0)
    assert data_of(shown, situation())["songs"][0]["artwork"] == TRACK.artwork_url
    data = data_of(shown, situation(muted=True))
    assert "no service is searched" in data["muted"]
    assert data["songs"][0]["artwork"] == ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_status_has_a_sentence_of_its_own(language: str) -> None:
    translator = Translator(language)
    reports = {status.value: ProviderReport(ProviderResult(status=status), 1) for status in Status}
    everyone = {**reports, "not asked yet": None, "not needed": ProviderReport(ProviderResult(), 0)}
    data = data_of(playlist(), situation(reports=everyone), translator)
    sentences = [provider["status"] for provider in data["providers"] if provider["name"] in everyone]
    assert len(set(sentences)) == len(Status) + 2
    if language != "en":
        english = data_of(playlist(), situation(reports=everyone))["providers"]
        assert not set(sentences) & {provider["status"] for provider in english}


def test_providers_without_a_key_and_waits_are_shown() -> None:
    limited = ProviderResult(status=Status.RATE_LIMITED, retry_at=NOW + timedelta(minutes=4, seconds=5))
    relaxed = ProviderResult(relaxed=frozenset({Relaxed.GENRE}))
    reports = {"YouTube": ProviderReport(limited, 0), OWN_LIST: ProviderReport(relaxed, 12)}
    shown = data_of(playlist(), situation(reports=reports))["providers"]
    assert [(each["name"], each["tone"], each["status"]) for each in shown] == [
        ("Spotify", "quiet", "Not set up: there is no key."),
        ("YouTube", "fault", "Too many requests. Next request in 4 minutes."),
        (
            "Overheard's own list",
            "fine",
            "Songs: 12. No artist of this genre is known, so the songs were found by keywords.",
        ),
    ]


def test_time_is_given_in_whole_minutes() -> None:
    spoken = [format_minutes(seconds, EN) for seconds in (0, 59.9, 60, 120, 3599, 3600, 7980)]
    assert spoken[:3] == ["less than a minute", "less than a minute", "one minute"]
    assert spoken[3:] == ["2 minutes", "59 minutes", "1 h 0 min", "2 h 13 min"]


def test_choices_list_bans_first_and_count_the_rest() -> None:
    many = [ArtistFeedback(f"artist {number}", likes=1) for number in range(MAX_LISTED_CHOICES + 3)]
    banned = ArtistFeedback("<b>loud</b>", likes=1, skips=2, banned=True)
    box = choices_data([*many, banned], EN)
    assert box["listed"][0] == {"artist": "<b>loud</b>", "summary": "never again, liked: 1, skipped: 2"}
    assert (len(box["listed"]), box["title"], box["more"]) == (
        MAX_LISTED_CHOICES,
        f"Your choices: {MAX_LISTED_CHOICES + 4}",
        "4 more",
    )


def test_the_feedback_about_an_artist_can_be_deleted() -> None:
    choices = FeedbackStore()
    choices.ban("The Quarry Lamp")
    choices.skip("Tallow Finch")
    choices.delete("Quarry Lamp")
    assert [each.artist for each in choices.list_artists()] == ["Tallow Finch"]


def test_every_sentence_of_engine_and_choices_exists_in_every_language() -> None:
    """A missing text would break the page for users of that language."""
    today, old = NOW.date(), replace(TRACK, published=date(1970, 1, 1))
    tracks = [old, replace(old, language=None), replace(old, language="de"), replace(old, published=None)]
    tracks.append(replace(old, language="ko", language_source="script"))
    tracks.append(replace(old, provider="Spotify"))
    tracks.append(replace(old, language=INSTRUMENTAL, language_source="provider"))
    sentences = {
        part
        for track in tracks
        for age in ReleaseRange
        for ago in (None, 0.0, 1000.0)
        for part in explain_item(track, "metal", Filters("ko", age), ago, 0.9, today)
    }
    everything = {kind: ["pop", "jazz"] for kind in SearchOutcome}
    for filters in (Filters("ko"), Filters(None, ReleaseRange.WEEK), Filters("ko", ReleaseRange.WEEK)):
        sentences |= set(build_notes(everything, filters))
    sentences |= {localize("note.pinned"), localize("note.waiting", seconds=30)}
    for key in ("undeleted", "unread", "unsaved", "waiting", "damaged", "stuck"):
        sentences.add(localize(f"choices.{key}", error="no space", path="/home/me/choices.json"))
    assert {part.key for part in sentences} == {
        key.removeprefix("recommendations.") for key in load_texts()
        if key.startswith(("recommendations.why.", "recommendations.note."))
        or key.startswith("recommendations.choices.un")
        or key in {f"recommendations.choices.{fault}" for fault in ("waiting", "damaged", "stuck")}
    }  # fmt: skip
    for part in sentences:
        assert len({part.translate(Translator(language)) for language in LANGUAGES}) == len(LANGUAGES)


def test_texts_name_the_same_values_in_every_language() -> None:
    for key, texts in load_texts().items():
        if key.startswith("recommendations."):
            assert set(texts) == set(LANGUAGES), key
            named = {
                tuple(sorted(name for _, name, _, _ in string.Formatter().parse(text) if name))
                for text in texts.values()
            }
            assert len(named) == 1, key
