"""The model card: what was measured, written so that a person can judge the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from models.manifest import ModelManifest
from training.data.augmentation import COLUMN_POOLING
from training.evaluation.protocol_table import protocol_table

if TYPE_CHECKING:
    from training.evaluation.report import Report


def render_model_card(manifest: ModelManifest, report: Report) -> str:
    """Render a model's card as Markdown.

    Parameters
    ----------
    manifest : ModelManifest
        Of the model that ships; its ``metrics`` hold all figures.
    report : Report
        What was measured while it was made.
    """
    calibration, spec, metrics = manifest.calibration, manifest.audio, manifest.metrics
    test, valid = metrics["fault_filtered_test"], metrics["valid_at_unsure_below"]
    main = test[report.main]
    low, high = main["ece_interval"]
    return f"""# Model card: {manifest.name} {manifest.version}

Written by `overheard train release`; do not edit by hand.

## What it is

A classifier of music into {len(manifest.labels)} genres ({", ".join(manifest.labels)}), for live
listening, which also says how probable it is that it hears music at all. It takes a
{spec.image_size}x{spec.image_size} picture of the spectrogram of {spec.window_seconds:.2f} s of sound and
puts out {len(manifest.labels)} logits of genres and one of music. Network: MobileNetV2, of which the means
and mean magnitudes of what the blocks of every width put out are kept in each quarter of the time; a
bidirectional GRU over these four steps, and their mean beside it. The first layer averages the
picture over {COLUMN_POOLING} columns ({spec.columns} columns of sound were
stretched to {spec.image_size} pixels). Full int8, {report.bytes_int8 / 1e6:.1f} MB
({report.bytes_float / 1e6:.1f} MB in float32). Licence: {manifest.licence}.

{_provenance(metrics["provenance"])}

The picture's geometry is the {report.main} one (`{spec.n_fft}` samples every `{spec.column_step}`), chosen
on validation; the network was trained on both and `overheard evaluate spectrograms` scores both.

## Data

{chr(10).join(f"- {line}." for line in manifest.training_data)}

GTZAN's author states that its recordings have no copyright clearance. None of them, and no spectrogram of
them, is part of this project; the model holds weights only. GTZAN has known faults: repeated recordings,
many tracks of one artist (35 of 100 reggae tracks are by Bob Marley), wrong labels.
{_at_hand(metrics["data"])}

{MUSICNN if report.taught_by_musicnn else ""}## Accuracy, three protocols side by side

{_protocols(metrics["protocols"])}

## Fault-filtered test part, on the bytes that ship

| | {" | ".join(test)} |
|---|{"---|" * len(test)}
{_rows(test)}

These tracks took no part in training, in choosing or in calibration.

## Other people's music

{_elsewhere(metrics["other_peoples_music"])}

## Calibration

Temperature {calibration.temperature:.3f}, fitted on {calibration.fitted_on}. Expected calibration error on
all windows of the test part, 10 bins of equal mass: {main["ece_windows_int8"]:.3f} (95 % interval
{low:.3f} to {high:.3f}, tracks drawn anew). Below a confidence of {calibration.unsure_below:.2f} the
estimate abstains; on validation {valid["answered"]:.0%} of the means over three neighbouring windows
of the {valid["form"]} picture reach it, and {_percent(valid["accuracy"])} of those are right.
On the test part a single window reaches it for {main["answered_at_unsure_below"]:.0%} of the tracks, and is
right for {_percent(main["accuracy_of_answered"])} of those.

Sounds are called no music below a probability of {calibration.music_above}. Share of windows of recordings
that were not trained on which are taken for music and given a genre with confidence, and, for music, share
of windows that are taken for music. "One band": every window, of music too, ends at 4
kHz, so that no kind is told by the bandwidth of its recordings.

{_not_music(metrics["not_music"])}

## Speed

{_speed(metrics["latency_ms"], metrics["bytes"])}

## Per genre (int8, fault-filtered test part, one window)

{_genre_table(manifest.labels, test)}

Rows of the confusion are the truth, columns the answer:

{_confusion_table(manifest.labels, main["confusion_int8"])}

![Confusion, reliability, learning curves, accuracy against latency](MODEL_CARD.png)

## Limits

- Ten genres of Western music from before 2002, as one collection labelled them; everything else is forced
  into them or abstained from.{_weakest(main["f1_int8"])}
- A single window is wrong for {1 - main["accuracy_int8"]:.0%} of the test tracks; the live estimate averages
  over seconds.{_recordings(metrics["data"])}
- Speech over music counts as neither; what the model says of it was not measured.
"""


MUSICNN: Final = """\
The backbone began with torchvision's ImageNet weights (BSD-3-Clause) and was taught, without labels, to
hear in a picture what musicnn hears in the sound (`overheard train distill`): music in free software, and
songs by artists of neither GTZAN nor the check below. musicnn itself learnt from the Million Song Dataset,
whose artists nobody can exclude here.

