"""Filters of one's own in place of the built-in ones are used and learn, and a decoder that has them follows."""

import dataclasses
import io

import numpy as np
import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.codec.decoder import decode
from codecsim.codec.encoder import encode
from codecsim.errors import BitstreamError, ConfigError, MismatchError
from codecsim.learned.own_filters import FilterInputs
from codecsim.picture.planes import Planes
from tests.conformance.clips import make_clip
from tests.conformance.runs import assert_same_pictures

CONFIG = EncoderConfig("ldp", 32, preset="fast", filter="off")
CLIP = make_clip("texture", 136, 72, 4)


class Offset:
    """Adds the mean error of the last picture, and watches what it is given."""

    needs = ("overlapped", "further_2")

    def __init__(self):
        self.seen, self.offset = [], 0.0

    def predict(self, inputs):
        assert isinstance(inputs, FilterInputs) and {*inputs.aux} == {*self.needs}
        assert inputs.blocks.is_inter.any() and inputs.blocks.reference.max() >= 0
        assert all(plane.shape == inputs.prediction.shape for plane in inputs.aux.values())
        return inputs.rounded(inputs.prediction + self.offset)

    def learn(self, lesson):
        error = lesson.target.astype(int) - lesson.inputs.prediction
        assert error.shape == lesson.mask.shape and lesson.coded.dtype == bool
        self.seen.append(np.abs(error).sum())
        self.offset = float(error[lesson.mask].mean()) if lesson.coded.any() else 0.0

    def reset(self):
        self.offset = 0.0

    def digest(self):
        return np.float64(self.offset).tobytes()


class Brighter:
    """An in-loop filter that is sometimes right."""

    def filter(self, planes):
        return [np.minimum(plane + 1, 255) for plane in planes]


def makers(filters):
    """Functions that give these filters."""
    return {place: lambda own=own: own for place, own in filters.items()}


def run(filters, config=CONFIG):
    coded = list(encode(config, *CLIP, filters=makers(filters)))
    return b"".join(picture.data for picture in coded), coded


@pytest.mark.parametrize("config", [{}, {"obmc": True, "preset": "medium"}, {"filter": "online"}], ids=str)
def test_a_decoder_with_the_same_filters_follows(config):
    own = Offset()
    data, coded = run({"inter_luma": own, "loop": Brighter()}, dataclasses.replace(CONFIG, **config))
    reports = [picture.report for picture in coded]
    assert len(own.seen) == 3 and sum(own.seen) > 0
    assert {*reports[1].expert_shares} == {"own"}
    assert any(report.filtered_share > 0 for report in reports[1:])
    assert reports[0].loop_share is not None
    with pytest.raises(BitstreamError, match="filter of one's own for inter_luma"):
        list(decode(io.BytesIO(data)))
    twin = Offset()
    decoded = list(decode(io.BytesIO(data), filters=makers({"inter_luma": twin, "loop": Brighter()})))
    assert_same_pictures([picture.frame for picture in decoded], [picture.recon for picture in coded])
    assert (twin.seen, twin.offset) == (own.seen, own.offset)
    with pytest.raises(MismatchError, match="learner's state"):
        list(decode(io.BytesIO(data), filters=makers({"inter_luma": Other(), "loop": Brighter()})))


class Other(Offset):
    def digest(self):
        return b"other"


def test_the_identity_costs_only_its_choice():
    """The same pictures, and a few bytes more, which announce the filter and say where blocks take it."""

    class Identity(Offset):
        def predict(self, inputs):
            return inputs.prediction

    plain, coded = run({})
    data, with_identity = run({"inter_luma": Identity()})
    assert_same_pictures([p.recon for p in with_identity], [p.recon for p in coded])
    assert len(plain) < len(data) < len(plain) + 200


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"intra": Offset()}, "can be inter_luma or loop, not intra"),
        ({"loop": Offset()}, r"no method filter\(\)"),
        ({"inter_luma": Brighter()}, r"no method predict\(\)"),
    ],
)
def test_what_is_no_filter(filters, message):
    with pytest.raises(ConfigError, match=message):
        run(filters)


@pytest.mark.parametrize(
    ("plane", "message"),
    [
        (np.zeros((3, 3), int), r"\(3, 3\) int64; expected \(72, 136\) integers"),
        (np.full((72, 136), np.nan), "float64; expected"),
        (np.full((72, 136), 256), "samples 256..256; 8 bits allow 0..255"),
    ],
)
def test_planes_that_are_none(plane, message):
    class Wrong(Offset):
        def predict(self, inputs):
            return plane

    with pytest.raises(ConfigError, match=message):
        run({"inter_luma": Wrong()})


def test_an_unknown_need():
    class Curious(Offset):
        needs = ("original",)

    with pytest.raises(ConfigError, match="needs original; there are overlapped, further_1"):
        run({"inter_luma": Curious()})


def test_planes_are_copies():
    """A filter that writes to what it was given disturbs nothing."""

    class Rude:
        def filter(self, planes):
            for plane in planes:
                plane[:] = 0
            return Planes(*planes)

    data, coded = run({"loop": Rude()})
    assert all(picture.report.loop_ran is False for picture in coded)
