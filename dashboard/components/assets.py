"""Registration of the components with Streamlit, which takes the script of a component as one text.

The scripts are ES modules in files. ``bundle`` joins a module with the modules that it imports: each keeps a
scope of its own and receives what it imports by name. Served as files they would cost a request each,
which made the first paint of the page a tenth to a fifth later.
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
OTHER_FORM: Final = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


@lru_cache
def register_component(folder: str, name: str = "", *, isolate_styles: bool = True) -> ComponentRenderer:
    """Register a component once and return the function that mounts it.

    Parameters
    ----------
    folder : str
        Subfolder of the component, with ``NAME.js`` and, if it has them, ``FOLDER.css`` and ``NAME.html``.
    name : str, optional
        Name of the component, by default that of its folder.
    isolate_styles : bool, optional
        False for a component that changes the page outside of its own element.
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
    """Read a text file of this folder; None if there is none."""
    file = FOLDER / path
    return file.read_text(encoding="utf-8") if file.is_file() else None


def bundle(entry: str) -> str:
    """Join a module of this folder with all that it imports, directly or not, in one module.

    Every module becomes a function that runs once and returns its exports. The bundle's default export is
    the entry's function ``mount``. The result depends on the files alone.

    Parameters
    ----------
    entry : str
        Path of the module, relative to this folder.

    Raises
    ------
    DashboardError
        If a module is missing, imports itself through others, or has an import or export of another form
        than ``import { a, b as c } from "./d.js";`` and ``export function|class|const``.
    """
    parts: dict[str, str] = {}
    _add_module(entry, parts, ())
    if DEFAULT_EXPORT.search(read_asset(entry) or "") is None:
        raise DashboardError(f"{entry} has no default export called mount")
    body = "\n".join(parts.values())
    return f"const modules = {{}};\n{body}\nexport default modules[{entry!r}].mount;\n"


def _add_module(path: str, parts: dict[str, str], importers: tuple[str, ...]) -> None:
    """Add a module after the modules that it imports."""
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
    if found := OTHER_FORM.search(code):
        raise DashboardError(f"{path} has an unsupported import or export: {found[0]}")
    exports = ", ".join(name for _, name in EXPORT.findall(source))
    parts[path] = f"modules[{path!r}] = (() => {{\n{code}\nreturn {{ {exports} }};\n}})();"
