"""Registration of the components with Streamlit, and delivery of their files to the browser.

Streamlit takes a component's script as one string. Here that string only imports the component's ES module,
so that the browser loads the modules from their files and resolves their imports itself. The files are
served from this folder through ``declare_component``, which works the same for an installed wheel and for a
checkout.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.components.v1 import declare_component

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

FOLDER = Path(__file__).parent
DIGEST_CHARACTERS = 12


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
        js=import_statement(f"{module_address()}/{folder}/{name}.js"),
        isolate_styles=isolate_styles,
    )


def read_asset(path: str) -> str | None:
    """Read a text file of this folder; None if there is none."""
    file = FOLDER / path
    return file.read_text(encoding="utf-8") if file.is_file() else None


def import_statement(address: str) -> str:
    """Write the script that mounts the default export of the module at an address relative to the page."""
    return (
        f"const address = new URL({json.dumps(address)}, document.baseURI);\n"
        "export default async (component) => (await import(address)).default(component);\n"
    )


@lru_cache(maxsize=1)
def module_address() -> str:
    """Serve this folder and return its address, without a slash at either end.

    The address holds a digest of all modules: a browser never mixes the modules of two versions.
    """
    digest = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*.js")):
        digest.update(path.read_bytes())
    served = declare_component(f"modules-{digest.hexdigest()[:DIGEST_CHARACTERS]}", path=FOLDER)
    return f"component/{served.name}"
