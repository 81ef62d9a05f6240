"""A wrong sample or weight in the decoder is noticed at its picture."""

import io

import numpy as np
import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.codec.decoder import decode
from codecsim.codec.picture_codec import PictureCodec
from codecsim.errors import MismatchError
from codecsim.learned.inter.prediction_filter import PredictionFilter
from codecsim.tools.inter_luma import InterLumaSettings
from tests.conformance.clips import make_clip
from tests.conformance.runs import run_encoder

WRONG = 3  # the picture that goes wrong


@pytest.fixture(scope="module")
def learning():
    config = EncoderConfig(
        "ldp", 32, preset="fast", settings={"inter_luma": {"channels": 8, "tile_log2": 5, "average_q8": 5}}
    )
    return run_encoder(config, make_clip("texture", 72, 40, 6)).data


def streams(method):
    config = EncoderConfig("ldp", 32, preset="fast", filter="off", hash=method)
    return run_encoder(config, make_clip("texture", 72, 40, 5)).data


def decode_until_error(data, **options):
    """(pictures output, MismatchError)."""
    count = 0
    with pytest.raises(MismatchError) as caught:
        for _ in decode(io.BytesIO(data), **options):
            count += 1
    return count, caught.value


@pytest.mark.parametrize("method", ["md5", "crc", "checksum"])
@pytest.mark.parametrize("plane, name", [(0, "Y"), (1, "Cb"), (2, "Cr")])
def test_wrong_sample(monkeypatch, method, plane, name):
    complete = PictureCodec.complete

    def complete_wrongly(codec):
        complete(codec)
        if codec.picture.poc == WRONG:
            codec.picture.inner()[plane][-1, -1] ^= 1

    data = streams(method)
    monkeypatch.setattr(PictureCodec, "complete", complete_wrongly)
    count, error = decode_until_error(data)
    assert count == WRONG and error.poc == WRONG
    assert f"plane {name} " in str(error) and f"picture {WRONG}" in str(error)
    assert len(list(decode(io.BytesIO(data), check=False))) == 5


@pytest.mark.parametrize("array", ["master", "moment", "square", "powers", "average"])
def test_wrong_bit_in_the_learner(monkeypatch, learning, array):
    learn = PredictionFilter.learn

    def learn_wrongly(self, *args):
        report = learn(self, *args)
        if self.state.pictures == WRONG:
            getattr(self.state, array).view(np.uint32)[-1] ^= 1
        return report

    monkeypatch.setattr(PredictionFilter, "learn", learn_wrongly)
    count, error = decode_until_error(learning)
    assert count == WRONG and error.poc == WRONG and "learner" in str(error)


def test_digest_sees_every_bit():
    state = PredictionFilter(InterLumaSettings(channels=8, average_q8=5), 16, 16).state
    seen = {state.digest()}
    rng = np.random.default_rng(0)
    for name in ("master", "moment", "square", "powers", "average"):
        words = getattr(state, name).view(np.uint32)
        for bit in range(32):
            place = rng.integers(words.size)
            words[place] ^= np.uint32(1 << bit)
            seen.add(state.digest())
            words[place] ^= np.uint32(1 << bit)
    for name in ("steps", "pictures", "order", "waiting_loss", "online_loss", "initial_loss"):
        setattr(state, name, getattr(state, name) + 1)
        seen.add(state.digest())
    assert len(seen) == 1 + 5 * 32 + 6
