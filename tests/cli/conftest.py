import pytest

from tests.cli.clips import write_clip


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """Path of a small y4m file; not to be changed."""
    path = tmp_path_factory.mktemp("clip") / "clip.y4m"
    write_clip(path)
    return path
