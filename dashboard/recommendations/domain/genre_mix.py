"""Genre mixes: shares that sum to 1, the distance between two mixes, and the allocation of slots."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor

GenreMix = Mapping[str, float]
"""Shares by genre. They sum to 1, or the mapping is empty."""


def normalize(weights: Mapping[str, float]) -> dict[str, float]:
    """Scale weights to shares of their sum. The result is empty if no weight is above zero."""
    total = sum(weight for weight in weights.values() if weight > 0)
    return {genre: weight / total for genre, weight in weights.items() if weight > 0} if total > 0 else {}


def blend(first: GenreMix, second: GenreMix, first_share: float) -> dict[str, float]:
    """Return the weighted mean of two mixes, with the weight ``first_share`` for the first one."""
    genres = {**first, **second}
    second_share = 1 - first_share
    return {
        genre: first_share * first.get(genre, 0.0) + second_share * second.get(genre, 0.0) for genre in genres
    }


def drop_rare(mix: GenreMix, min_share: float) -> dict[str, float]:
    """Remove genres below ``min_share`` and normalize the rest. The largest share always stays."""
    if not mix:
        return {}
    remaining = {genre: share for genre, share in mix.items() if share >= min_share}
    strongest = max(sorted(mix), key=lambda genre: mix[genre])
    return normalize(remaining or {strongest: mix[strongest]})


def total_variation(first: GenreMix, second: GenreMix) -> float:
    """Return the total variation distance of two mixes, 0..1: half of the summed absolute differences.

    It is the share of one mix that must move to give the other (Levin, Peres & Wilmer, Markov Chains and
    Mixing Times, proposition 4.2).
    """
    return sum(abs(first.get(genre, 0.0) - second.get(genre, 0.0)) for genre in {**first, **second}) / 2


def heaviest_first(weights: Mapping[str, float]) -> list[str]:
    """Sort genres by descending weight, and by name for equal weights."""
    return sorted(weights, key=lambda genre: (-weights[genre], genre))


def allocate_slots(weights: Mapping[str, float], slot_count: int) -> dict[str, int]:
    """Allocate slots by the largest remainder method (Hamilton's method), at least one for each genre.

    Parameters
    ----------
    weights : mapping of str to float
        Weights with any sum. Genres without weight get no slot.
    slot_count : int
        Number of slots. If there are fewer slots than genres, the heaviest genres get one slot each.

    Returns
    -------
    dict of str to int
        Slots by genre, which sum to ``slot_count`` unless ``weights`` is empty. No genre has 0 slots.
    """
    shares = normalize(weights)
    order = heaviest_first(shares)[: max(slot_count, 0)]
    shares = normalize({genre: shares[genre] for genre in order})
    if not shares:
        return {}
    exact = {genre: share * slot_count for genre, share in shares.items()}
    slots = {genre: floor(exact[genre]) for genre in order}
    by_remainder = sorted(order, key=lambda genre: (slots[genre] - exact[genre], genre))
    for genre in by_remainder[: slot_count - sum(slots.values())]:
        slots[genre] += 1
    for genre in order:
        if slots[genre] == 0:
            slots[max(order, key=lambda other: slots[other])] -= 1
            slots[genre] = 1
    return slots


def reserve_slots(slots: Mapping[str, int], genre: str, count: int) -> dict[str, int]:
    """Return the slots with at least ``count`` for one genre, if there are as many, and the same sum."""
    total = sum(slots.values())
    wanted = min(count, total)
    if not genre or slots.get(genre, 0) >= wanted:
        return dict(slots)
    others = {other: number for other, number in slots.items() if other != genre}
    return {genre: wanted} | (allocate_slots(others, total - wanted) if total > wanted else {})


def interleave(slots: Mapping[str, int]) -> tuple[str, ...]:
    """Return the genres of the slots in an order that spreads each genre evenly.

    The algorithm is the smooth weighted round robin of nginx (ngx_http_upstream_round_robin.c, 2012). In
    each round all genres gain their weight, and the genre with the highest credit is chosen and pays the
    total.
    """
    order = heaviest_first(slots)
    total = sum(slots.values())
    credit = dict.fromkeys(order, 0)
    order_of_slots: list[str] = []
    for _ in range(total):
        for genre in order:
            credit[genre] += slots[genre]
        chosen = max(order, key=lambda genre: credit[genre])
        credit[chosen] -= total
        order_of_slots.append(chosen)
    return tuple(order_of_slots)
