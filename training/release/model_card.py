"""The model card, rendered from the manifest, so that a reader can judge the model."""

from __future__ import annotations

from typing import Any, Final

from models.manifest import ModelManifest
from models.retrieval import NEIGHBORS
from training.data.augmentation import POOLING
from training.evaluation.latency import SHIPPED_FLOAT, SHIPPED_INT8
from training.evaluation.protocol_table import protocol_table


def render_model_card(manifest: ModelManifest) -> str:
    """Render a model's card as Markdown. All figures come from the manifest's ``metrics``."""
    calibration, spec, metrics = manifest.calibration, manifest.audio, manifest.metrics
    test, valid = metrics["fault_filtered_test"], metrics["valid_at_unsure_below"]
    geometry, provenance, sizes = metrics["main_form"], metrics["provenance"], metrics["bytes"]
    main = test[metrics["tested_form"]]
    low, high = main["ece_interval"]
    return f"""# Model card: {manifest.name} {manifest.version}

Written by `overheard train release`; do not edit by hand.

## Model

A classifier of music into {len(manifest.labels)} genres ({", ".join(manifest.labels)}) for live listening.
It also estimates the probability that the audio is music, predicts tags that describe it, and gives an
embedding that is similar for tracks that sound alike. The input is a
{spec.image_size}x{spec.image_size} spectrogram image of {spec.window_seconds:.2f} s of audio. The outputs are
{len(manifest.labels)} logits of genres and one of music, {len(manifest.tags)} logits of tags, and
{manifest.embedding_size} values of the embedding.

The network is MobileNetV2. The means, and mean magnitudes, of the outputs of its blocks of every width are
taken over each quarter of the time. A bidirectional GRU reads these four steps, and their mean goes beside
its output. The first layer averages the image over squares of {POOLING} x {POOLING} pixels. Large
convolutions are int8, and the runtime quantizes their inputs by the range of each image. All else is float32.
Size: {sizes[SHIPPED_INT8] / 1e6:.1f} MB ({sizes[SHIPPED_FLOAT] / 1e6:.1f} MB with float32 kernels).
License: {manifest.licence}.

{_provenance(provenance)}{_shipped_head(metrics.get("learning_curve", []))}

The geometry is the {geometry} one (`{spec.n_fft}` samples every `{spec.column_step}`). The network was
trained on the two geometries of GTZAN's published arrays too, which `overheard evaluate spectrograms`
evaluates.

## Data

{chr(10).join(f"- {line}." for line in manifest.training_data)}

GTZAN's author states that its recordings have no copyright clearance. This project contains none of them
and no spectrogram of them; the model holds weights only. GTZAN has known faults: duplicate recordings, many
tracks of one artist (35 of 100 reggae tracks are by Bob Marley), and wrong labels.
{_available_data(metrics["data"])}

{DISTILLATION if provenance.get("shipped_backbone") else ""}## Accuracy under three protocols

{_protocols(metrics["protocols"])}

## Fault-filtered test part, on the bytes that ship

| | {" | ".join(test)} |
|---|{"---|" * len(test)}
{_test_rows(test)}

These tracks were used neither for training nor for choosing or calibration. Few of them are available as
audio, mostly classical. The arrays therefore tell more about GTZAN, and other people's music about live use.

## Music by held-out artists

{_out_of_domain(metrics["other_peoples_music"])}

## Tags

{_tags(manifest)}

## Tracks that sound alike

{_similarity(metrics.get("similarity", {}))}

## Calibration

Temperature {calibration.temperature:.3f}, fitted on {calibration.fitted_on}. Expected calibration error on
all windows of the test part, 10 bins of equal mass: {main["ece_windows_int8"]:.3f} (95 % interval
{low:.3f} to {high:.3f}, tracks resampled). Below a confidence of {calibration.unsure_below:.2f} the estimate
abstains. On validation, {valid["answered"]:.0%} of the means over a track's windows in the
{valid["form"]} geometry reach it, and {_percent(valid["accuracy"])} of those are right. On the test part, a
single window reaches it for {main["answered_at_unsure_below"]:.0%} of the tracks, and
{_percent(main["accuracy_of_answered"])} of those are right.

Audio with a music probability below {calibration.music_above} is classified as non-music. The table shows
recordings that were not trained on. For music, the share is that of windows classified as music. For other
sounds, it is the share of windows that are classified as music and get a genre with confidence. "One band":
every window, of music too, ends at 4 kHz, so that no kind differs by the bandwidth of its recordings.

{_non_music(metrics["not_music"])}

## Speed

{_speed(metrics["latency_ms"], sizes)}

## Per genre (int8, fault-filtered test part, one window)

{_genre_table(manifest.labels, test)}

Confusion, with one row per true genre and one column per predicted genre:

{_confusion_table(manifest.labels, main["confusion_int8"])}

![Confusion, reliability, learning curves, accuracy against latency](MODEL_CARD.png)

## Limits

- Ten genres of mostly Western music, as GTZAN and the reputation of artists label them. The model assigns all
  other music to these genres or abstains; tags describe it.{_weakest(main["f1_int8"])}
- A single window is wrong for {1 - main["accuracy_int8"]:.0%} of the test tracks. The live estimate averages
  over seconds.{_recordings(metrics["data"])}
- Speech over music counts neither as music nor as non-music, and was not evaluated.
"""