"""


def _provenance(made_from: dict[str, Any]) -> str:
    if not made_from:
        return "What it was made from was not recorded."
    recipe = made_from["recipe"]
    return (
        f"Made from commit {made_from['commit'] or 'unknown (no checkout)'}, taught weights "
        f"`{made_from['taught_sha256']}`, cache index `{made_from['cache_index_sha256']}` (SHA-256, first 12 "
        f"digits), seed {made_from['seed']}: the head fitted to {recipe['probe']:,} batches of "
        f"{made_from['mixture']['batch']} windows, then {recipe['runs']} runs of {recipe['steps']:,}, and "
        "the mean of their weights."
    )


def _at_hand(data: dict[str, Any]) -> str:
    if not data:
        return ""
    at_hand = (
        f"{data['gtzan_arrays']} of its 1,000 tracks were at hand as spectrograms, and of "
        f"{data['gtzan_audio']} the sound."
    )
    if not data["heard_by_musicnn"]:
        return at_hand
    return at_hand + (
        "\nWhile it was fine-tuned, the network also learnt what musicnn heard in "
        f"{data['heard_by_musicnn']} of the recordings that trained it."
    )


def _protocols(listed: list[dict[str, Any]]) -> str:
    if not listed:
        return (
            "Not measured; give `overheard train release` the output of `overheard train protocols --json`."
        )
    return f"""{protocol_table(listed)}

Mean ± standard deviation, float32, one window of 5 s a track. Every run starts from fresh weights and is
stopped on a validation part of its own, never on its test part. The random folds are the usual protocol of
the literature, and too good: most of their test tracks have a track of the same artist and genre in
training. **Read the first two columns.** `overheard train protocols` repeats the table."""


def _speed(latency_ms: dict[str, float], sizes: dict[str, int]) -> str:
    if not latency_ms:
        return "Not measured."
    lines = ["| network | ms | MB |", "|---|---|---|"]
    lines += [f"| {name} | {ms:.2f} | {sizes[name] / 1e6:.1f} |" for name, ms in latency_ms.items()]
    return "\n".join(lines) + (
        "\n\nMedian of one inference, LiteRT, one thread, in turns on the machine that made the model; the "
        "study's\nnetwork with an untrained head, which is the same arithmetic."
    )


def _weakest(f1: dict[str, float | None]) -> str:
    known = sorted((value, label) for label, value in f1.items() if value is not None)
    (low, weakest), (next_low, next_weakest) = known[:2]
    return f" On the test part {weakest} (F1 {low:.2f}) and {next_weakest} ({next_low:.2f}) are the weakest."


def _recordings(data: dict[str, Any]) -> str:
    if not data:
        return ""
    counts = sorted(data["recordings"].items(), key=lambda item: -item[1])
    listed = ", ".join(f"{label} {count}" for label, count in counts)
    return f"\n- Recordings, rather than published spectrograms, that trained each genre: {listed}."


def _rows(test: dict[str, dict[str, Any]]) -> str:
    rows = (
        ("tracks", "tracks", "{:.0f}"),
        ("accuracy, first window, int8", "accuracy_int8", "{:.3f}"),
        ("accuracy, first window, float32", "accuracy_float32", "{:.3f}"),
        ("accuracy, all windows of a track, int8", "accuracy_all_windows_int8", "{:.3f}"),
        ("same label as float32, all windows", "top1_agreement_int8_float32", "{:.2%}"),
        ("calibration error, all windows, int8", "ece_windows_int8", "{:.3f}"),
        ("negative log-likelihood, first window, int8", "nll_int8", "{:.3f}"),
    )
    return "\n".join(
        f"| {name} | " + " | ".join(how.format(form[key]) for form in test.values()) + " |"
        for name, key, how in rows
    )


def _elsewhere(measured: dict[str, Any]) -> str:
    if not measured:
        return "Not measured: the cache holds none."
    recall = ", ".join(f"{genre} {value:.2f}" for genre, value in measured["recall"].items())
    return (
        f"{measured['tracks']} tracks by artists that were kept for checking (a third of those outside "
        f"GTZAN, by hash; none near in name to one that was trained on), a track's windows together: "
        f"macro recall {measured['macro_recall']:.3f} ({recall})."
    )


def _not_music(measured: dict[str, Any]) -> str:
    lines = ["| kind and origin | clips | one band | as recorded |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {m['clips']} | {m['share']:.3f} | {m['share_as_recorded']:.3f} |"
        for name, m in measured.items()
    ]
    return "\n".join(lines) if measured else "Not measured: the cache holds none."


def _genre_table(labels: tuple[str, ...], test: dict[str, dict[str, Any]]) -> str:
    lines = ["| genre | " + " | ".join(f"F1, {form}" for form in test) + " |", "|---|" + "---|" * len(test)]
    for label in labels:
        values = (form["f1_int8"][label] for form in test.values())
        lines.append(f"| {label} | " + " | ".join("" if v is None else f"{v:.2f}" for v in values) + " |")
    return "\n".join(lines)


def _confusion_table(labels: tuple[str, ...], confusion: list[list[int]]) -> str:
    lines = ["| | " + " | ".join(labels) + " |", "|---|" + "---|" * len(labels)]
    for label, row in zip(labels, confusion, strict=True):
        lines.append(f"| {label} | " + " | ".join(map(str, row)) + " |")
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.0%}"
