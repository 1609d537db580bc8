"""Enums whose members carry the sentence that documents them, for the JSON Schema and for readers."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class DescribedEnum(StrEnum):
    """An enum of strings; each member is written as its value and its description.

    Attributes
    ----------
    description : str
        One sentence for people who write a client.
    """

    description: str

    def __new__(cls, value: str, description: str = "") -> Self:
        """Make a member, or look one up by its value alone."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member
