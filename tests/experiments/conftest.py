import pytest

from tests.clips import write_moving_clip


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """Folder with two clips, a.y4m and b.y4m, of 64x64 and six pictures; not to be changed."""
    folder = tmp_path_factory.mktemp("clips")
    for name, speed in (("a", 2), ("b", 5)):
        write_moving_clip(folder / f"{name}.y4m", speed, 6)
    return folder
