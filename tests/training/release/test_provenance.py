"""The commit in a model's provenance."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from training.release.provenance import current_commit

pytestmark = pytest.mark.filterwarnings("ignore")


def test_the_commit_is_that_of_the_packages_own_checkout(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        done = subprocess.run(["git", *who, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    (tmp_path / "training" / "deep").mkdir(parents=True)
    assert current_commit(tmp_path / "training") is None
    git("init", "-q")
    (tmp_path / "training" / "a.py").write_text("1\n")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    assert current_commit(tmp_path / "training") == git("rev-parse", "HEAD")
    assert current_commit(tmp_path / "training" / "deep") is None  # installed inside another project
    (tmp_path / "training" / "a.py").write_text("2\n")
    assert current_commit(tmp_path / "training") == git("rev-parse", "HEAD") + " with changes"
