"""Songs offered during a simulated evening."""

from __future__ import annotations

from tests.support.simulated_session import simulate


def test_the_figures_of_two_hours_are_within_bounds() -> None:
    report = simulate()
    print(f"\n{report.table()}")
    assert (report.repeats, report.artists_twice, report.banned_shown) == (0, 0, 0)
    assert len(report.queries) <= 100
    assert len(set(report.queries)) == len(report.queries), "a query was repeated"
    assert report.shown > 100
    assert len(report.artists) > 100
    assert len(report.delays) == report.changes
    assert max(report.delays) <= 120


def test_a_simulated_evening_has_no_needless_refresh() -> None:
    report = simulate(songs_each=0)
    assert report.needless == 0
    assert len(report.delays) >= report.changes - 1, "more than one change was missed"
    assert max(report.delays) <= 90
