"""The reproduced study, and the mistake that explains its table, on made-up tracks."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import OverheardError
from models.spectrogram.spec import AudioSpec
from tests.support.cli import main_error
from tests.support.study import DATA, SMALL, in_folds
from training.cli import command
from training.data.gtzan import FINE_ARRAYS_FILE, LABELS, TABLE_FILE, Gtzan
from training.data.splits import Indices, artist_folds
from training.networks.study import STUDY_CNN
from training.study import fold_training, study
from training.study.features import FeatureSet, cache_key
from training.study.fold_training import FoldResult, StudyPlan, train_carried, train_fresh, train_test_pairs
from training.study.report import format_study_table, format_verdict, rank_procedures
from training.study.study import StudyResults, run_study

pytestmark = pytest.mark.filterwarnings("ignore")


def accuracies(runs: list[FoldResult]) -> list[float]:
    return [float((run.predicted[-1] == DATA.labels[run.test]).mean()) for run in runs]


def relabelled(test: Indices) -> FeatureSet:
    """Move the tracks of ``test`` to the next genre."""
    tracks = list(DATA.tracks)
    for i in test:
        tracks[i] = replace(tracks[i], genre=LABELS[(tracks[i].label + 1) % 4])
    return replace(DATA, tracks=tuple(tracks))


def test_carrying_a_model_from_fold_to_fold_inflates_its_score() -> None:
    """Only single tracks can be learned here: fresh models guess, however long they train."""
    honest = accuracies(train_fresh(STUDY_CNN, DATA, in_folds(), SMALL, [0] * 3))
    runs, on_every_track = train_carried(STUDY_CNN, DATA, in_folds(), 2, SMALL, keep_optimizer=True)
    inflated = accuracies(runs)
    assert np.mean(honest) < 0.4
    assert inflated[0] < 0.5
    assert min(inflated[1:]) > 0.8
    assert on_every_track > 0.9
    assert [study.summarize("", DATA, [run], [2])["trained_on_test"] for run in runs] == [0, 1, 1]


def test_a_genre_without_test_tracks_has_f1_zero_in_json() -> None:
    """Four of the ten genres have tracks. NaN would not be valid JSON."""
    train, test = in_folds()[0]
    run = FoldResult(train, train, test, DATA.labels[test][np.newaxis])
    summary = json.loads(json.dumps(study.summarize("", DATA, [run], [1]), allow_nan=False))
    assert list(summary["f1"].values()) == [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]


def test_a_new_optimizer_does_not_prevent_the_inflation() -> None:
    two = in_folds()[:2]
    kept, _ = train_carried(STUDY_CNN, DATA, two, 2, SMALL, keep_optimizer=True)
    anew, _ = train_carried(STUDY_CNN, DATA, two, 2, SMALL, keep_optimizer=False)
    assert np.array_equal(kept[0].predicted, anew[0].predicted)
    assert accuracies(anew)[1] > 0.8


def test_on_the_first_fold_carried_and_fresh_models_are_equal() -> None:
    """The two differ only in what they carry, and the same seed reproduces both exactly."""
    first = train_fresh(STUDY_CNN, DATA, in_folds()[:1], SMALL, [0])[0]
    same, _ = train_carried(STUDY_CNN, DATA, in_folds()[:1], SMALL.epochs, SMALL, keep_optimizer=True)
    other = train_fresh(STUDY_CNN, DATA, in_folds()[:1], SMALL, [1])[0]
    assert np.array_equal(first.predicted, same[0].predicted)
    assert not np.array_equal(first.predicted, other.predicted)


def test_fresh_models_do_not_train_on_their_test_tracks() -> None:
    """Wrong labels of test tracks change no prediction of a fresh model, but those of a carried one."""
    for folds in (in_folds(), train_test_pairs(artist_folds(DATA.tracks, folds=2))):
        assert all(not set(train) & set(test) for train, test in folds)
        assert sorted(i for _, test in folds for i in test) == list(range(len(DATA.tracks)))
    two = in_folds()[:2]
    swapped, second = relabelled(two[1][1]), two[1:]
    plan = replace(SMALL, epochs=2)
    right, wrong = (train_fresh(STUDY_CNN, data, second, plan, [0])[0] for data in (DATA, swapped))
    assert np.array_equal(right.predicted, wrong.predicted)
    assert not np.isin(right.test, right.trained).any()
    met, misled = (train_carried(STUDY_CNN, d, two, 2, plan, keep_optimizer=True)[0] for d in (DATA, swapped))
    assert not np.array_equal(met[1].predicted, misled[1].predicted)


@pytest.fixture(scope="module")
def results() -> StudyResults:
    return dict(json.loads(json.dumps(run_study(DATA, replace(SMALL, epochs=4, folds=2)))))


def test_table_and_verdict_show_the_results(results: StudyResults) -> None:
    lines = format_study_table(results).splitlines()
    blues = next(line for line in lines if line.startswith("blues"))
    assert blues.split()[1:4] == ["0.49", "0.52", "0.74"]
    assert next(line for line in lines if line.startswith("accuracy ")).split()[1:4] == [
        "0.53",
        "0.55",
        "0.71",
    ]
    epochs = results["epochs_nearest_published"]["TL+CNN+GRU"]
    by_name = {p["procedure"]: p for p in results["procedures"] if p["epochs"] == [epochs]}
    honest, inflated = by_name[study.FOLDS], by_name[study.CARRIED]
    assert honest["trained_on_test"] == 0
    assert inflated["trained_on_test"] == 0.5
    assert inflated["accuracy"] > honest["accuracy"] + 0.3
    assert by_name[study.BY_ARTIST]["artist_in_training"] == 0
    assert np.sum(honest["confusion"], axis=1).tolist() == [16] * 4 + [0] * 6
    assert honest["accuracy"] == pytest.approx(np.trace(honest["confusion"]) / 64, abs=1e-4)
    text = format_verdict(results)
    assert f"carried through the same folds has {inflated['accuracy']:.3f}" in text
    distances = [abs(p["accuracy"] - 0.71) for p in rank_procedures(results)]
    assert distances == sorted(distances)


def test_the_verdict_omits_what_was_not_measured(results: StudyResults) -> None:
    """Longer training is not mentioned without fresh models that trained as long as the carried one."""
    assert "Longer training" not in format_verdict(results | {"equal_training": []})
    epochs = results["epochs_nearest_published"]["TL+CNN+GRU"]
    same = {"epochs": epochs, "steps": 2, "fresh": [0.5, 0.5], "carried": [0.6, 0.8]}
    assert "test tracks that were trained on +20.0." in format_verdict(results | {"equal_training": [same]})


def gtzan(folder: Path) -> Path:
    """Write a folder like GTZAN's with silent arrays, and features for it under ``cache``."""
    with (folder / TABLE_FILE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["track_id", "genre", "artist", "fault_filtered_split", "duplicate_of"])
        writer.writerows([t.track_id, t.genre, t.artist, "", ""] for t in DATA.tracks)
    silence = np.zeros((len(DATA.tracks), 544, 57), dtype=np.uint8)
    np.savez(folder / FINE_ARRAYS_FILE, track_id=[t.track_id for t in DATA.tracks], db_u8=silence)
    (folder / "cache").mkdir()
    np.save(folder / "cache" / f"{cache_key(Gtzan.load(folder), AudioSpec())}.npy", DATA.features)
    return folder


def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fold_training, "QUICK_PLAN", replace(SMALL, epochs=1, carried_epochs=(1,), folds=2))
    folder, out = gtzan(tmp_path), tmp_path / "study.json"
    words = ["study", "--gtzan", str(folder), "--cache", str(folder / "cache"), "--quick", "--json", str(out)]
    assert command(words) == 0
    printed, written = capsys.readouterr().out, json.loads(out.read_text(encoding="utf-8"))
    assert written["tracks"] == 64
    assert " ".join(printed.split()).endswith(written["verdict"])
    with pytest.raises(OverheardError, match="missing is not a folder"):
        command([*words[:-1], str(tmp_path / "missing" / "study.json")])


def test_a_missing_folder_prints_one_sentence() -> None:
    message = main_error("train", "study", "--gtzan", "/nowhere")
    assert "/nowhere does not exist" in message
    assert len(message.splitlines()) == 1


def test_a_plan_that_cannot_be_compared_is_rejected() -> None:
    with pytest.raises(ValueError, match="0 seeds and 10 folds"):
        StudyPlan(seeds=())
    with pytest.raises(ValueError, match="carried_epochs are"):
        StudyPlan(epochs=2, carried_epochs=(3,))
