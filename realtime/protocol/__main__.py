"""``python -m realtime.protocol``: write the JSON Schema beside the structs that define the messages."""

from __future__ import annotations

import sys
from pathlib import Path

from realtime.protocol.schema import FILE_NAME, schema_text


def main() -> None:
    """Write the schema file."""
    path = Path(__file__).with_name(FILE_NAME)
    path.write_text(schema_text(), encoding="utf-8")
    sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main()
