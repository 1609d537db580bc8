"""Rolling playlist: what its filters let in, and what leaves when they change."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from dashboard.recommendations.domain.tracks import Relaxed, ReleaseRange, TrackQuery
from dashboard.recommendations.engine.playlist import Filters, Reason
from dashboard.recommendations.engine.rolling_playlist import RollingPlaylist
from dashboard.recommendations.engine.settings import PlaylistSettings
from tests.support.songs import TODAY, add_estimates, note_texts, read_reasons, songs, start_playlist, titles


def test_filters_change_the_list_at_once_and_keep_what_passes() -> None:
    pools = {"jazz": [*songs("jazz", 25), *songs("jazz", 25, language="ja", language_source="script")]}
    session, now = start_playlist({"jazz": 1.0}, pools, settings=PlaylistSettings())
    session.set_filters(Filters("ja"))
    kept = {row for row in session.current.items if row.track.language == "ja"}
    playlist = session.update(pools, now + 1, TODAY)
    assert playlist.reason is Reason.FILTERS
    assert {row.track.language for row in playlist.items} == {"ja"}
    assert kept <= set(playlist.items)
    assert {row.relaxed for row in playlist.items} == {frozenset()}
    added = [row for row in playlist.items if row not in kept]
    assert added, "the filter must add songs, or the test shows nothing"
    for row in added:
        assert read_reasons(row) == ["because jazz played in the last few minutes", "language guessed"]
    session.set_filters(Filters())
    assert session.update(pools, now + 2, TODAY).items != playlist.items, (
        "without a filter some songs must change"
    )
    session.set_filters(Filters("ja"))
    session.set_filters(Filters("ko"))
    assert session.update(pools, now + 3, TODAY).items == ()
    assert session.next_queries(now + 3) == [TrackQuery("jazz", "ko")]


def test_another_order_of_the_languages_replaces_no_song() -> None:
    """Regression: titles in two languages in turn changed the order six times and replaced 36 rows."""
    pools = {"jazz": [song for code in ("en", "ja") for song in songs("jazz", 40, language=code)]}
    session, now = start_playlist({"jazz": 1.0}, pools, filters=Filters("en", beside=("ja",)))
    first = session.current
    for second in range(1, 7):
        session.set_filters(Filters("ja", beside=("en",)) if second % 2 else Filters("en", beside=("ja",)))
        assert session.update(pools, now + second, TODAY) is first
    session.set_filters(Filters("ja", beside=("en",)))
    session.request_refresh()
    assert session.update(pools, now + 7, TODAY).items[0].track.language == "ja", "the next songs must follow"


def test_a_song_beyond_the_filters_comes_only_if_the_user_includes_it() -> None:
    """Regression: after three minutes, half of the songs were in another language than chosen."""
    week = songs("jazz", 4, language="ja")
    other = songs("jazz", 4)
    old = songs("jazz", 40, language="ja", published=TODAY - timedelta(days=20))
    both = songs("jazz", 40, language="ko", published=TODAY - timedelta(days=20))
    unknown = replace(songs("jazz", 1, language="xx")[0], language=None)
    pools = {"jazz": [*week, *other, *[replace(t, artists=(f"old {t.title}",)) for t in old], *both, unknown]}
    filters = Filters("ja", ReleaseRange.WEEK)
    session = RollingPlaylist(filters=filters)
    now = add_estimates(session, {"jazz": 1.0})
    fitting = ["ja song 0", "ja song 1", "ja song 2", "ja song 3"]
    playlist = session.update(pools, now, TODAY)
    assert (titles(playlist), note_texts(playlist)) == (fitting, ["Looking for more songs: jazz."])
    queries = session.next_queries(now)
    assert queries == [TrackQuery("jazz", "ja", ReleaseRange.WEEK)]
    session.record_results(queries[0], 4)
    playlist = session.update(pools, now + 1, TODAY)
    assert titles(playlist) == fitting
    assert playlist.beyond == {Relaxed.LANGUAGE: 5, Relaxed.RANGE: 40}
    assert note_texts(playlist) == ["jazz: no other songs fit."]
    assert session.next_queries(now + 1000) == [], "nothing beyond the filters may be searched"

    session.set_filters(replace(filters, included=frozenset({Relaxed.LANGUAGE})))
    playlist = session.update(pools, now + 2, TODAY)
    assert titles(playlist)[:4] == fitting
    assert sorted(titles(playlist)[4:]) == ["en song 0", "en song 1", "en song 2", "en song 3", "xx song 0"]
    assert {row.relaxed for row in playlist.items[4:]} == {frozenset({Relaxed.LANGUAGE})}
    reasons = {row.track.title: read_reasons(row)[-1] for row in playlist.items}
    assert (reasons["en song 0"], reasons["xx song 0"]) == (
        "in another language: English",
        "language not known",
    )
    assert session.next_queries(now + 2) == [TrackQuery("jazz", None, ReleaseRange.WEEK)]

    session.set_filters(replace(filters, included=frozenset(Relaxed)))
    playlist = session.update(pools, now + 3, TODAY)
    assert playlist.items[9].relaxed
    assert "older than a week" in {read_reasons(row)[-1] for row in playlist.items}
    session.set_filters(filters)
    assert titles(session.update(pools, now + 4, TODAY)) == fitting, "included songs must leave again"


def test_songs_that_left_because_of_a_filter_return_with_the_next_one() -> None:
    """Regression: the songs of a language were blocked for 45 minutes after a look at another language."""
    pools = {"jazz": [*songs("jazz", 10), *songs("jazz", 9, language="ko")]}
    session, now = start_playlist({"jazz": 1.0}, pools, filters=Filters("ko"))
    first = set(titles(session.current))
    assert len(first) == 9
    for filters, expected in ((Filters("en"), 10), (Filters("ru"), 0), (Filters("ko"), 9)):
        session.set_filters(filters)
        session.update(pools, now + 1, TODAY)
        playlist = session.update(pools, now + 2, TODAY)
        assert {row.track.language for row in playlist.items} <= {filters.language}
        assert len(playlist.items) == expected
    assert set(titles(session.current)) == first


def test_a_search_without_results_leaves_songs_beyond_the_filters_out() -> None:
    pools = {"jazz": songs("jazz", 40, published=TODAY - timedelta(days=2000))}
    session, now = start_playlist({"jazz": 1.0}, pools)
    session.set_filters(Filters("en", ReleaseRange.WEEK))
    queries = session.next_queries(now + 1)
    for second in (1, 10, 12, 61):
        playlist = session.update(pools, now + second, TODAY)
        assert (playlist.items, playlist.beyond) == ((), {Relaxed.RANGE: 40})
        queries += session.next_queries(now + second)
    assert queries == [TrackQuery("jazz", "en", ReleaseRange.WEEK)] * 2, "the provider must be asked again"
    pools["jazz"] += [
        replace(track, title=f"new {track.title}", artists=(f"new {track.artists[0]}",))
        for track in songs("jazz", 30)
    ]
    session.record_results(queries[0], 30)
    playlist = session.update(pools, now + 63, TODAY)
    assert (len(playlist.items), {row.relaxed for row in playlist.items}) == (10, {frozenset()})


def test_a_song_leaves_at_midnight_when_it_is_too_old() -> None:
    """Regression: after midnight all rows of a list of the last week were too old, and stayed."""
    wanted = Filters("en", ReleaseRange.WEEK)
    oldest = TODAY - timedelta(days=7)
    old = songs("jazz", 10, published=oldest)
    session, now = start_playlist({"jazz": 1.0}, {"jazz": old}, filters=wanted)
    assert len(session.current.items) == 10
    kept, tomorrow = session.current.items[0], TODAY + timedelta(days=1)
    session.pin(kept.key)
    playlist = session.update({"jazz": [*old, *songs("jazz", 40)[10:]]}, now + 1, tomorrow)
    assert [item.key for item in playlist.items if not wanted.allow(item.track, tomorrow)] == [kept.key]
    assert len(playlist.items) == 10
