"""Two small streams of one clip, one with every learned tool, and their source."""

import types

import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.formats.video import create_video
from codecsim.viewer.session import Session
from tests.conformance.clips import make_clip
from tests.conformance.runs import run_encoder

PICTURES = 6
WIDTH, HEIGHT = 104, 72


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Paths `learned`, `plain` (two pictures shorter), `small` (another size) and `source`; `runs` by name; `clip`."""
    folder = tmp_path_factory.mktemp("viewer")
    clip = make_clip("film", WIDTH, HEIGHT, PICTURES)
    learn = {"channels": 8, "tile_log2": 5}
    tools = {"chroma_filter": "online", "intra_filter": "online", "loop_filter": "on", "obmc": True}
    runs = {
        "learned": run_encoder(
            EncoderConfig("ldp", 27, preset="fast", **tools).with_settings({"inter_luma": learn}), clip
        ),
        "plain": run_encoder(EncoderConfig("ra", 32, preset="fast", filter="off"), (clip[0], clip[1][:-2])),
        "small": run_encoder(EncoderConfig("ai", 40, preset="fast", filter="off"), make_clip("flat", 16, 16, 1)),
    }
    for name, run in runs.items():
        (folder / f"{name}.bin").write_bytes(run.data)
    source = folder / "source.y4m"
    with create_video(source, clip[0]) as write:
        for frame in clip[1]:
            write(frame)
    paths = {name: str(folder / f"{name}.bin") for name in runs}
    return types.SimpleNamespace(**paths, source=str(source), runs=runs, clip=clip)


@pytest.fixture(scope="session")
def session(files):
    """Session of both streams with their source, all decoded."""
    with Session([files.learned, files.plain], files.source) as found:
        found.start()
        found.wait()
        yield found
