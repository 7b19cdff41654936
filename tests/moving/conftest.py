"""An old site, and a new one for it to move to; on servers of their own where the tests have none."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.moving.sites import MAKE_OLD, Old, Servers, Target, python


@pytest.fixture(scope="session")
def servers(tmp_path_factory) -> Servers:
    folder = tmp_path_factory.mktemp("migrating")
    return Servers(os.environ["TEST_DATABASE_URL"], os.environ["TEST_S3_URL"], folder)


@pytest.fixture
def new_site(servers, tmp_path) -> Iterator[Callable[[], Target]]:
    """Makes new sites, migrated and empty."""
    with ExitStack() as stack:

        def make() -> Target:
            site = Target(servers, tmp_path / uuid.uuid4().hex)
            stack.callback(site.drop)
            return site

        yield make


@pytest.fixture
def target(new_site) -> Target:
    """One of them."""
    return new_site()


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    data = tmp_path_factory.mktemp("old") / "data"
    python({"SECRET_KEY": ""}, data, "-c", MAKE_OLD)
    return data


@pytest.fixture
def old(made, tmp_path) -> Old:
    """An old, live site that has ended."""
    shutil.copytree(made, tmp_path / "old")
    return Old(tmp_path / "old")