DISTILLATION: Final = """\
The backbone started from torchvision's ImageNet weights (BSD-3-Clause). It was distilled without labels: it
learned to predict four teachers' values of the audio from the image (`overheard train distill`). The teachers
are musicnn's two networks, YAMNet, and EfficientAT's mn04. The music was music in free software, and songs by
artists who are neither in GTZAN nor held out. The teachers were trained on the Million Song Dataset and on
AudioSet, whose artists cannot be excluded here.

"""


def _provenance(provenance: dict[str, Any]) -> str:
    if not provenance:
        return "Its provenance was not recorded."
    recipe = provenance["recipe"]
    return (
        f"Made from commit {provenance['commit'] or 'unknown (no checkout)'}, distilled weights "
        f"`{provenance['distilled_sha256']}`, cache index `{provenance['cache_index_sha256']}` (SHA-256, "
        f"first 12 digits), seed {provenance['seed']}: the head was fitted to {recipe['probe']:,} batches of "
        f"{provenance['mixture']['batch']} windows, then fine-tuned in {recipe['runs']} runs of "
        f"{recipe['steps']:,} batches, whose weights were averaged."
    )


def _shipped_head(history: list[dict[str, Any]]) -> str:
    fitted = next((row for row in history if row["step"] == 0 and row["best"]), None)
    if fitted is None:
        return ""
    text = "\nThese runs did not validate better than the fitted head, which therefore ships."
    if fitted.get("gru"):
        return f"{text} In it, the\nGRU was trained beside the fitted weights of the means over time."
    return (
        f"{text} In it, the\n"
        "weights of the GRU's outputs are 0: the genre depends on the means over time alone."
    )


def _available_data(data: dict[str, Any]) -> str:
    if not data:
        return ""
    available = (
        f"Of its 1,000 tracks, {data['gtzan_arrays']} were available as spectrograms and "
        f"{data['gtzan_audio']} as audio."
    )
    if not data["heard_by_teachers"]:
        return available
    return available + (
        f"\nDuring fine-tuning, the network also learned the teachers' values of "
        f"{data['heard_by_teachers']} of the recordings that it was trained on, and the genres that a "
        "regression on these values gives them."
    )


def _protocols(records: list[dict[str, Any]]) -> str:
    if not records:
        return (
            "Not measured; pass the output of `overheard train protocols --json` to "
            "`overheard train release`."
        )
    return f"""{protocol_table(records)}

Mean ± standard deviation, float32, one window of 5 s per track. Every run starts from new weights and is
stopped on its own validation part, never on its test part. The random folds are the usual protocol of the
literature and are too optimistic: the training part has a track of the same artist and genre for most of
their test tracks. **Read the first two columns.** `overheard train protocols` reproduces the table."""


def _speed(latency_ms: dict[str, float], sizes: dict[str, int]) -> str:
    if not latency_ms:
        return "Not measured."
    lines = ["| network | ms | MB |", "|---|---|---|"]
    lines += [f"| {name} | {ms:.2f} | {sizes[name] / 1e6:.1f} |" for name, ms in latency_ms.items()]
    return "\n".join(lines) + (
        "\n\nMedian of one inference in LiteRT on one thread, in turns, on the machine that made the model.\n"
        "The study's network has an untrained head, whose arithmetic is that of a trained one."
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
    return f"\n- Recordings, as opposed to published spectrograms, of each genre in training: {listed}."


def _test_rows(test: dict[str, dict[str, Any]]) -> str:
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
        f"| {name} | " + " | ".join(form.format(geometry[key]) for geometry in test.values()) + " |"
        for name, key, form in rows
    )


