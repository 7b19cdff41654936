"""The names that the product reads from the environment, and how to make it read none of them."""

import os
import re
from pathlib import Path

SETTINGS = Path(__file__).parent.parent / "lumasite" / "settings.py"


def names() -> list[str]:
    """Every setting that `settings.py` asks the environment for."""
    return re.findall(r"\bread\(\s*\"([A-Z_0-9]+)\"", SETTINGS.read_text())


def clear(environ=os.environ):
    """Set them all to nothing: set, so that `.env` can't fill them in; empty, which counts as unset."""
    for name in names():
        environ[name] = ""
