"""Rolling playlist: slots, refills, feedback and reasons."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.recommendations.domain.identity import artist_keys, identity_keys
from dashboard.recommendations.domain.tracks import ReleaseRange, Track, TrackQuery
from dashboard.recommendations.engine.feedback import FeedbackStore
from dashboard.recommendations.engine.playlist import Filters, Playlist, Reason
from dashboard.recommendations.engine.rolling_playlist import RollingPlaylist
from dashboard.recommendations.engine.settings import PlaylistSettings
from tests.support.songs import TODAY, add_estimates, note_texts, read_reasons, songs, start_playlist, titles


def test_no_songs_before_any_music() -> None:
    session = RollingPlaylist()
    playlist = session.update({"jazz": songs("jazz", 50)}, 0.0, TODAY)
    assert (playlist.items, playlist.reason) == ((), Reason.WAITING)
    assert note_texts(playlist) == ["Songs appear after 30 seconds of music."]
    assert session.next_queries(0.0) == []


def test_the_first_playlist_has_slots_by_weight_with_reasons() -> None:
    pools = {genre: songs(genre, 50) for genre in ("jazz", "blues", "rock")}
    session, now = start_playlist({"jazz": 0.6, "blues": 0.23, "rock": 0.17}, pools)
    playlist = session.current
    assert playlist.reason is Reason.FIRST
    assert Counter(row.genre for row in playlist.items) == {"jazz": 6, "blues": 2, "rock": 2}
    assert [row.genre for row in playlist.items[:6]] == ["jazz", "jazz", "jazz", "blues", "rock", "jazz"]
    assert read_reasons(playlist.items[0]) == ["because jazz played in the last few minutes"]
    assert session.update(pools, now + 1, TODAY) is playlist, (
        "the list must stay the same without a reason to change"
    )
    assert playlist.items[0].track.title == "en song 0"


def test_a_query_is_returned_once_and_its_slots_stay_free_until_songs_arrive() -> None:
    pools = {"jazz": songs("jazz", 50)}
    session, now = start_playlist({"jazz": 0.7, "blues": 0.3}, pools)
    assert Counter(row.genre for row in session.current.items) == {"jazz": 7}
    assert note_texts(session.current) == ["Looking for more songs: blues."]
    assert session.next_queries(now) == [TrackQuery("blues")]
    assert session.next_queries(now + 59) == []
    assert session.next_queries(now + 60) == [TrackQuery("blues")], "an unanswered query must be repeated"
    assert session.next_queries(now + 179) == []
    assert session.next_queries(now + 180) == [TrackQuery("blues")], "the waits must grow"
    session.record_results(TrackQuery("blues"), 50)
    playlist = session.update(pools | {"blues": songs("blues", 50)}, now + 5, TODAY)
    assert Counter(row.genre for row in playlist.items) == {"jazz": 7, "blues": 3}
    assert (playlist.reason, playlist.notes) == (Reason.ARRIVED, ())
    assert session.next_queries(now + 700) == []


def test_slots_are_lent_while_no_songs_arrive_and_reclaimed_when_they_do() -> None:
    pools = {"jazz": songs("jazz", 50)}
    session, now = start_playlist({"jazz": 0.7, "blues": 0.3}, pools)
    before = session.current.items
    playlist = session.update(pools, now + 11, TODAY)
    assert Counter(row.genre for row in playlist.items) == {"jazz": 10}
    assert playlist.items[:7] == before
    playlist = session.update(pools | {"blues": songs("blues", 50)}, now + 20, TODAY)
    assert Counter(row.genre for row in playlist.items) == {"jazz": 7, "blues": 3}
    assert playlist.items[:7] == before


def test_a_change_of_music_replaces_only_songs_without_a_slot() -> None:
    pools = {genre: songs(genre, 50) for genre in ("jazz", "rock")}
    session, now = start_playlist({"jazz": 1.0}, pools)
    first = session.current
    now = add_estimates(session, {"rock": 1.0}, now, 46)
    playlist = session.update(pools, now, TODAY)
    places = Counter(row.genre for row in playlist.items)
    assert playlist.reason is Reason.SHIFT
    assert places["rock"] == 8
    assert [row for row in playlist.items if row.genre == "jazz"] == list(first.items[: places["jazz"]])
    assert playlist.mix["rock"] == pytest.approx(0.8 * 0.88 + 0.2 * 46 / 106, abs=0.05)


def test_the_timer_swaps_six_of_ten_and_only_while_music_plays() -> None:
    pools = {"jazz": songs("jazz", 50)}
    session, now = start_playlist({"jazz": 1.0}, pools)
    first = session.current
    assert session.update(pools, now + 1000, TODAY) is first, "the timer must not run without music"
    now = add_estimates(session, {"jazz": 1.0}, now, 179)
    assert session.update(pools, now, TODAY) is first
    now = add_estimates(session, {"jazz": 1.0}, now, 1)
    second = session.update(pools, now, TODAY)
    assert second.reason is Reason.TIMER
    assert len(set(first.items) & set(second.items)) == 4
    now = add_estimates(session, {"jazz": 1.0}, now, 180)
    third = session.update(pools, now, TODAY)
    assert not set(first.items) & set(third.items), "the oldest songs must be replaced first"


def test_a_manual_refresh_replaces_all_but_pinned_and_liked_songs() -> None:
    pools = {"jazz": songs("jazz", 50)}
    session, now = start_playlist({"jazz": 1.0}, pools)
    keys = [row.key for row in session.current.items]
    session.pin(keys[3])
    session.like(keys[5])
    session.request_refresh()
    playlist = session.update(pools, now + 1, TODAY)
    assert [place for place, row in enumerate(playlist.items) if row.key in keys] == [3, 5]
    assert (playlist.reason, playlist.items[3].pinned, playlist.items[5].liked) == (Reason.MANUAL, True, True)
    session.pin(keys[5], on=False)
    session.request_refresh()
    assert keys[5] not in [row.key for row in session.update(pools, now + 2, TODAY).items]


def test_opened_songs_are_replaced_once_few_unopened_ones_are_left() -> None:
    pools = {"jazz": songs("jazz", 50)}
    session, now = start_playlist({"jazz": 1.0}, pools)
    keys = [row.key for row in session.current.items]
    for key in keys[:5]:
        session.mark_opened(key)
    assert session.update(pools, now + 1, TODAY).reason is Reason.CHOICE
    session.mark_opened(keys[5])
    playlist = session.update(pools, now + 2, TODAY)
    assert playlist.reason is Reason.UNSEEN
    assert [row.key for row in playlist.items if row.key in keys] == keys[6:]


def test_skip_and_ban_replace_a_song_at_once_in_its_place() -> None:
    pools = {"jazz": songs("jazz", 60, artists=20)}
    session, now = start_playlist({"jazz": 1.0}, pools)
    keys = [row.key for row in session.current.items]
    after = session.skip(keys[2])
    assert [row.key for row in after.items if row.key in keys] == [*keys[:2], *keys[3:]]
    assert after.items[2].key not in keys
    assert after.reason is Reason.CHOICE
    session.pin(keys[0])
    artist = after.items[0].track.artists
    assert keys[0] not in [row.key for row in session.ban(keys[0]).items], (
        "a ban must remove pinned songs too"
    )
    for step in range(20):
        session.request_refresh()
        playlist = session.update(pools, now + step, TODAY)
        assert artist not in [row.track.artists for row in playlist.items]
    before = session.current
    assert session.skip("no such song") is before
    assert [choice.banned for choice in session.feedback.list_artists()] == [True, False]


def test_an_artist_banned_on_another_page_leaves_with_the_next_update() -> None:
    choices = FeedbackStore()
    pools = {"jazz": songs("jazz", 30)}
    session, now = start_playlist({"jazz": 1.0}, pools, feedback=choices)
    name = session.current.items[0].track.artists[0]
    choices.ban(name)
    playlist = session.update(pools, now + 1, TODAY)
    assert name not in [row.track.artists[0] for row in playlist.items]
    assert (len(playlist.items), playlist.reason) == (10, Reason.CHOICE)


def test_artists_that_were_liked_come_first() -> None:
    choices = FeedbackStore()
    choices.like("jazz en artist 29", "another song")
    session, _ = start_playlist({"jazz": 1.0}, {"jazz": songs("jazz", 30)}, feedback=choices)
    row = session.current.items[0]
    assert row.track.artists == ("jazz en artist 29",)
    assert read_reasons(row)[-1] == "because you liked songs by this artist"


def test_no_return_of_banned_songs_is_announced() -> None:
    """Regression: with all artists banned, the page said that each song returns after 45 minutes."""
    pools = {"jazz": songs("jazz", 12, artists=3)}
    session, now = start_playlist({"jazz": 1.0}, pools)
    for number in range(3):
        session.feedback.ban(f"jazz en artist {number}")
    session.record_results(TrackQuery("jazz"), 12)
    session.request_refresh()
    playlist = session.update(pools, now + 1, TODAY)
    assert (titles(playlist), note_texts(playlist)) == ([], ["jazz: no other songs fit."])


def test_at_the_end_of_all_pools_songs_return_after_their_rest_the_first_shown_first() -> None:
    pools = {"jazz": songs("jazz", 12)}
    session, now = start_playlist({"jazz": 1.0}, pools)
    first = titles(session.current)
    assert session.next_queries(now) == [TrackQuery("jazz")]
    session.record_results(TrackQuery("jazz"), 12)
    session.request_refresh()
    playlist = session.update(pools, now + 1, TODAY)
    assert note_texts(playlist) == [
        "jazz: all songs that fit have been shown. Each returns after 45 minutes at the earliest."
    ]
    assert len(playlist.items) == 10
    left = set(first) - set(titles(playlist))
    assert len(left) == 2
    session.request_refresh()
    assert session.update(pools, now + 2, TODAY).items == playlist.items, "the songs must stay"
    assert session.next_queries(now + 1000) == []
    rest = session.settings.rest_seconds
    session.update(pools, now + rest, TODAY)
    session.request_refresh()
    assert session.update(pools, now + rest, TODAY).items == playlist.items
    session.update(pools, now + rest + 31, TODAY)
    session.request_refresh()
    playlist = session.update(pools, now + rest + 31, TODAY)
    assert left <= set(titles(playlist)), "rested songs must return"
    assert note_texts(playlist) != []


def test_if_no_further_songs_are_found_the_timer_spreads_them_and_then_changes_the_order() -> None:
    """Twenty songs are the smallest number with which ten rows change every ten minutes without a repeat."""
    pools = {"jazz": songs("jazz", 20)}
    session, now = start_playlist({"jazz": 1.0}, pools)
    session.record_results(TrackQuery("jazz"), 20)
    orders: list[list[str]] = [titles(session.current)]
    for _ in range(17):
        now = add_estimates(session, {"jazz": 1.0}, now, 180)
        orders.append(titles(session.update(pools, now, TODAY)))
    added = [len(set(after) - set(before)) for before, after in pairwise(orders)]
    assert added[:10] == [1] * 10
    assert set(added[10:14]) == {0}
    assert sum(added[14:]) > 0, "the first songs must return after 45 minutes"
    moved = [before != after for before, after in pairwise(orders)]
    assert all(any(moved[start : start + 3]) for start in range(len(moved) - 2)), "for over nine minutes"


def test_while_the_page_is_not_seen_the_timer_stands_and_no_song_counts_as_shown() -> None:
    """Regression: a tab in the background showed the whole list to nobody within twenty minutes."""
    pools = {"jazz": songs("jazz", 50), "rock": songs("rock", 50)}
    session = RollingPlaylist()
    now = add_estimates(session, {"jazz": 1.0})
    hidden = session.update(pools, now, TODAY, is_seen=False)
    assert len(hidden.items) == 10, "the list must be there for the user who comes"
    for _ in range(20):
        now = add_estimates(session, {"jazz": 1.0}, now, 180)
        assert session.update(pools, now, TODAY, is_seen=False) is hidden
    now = add_estimates(session, {"rock": 1.0}, now, 60)
    assert session.update(pools, now, TODAY, is_seen=False).reason is Reason.SHIFT
    now = add_estimates(session, {"jazz": 1.0}, now, 60)
    playlist = session.update(pools, now, TODAY, is_seen=False)
    assert set(titles(hidden)) & set(titles(playlist)), "songs that nobody saw may return at once"
    assert session.update(pools, now + 1, TODAY) is playlist, "a return to the page is no reason for a change"
    now = add_estimates(session, {"jazz": 1.0}, now + 1, 180)
    assert session.update(pools, now, TODAY).reason is Reason.TIMER


def test_a_full_page_is_followed_by_the_next_page() -> None:
    session, now = start_playlist({"jazz": 1.0}, {"jazz": []})
    (query,) = session.next_queries(now)
    session.record_results(query, 50)
    assert session.next_queries(now + 1) == [], "the next page must wait for the songs"
    session.update({"jazz": songs("jazz", 12)}, now + 1, TODAY)
    assert session.next_queries(now + 1) == [TrackQuery("jazz", offset=50)]


def test_if_all_songs_are_pinned_a_note_explains_why_nothing_changes() -> None:
    pools = {"jazz": songs("jazz", 50)}
    session, now = start_playlist({"jazz": 1.0}, pools)
    for row in session.current.items:
        session.pin(row.key)
    session.request_refresh()
    playlist = session.update(pools, now + 1, TODAY)
    assert all(row.pinned for row in playlist.items)
    assert "kept or liked every song" in note_texts(playlist)[0]


ACTIONS = st.sampled_from(
    ["jazz", "rock", "mixed", "silence", "skip", "like", "pin", "ban", "open", "button", "ja", "week", "any"]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(ACTIONS, st.integers(0, 9)), max_size=30), st.integers(1, 40))
def test_in_any_order_of_actions_no_song_repeats_and_pinned_songs_stay(
    actions: list[tuple[str, int]], artists: int
) -> None:
    mixes = {"jazz": {"jazz": 1.0}, "rock": {"rock": 1.0}, "mixed": {"jazz": 0.4, "rock": 0.4, "pop": 0.2}}
    wishes = {"ja": Filters("ja"), "week": Filters(None, ReleaseRange.WEEK), "any": Filters()}
    pools = {
        genre: [
            *songs(genre, 40, artists),
            *songs(genre, 20, artists, language="ja", published=date(2020, 1, 1)),
        ]
        for genre in ("jazz", "rock", "pop")
    }
    for pool in pools.values():  # every song once more, as another provider writes it
        pool += [replace(track, title=f"{track.title.upper()} (Remastered 2011)") for track in pool[::3]]
    session, now = start_playlist(mixes["jazz"], pools)
    before, shown = Playlist(), list[Track]()
    for action, place in [("any", 0), *actions]:
        now += 1
        row = session.current.items[place] if place < len(session.current.items) else None
        pinned = {row.key for row in session.current.items if row.pinned}
        if action in mixes:
            now = add_estimates(session, mixes[action], now, 70)
        elif action in wishes:
            session.set_filters(wishes[action])
            # Songs that leave because of the filters may return with the next filters.
            shown = [track for track in shown if not wishes[action].unmet(track, TODAY)]
        elif action == "button":
            session.request_refresh()
        elif row is not None and action != "silence":
            click = {"skip": session.skip, "like": session.like, "pin": session.pin, "ban": session.ban}
            click.get(action, session.mark_opened)(row.key)
            pinned -= {row.key}
        if action != "ban":
            assert pinned <= {row.key for row in session.current.items}
        for playlist in (session.current, session.update(pools, now, TODAY)):
            fresh = [
                row.track for row in playlist.items if row.track not in [old.track for old in before.items]
            ]
            assert not {key for track in fresh for key in identity_keys(track)} & {
                key for track in shown for key in identity_keys(track)
            }
            old_artists = {key for old in before.items for key in artist_keys(old.track.artists)}
            assert not any(artist_keys(track.artists) & old_artists for track in fresh)
            shown += fresh
            names = [key for row in playlist.items for key in artist_keys(row.track.artists)]
            assert len(names) == len(set(names)) <= 10
            assert not session.feedback.is_banned(names)
            if playlist.reason is Reason.TIMER and playlist is not before:
                assert len(fresh) <= 6
            before = playlist
        if action != "ban":
            assert pinned <= {row.key for row in before.items}
        for query in session.next_queries(now):
            session.record_results(query, 0)


@pytest.mark.parametrize(
    "changes",
    [{"size": 11}, {"swap_share": 2.0}, {"timer_seconds": 0.0}, {"unseen_low": -1}, {"pool_depth": 0}],
)
def test_settings_out_of_range_are_rejected(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        replace(PlaylistSettings(), **changes)
    with pytest.raises(ValueError, match="language is 'xx'"):
        Filters("xx")


def test_a_small_share_brings_no_songs_and_a_share_is_not_called_played() -> None:
    """Regression: hip hop was suggested as "heard in the last minutes", though no label had ever shown it."""
    pools = {genre: songs(genre, 50) for genre in ("jazz", "hiphop", "rock")}
    session, now = start_playlist({"jazz": 0.66, "rock": 0.2, "hiphop": 0.14}, pools)
    assert set(session.current.mix) == {row.genre for row in session.current.items} == {"jazz", "rock"}
    assert {row.genre: read_reasons(row) for row in session.current.items} == {
        "jazz": ["because jazz played in the last few minutes"],
        "rock": ["because the music sounds partly like rock"],
    }
    now = add_estimates(session, {"rock": 1.0}, now, 400)
    now = add_estimates(session, {"jazz": 0.5, "rock": 0.5}, now, 20)
    session.request_refresh()
    reasons = {row.genre: read_reasons(row) for row in session.update(pools, now, TODAY).items}
    assert reasons["rock"] == ["because rock played in the last few minutes"]
    assert reasons["jazz"] == ["because jazz played earlier in this session"]


def test_no_slot_is_lent_to_a_genre_outside_the_target_mix() -> None:
    """Regression: there were songs of a genre that was not in the displayed mix."""
    pools = {"jazz": songs("jazz", 4), "rock": songs("rock", 50)}
    session, now = start_playlist({"jazz": 1.0}, pools)
    session.record_results(TrackQuery("jazz"), 0)
    now = add_estimates(session, {"rock": 1.0}, now, 9)
    assert "rock" in session.profile.target
    playlist = session.update(pools, now, TODAY)
    assert {row.genre for row in playlist.items} == set(playlist.mix) == {"jazz"}
