"""Bounds of the dependencies in pyproject.toml, and the versions in constraints.txt."""

from __future__ import annotations

import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import ROOT


def read_requirements() -> list[Requirement]:
    """Return the requirements of the project and of its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [text for texts in project["optional-dependencies"].values() for text in texts]
    return [Requirement(text) for text in [*project["dependencies"], *extras]]


def read_constraints() -> dict[str, str]:
    """Map the names in constraints.txt to their versions."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = (Requirement(line.partition("#")[0]) for line in lines if line.partition("#")[0].strip())
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}


@pytest.mark.parametrize("requirement", read_requirements(), ids=str)
def test_every_dependency_has_bounds_around_the_tested_version(requirement: Requirement) -> None:
    """A new PyAV once broke every file for those who installed the wheel without constraints."""
    operators = {specifier.operator for specifier in requirement.specifier}
    assert operators in ({">=", "<"}, {"=="}), "a lower and an upper bound, or one version"
    pin = read_constraints().get(canonicalize_name(requirement.name))
    assert pin is None or requirement.specifier.contains(pin)
