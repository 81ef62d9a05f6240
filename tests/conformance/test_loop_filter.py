"""With the in-loop filter on, the decoder gives the encoder's pictures."""

import contextlib
import io

import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.codec.decoder import decode
from codecsim.codec.encoder import encode
from codecsim.errors import CodecError, ConfigError, ModelError
from codecsim.learned.loop.spec import LoopSpec
from codecsim.learned.model_files import LOOP, Model, save_model
from tests.conformance.clips import make_clip
from tests.conformance.runs import check_own_decoder, run_encoder
from tests.integration.fuzz import damage
from tests.learned.loop.test_loop_filter import draw_weights

SPEC = LoopSpec(8, 1, "plain", "all", 4)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Path of a model that does not ship."""
    path = tmp_path_factory.mktemp("models") / "loop.safetensors"
    save_model(path, Model(LOOP, SPEC, draw_weights(SPEC, 3), ("y00", "y01", "y10", "y11", "cb", "cr")))
    return str(path)


def encode_loop(model, clip, config="ldp", qp=32, **options):
    options = {"preset": "fast", "filter": "off", **options}
    return run_encoder(EncoderConfig(config, qp, loop_filter=model or "on", **options), clip)


@pytest.mark.parametrize("config", ["ai", "ldp", "ldb", "ra"])
@pytest.mark.parametrize("bit_depth", [8, 10])
def test_structures_depths_and_threads(config, bit_depth):
    """The weights that ship, which help here."""
    run = encode_loop(None, make_clip("cut", 154, 138, 4), config, settings={"hevc": {"internal_bit_depth": bit_depth}})
    for threads in (1, 2):
        check_own_decoder(run, threads)
    shares = [report.loop_share for report in run.reports]
    assert all(share is not None for share in shares) and any(0 < share < 1 for share in shares)


def test_the_decoder_finds_the_light_weights_by_their_digest():
    run = encode_loop("loop-filter-light", make_clip("cut", 106, 74, 3), "ra")
    check_own_decoder(run)
    assert any(report.loop_ran for report in run.reports)


def test_beside_all_other_tools():
    options = {"filter": "online", "obmc": True, "chroma_filter": "online", "settings": {"inter_luma": {"channels": 8}}}
    run = encode_loop(None, make_clip("zoom", 106, 74, 5), intra_period=3, **options)
    check_own_decoder(run)


def test_it_is_taken_where_it_helps_only():
    """The choice by blocks is nearer to the source than none, at the same decisions before."""
    clip = make_clip("texture", 136, 136, 1)
    plain = run_encoder(EncoderConfig("ai", 32, preset="fast", filter="off"), clip).reports[0]
    chosen = encode_loop(None, clip, "ai").reports[0]
    assert chosen.psnr_y >= plain.psnr_y and chosen.psnr_u >= plain.psnr_u and chosen.psnr_v >= plain.psnr_v
    assert (chosen.psnr_y, chosen.psnr_u, chosen.psnr_v) != (plain.psnr_y, plain.psnr_u, plain.psnr_v)


def test_what_is_missing_is_told(model):
    run = encode_loop(model, make_clip("texture", 40, 40, 1), "ai")
    with pytest.raises(ModelError, match="weights of kind loop with the digest"):
        list(decode(io.BytesIO(run.data)))
    clip = make_clip("texture", 40, 40, 1)
    with pytest.raises(ConfigError, match="no model 'nothing'"):
        list(encode(EncoderConfig("ai", 32, loop_filter="nothing"), *clip))


def test_damage_ends_in_pictures_or_errors(model):
    run = encode_loop(model, make_clip("texture", 74, 74, 3))
    for seed in range(60):
        with contextlib.suppress(CodecError):
            list(decode(io.BytesIO(damage(seed, [run.data])), models=(model,)))
