"""Options of commands, explained in one sentence when they are wrong."""

from __future__ import annotations

import argparse
import difflib
import re
from typing import NoReturn

from models.errors import OverheardError


class OptionError(OverheardError):
    """The options of a command make no sense."""


class OptionParser(argparse.ArgumentParser):
    """One that raises, instead of printing all there is and ending the program."""

    def error(self, message: str) -> NoReturn:
        """Name what is wrong, and the option that was perhaps meant.

        Raises
        ------
        OptionError
            Always.
        """
        known = [name for name in self._option_string_actions if name.startswith("--")]
        strange = [word for word in re.findall(r"--[\w-]+", message) if word not in known]
        meant = difflib.get_close_matches(strange[0], known, 1) if strange else []
        hint = f"; did you mean {meant[0]}?" if meant else ";"
        raise OptionError(f"{message}{hint} `{self.prog} --help` tells more")
