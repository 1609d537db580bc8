"""What is measured of a model while it is made: everything that manifest, model card and plots say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.manifest import Calibration
from models.metrics import Scores, calibration_error_interval, compute_scores, expected_calibration_error
from models.spectrogram.spec import AudioSpec
from models.spectrogram.stft import band_edges
from training.data.augmentation import Intensities, window_intensities
from training.data.corpus import HELD_OUT_ORIGINS, Corpus, Entry
from training.data.eval_sets import EvalSet, recording_eval_set, render_images
from training.data.geometries import COARSE, FINE, GEOMETRIES
from training.data.gtzan import LABELS
from training.data.partitions import Partition, out_of_domain_tracks
from training.evaluation.calibration import choose_confidence_threshold, choose_music_threshold
from training.evaluation.predictions import Predictions
from training.export import tflite

SHARED_BANDWIDTH_HZ: Final = 4_000.0
"""What every source of recordings keeps; above it, old speech differs from music by bandwidth alone."""

Floats = npt.NDArray[np.float64]


@dataclass(slots=True)
class Report:
    """What was measured while a model was made; all of it goes into manifest and model card."""

    main: str
    history: list[dict[str, Any]]
    valid: dict[str, Predictions]
    test: dict[str, Predictions]
    test_float: dict[str, Predictions]
    bytes_int8: int
    bytes_float: int
    calibration: Calibration
    parts: Partition
    elsewhere: dict[str, Any] = field(default_factory=dict)
    not_music: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    latency_ms: dict[str, float] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    taught_by_musicnn: bool = True

    def scores(self, form: str, *, every: bool = False, of: str = "test") -> Scores:
        """Scores of the int8 (``of`` "test" or "valid") or float32 ("test_float") model on one form."""
        measured: Predictions = getattr(self, of)[form]
        t = self.calibration.temperature
        return compute_scores(measured.together(t) if every else measured.first(t), measured.scored.labels)

    def metrics(self, protocols: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The manifest's ``metrics``, rounded."""
        return {
            "network": f"MobileNetV2+GRU{', taught by musicnn' * self.taught_by_musicnn}, fine-tuned",
            "main_form": self.main,
            "protocols": list(protocols),
            "fault_filtered_valid_accuracy": round(self.scores(self.main, of="valid").accuracy, 4),
            "fault_filtered_test": {form: self._form(form) for form in GEOMETRIES},
            "other_peoples_music": self.elsewhere,
            "not_music": self.not_music,
            "valid_at_unsure_below": self._answered(),
            "latency_ms": self.latency_ms,
            "bytes": self.bytes,
            "data": self.data,
            "provenance": self.provenance,
        }

    def _answered(self) -> dict[str, Any]:
        """What the threshold of confidence does to the means over windows that it was chosen on."""
        form = geometry_with_most_windows(self.valid, self.main)
        probabilities, labels = self.valid[form].smoothed(self.calibration.temperature)
        sure = probabilities.max(axis=1) >= self.calibration.unsure_below
        right = probabilities.argmax(axis=1) == labels
        return {
            "form": form,
            "answered": round(float(sure.mean()), 4),
            "accuracy": round(float(right[sure].mean()), 4) if sure.any() else None,
        }

    def _form(self, form: str) -> dict[str, Any]:
        temperature, unsure_below = self.calibration.temperature, self.calibration.unsure_below
        int8, plain = self.test[form], self.test_float[form]
        first, labels = int8.first(temperature), int8.scored.labels
        one, sure = self.scores(form), first.max(axis=1) >= unsure_below
        windows, labels_of_windows = int8.probabilities(temperature), labels[int8.scored.track]
        low, high = calibration_error_interval(windows, labels_of_windows, int8.scored.track)
        right = first.argmax(axis=1) == labels
        agree = int8.logits[:, :-1].argmax(axis=1) == plain.logits[:, :-1].argmax(axis=1)
        return {
            "tracks": one.tracks,
            "accuracy_int8": round(one.accuracy, 4),
            "accuracy_float32": round(self.scores(form, of="test_float").accuracy, 4),
            "accuracy_all_windows_int8": round(self.scores(form, every=True).accuracy, 4),
            "top1_agreement_int8_float32": round(float(agree.mean()), 4),
            "ece_windows_int8": round(expected_calibration_error(windows, labels_of_windows), 4),
            "ece_interval": [round(low, 4), round(high, 4)],
            "nll_int8": round(one.nll, 4),
            "f1_int8": _round_by_genre(one.f1),
            "recall_int8": _round_by_genre(one.recall),
            "confusion_int8": [list(row) for row in one.confusion],
            "answered_at_unsure_below": round(float(sure.mean()), 4),
            "accuracy_of_answered": round(float(right[sure].mean()), 4) if sure.any() else None,
        }


def geometry_with_most_windows(valid: dict[str, Predictions], main: str) -> str:
    """The form with most windows, the main one of equals: a track's first 5 s alone have no neighbours."""
    return max(valid, key=lambda form: (len(valid[form].scored.track), form == main))


def calibrate(valid: dict[str, Predictions], main: str) -> Calibration:
    """Fit everything between logits and honest answers on the validation part.

    The temperature is fitted on every window of the main form, the threshold of confidence on means over
    neighbouring ones of the form that has them (it is the smoothed estimate that abstains, and a mean is
    right more often than its confidence says), and that of music on the windows of both forms, all of
    which are music.
    """
    measured = valid[main]
    labels = measured.scored.labels[measured.scored.track]
    temperature = round(measured.best_temperature(), 4)
    unsure_below = choose_confidence_threshold(
        *valid[geometry_with_most_windows(valid, main)].smoothed(temperature)
    )
    music = np.concatenate([each.music for each in valid.values()])
    tracks = len(measured.scored.labels)
    fitted_on = f"{len(labels)} windows of {tracks} validation tracks of the fault-filtered split"
    return Calibration(temperature, unsure_below, fitted_on, choose_music_threshold(music))


