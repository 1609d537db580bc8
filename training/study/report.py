"""The reproduced study as a table of figures, and as a paragraph that says what they show."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from training.data.gtzan import LABELS
from training.study.study import BY_ARTIST, CARRIED, FOLDS, PUBLISHED_ACCURACY, SPLIT, SPLIT_CNN, StudyResults


def format_study_table(results: StudyResults) -> str:
    """Format all figures as text, with the study's own beside the reproduced ones."""
    procedures, plan = results["procedures"], results["plan"]
    cnn, gru = (results["epochs_nearest_published"][name] for name in ("TL+CNN", "TL+CNN+GRU"))
    reproduced = [
        _find_procedure(procedures, SPLIT_CNN, cnn),
        _find_procedure(procedures, SPLIT, gru),
        _find_procedure(procedures, FOLDS, gru),
    ]
    seeds = ", ".join(map(str, plan["seeds"]))
    names = ("CNN", "CNN+GRU", "10-FCV", "CNN", "CNN+GRU", f"{plan['folds']} folds")
    lines = [
        "F1 of each genre, and accuracy, mean ± deviation: three columns of the study, three reproduced on",
        f"{results['tracks']} tracks including duplicates. 80/20 over seeds {seeds}, folds with the first.",
        f"Reproduced after {cnn}, {gru} and {gru} epochs, where 80/20 is nearest to the study's accuracy.",
        "",
        f"{'':10}" + "".join(f"{name:>13}" for name in names),
    ]
    for row in (*LABELS, "accuracy"):
        published = "".join(f"{column[row]:13.2f}" for column in results["published"].values())
        all_rows = [(p["f1"] | p, p["f1_deviation"] | {"accuracy": p["deviation"]}) for p in reproduced]
        pairs = [(mean[row], deviation[row]) for mean, deviation in all_rows]
        lines.append(f"{row:10}{published}" + "".join(f"{f'{m:.2f} ± {d:.2f}':>13}" for m, d in pairs))
    lines += [
        "",
        f"Procedures, nearest to {PUBLISHED_ACCURACY} first; seen: share of test tracks that the model was",
        "trained on before; artist: share of test tracks whose artist it was trained on.",
        f"{'accuracy':16}{'seen':>6}{'artist':>8}{'epochs':>8}  procedure",
    ]
    for p in rank_procedures(results):
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
    lines += [" ".join(f"{a:.2f}" for a in row) + f"  {k}" for k, row in results["fresh_by_epoch"].items()]
    for kind in (FOLDS, CARRIED):
        lines += ["", f"Confusion, rows are true genres: {kind}, {gru} epochs"]
        for label, counts in zip(LABELS, _find_procedure(procedures, kind, gru)["confusion"], strict=True):
            lines.append(f"{label:10}" + "".join(f"{count:5d}" for count in counts))
    return "\n".join(lines)


def _find_procedure(procedures: Iterable[StudyResults], name: str, epochs: int) -> StudyResults:
    return next(p for p in procedures if p["procedure"] == name and p["epochs"] == [epochs])


def rank_procedures(results: StudyResults) -> list[StudyResults]:
    """Sort the procedures by the distance of their accuracy from the study's 0.71."""
    return sorted(results["procedures"], key=lambda p: abs(p["accuracy"] - PUBLISHED_ACCURACY))


def format_verdict(results: StudyResults) -> str:
    """Describe in one paragraph what the figures show."""
    epochs, procedures = results["epochs_nearest_published"]["TL+CNN+GRU"], results["procedures"]
    split, folds, by_artist, carried = (
        _find_procedure(procedures, kind, epochs) for kind in (SPLIT, FOLDS, BY_ARTIST, CARRIED)
    )
    published = results["published"]["TL+CNN+GRU"]["accuracy"]
    difference = folds["accuracy"] - split["accuracy"]
    text = [
        f"The briefing does not say how long the study trained. After {epochs} epochs our 80/20 split has an "
        f"accuracy of {split['accuracy']:.3f}, the nearest to its {published:.2f}. After as many epochs, "
        f"folds with a fresh model each have {folds['accuracy']:.3f} ± {folds['deviation']:.3f}, "
        f"{100 * difference:+.1f} points from the split, where the study reports "
        f"{100 * (PUBLISHED_ACCURACY - published):+.0f}.",
        f"One model carried through the same folds has {carried['accuracy']:.3f}: {carried['runs'][0]:.3f} "
        f"on the first fold, whose test tracks were new to it, {carried['runs'][-1]:.3f} on the last fold, "
        f"and {carried['last_model_on_every_track']:.3f} on every track at the end.",
    ]
    for equal in results["equal_training"]:
        if equal["epochs"] == epochs:
            steps = equal["steps"]
            short, long, seen = (
                float(np.mean(accuracies[:steps]))
                for accuracies in (folds["runs"], equal["fresh"], equal["carried"])
            )
            text.append(
                f"On the first {steps} folds the carried model has {seen:.3f} and fresh models {short:.3f}. "
                f"Fresh models that were trained for as many epochs in total have {long:.3f}. Longer "
                f"training thus contributes {100 * (long - short):+.1f} points there, and test tracks that "
                f"were trained on {100 * (seen - long):+.1f}."
            )
    curve, shared = results["fresh_by_epoch"][FOLDS], folds["artist_in_training"]
    text.append(
        f"Fresh models on folds have at most {max(curve):.3f}, after {1 + int(np.argmax(curve))} of "
        f"{len(curve)} epochs; {shared:.0%} of their test tracks have an artist who is in training. With "
        f"artists kept apart, fresh models have {by_artist['accuracy']:.3f} after {epochs} epochs and at "
        f"most {max(results['fresh_by_epoch'][BY_ARTIST]):.3f}."
    )
    first, within = rank_procedures(results)[0], folds["deviation"]
    close = [
        p["trained_on_test"] > 0 for p in procedures if abs(p["accuracy"] - PUBLISHED_ACCURACY) <= within
    ]
    text.append(
        f"Nearest to {PUBLISHED_ACCURACY:.2f} is: {first['procedure']}, {_format_epochs(first)} epochs, "
        f"{first['accuracy']:.3f}. Of {len(procedures)} procedures {len(close)} are within one deviation of "
        f"the folds ({within:.3f}), and {sum(close)} of these were tested on tracks that were trained on. "
        "The figures cannot tell which procedure the study followed."
    )
    return " ".join(text)


def _format_epochs(procedure: StudyResults) -> str:
    return "-".join(map(str, sorted({procedure["epochs"][0], procedure["epochs"][-1]})))
