"""Cleans hostile images in a process of its own: `python -m tests.security.cleaning FILE…`, and prints what it took.

Each line is a JSON list: the file's name, what came out ("" or the refusal's code), how much more memory the process
took at the most (in megabytes), and how long it took (in seconds).
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from pathlib import Path


def clean(path: Path) -> list[object]:
    from django.core.exceptions import ValidationError

    from videos.validators import clean_frame

    raw = path.read_bytes()
    memory = Path("/proc/self")
    (memory / "clear_refs").write_text("5")
    before, began = taken("VmRSS"), time.monotonic()
    try:
        clean_frame(io.BytesIO(raw), len(raw))
        outcome = ""
    except ValidationError as refusal:
        outcome = str(refusal.code)
    return [path.name, outcome, taken("VmHWM") - before, time.monotonic() - began]


def taken(what: str) -> float:
    """Memory of this process, in megabytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) / 1024


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    from tests import pictures
    from videos.validators import clean_frame

    warm = pictures.image()
    clean_frame(io.BytesIO(warm), len(warm))
    for name in sys.argv[1:]:
        print(json.dumps(clean(Path(name))))  # noqa: T201
