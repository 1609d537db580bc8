"""Registration of the components with Streamlit, which takes the script of a component as one text.

The scripts are ES modules in files. ``bundle`` joins a module with all modules that it imports. Each module
keeps its own scope. Served as separate files, the modules cost one request each, and the first paint of the
page came a tenth to a fifth later.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING, Final

import streamlit as st

from dashboard.errors import DashboardError

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

FOLDER: Final = Path(__file__).parent
IMPORT: Final = re.compile(r'^import \{([^}]+)\} from "(\.\.?/[^"]+)";$', re.MULTILINE)
EXPORT: Final = re.compile(r"^export (?:default )?((?:async )?(?:function|class|const) (\w+))", re.MULTILINE)
DEFAULT_EXPORT: Final = re.compile(r"^export default function mount\(", re.MULTILINE)
UNSUPPORTED: Final = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
"""An import or export that is left after the supported forms were replaced."""


@lru_cache
def register_component(folder: str, name: str = "", *, isolate_styles: bool = True) -> ComponentRenderer:
    """Register a component once and return the function that mounts it.

    Parameters
    ----------
    folder : str
        Subfolder with ``NAME.js`` and optionally ``FOLDER.css`` and ``NAME.html``.
    name : str, optional
        Name of the component, by default the name of the folder.
    isolate_styles : bool, optional
        False for a component that changes the page outside its own element.
    """
    name = name or folder
    return st.components.v2.component(
        f"overheard_{name}",
        html=read_asset(f"{folder}/{name}.html"),
        css=read_asset(f"{folder}/{folder}.css"),
        js=bundle(f"{folder}/{name}.js"),
        isolate_styles=isolate_styles,
    )


def read_asset(path: str) -> str | None:
    """Return the text of a file in this folder, or None if the file does not exist."""
    file = FOLDER / path
    return file.read_text(encoding="utf-8") if file.is_file() else None


def bundle(entry: str) -> str:
    """Join a module with all modules that it imports, directly or indirectly, into one module.

    Every module becomes a function that runs once and returns its exports. The default export of the bundle
    is the function ``mount`` of the entry module.

    Parameters
    ----------
    entry : str
        Path of the entry module, relative to this folder.

    Raises
    ------
    DashboardError
        If a module is missing, if modules import each other, or if an import or export has another form than
        ``import { a, b as c } from "./d.js";`` and ``export function|class|const``.
    """
    parts: dict[str, str] = {}
    _add_module(entry, parts, ())
    if DEFAULT_EXPORT.search(read_asset(entry) or "") is None:
        raise DashboardError(f"{entry} has no default export called mount")
    body = "\n".join(parts.values())
    return f"const modules = {{}};\n{body}\nexport default modules[{entry!r}].mount;\n"


def _add_module(path: str, parts: dict[str, str], importers: tuple[str, ...]) -> None:
    """Add a module to ``parts`` after the modules that it imports.

    ``importers`` is the chain of imports from the entry module.
    """
    if path in importers:
        raise DashboardError(f"modules import each other: {' > '.join((*importers, path))}")
    if path in parts:
        return
    source = None if path.startswith("..") else read_asset(path)
    if source is None:
        raise DashboardError(
            f"{importers[-1] if importers else 'a component'} imports {path}, a missing file"
        )

    def replace_import(match: re.Match[str]) -> str:
        imported = normpath(join(dirname(path), match[2]))
        _add_module(imported, parts, (*importers, path))
        names = re.sub(r"(\w+) as (\w+)", r"\1: \2", " ".join(match[1].split()))
        return f"const {{ {names} }} = modules[{imported!r}];"

    code = EXPORT.sub(r"\1", IMPORT.sub(replace_import, source))
    if found := UNSUPPORTED.search(code):
        raise DashboardError(f"{path} has an unsupported import or export: {found[0]}")
    exports = ", ".join(name for _, name in EXPORT.findall(source))
    parts[path] = f"modules[{path!r}] = (() => {{\n{code}\nreturn {{ {exports} }};\n}})();"


def ignore_change() -> None:
    """Do nothing after a change of a component's state, which the next run of the script reads."""
