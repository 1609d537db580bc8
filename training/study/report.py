"""What ``training.study.study`` measured, as a table and as a paragraph made from the figures."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from training.data.gtzan import LABELS
from training.study.study import BY_ARTIST, CARRIED, FOLDS, PUBLISHED_ACCURACY, SPLIT, SPLIT_CNN, StudyResults


def _find_procedure(procedures: Iterable[StudyResults], name: str, epochs: int) -> StudyResults:
    return next(p for p in procedures if p["procedure"] == name and p["epochs"] == [epochs])


def format_study_table(measured: StudyResults) -> str:
    """Render everything measured, the study's own figures beside ours, as text."""
    procedures, plan = measured["procedures"], measured["plan"]
    cnn, gru = (measured["epochs_like_theirs"][name] for name in ("TL+CNN", "TL+CNN+GRU"))
    ours = [
        _find_procedure(procedures, SPLIT_CNN, cnn),
        _find_procedure(procedures, SPLIT, gru),
        _find_procedure(procedures, FOLDS, gru),
    ]
    seeds = ", ".join(map(str, plan["seeds"]))
    names = ("CNN", "CNN+GRU", "10-FCV", "CNN", "CNN+GRU", f"{plan['folds']} folds")
    lines = [
        "F1 of each genre, and accuracy, mean ± deviation: three columns of the study's, three of ours on",
        f"{measured['tracks']} tracks, repeated ones too. 80/20 over seeds {seeds}, folds with the first.",
        f"Ours after {cnn}, {gru} and {gru} epochs: where 80/20 is nearest to the study's accuracy.",
        "",
        f"{'':10}" + "".join(f"{name:>13}" for name in names),
    ]
    for row in (*LABELS, "accuracy"):
        theirs = "".join(f"{column[row]:13.2f}" for column in measured["published"].values())
        all_rows = [(p["f1"] | p, p["f1_deviation"] | {"accuracy": p["deviation"]}) for p in ours]
        pairs = [(mean[row], deviation[row]) for mean, deviation in all_rows]
        lines.append(f"{row:10}{theirs}" + "".join(f"{f'{m:.2f} ± {d:.2f}':>13}" for m, d in pairs))
    lines += [
        "",
        f"Procedures, nearest to {PUBLISHED_ACCURACY} first; seen: share of test tracks that the model was",
        "trained on by then; artist: share whose artist it was trained on.",
        f"{'accuracy':16}{'seen':>6}{'artist':>8}{'epochs':>8}  procedure",
    ]
    for p in rank_procedures(measured):
        spread = f"{p['accuracy']:.3f} ± {p['deviation']:.3f}" if p["deviation"] else f"{p['accuracy']:.3f}"
        share = f"{p['trained_on_test']:6.0%}{p['artist_in_training']:8.0%}"
        every = f" (on every track {last:.3f})" if (last := p.get("last_model_on_every_track")) else ""
        lines.append(f"{spread:16}{share}{_format_epochs(p):>8}  {p['procedure']}{every}")
    lines += ["", "Accuracy fold after fold:"]
    for p in procedures:
        if p["procedure"].startswith((CARRIED, FOLDS)) and len(p["runs"]) > 1:
            runs = " ".join(f"{run:.2f}" for run in p["runs"])
            lines.append(f"{runs}  {p['procedure']}, {_format_epochs(p)} epochs")
    lines += ["", "Mean accuracy after every epoch, fresh models:"]
    lines += [" ".join(f"{a:.2f}" for a in row) + f"  {k}" for k, row in measured["fresh_by_epoch"].items()]
    for kind in (FOLDS, CARRIED):
        lines += ["", f"Confusion, row the truth: {kind}, {gru} epochs"]
        for label, counts in zip(LABELS, _find_procedure(procedures, kind, gru)["confusion"], strict=True):
            lines.append(f"{label:10}" + "".join(f"{count:5d}" for count in counts))
    return "\n".join(lines)


def rank_procedures(measured: StudyResults) -> list[StudyResults]:
    """Procedures, the one whose accuracy is nearest to the study's 0.71 first."""
    return sorted(measured["procedures"], key=lambda p: abs(p["accuracy"] - PUBLISHED_ACCURACY))


def format_verdict(measured: StudyResults) -> str:
    """Say in one paragraph what the figures show, and no more than that."""
    told, procedures = measured["epochs_like_theirs"]["TL+CNN+GRU"], measured["procedures"]
    split, folds, by_artist, one = (
        _find_procedure(procedures, k, told) for k in (SPLIT, FOLDS, BY_ARTIST, CARRIED)
    )
    theirs = measured["published"]["TL+CNN+GRU"]["accuracy"]
    apart = folds["accuracy"] - split["accuracy"]
    text = [
        f"The briefing does not say how long the study trained. After {told} epochs our 80/20 split gives "
        f"{split['accuracy']:.3f}, the nearest to its {theirs:.2f}. After as many, folds with a fresh model "
        f"each give {folds['accuracy']:.3f} ± {folds['deviation']:.3f}, {100 * apart:+.1f} points from the "
        f"split, where the study reports {100 * (PUBLISHED_ACCURACY - theirs):+.0f}.",
        f"One model carried through the same folds gives {one['accuracy']:.3f}: {one['runs'][0]:.3f} on the "
        f"first, whose test tracks it had not met, {one['runs'][-1]:.3f} on the last, and "
        f"{one['last_model_on_every_track']:.3f} on every track in the end.",
    ]
    for same in measured["trained_equally_long"]:
        if same["epochs"] == told:
            steps = same["steps"]
            short, longer, met = (
                float(np.mean(r[:steps])) for r in (folds["runs"], same["fresh"], same["carried"])
            )
            text.append(
                f"On the first {steps} folds that is {met:.3f}, against {short:.3f} of fresh models; fresh "
                f"models trained as long in all as the carried one by then have {longer:.3f}. Longer "
                f"training thus makes {100 * (longer - short):+.1f} points there, and having met test tracks "
                f"{100 * (met - longer):+.1f}."
            )
    curve, shared = measured["fresh_by_epoch"][FOLDS], folds["artist_in_training"]
    text.append(
        f"Fresh models on folds, nothing carried, have at most {max(curve):.3f}, after "
        f"{1 + int(np.argmax(curve))} of {len(curve)} epochs; {shared:.0%} of their test tracks have an "
        "artist who is in training. With artists kept apart they have "
        f"{by_artist['accuracy']:.3f} after {told} epochs and at most "
        f"{max(measured['fresh_by_epoch'][BY_ARTIST]):.3f}."
    )
    first, within = rank_procedures(measured)[0], folds["deviation"]
    close = [
        p["trained_on_test"] > 0 for p in procedures if abs(p["accuracy"] - PUBLISHED_ACCURACY) <= within
    ]
    text.append(
        f"Nearest to {PUBLISHED_ACCURACY:.2f} is: {first['procedure']}, {_format_epochs(first)} epochs, "
        f"{first['accuracy']:.3f}. "
        f"Of {len(procedures)} procedures {len(close)} are within one deviation of the folds ({within:.3f}), "
        f"{sum(close)} of them tested on tracks that were trained on. Which one the study followed, these "
        "figures cannot tell."
    )
    return " ".join(text)


def _format_epochs(procedure: StudyResults) -> str:
    return "-".join(map(str, sorted({procedure["epochs"][0], procedure["epochs"][-1]})))
