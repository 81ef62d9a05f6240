"""Tools of an encoding and of a stream: what is announced, what is found, and what is refused."""

import dataclasses

import numpy as np
import pytest

from codecsim.codec.active_tools import ARITHMETIC_VERSION, ActiveTool, ActiveTools, read_tools, resolve_tools
from codecsim.codec.config import EncoderConfig
from codecsim.codec.implementations import make_filters
from codecsim.errors import BitstreamError, ConfigError, ModelError
from codecsim.learned.engine.weights import builtin_weights
from codecsim.learned.inter.start import start_of
from codecsim.learned.learner import LearnerInputs
from codecsim.learned.model_files import Model
from codecsim.syntax.headers import LearnedTools, Sps
from codecsim.tools import INTER_CHROMA, INTER_LUMA, LOOP, OVERLAP, TOOLS
from codecsim.tools.inter_luma import InterLumaSettings
from codecsim.tools.learner import Control, Expert
from tests.learned.inter.settings import PLAIN


def sps_of(announced):
    return Sps(width=64, height=32, learned=announced)


def test_bits_are_in_order_and_names_differ():
    bits = [tool.bit for tool in TOOLS]
    assert bits == sorted(bits) and all(bit & (bit - 1) == 0 for bit in bits)
    assert len({tool.name for tool in TOOLS}) == len({tool.option for tool in TOOLS}) == len(TOOLS)


@pytest.mark.parametrize("settings", [InterLumaSettings(), PLAIN, InterLumaSettings(channels=8, further=3)], ids=str)
def test_announced_and_found(settings):
    sps = sps_of(ActiveTools([ActiveTool(INTER_LUMA, settings)]).announcement())
    found = read_tools(sps)
    assert found[INTER_LUMA].settings == settings
    learner = make_filters(found, sps)["inter_luma"]
    pred = np.full((32, 64), 9, np.uint16)
    planes, _ = learner.predict(LearnerInputs(pred, dict.fromkeys(learner.needs, pred), 30, 8))
    np.testing.assert_array_equal(planes[0], pred)


def test_nothing_to_announce():
    assert ActiveTools().announcement() is None
    assert len(read_tools(sps_of(None))) == 0


def test_all_tools_go_through_a_stream():
    config = EncoderConfig("ldp", 30, **{tool.option: tool.value(tool.modes[-1]) for tool in TOOLS})
    tools = resolve_tools(config)
    assert [active.tool for active in tools] == [*TOOLS]
    found = read_tools(sps_of(tools.announcement()))
    for active in tools:
        assert found[active.tool].settings == active.settings
        assert not active.tool.learned or found[active.tool].digest == active.digest


def test_overlapped_motion_compensation_alone_is_not_learned():
    found = read_tools(sps_of(LearnedTools(ARITHMETIC_VERSION, OVERLAP.bit)))
    assert [active.tool for active in found] == [OVERLAP]
    with pytest.raises(BitstreamError, match="arithmetic version 77"):
        read_tools(sps_of(LearnedTools(77, OVERLAP.bit)))


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"arithmetic_version": 0}, BitstreamError, "arithmetic version 0"),
        ({"arithmetic_version": 1}, BitstreamError, "arithmetic version 1; this decoder has version 4"),
        ({"arithmetic_version": 255}, BitstreamError, "an experiment with an oracle, which cannot be decoded"),
        ({"tools": 0x81}, BitstreamError, "unknown tools 0x81"),
        ({"tools": 0}, BitstreamError, "unknown tools 0x0"),
        (
            {"tools": INTER_CHROMA.bit},
            BitstreamError,
            "goes with the prediction filter, which is missing",
        ),
        ({"parameters": (1,)}, BitstreamError, "do not fit the mask 0x1"),
        ({"parameters": (1, 0, 24)}, BitstreamError, "channels is 24"),
        ({"weights_digest": bytes([1] * 16)}, ModelError, "needs weights of kind inter_luma with the digest 0101"),
    ],
)
def test_refused(wrong, error, message):
    announced = ActiveTools([ActiveTool(INTER_LUMA, InterLumaSettings())]).announcement()
    of_filter = {name: wrong[name] for name in wrong if name in ("parameters", "weights_digest")}
    if of_filter:
        wrong = {"settings": (dataclasses.replace(announced.settings[0], **of_filter),)}
    with pytest.raises(error, match=message):
        read_tools(sps_of(dataclasses.replace(announced, **wrong)))


def test_a_filter_without_settings_has_no_parameters():
    loop = resolve_tools(EncoderConfig(filter="off", loop_filter="on")).announcement()
    wrong = dataclasses.replace(loop, settings=(dataclasses.replace(loop.settings[0], parameters=(1,)),))
    with pytest.raises(BitstreamError, match="the in-loop filter has no parameters"):
        read_tools(sps_of(wrong))
    assert read_tools(sps_of(loop))[LOOP].model


def luma_of(**options):
    return resolve_tools(EncoderConfig(**options))[INTER_LUMA].settings


def test_settings_of_a_configuration():
    own = {"inter_luma": {"channels": 8, "further": 0}}
    assert luma_of(settings=own) == InterLumaSettings(channels=8, further=0)
    assert luma_of(settings=own, filter="frozen").control == Control.NEVER
    assert luma_of(filter="frozen").experts == Expert.ONLINE
    assert luma_of(config="ra").experts == Expert.INITIAL | Expert.ONLINE | Expert.RLS
    assert luma_of(settings={"search.learner_trials": True}).control == Control.SIGNALLED
    assert len(resolve_tools(EncoderConfig("ai"))) == 0
    with pytest.raises(ConfigError, match="no setting 'inter_luma.n_inputs'"):
        EncoderConfig(settings={"inter_luma.n_inputs": 1})


def test_learning_starts_from_the_weights_that_ship_where_they_fit():
    def initial(**settings):
        return resolve_tools(EncoderConfig(settings={"inter_luma": settings}))[INTER_LUMA].start.initial

    assert initial().digest() != initial(model="untrained").digest()
    assert initial(channels=8).is_identity
    with pytest.raises(ConfigError, match="say --set inter_luma.high_pass=1 --set inter_luma.overlapped=1"):
        initial(model="prediction-luma", further=0)


def test_built_in_weights_are_those_of_all_planes():
    """A stream names weights by shape and values: the built-in ones look at the sizes of blocks where these are on."""
    settings, plain = InterLumaSettings(block_size="input"), InterLumaSettings()
    weights = builtin_weights(plain.spec).master
    with pytest.raises(ConfigError, match="its weights are the built-in ones"):
        start_of(settings, Model(INTER_LUMA.model_kind, plain.spec, weights, plain.inputs))
    assert start_of(plain, Model(INTER_LUMA.model_kind, plain.spec, weights, plain.inputs)).inputs == plain.inputs
    assert start_of(settings, Model(INTER_LUMA.model_kind, plain.spec, 0 - weights, plain.inputs)).inputs
