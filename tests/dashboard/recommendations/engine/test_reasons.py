"""Songs and what is said of why they are there agree."""

from __future__ import annotations

from dashboard.recommendations.domain.tracks import TrackQuery
from tests.support.songs import TODAY, heard, songs, started, why


def test_a_doubt_brings_no_songs_and_a_share_is_not_called_heard() -> None:
    """Hip hop was suggested as "heard in the last minutes" though no label had ever shown it."""
    pools = {genre: songs(genre, 50) for genre in ("jazz", "hiphop", "rock")}
    session, now = started({"jazz": 0.66, "rock": 0.2, "hiphop": 0.14}, pools)
    assert set(session.playlist.mix) == {row.genre for row in session.playlist.rows} == {"jazz", "rock"}
    assert {row.genre: why(row) for row in session.playlist.rows} == {
        "jazz": ["jazz was heard in the last minutes"],
        "rock": ["the music sounds partly like rock"],
    }
    now = heard(session, {"rock": 1.0}, now, 400)
    now = heard(session, {"jazz": 0.5, "rock": 0.5}, now, 20)
    session.refresh()
    reasons = {row.genre: why(row) for row in session.offer(pools, now, TODAY).rows}
    assert reasons["rock"] == ["rock was heard in the last minutes"]
    assert reasons["jazz"] == ["jazz was heard earlier in this session"]


def test_no_place_is_lent_to_a_genre_that_the_songs_do_not_follow() -> None:
    """Songs of a genre came that the mix beside them did not name."""
    pools = {"jazz": songs("jazz", 4), "rock": songs("rock", 50)}
    session, now = started({"jazz": 1.0}, pools)
    session.answered(TrackQuery("jazz"), 0)
    now = heard(session, {"rock": 1.0}, now, 20)
    playlist = session.offer(pools, now, TODAY)
    assert {row.genre for row in playlist.rows} == set(playlist.mix) == {"jazz"}
