"""The shape of the code: who may import whom, who may change a state, who may read the environment."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MOST_LINES = 300

# From the top down. What begins with a name belongs to it, unless a longer name claims it.
LAYERS = {
    "videos.urls": 7,
    "videos.apps": 6.5,
    "videos.views": 6,
    "videos.callbacks": 6,
    "videos.admin": 6,
    "videos.management": 6,
    "videos.checks": 6,
    "videos.templatetags": 5.5,
    "videos.forms": 5,
    "videos.moving": 5,
    "videos.tasks": 5,
    "videos.context": 5,
    "videos.worker": 5,
    "videos.middleware": 5,
    "videos.charting": 4.5,
    "videos.reading": 4.5,
    "videos.services": 4,
    "videos.storing": 3,
    "videos.models": 2,
    "videos.luma.client": 1,
    "videos.states": 1,
    "videos.validators": 1,
    "videos.links": 1,
    "videos.apart": 0,
    "videos.decoders": 0,
    "videos.luma.schema": 0,
    "videos.luma.errors": 0,
    "videos.luma": 0,
}
APART = "videos.sandbox"
PACKAGES = (
    *("videos.views", "videos.services", "videos.moving", "videos.management", "videos.templatetags"),
    *("videos.decoders", APART),
)


@cache
def modules() -> dict[str, Path]:
    """Every module of ours by its dotted name."""
    found = {}
    for folder in ("videos", "lumasite"):
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if "migrations" not in parts:
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text())


def imports(module: str) -> set[str]:
    """The dotted names that a module imports; of ours, the very module."""
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                is_package = modules()[module].name == "__init__.py"
                parents = module.split(".")[: len(module.split(".")) - node.level + is_package]
                base = ".".join([*parents, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                found.add(inner if inner in modules() else base)
    return found


def own_imports(module: str) -> set[str]:
    return {name for name in imports(module) if name in modules()}


def within(module: str, name: str) -> bool:
    return module == name or module.startswith(name + ".")


def layer(module: str) -> float | None:
    name = max((name for name in LAYERS if within(module, name)), key=len, default=None)
    return None if name is None else LAYERS[name]


def together(module: str, other: str) -> bool:
    """Whether both belong to one package that is one step of the ladder."""
    return any(within(module, package) and within(other, package) for package in PACKAGES)


def studio() -> list[str]:
    """Our modules that stand on the ladder."""
    return [name for name in modules() if within(name, "videos") and name != "videos" and not within(name, APART)]


def test_every_module_has_its_layer():
    assert [name for name in studio() if layer(name) is None] == []


def test_imports_point_strictly_down():
    wrong = [
        f"{name} → {other}"
        for name in studio()
        for other in own_imports(name)
        if not within(other, APART) and not together(name, other) and not (layer(other) or 0) < (layer(name) or 0)
    ]
    assert wrong == []


def test_no_module_imports_itself_in_a_circle():
    graph = {name: own_imports(name) - {name} for name in modules()}
    while free := [name for name, targets in graph.items() if not targets & graph.keys()]:
        for name in free:
            del graph[name]
    assert {name: sorted(targets & graph.keys()) for name, targets in graph.items()} == {}


def test_the_sandbox_stands_apart():
    for name in modules():
        for other in own_imports(name):
            if within(name, APART):
                assert within(other, APART) or other == "videos.luma.schema", f"{name} imports {other}"
            elif within(other, APART):
                assert within(name, "videos.management.commands"), f"{name} imports {other}"


@pytest.mark.parametrize("package", ["videos.luma", "videos.decoders", APART])
def test_what_needs_no_django_knows_none(package):
    for name in modules():
        if within(name, package):
            assert not {found for found in imports(name) if found.split(".")[0] in ("django", "huey")}, name


def test_the_settings_know_nothing_of_the_application():
    for name in modules():
        if within(name, "lumasite"):
            assert not {other for other in own_imports(name) if within(other, "videos")}, name


# --- sizes and names ------------------------------------------------------------------------------


def test_no_module_is_too_long_to_be_read_at_one_go():
    scripts = (ROOT / "static").rglob("*.js")
    lengths = {path: len(path.read_text().splitlines()) for path in [*modules().values(), *scripts]}
    assert {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n > MOST_LINES} == {}


def test_no_module_is_a_drawer_for_everything():
    drawers = {"utils", "util", "helpers", "common", "misc", "tools"}
    assert [name for name in modules() if name.rpartition(".")[2] in drawers] == []


def test_every_module_says_what_it_is_for():
    assert [
        name for name, path in modules().items() if path.read_text().strip() and not ast.get_docstring(tree(name))
    ] == []


# --- states and secrets ---------------------------------------------------------------------------

WRITING = {"update", "create", "get_or_create", "update_or_create", "bulk_create", "bulk_update", "save"}
WRITING |= {f"a{name}" for name in WRITING}


def outside_of_move(module: str) -> Iterator[ast.AST]:
    """The nodes of a module but those within `GenerationQuerySet.move`."""
    left: list[ast.AST] = [tree(module)]
    while left:
        node = left.pop()
        yield node
        for child in ast.iter_child_nodes(node):
            if not (module == "videos.models" and isinstance(child, ast.FunctionDef) and child.name == "move"):
                left.append(child)


def names_state(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == "state"


def writes_state(node: ast.AST) -> bool:
    """Whether this looks like any way to write a state that Django has."""
    if isinstance(node, ast.Attribute):
        return node.attr == "state" and not isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.Dict):
        return any(key is not None and names_state(key) for key in node.keys)
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    if isinstance(function, ast.Name):
        made = function.id == "Generation" and any(word.arg == "state" for word in node.keywords)
        return made or (function.id == "setattr" and any(map(names_state, node.args)))
    if isinstance(function, ast.Attribute) and function.attr in WRITING:
        given = [*node.args, *(word.value for word in node.keywords)]
        return any(word.arg == "state" for word in node.keywords) or any(
            names_state(inner) for value in given for inner in ast.walk(value)
        )
    return False


def test_a_state_is_written_in_one_place_alone():
    wrong = [
        f"{name}:{node.lineno}"  # type: ignore[attr-defined]
        for name in studio()
        for node in outside_of_move(name)
        if writes_state(node)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "line",
    [
        "row.state = State.FAILED",
        "row.state += 'x'",
        "del row.state",
        "rows.update(state=State.FAILED)",
        "rows.update(**{'state': 1})",
        "row.save(update_fields=['state'])",
        "rows.bulk_update(found, ['state'])",
        "Generation(state=1)",
        "Generation.objects.create(state=1)",
        "setattr(row, 'state', 1)",
    ],
)
def test_every_other_way_to_write_a_state_would_be_found(line):
    assert any(map(writes_state, ast.walk(ast.parse(line))))


def test_the_environment_is_read_by_the_settings_alone():
    readers = {
        name
        for name in modules()
        for node in ast.walk(tree(name))
        if (isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv", "os.environb"))
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and {"environ", "getenv"} & {a.name for a in node.names}
        )
        or (isinstance(node, ast.Import) and "environ" in {alias.name for alias in node.names})
    }
    command = "videos.management.commands.studio"
    assert readers <= {"lumasite.environment", "lumasite.settings", "lumasite.wsgi", command}
    # The command sets the port for its own next start; it reads nothing.
    walked = ast.walk(tree(command))
    used = [ast.unparse(node) for node in walked if isinstance(node, ast.Subscript | ast.Call | ast.Assign)]
    assert [line for line in used if "os.environ" in line and not line.startswith("os.environ['PORT']")] == []


def test_nothing_is_executed_that_was_made_at_run_time():
    for name in modules():
        for node in ast.walk(tree(name)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile"), name
    assert not {name for name in modules() if {"pickle", "marshal"} & imports(name)}
    assert {name for name in modules() if "subprocess" in imports(name)} == {"videos.apart"}
    # What reads hostile bytes does so in a process of its own.
    readers = {name for name in modules() if {"av", "PIL", "pi_heif"} & {part.split(".")[0] for part in imports(name)}}
    assert {name for name in readers if not within(name, APART)} == {"videos.decoders.film", "videos.decoders.picture"}


# --- what is given away ---------------------------------------------------------------------------

# Registries and their mirrors; and folders that exist on somebody's machine alone.
NOT_TOLD = re.compile(
    r"pypi\.org|pythonhosted|registry\.npmjs|index-url|trusted-host|artifactory|jfrog|devpi|"
    r"(?<![\w.<{$/-])/(?:root|home|Users|work|workspace|mnt|tmp/v)/[\w.]"
)


def tracked() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def test_no_file_tells_where_it_was_made():
    told = []
    for path in tracked():
        if path == Path(__file__) or not path.is_file():
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        told += [f"{path.relative_to(ROOT)}:{number}" for number, line in enumerate(lines, 1) if NOT_TOLD.search(line)]
    assert told == []


def test_nothing_private_is_tracked():
    private = re.compile(r"(^|/)(\.env|secret_key|.*\.sqlite3(-wal|-shm)?|.*\.pem|.*\.pyc)$")
    assert [str(path) for path in tracked() if private.search(path.relative_to(ROOT).as_posix())] == []
