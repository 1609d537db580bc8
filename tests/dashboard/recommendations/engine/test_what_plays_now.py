"""Rolling playlist: the song and the genre that play now."""

from __future__ import annotations

from collections import Counter

import pytest

from dashboard.recommendations.domain.identity import playing_keys
from dashboard.recommendations.engine.playlist import Reason
from tests.support.songs import TODAY, add_estimates, songs, start_playlist, titles


def test_the_song_that_plays_is_never_offered_and_rests_like_one_that_was_shown() -> None:
    pools = {"jazz": songs("jazz", 30)}
    session, now = start_playlist({"jazz": 1.0}, pools)
    first, other = session.current.items[0].track, pools["jazz"][20]
    for number, track in enumerate((first, other), start=1):
        playing = playing_keys("", "", f"{track.artists[0]} - {track.title.upper()}")
        session.update(pools, now + number, TODAY, playing=playing)
        assert track.title not in titles(session.current)
    seen = set(titles(session.current))
    for number in range(3, 8):
        session.request_refresh()
        seen |= set(titles(session.update(pools, now + number, TODAY)))
    assert not {first.title, other.title} & seen
    assert len(seen) == 28


def test_a_song_that_plays_longer_than_the_rest_is_not_offered() -> None:
    """Regression: a station's title stayed for 70 minutes, and from minute 48 on its song was a row."""
    pools = {"jazz": songs("jazz", 12)}
    session, now = start_playlist({"jazz": 1.0}, pools)
    track = pools["jazz"][11]
    playing = playing_keys("", "", f"{track.artists[0]} - {track.title}")
    for minute in range(70):
        session.request_refresh()
        playlist = session.update(pools, now + 60 * minute, TODAY, playing=playing)
        assert track.title not in titles(playlist), minute
        if minute == 20:
            session.shown.delete_all()


@pytest.mark.parametrize("keep", ["like", "pin"])
def test_a_song_that_the_user_keeps_stays_while_it_plays(keep: str) -> None:
    """Regression: "Keep this song in the list" kept it only until it played."""
    pools = {"jazz": songs("jazz", 30)}
    session, now = start_playlist({"jazz": 1.0}, pools)
    kept, other = session.current.items[:2]
    getattr(session, keep)(kept.key)
    for number, item in enumerate((kept, other), start=1):
        playing = playing_keys("", "", f"{item.track.artists[0]} - {item.track.title}")
        playlist = session.update(pools, now + number, TODAY, playing=playing)
        assert playlist.items[0].key == kept.key
    assert other.key not in {item.key for item in playlist.items}
    session.ban(kept.key)
    assert kept.key not in {item.key for item in session.current.items}


def test_a_genre_that_is_sure_for_ten_seconds_owns_the_first_rows() -> None:
    """The mix, which is slower, owns the rest until the music has changed for half a minute."""
    pools = {genre: songs(genre, 60) for genre in ("jazz", "rock")}
    session, now = start_playlist({"jazz": 0.9, "rock": 0.1}, pools)
    session.update(pools, now, TODAY)
    rock = {"jazz": 0.1, "rock": 0.9}
    now = add_estimates(session, rock, now, 9)
    assert {row.genre for row in session.update(pools, now, TODAY).items} == {"jazz"}
    session.add_estimate(now + 1, rock, "UNSURE")
    now = add_estimates(session, rock, now + 1, 9)
    assert {row.genre for row in session.update(pools, now, TODAY).items} == {"jazz"}, "unsure for a second"
    now = add_estimates(session, rock, now, 1)
    for _ in range(2):
        playlist = session.update(pools, now + 1, TODAY)
    assert [row.genre for row in playlist.items][:3] == ["rock"] * 3
    assert Counter(row.genre for row in playlist.items) == {"rock": 5, "jazz": 5}
    assert playlist.mix["rock"] == pytest.approx(0.5, abs=0.05)
    assert session.refresh_reason is Reason.FIRST, "the mix must wait for a change that lasts"
