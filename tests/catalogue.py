"""The catalogue of translations: taken from the code, kept in `locale/`, compiled by `make messages`."""

from __future__ import annotations

import io
import re
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from tests.processes import ROOT

LANGUAGES = ["zh_Hans"]
_KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
}


def path_of(language: str) -> Path:
    """Where a language's catalogue is kept; the compiled one beside it, with `.mo`."""
    return ROOT / "locale" / language / "LC_MESSAGES" / "django.po"


def template() -> Catalog:
    """All that the code and the templates want translated."""
    found = Catalog(project="Luma Studio", charset="utf-8")
    for path in sorted([*(ROOT / "videos").rglob("*.py"), *(ROOT / "lumasite").rglob("*.py")]):
        if "migrations" not in path.parts and "sandbox" not in path.parts:
            _take(found, path.read_text(), path)
    for path in sorted((ROOT / "templates").rglob("*.*")):
        _take(found, _as_python(path.read_text(), path), path)
    return found


def _take(found: Catalog, source: str, path: Path) -> None:
    for line, message, _comments, _context in extract("python", io.BytesIO(source.encode()), _KEYWORDS):
        found.add(message, None, [(str(path.relative_to(ROOT)), line)], flags=_flags(message))


def _flags(message: str | tuple[str, ...]) -> set[str]:
    text = message if isinstance(message, str) else message[0]
    return {"python-format"} if re.search(r"%\(\w+\)[sd]|%[sd]", text) else set()


def _as_python(source: str, path: Path) -> str:
    """The template with its translatable strings as calls that a Python reader finds."""
    import django
    from django.utils.translation.template import templatize

    django.setup()
    calls = re.findall(
        r"""\b(n?gettext)\((u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\w|,|\s)+)""", templatize(source, str(path))
    )
    return "\n".join(f"{name}({words})" for name, words in calls)


def update(language: str) -> None:
    """Bring a language's catalogue to what the code wants: translations stay, what is gone goes; then compile."""
    path = path_of(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = template()
    if path.exists():
        with path.open("rb") as file:
            known = read_po(file, locale=language)
    else:
        known = Catalog(locale=language, project="Luma Studio", charset="utf-8", fuzzy=False)
    known.update(fresh, no_fuzzy_matching=True)
    known.obsolete.clear()
    with path.open("wb") as file:
        write_po(file, known, width=120, omit_header=False, no_location=True, sort_output=True)
    with path.with_suffix(".mo").open("wb") as file:
        write_mo(file, known)


if __name__ == "__main__":
    import os

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    for name in LANGUAGES:
        update(name)