def _out_of_domain(scores: dict[str, dict[str, Any]]) -> str:
    if not scores:
        return "Not measured: the cache has none."
    lines = ["| source | tracks | accuracy | macro recall | of | confident | right when confident |"]
    lines.append("|---|---|---|---|---|---|---|")
    for source, each in scores.items():
        lines.append(
            f"| {source} | {each['tracks']} | {each['accuracy']:.3f} | {each['macro_recall']:.3f} | "
            f"{', '.join(each['macro_genres'])} | {each['confident']:.0%} | "
            f"{_percent(each['accuracy_when_confident'])} |"
        )
    lines += ["", "Recall by genre:"]
    for source, each in scores.items():
        recall = ", ".join(f"{genre} {value:.2f}" for genre, value in each["recall"].items())
        lines.append(f"- {source}: {recall}.")
        if "musicnn" in each:
            ours, peer = each["same_tracks"], each["musicnn"]
            lines[-1] += (
                f" On the {peer['tracks']} tracks of genres that musicnn's tags name: accuracy "
                f"{ours['accuracy']:.3f}, macro recall {ours['macro_recall']:.3f}; musicnn "
                f"{peer['accuracy']:.3f}, {peer['macro_recall']:.3f}."
            )
    lines += [
        "",
        "These artists were chosen by a hash of their names, and no artist with nearly the same name was",
        "trained on. The predictions are means over all windows of a track. musicnn (Pons and Serra, 2019)",
        "names the strongest of its tags that mean a genre, on the same windows.",
    ]
    return "\n".join(lines)


def _tags(manifest: ModelManifest) -> str:
    measures = manifest.metrics.get("tags", [])
    if not measures:
        return "None: the cache has no values of the teachers."
    left_out = [each for each in measures if not each["ships"]]
    lines = ["| tag | kind | validation windows | ROC AUC | threshold | precision | recall |"]
    lines.append("|---|---|---|---|---|---|---|")
    lines += [
        f"| {each['name']} | {each['kind']} | {each['windows']} | {each['auc']:.3f} | "
        f"{each['threshold']:.3f} | {each['precision']:.2f} | {each['recall']:.2f} |"
        for each in measures
        if each["ships"]
    ]
    listed = ", ".join(
        f"{each['name']} ({'-' if each['auc'] is None else format(each['auc'], '.2f')})" for each in left_out
    )
    return "\n".join(lines) + (
        "\n\nThe truth is what the teachers agree on, not what a listener says: a tag is true of a window\n"
        "that has half the strength of the strongest hundredth of the training windows. The artists of the\n"
        "validation windows were not trained on. The figures are those of the network before quantization.\n"
        f"Left out, with their AUC, because they are rare here or not sure enough: {listed or 'none'}."
    )


def _similarity(scores: dict[str, dict[str, Any]]) -> str:
    if not scores:
        return "Not measured: the model has no embedding."
    lines = ["| material | tracks | among | same genre | by chance | same artist | tracks |"]
    lines.append("|---|---|---|---|---|---|---|")
    lines += [
        f"| {name} | {each['tracks']} | {each['among']} | {_figure(each['genre_precision'])} | "
        f"{_figure(each['chance'])} | {_figure(each['artist_mrr'])} | {each['artist_tracks']} |"
        for name, each in scores.items()
    ]
    return "\n".join(lines) + (
        "\n\n"
        "Neighbors by the cosine similarity of mean embeddings. Same genre: share among the "
        f"{NEIGHBORS} most\n"
        "similar tracks of other artists. Same artist: mean reciprocal rank of the first other"
        " track by the artist,\n"
        "over the tracks that have one; albums and their production help. The neighbors of "
        "GTZAN's test tracks are\n"
        "searched in its test and validation parts. `overheard evaluate similarity` measures "
        "whole files."
    )


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _non_music(scores: dict[str, Any]) -> str:
    lines = ["| kind and origin | clips | one band | as recorded |", "|---|---|---|---|"]
    lines += [
        f"| {kind} | {m['clips']} | {m['share']:.3f} | {m['share_as_recorded']:.3f} |"
        for kind, m in scores.items()
    ]
    return "\n".join(lines) if scores else "Not measured: the cache has none."


def _genre_table(labels: tuple[str, ...], test: dict[str, dict[str, Any]]) -> str:
    head = "| genre | " + " | ".join(f"F1, {geometry}" for geometry in test) + " |"
    lines = [head, "|---|" + "---|" * len(test)]
    for label in labels:
        values = (geometry["f1_int8"][label] for geometry in test.values())
        lines.append(f"| {label} | " + " | ".join("" if v is None else f"{v:.2f}" for v in values) + " |")
    return "\n".join(lines)


def _confusion_table(labels: tuple[str, ...], confusion: list[list[int]]) -> str:
    lines = ["| | " + " | ".join(labels) + " |", "|---|" + "---|" * len(labels)]
    for label, row in zip(labels, confusion, strict=True):
        lines.append(f"| {label} | " + " | ".join(map(str, row)) + " |")
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.0%}"
