"""The model card: what was measured, written so that a person can judge the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.manifest import ModelManifest
from training.evaluate import protocol_table

if TYPE_CHECKING:
    from training.release import Report


def model_card(manifest: ModelManifest, report: Report) -> str:
    """Render a model's card as Markdown.

    Parameters
    ----------
    manifest : ModelManifest
        Of the model that ships; its ``metrics`` hold the protocols.
    report : Report
        What was measured while it was made.
    """
    int8, float32, calibration = report.test_int8, report.test_float, manifest.calibration
    spec = manifest.audio
    return f"""# Model card: {manifest.name} {manifest.version}

Written by `overheard train release`; do not edit by hand.

## What it is

A classifier of music into {len(manifest.labels)} genres ({", ".join(manifest.labels)}),
for live listening. It takes a
{spec.image_size}x{spec.image_size} picture of the spectrogram of {spec.window_seconds:.2f} s of sound
and puts out logits. Network: MobileNetV2 with ImageNet weights, frozen, and the head
"{report.chosen.name}", trained. Full int8, {report.bytes_int8 / 1e6:.1f} MB
({report.bytes_float / 1e6:.1f} MB in float32). Licence: {manifest.licence}; the ImageNet weights
come from torchvision (BSD-3-Clause). The network averages pairs of pixels along time first: a
picture stretches {spec.columns} columns of sound to {spec.image_size} pixels, and half of them take
half the arithmetic.

## Data

{chr(10).join(f"- {line}." for line in manifest.training_data)}

GTZAN's author states that its recordings have no copyright clearance. None of them, and no
spectrogram of them, is part of this project; the model holds weights only. GTZAN has known faults:
repeated recordings, many tracks of one artist (35 of 100 reggae tracks are by Bob Marley), wrong
labels. 909 of its 1,000 tracks were at hand, as spectrograms of their first 5 s.

## Accuracy, three protocols side by side

{protocol_table(manifest.metrics["protocols"])}

Mean ± standard deviation, float32: over seeds for the fault-filtered split, over folds otherwise.
Every run starts from fresh weights and is stopped on a validation part of its own, never on its
test part. The random folds are the usual protocol of the literature, and too good: about 79 % of
their test tracks have a track of the same artist and genre in training. **Read the first two
columns.** `overheard train protocols --gtzan DIR` repeats the table.

## What was chosen, and how

{_candidate_table(report)}

Mean over seeds on the {report.valid.tracks} validation tracks; the loss is before calibration. Networks of
full width are shown for comparison only: one inference takes them longer than the live path may. Of
the others, those within 2 points of the best count as equal, and the smaller one ships.

Heads are trained on features standardized per channel with the training part's mean and deviation,
both folded into the weights afterwards.

## Int8 against float32

Fault-filtered test part, {int8.tracks} tracks, on the bytes that ship. They took no part in training, in
choosing among the candidates or in calibration. The design of the time-keeping head (the pooled path) was
settled on validation parts: of this split, and of two artist folds, which share tracks with this test
part. Half width was taken for its speed, after a look at validation tracks and at the artist folds.

| | float32 | int8 |
|---|---|---|
| accuracy | {float32.accuracy:.3f} | {int8.accuracy:.3f} |
| negative log-likelihood | {float32.nll:.3f} | {int8.nll:.3f} |
| calibration error (10 equal-mass bins) | {float32.ece:.3f} | {int8.ece:.3f} |
| size | {report.bytes_float / 1e6:.1f} MB | {report.bytes_int8 / 1e6:.1f} MB |

The two name the same genre for {report.agreement:.1%} of the tracks.

## Calibration

Temperature {calibration.temperature:.3f}, fitted on {calibration.fitted_on}.
Below a confidence of {calibration.unsure_below:.2f} the model's answers are more often wrong than
right on these tracks, and the smoothed estimate abstains. On the test part a single window reaches
that confidence for {report.answered:.0%} of the tracks; it is
right for {report.answered_accuracy:.0%} of those.

## Per genre (int8, fault-filtered test part)

{_genre_table(manifest.labels, report)}

Rows of the confusion are the truth, columns the answer:

{_confusion_table(manifest.labels, int8.confusion)}

## Limits

- Ten genres of Western music from before 2002, as one collection labelled them; everything else is
  forced into them. The accuracy is that of one window of 5 s: more than half are named wrongly.
- GTZAN's tracks have their full bandwidth (11 kHz); lossy copies, telephone sound and old radio
  lack the upper half of the picture. The picture's scaling looks below 4 kHz only, so that a missing top
  changes the rest of the picture little, but the model was not trained on sound without it.
- Recorded through a microphone, a room and its noise are in the picture too; nothing of the kind
  was in training.
- Speech and silence are not genres. Silence is caught before the model; speech is not.
- The folds differ by several points; differences between networks of less than that mean nothing.
"""


def _candidate_table(report: Report) -> str:
    lines = ["| network | valid accuracy | valid loss | ships |", "|---|---|---|---|"]
    for variant in dict.fromkeys(trained.variant for trained in report.candidates):
        runs = [trained for trained in report.candidates if trained.variant == variant]
        accuracy = sum(run.valid_accuracy for run in runs) / len(runs)
        loss = sum(run.valid_loss for run in runs) / len(runs)
        ships = "yes" if variant == report.chosen else ""
        lines.append(f"| {variant.name} | {accuracy:.3f} | {loss:.3f} | {ships} |")
    return "\n".join(lines)


def _genre_table(labels: tuple[str, ...], report: Report) -> str:
    pairs = zip(labels, report.test_int8.f1, strict=True)
    return "\n".join(["| genre | F1 |", "|---|---|", *(f"| {label} | {f1:.2f} |" for label, f1 in pairs)])


def _confusion_table(labels: tuple[str, ...], confusion: tuple[tuple[int, ...], ...]) -> str:
    lines = ["| | " + " | ".join(labels) + " |", "|---|" + "---|" * len(labels)]
    for label, row in zip(labels, confusion, strict=True):
        lines.append(f"| {label} | " + " | ".join(map(str, row)) + " |")
    return "\n".join(lines)
