"""The example of a learned tool: set, announced, decoded and told like any other."""

import json

import pytest

from codecsim.cli import run
from codecsim.codec.config import EncoderConfig
from tests.conformance.clips import make_clip
from tests.conformance.runs import check_own_decoder, run_encoder


@pytest.mark.parametrize("strength", [1, 4])
@pytest.mark.parametrize("config", ["ai", "ldp", "ra"])
def test_decoder_and_encoder_agree(config, strength, tmp_path, capsys):
    clip = make_clip("texture", 74, 58, 3)
    options = EncoderConfig(
        config, 37, preset="fast", filter="off", polish="on", settings={"polish": {"strength_q2": strength}}
    )
    polished, plain = (run_encoder(o, clip) for o in (options, EncoderConfig(config, 37, preset="fast", filter="off")))
    check_own_decoder(polished)
    assert polished.reports[0].picture_hash != plain.reports[0].picture_hash
    (tmp_path / "s.bin").write_bytes(polished.data)
    assert run(["info", str(tmp_path / "s.bin"), "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)["learned"]["tools"].items()
    assert said[0] == "polish" and said[1]["settings"] == {"strength_q2": strength}
