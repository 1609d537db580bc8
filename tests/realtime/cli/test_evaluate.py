"""``overheard evaluate`` on a tiny library, and its error messages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models.errors import OverheardError
from realtime.cli import evaluate
from tests.support.cli import main_error, run_command, run_main
from tests.support.evaluation import TONE_HZ, tone_library

__all__ = ["tone_library"]  # fixtures


def test_evaluate_without_a_subcommand_is_refused_and_its_help_lists_them() -> None:
    done = run_main("evaluate")
    assert done.returncode == 2
    assert done.stderr.startswith("overheard evaluate: the following arguments are required: ")
    assert "spectrograms" in run_main("evaluate", "--help").stdout


def test_the_json_and_the_text_of_a_small_library_agree(tone_library: Path) -> None:
    """Seven of the ten genres of the shipped model have no tracks. Its predictions do not matter here."""
    table = str(tone_library / "table.csv")
    arguments = (
        "evaluate",
        "live",
        "--table",
        table,
        "--programmes",
        "1",
        "--excerpts",
        "2",
        "--hold-seconds",
        "0",
    )
    done = run_command(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    card = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(name))
    assert card["smoothing"] == {"half_life_seconds": 10, "switch_margin": 0.3, "hold_seconds": 0}
    (scores,) = card["sets"]
    assert (scores["changes"], scores["programmes"]) == (1, 1)
    assert len(card["without_tracks"]["audio"]) == 7
    assert set(scores["recall"]) == {*card["without_tracks"]["audio"], *TONE_HZ}
    done = run_main(*arguments)
    assert done.returncode == 0, done.stderr
    assert "no figures, for classical, country" in done.stdout
    assert ("not detected by this model" in done.stdout) != card["says_music"]
    (line,) = (line for line in done.stdout.splitlines() if line.strip().startswith("audio as-is"))
    assert line.split()[2:4] == [f"{scores['minutes']:.1f}", "1"]
    assert line.split()[-1] == f"{scores['window_accuracy']:.3f}"


def error_of(*arguments: str) -> str:
    with pytest.raises(OverheardError) as caught:
        evaluate.command(["live", *arguments])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_each_fault_is_one_sentence(tone_library: Path, tmp_path: Path) -> None:
    table = str(tone_library / "table.csv")
    assert main_error("evaluate", "live").startswith(
        "overheard evaluate: there is nothing to evaluate; give --audio"
    )
    assert "--tune needs programmes" in error_of("--tune", "--not-music", table)
    assert "--held-out-artists needs --table" in error_of(
        "--held-out-artists", "--audio", str(tone_library / "sounds")
    )
    assert "--split and --split-table" in error_of("--split", "test", "--audio", str(tone_library / "sounds"))
    assert "unknown conditions 'loud'; the conditions are all, as-is" in error_of(
        "--table", table, "--conditions", "loud"
    )
    assert "--tune uses unmodified audio" in error_of("--table", table, "--conditions", "all", "--tune")
    assert "0 programmes of 10 excerpts" in error_of("--table", table, "--programmes", "0")
    assert "excerpts of 12 to 11 s" in error_of("--table", table, "--seconds", "12", "11")
    assert "the seed is -1" in error_of("--table", table, "--seed", "-1")
    assert "lacks the columns kind and origin" in error_of("--not-music", table)
    assert "audio: programmes need tracks of at least 2 genres" in error_of(
        "--table", table, "--seconds", "20", "30"
    )
    wrong, nowhere = tmp_path / "wrong.csv", str(tmp_path / "nowhere.csv")
    assert "cannot read the table" in error_of("--table", nowhere)
    wrong.write_text("file,genre\na.wav,polka\n")
    assert "names genres that this model does not know: 'polka'; the genres are blues" in error_of(
        "--table", str(wrong)
    )
    assert "lacks the column artist" in error_of("--table", str(wrong), "--held-out-artists")
    wrong.write_bytes(b"file,genre\n\xff,rock\n")
    assert "is not a CSV file in UTF-8" in error_of("--table", str(wrong))
    fine = tmp_path / "fine.npz"
    np.savez(fine, track_id=np.array(["jazz.1"]), db_u8=np.zeros((1, 544, 57), np.uint8))
    assert "holds one window of 57 columns for each track" in error_of("--spectrograms", str(fine))
