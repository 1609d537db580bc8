"""Base of enums whose members have a description, for the JSON Schema and for readers of the code."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class DescribedEnum(StrEnum):
    """Enum of strings. Each member is defined by its value and its description.

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
