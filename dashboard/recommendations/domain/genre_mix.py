"""Mixes of genres: shares that sum to 1, how far two are apart, and how one becomes places in a list."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor

GenreMix = Mapping[str, float]
"""Shares by genre; they sum to 1, or there is none."""


def normalize(weights: Mapping[str, float]) -> dict[str, float]:
    """Weights as shares of their sum; empty when there is nothing above zero."""
    total = sum(weight for weight in weights.values() if weight > 0)
    return {genre: weight / total for genre, weight in weights.items() if weight > 0} if total > 0 else {}


def blended(first: GenreMix, second: GenreMix, first_share: float) -> dict[str, float]:
    """``first_share`` of one mix and the rest of the other."""
    genres = {**first, **second}
    second_share = 1 - first_share
    return {
        genre: first_share * first.get(genre, 0.0) + second_share * second.get(genre, 0.0) for genre in genres
    }


def without_rare(mix: GenreMix, smallest: float) -> dict[str, float]:
    """The mix without genres below ``smallest``, the rest scaled up; the strongest always stays."""
    if not mix:
        return {}
    kept = {genre: share for genre, share in mix.items() if share >= smallest}
    strongest = max(sorted(mix), key=lambda genre: mix[genre])
    return normalize(kept or {strongest: mix[strongest]})


def total_variation(first: GenreMix, second: GenreMix) -> float:
    """Half the summed difference, in 0..1: the share of one mix that must move to make the other.

    Levin, Peres & Wilmer, Markov Chains and Mixing Times, proposition 4.2.
    """
    return sum(abs(first.get(genre, 0.0) - second.get(genre, 0.0)) for genre in {**first, **second}) / 2


def heaviest_first(weights: Mapping[str, float]) -> list[str]:
    """Genres by weight, then by name, so that ties have one order."""
    return sorted(weights, key=lambda genre: (-weights[genre], genre))


def largest_remainder(weights: Mapping[str, float], seats: int) -> dict[str, int]:
    """Places by genre (Hamilton's method), at least one for each.

    Parameters
    ----------
    weights : Mapping
        Of any sum; genres without weight get nothing.
    seats : int
        How many places there are. With fewer places than genres, the heaviest get one each.

    Returns
    -------
    dict
        Sums to ``seats`` unless ``weights`` are empty; no genre has 0.
    """
    shares = normalize(weights)
    order = heaviest_first(shares)[: max(seats, 0)]
    shares = normalize({genre: shares[genre] for genre in order})
    if not shares:
        return {}
    exact = {genre: share * seats for genre, share in shares.items()}
    slots = {genre: floor(exact[genre]) for genre in order}
    by_remainder = sorted(order, key=lambda genre: (slots[genre] - exact[genre], genre))
    for genre in by_remainder[: seats - sum(slots.values())]:
        slots[genre] += 1
    for genre in order:
        if slots[genre] == 0:
            slots[max(order, key=lambda other: slots[other])] -= 1
            slots[genre] = 1
    return slots


def interleave(slots: Mapping[str, int]) -> tuple[str, ...]:
    """The places in an order that spreads every genre evenly: smooth weighted round robin.

    As nginx deals requests (ngx_http_upstream_round_robin.c, 2012): all gain their weight, the
    highest is served and pays the total.
    """
    order = heaviest_first(slots)
    total = sum(slots.values())
    credit = dict.fromkeys(order, 0)
    dealt: list[str] = []
    for _ in range(total):
        for genre in order:
            credit[genre] += slots[genre]
        served = max(order, key=lambda genre: credit[genre])
        credit[served] -= total
        dealt.append(served)
    return tuple(dealt)
