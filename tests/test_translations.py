"""Every word that people see can be translated, and is."""

from __future__ import annotations

import ast
import re
from html.parser import HTMLParser

import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.template.base import Lexer, TokenType

from tests import catalogue
from tests.processes import ROOT

TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
NAMES = {"Luma Studio", "curl", "Python", "SANDBOX", "Luma", "AceDataCloud", "https", "true", "false"}
"""What is the same in every language."""
SHOWN_ATTRIBUTES = {"alt", "aria-label", "placeholder", "title"}
SAYING = {"ValidationError", "add_error", "error", "success", "warning", "info", "message_user", "Said", "Step"}
"""Calls whose literal texts people get to see."""


class Words(HTMLParser):
    """Collects what a reader or a screen reader would meet; marked strings have been taken out before."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag, attrs):
        self.silent += tag in ("script", "style", "code", "pre")
        for name, value in attrs:
            if value and (
                name in SHOWN_ATTRIBUTES or (name == "value" and tag == "input" and ("type", "submit") in attrs)
            ):
                self.found.append(value)

    def handle_endtag(self, tag):
        self.silent -= tag in ("script", "style", "code", "pre")

    def handle_data(self, data):
        if not self.silent:
            self.found.append(data)


def unmarked(source: str) -> list[str]:
    """The words of a template that no translate tag holds."""
    rest, inside = [], False
    source = re.sub(r"(?s){% block body_class %}.*?{% endblock %}", "", source)
    for token in Lexer(source).tokenize():
        if token.token_type == TokenType.BLOCK:
            name = token.split_contents()[0]
            inside = name in ("blocktranslate", "blocktrans", "comment") or (inside and not name.startswith("end"))
            rest.append("\n")
        elif token.token_type == TokenType.TEXT and not inside:
            rest.append(token.contents)
        else:
            rest.append("\n")
    words = Words()
    words.feed("".join(rest))
    found = (re.sub(r"&\w+;|\[[a-z ]+\]", " ", text).strip(" \n·:–—→,.()/|…") for text in words.found)
    found = (part.strip() for text in found for part in text.split("\n"))
    return [text for text in found if re.search(r"[A-Za-z]{2,}", text) and text not in NAMES]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_word_of_a_template_is_marked(path):
    assert unmarked(path.read_text()) == []


def test_an_unmarked_word_would_be_seen():
    assert unmarked('<p title="Hello">{% translate "marked" %} bare {{ x }}</p>') == ["Hello", "bare"]
    assert unmarked("{% blocktranslate %}all {{ of }} it{% endblocktranslate %}<b>x</b>") == []


@pytest.mark.parametrize("path", sorted((ROOT / "videos").rglob("*.py")), ids=lambda path: path.name)
def test_every_message_of_the_code_is_marked(path):
    if "sandbox" in path.parts or "commands" in path.parts:
        return  # the provider's words, and an operator's terminal
    bare = [
        argument.value
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and getattr(call.func, "attr", getattr(call.func, "id", "")) in SAYING
        and not (isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "logger")
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and " " in argument.value
    ]
    assert bare == []


@pytest.fixture(scope="module")
def wanted():
    return catalogue.template()


@pytest.mark.parametrize("language", catalogue.LANGUAGES)
def test_a_language_says_everything_with_the_same_values_in_it(language, wanted):
    with catalogue.path_of(language).open("rb") as file:
        known = read_po(file, locale=language)
    for message in wanted:
        if not message.id:
            continue
        translated = known.get(message.id)
        assert translated is not None, f"run make messages: {message.id!r} is new"
        strings = translated.string if isinstance(translated.string, (tuple, list)) else [translated.string]
        source = message.id if isinstance(message.id, str) else message.id[1]
        assert all(strings), f"not translated: {source!r}"
        assert not translated.fuzzy
        for string in strings:
            assert sorted(re.findall(r"%\(\w+\)[sd]|%[sd]", string)) == sorted(
                re.findall(r"%\(\w+\)[sd]|%[sd]", source)
            ), string
    assert {message.id for message in known} == {message.id for message in wanted}, "run make messages"


@pytest.mark.parametrize("language", catalogue.LANGUAGES)
def test_the_compiled_catalogue_is_the_written_one(language):
    with catalogue.path_of(language).open("rb") as file:
        written = {tuple(m.id): tuple(m.string) for m in read_po(file) if m.id}
    with catalogue.path_of(language).with_suffix(".mo").open("rb") as file:
        compiled = {tuple(m.id): tuple(m.string) for m in read_mo(file) if m.id}
    assert compiled == written


@pytest.mark.django_db
def test_the_browsers_language_and_the_menu_decide(ada):
    chinese = ada.get("/", headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    assert b'lang="zh-hans"' in chinese.content
    assert b"Gallery" not in chinese.content
    ada.post("/i18n/setlang/", {"language": "en", "next": "/"})
    english = ada.get("/", headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    assert b'lang="en"' in english.content
