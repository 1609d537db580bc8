"""The ablation trains and evaluates each row once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.corpora import corpus
from tests.support.networks import quick
from training.data.corpus import Corpus
from training.study.ablation import ROWS, format_ablation_table, run_ablation

__all__ = ["corpus", "quick"]  # fixtures

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.usefixtures("quick")
def test_every_row_is_trained_and_evaluated_once(corpus: Corpus, tmp_path: Path) -> None:
    row = next(each for each in ROWS if each.mix == {"live_share": 0.0})
    found = run_ablation(corpus, tmp_path, steps=1, probe=0, rows=[row])
    assert [(each["name"], each["steps"]) for each in found] == [("no live geometry", 1)]
    for part in ("valid", "test"):
        assert set(found[0][part]) == {"fine", "coarse"}
        assert all(0 <= share <= 1 for of in found[0][part].values() for share in of)
    (kept,) = tmp_path.glob("*.json")
    kept.write_text(json.dumps({"valid": {"fine": [0.25, 0.25]}, "test": {"fine": [0.5, 0.5]}}))
    again = run_ablation(corpus, tmp_path, steps=1, probe=0, rows=[row])  # what is done is not done again
    assert format_ablation_table(again).splitlines()[-1] == "| no live geometry | 0.500 (0.250) |"