def out_of_domain_scores(
    corpus: Corpus, parts: Partition, content: bytes, main: str, temperature: float
) -> dict[str, Any]:
    """Recall per genre on other people's music: artists that were kept for it, a track's windows together."""
    entries = out_of_domain_tracks(corpus, parts.train)
    if not entries:
        return {}
    scored = recording_eval_set(corpus, entries, LABELS, GEOMETRIES[main])
    measured = Predictions(tflite.run_model(content, render_images(scored.intensities)), scored)
    of_genre = compute_scores(measured.together(temperature), scored.labels).recall
    present = sorted(set(scored.labels.tolist()))
    return {
        "tracks": len(entries),
        "macro_recall": round(float(np.mean([of_genre[i] for i in present])), 4),
        "recall": {LABELS[i]: round(float(of_genre[i]), 4) for i in present},
    }


def non_music_scores(
    corpus: Corpus, parts: Partition, content: bytes, main: str, calibration: Calibration
) -> dict[str, Any]:
    """What the model takes for music, by kind of sound, on recordings that it was not trained on.

    ``share`` is, of music, that of its windows that are taken for music, and of other sounds that of those
    which are taken for music and get a genre with confidence; the mean over the clips. Before the scaling
    every window is brought to the band below ``SHARED_BANDWIDTH_HZ``, music as well as the rest, so that no
    kind can be told by the bandwidth of its recordings; ``share_as_recorded`` is without that.
    """
    spec = GEOMETRIES[main]
    held_out = corpus.select(lambda e: any(origin in e.origin for origin in HELD_OUT_ORIGINS))
    kinds = [(entry.origin, entry) for entry in held_out]
    kinds += [("music, GTZAN's test part", entry) for entry in parts.test]
    checked = [e for e in out_of_domain_tracks(corpus, parts.train) if e not in held_out]
    kinds += [("music, artists kept for checking", entry) for entry in checked]
    shares: dict[str, list[tuple[float, float]]] = {}
    for kind, entry in kinds:
        columns = _clean_columns(corpus, entry, spec)
        if len(columns):
            both = (
                _positive_share(
                    [window_intensities(each, spec) for each in heard], entry.music, content, calibration
                )
                for heard in (np.stack([limit_bandwidth(each, spec) for each in columns]), columns)
            )
            shares.setdefault(kind, []).append((next(both), next(both)))
    return {
        kind: {
            "clips": len(values),
            "share": round(float(np.mean([one for one, _ in values])), 4),
            "share_as_recorded": round(float(np.mean([other for _, other in values])), 4),
        }
        for kind, values in sorted(shares.items())
    }


def _clean_columns(corpus: Corpus, entry: Entry, spec: AudioSpec) -> npt.NDArray[np.uint8]:
    """Clean columns of every window of one track in one geometry, (windows, columns, 256)."""
    windows = corpus.windows(entry)
    stored = (windows.fine if spec is FINE else windows.coarse)[:, 0]
    if spec is COARSE and not len(stored) and len(windows.long):
        starts = range(0, len(windows.long) - spec.columns + 1, spec.columns)
        stored = np.array([windows.long[start : start + spec.columns] for start in starts])
    return stored


def limit_bandwidth(columns: npt.NDArray[np.uint8], spec: AudioSpec) -> npt.NDArray[np.uint8]:
    """Set all bands above ``SHARED_BANDWIDTH_HZ`` to the minimum of one window's columns, (n, 256)."""
    first = int(np.searchsorted(band_edges(spec)[1:], SHARED_BANDWIDTH_HZ / (spec.sample_rate / 2), "right"))
    result = columns.copy()
    result[:, first:] = columns.min()
    return result


def _positive_share(
    places: list[Intensities], is_music: bool, content: bytes, calibration: Calibration
) -> float:
    """Share of one clip's windows that count, as ``non_music_scores`` says."""
    logits = tflite.run_model(content, render_images(np.stack(places)))
    none = np.zeros(len(logits), np.int64)
    measured = Predictions(logits, EvalSet(np.stack(places), none, none[:1]))
    music = measured.music >= (calibration.music_above or 0)
    sure = measured.probabilities(calibration.temperature).max(axis=1) >= calibration.unsure_below
    return float((music if is_music else music & sure).mean())


def count_data(corpus: Corpus, parts: Partition) -> dict[str, Any]:
    """Tracks of GTZAN at hand, and of each genre the recordings that train, beside published arrays."""
    recorded = [e for e in parts.train if e.source != "gtzan" and e.music]
    heard = [e for e in recorded if len(corpus.windows(e).embeddings)]
    return {
        "gtzan_arrays": len(corpus.select(lambda e: e.source == "gtzan")),
        "gtzan_audio": len(corpus.select(lambda e: e.source == "gtzan-audio")),
        "heard_by_musicnn": len(heard),
        "recordings": {label: sum(e.genre == label for e in recorded) for label in LABELS},
    }


def _round_by_genre(values: Sequence[float]) -> dict[str, float | None]:
    """Rounded, None for a genre without tracks."""
    return {g: None if np.isnan(v) else round(v, 3) for g, v in zip(LABELS, values, strict=True)}
