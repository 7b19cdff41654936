"""One studio for all flows; what it makes stays apart by prompt and user."""

import pytest

from tests.studio import Studio, Visitor


@pytest.fixture(scope="session")
def studio(tmp_path_factory):
    """A running studio on the sandbox."""
    studio = Studio(tmp_path_factory.mktemp("studio"), GENERATIONS_PER_DAY=0)
    studio.start()
    yield studio
    assert studio.end() == 0
    assert "Traceback" not in studio.log()


@pytest.fixture
def demo(studio):
    """The demo account, signed in."""
    return Visitor(studio)
