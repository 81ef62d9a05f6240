"""Experiments with an oracle: the encoder alone, no stream that pretends to be one."""

import io
import json

import pytest

from codecsim.cli import run
from codecsim.codec.config import EncoderConfig
from codecsim.codec.decoder import decode
from codecsim.errors import BitstreamError, ConfigError
from codecsim.experiments.runs import encode_video
from codecsim.formats.video import create_video, open_video
from tests.conformance.clips import make_clip
from tests.conformance.runs import run_encoder

LEARN = {"channels": 8, "tile_log2": 5}
CLIP = make_clip("texture", 72, 40, 3)


@pytest.fixture
def clip_path(tmp_path):
    path = tmp_path / "clip.y4m"
    with create_video(path, CLIP[0]) as write:
        for frame in CLIP[1]:
            write(frame)
    return path


def test_it_learns_from_what_the_decoder_lacks():
    honest, oracle = (
        run_encoder(EncoderConfig("ldp", 37, preset="fast", settings={"inter_luma": LEARN}, oracle=name), CLIP)
        for name in (None, "original")
    )
    assert [report.bits for report in oracle.reports[:2]] == [report.bits for report in honest.reports[:2]]
    assert oracle.reports[1].accumulated_loss > honest.reports[1].accumulated_loss  # of every inter block
    assert oracle.reports[1].learner_hash != honest.reports[1].learner_hash
    with pytest.raises(BitstreamError, match="oracle, which cannot be decoded"):
        list(decode(io.BytesIO(oracle.data)))


@pytest.mark.parametrize("settings", [{"filter": "off"}, {"filter": "frozen"}, {"config": "ai"}, {"oracle": "sun"}])
def test_only_where_a_filter_learns(settings):
    with pytest.raises(ConfigError, match="oracle"):
        EncoderConfig(**{"oracle": "original", **settings})


def test_results_without_a_stream(clip_path, tmp_path, capsys):
    words = ["encode", str(clip_path), "--oracle", "original", "--preset", "fast", "-q", "40", "--quiet"]
    assert run([*words, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["decodable"] is False and result["bits"] > 0 and len(result["pictures"]) == 3
    assert run(words) == 0
    assert capsys.readouterr().out.startswith("NOT DECODABLE: 3 pictures")
    assert run([*words, "-o", str(tmp_path / "stream.bin")]) == 2
    assert "nothing could decode" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == [clip_path]
    assert run(["encode", str(clip_path)]) == 2


def test_the_library_writes_no_such_file(clip_path, tmp_path):
    with open_video(clip_path) as video, pytest.raises(ConfigError, match="nothing could decode"):
        encode_video(video, EncoderConfig(oracle="original"), tmp_path / "stream.bin")
    assert not (tmp_path / "stream.bin").exists()
