"""``overheard evaluate`` on a tiny library, and its error messages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models.errors import OverheardError
from realtime.cli import evaluate
from tests.support.cli import overheard, overheard_here, refused_here
from tests.support.evaluation import HERTZ, library

__all__ = ["library"]  # fixtures


def test_a_group_without_a_command_says_what_there_is() -> None:
    done = overheard_here("evaluate")
    assert done.returncode == 2
    assert done.stderr.startswith("overheard evaluate: the following arguments are required: ")
    assert "spectrograms" in overheard_here("evaluate", "--help").stdout


def test_the_command_on_a_tiny_library(library: Path) -> None:
    """The shipped model knows ten genres, of which seven have no tracks; its answers do not matter here."""
    table = str(library / "table.csv")
    words = (
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
    done = overheard(*words, "--json")
    assert done.returncode == 0, done.stderr
    card = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(name))
    assert card["smoothing"] == {"half_life_seconds": 3, "switch_margin": 0.05, "hold_seconds": 0}
    (found,) = card["sets"]
    assert (found["changes"], found["programmes"]) == (1, 1)
    assert len(card["without_tracks"]["audio"]) == 7
    assert set(found["recall"]) == {*card["without_tracks"]["audio"], *HERTZ}
    done = overheard_here(*words)
    assert done.returncode == 0, done.stderr
    assert "nothing is known of classical, country" in done.stdout
    assert "this model does not say" in done.stdout or card["says_music"]
    (line,) = (line for line in done.stdout.splitlines() if line.strip().startswith("audio as-is"))
    assert line.split()[2:4] == [f"{found['minutes']:.1f}", "1"]
    assert line.split()[-1] == f"{found['window_accuracy']:.3f}"


def told(*words: str) -> str:
    with pytest.raises(OverheardError) as caught:
        evaluate.command(["live", *words])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_faults_are_one_sentence(library: Path, tmp_path: Path) -> None:
    table = str(library / "table.csv")
    assert refused_here("evaluate", "live").startswith(
        "overheard evaluate: nothing to listen to; give --audio"
    )
    assert "--tune needs programmes" in told("--tune", "--not-music", table)
    assert "--held-out-artists needs --table" in told(
        "--held-out-artists", "--audio", str(library / "sounds")
    )
    assert "--split and --split-table" in told("--split", "test", "--audio", str(library / "sounds"))
    assert "unknown conditions 'loud'; there are all, as-is" in told("--table", table, "--conditions", "loud")
    assert "--tune hears programmes as they are" in told("--table", table, "--conditions", "all", "--tune")
    assert "0 programmes of 10 excerpts" in told("--table", table, "--programmes", "0")
    assert "excerpts of 12 to 11 s" in told("--table", table, "--seconds", "12", "11")
    assert "the seed is -1" in told("--table", table, "--seed", "-1")
    assert "lacks the columns kind and origin" in told("--not-music", table)
    assert "audio: a programme changes between genres and there are 0" in told(
        "--table", table, "--seconds", "20", "30"
    )
    wrong, nowhere = tmp_path / "wrong.csv", str(tmp_path / "nowhere.csv")
    assert "cannot read the table" in told("--table", nowhere)
    wrong.write_text("file,genre\na.wav,polka\n")
    assert "names genres that this model does not know: 'polka'; there are blues" in told(
        "--table", str(wrong)
    )
    assert "lacks the column artist" in told("--table", str(wrong), "--held-out-artists")
    wrong.write_bytes(b"file,genre\n\xff,rock\n")
    assert "is no table of text" in told("--table", str(wrong))
    fine = tmp_path / "fine.npz"
    np.savez(fine, track_id=np.array(["jazz.1"]), db_u8=np.zeros((1, 544, 57), np.uint8))
    assert "holds one window a track, 57 columns" in told("--spectrograms", str(fine))
