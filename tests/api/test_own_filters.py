"""Filters of one's own: what they see, what they may return, and that a decoder that has them follows."""

import sys
import threading

import numpy as np
import pytest

import codecsim
from codecsim.errors import BitstreamError, MismatchError
from codecsim.experiments.json_forms import FORMS, is_documented, paths_of
from tests.api.clips import video
from tests.conformance.clips import make_clip

FAST = {"preset": "fast", "qp": 32}


class Blend:
    """Halfway to the overlapped prediction."""

    def predict(self, inputs):
        return (inputs.prediction + inputs.aux["overlapped"] + 1) >> 1


class Offset:
    """Adds what the reconstruction was brighter by."""

    def __init__(self, start=0):
        self.offset, self.lessons = start, 0

    def predict(self, inputs):
        return inputs.rounded(inputs.prediction + float(self.offset))

    def learn(self, lesson):
        error = (lesson.target.astype(int) - lesson.inputs.prediction)[lesson.mask]
        if error.size:
            self.offset, self.lessons = int(error.sum() // error.size), self.lessons + 1
        return 1


class Smooth:
    """An in-loop filter: each sample moves a little to the one at its left."""

    def filter(self, planes):
        return [((3 * plane.astype(int) + np.roll(plane, 1, 1) + 2) >> 2).clip(0, 255) for plane in planes]


class Cheating:
    """An in-loop filter that knows the original, as only simulations can."""

    def __init__(self, frames):
        self.frames = list(frames)

    def filter(self, planes):
        return tuple(self.frames.pop(0))


class Watched(Blend):
    """Keeps what it has seen, for all copies in one list."""

    seen = []

    def predict(self, inputs):
        self.inputs = inputs
        return super().predict(inputs)

    def learn(self, lesson):
        assert lesson.inputs is self.inputs
        self.seen.append(lesson)


def encode(own, tool="inter_luma", **options):
    tools = {"inter_luma": "off", tool: own}
    return codecsim.encode(options.pop("of", None) or video(), **{**FAST, "tools": tools, **options})


@pytest.mark.parametrize(("tool", "own"), [("inter_luma", Blend()), ("inter_luma", Offset(3)), ("loop", Smooth())])
def test_simulations(tool, own):
    encoded = encode(own, tool)
    assert not encoded.decodable and encoded.result["decodable"] is False
    assert encoded.bits > 0 and len(encoded.recon.frames) == 4
    assert encoded.result["encoder"]["own_filters"] == {tool: type(own).__name__}
    assert tool not in encoded.result["encoder"]["weights"]
    assert all(is_documented(path, FORMS["encode"]) for path in paths_of(encoded.result))
    with pytest.raises(codecsim.ConfigError, match="exact=True"):
        codecsim.decode(encoded)


@pytest.mark.parametrize("config", ["ldp", "ldb", "ra"])
@pytest.mark.parametrize("preset", ["fast", "medium"])
@pytest.mark.parametrize(("tool", "own"), [("inter_luma", Blend()), ("inter_luma", Offset(2)), ("loop", Smooth)])
def test_decoders_with_the_same_filter_follow(config, preset, tool, own):
    encoded = encode(own, tool, exact=True, config=config, preset=preset, of=video(count=6))
    decoded = codecsim.decode(encoded.data, tools={tool: own})
    for wanted, found in zip(encoded.recon.to_arrays(), decoded.video.to_arrays(), strict=True):
        np.testing.assert_array_equal(wanted, found)
    assert [report.learner_hash for report in decoded.pictures] == [r.learner_hash for r in encoded.pictures]


def test_blocks_take_them():
    frames = make_clip("film", 96, 80, 5)[1]
    film = codecsim.Video.from_arrays(*(np.stack(planes) for planes in zip(*frames, strict=True)))
    assert any(report.filtered_share for report in encode(Blend(), of=film).pictures)
    cheated = encode(Cheating(film.frames), "loop", of=film)
    assert all(report.loop_share == 1 for report in cheated.pictures) and cheated.psnr.y == 100


def test_decoders_without_it_say_so():
    encoded = encode(Blend(), exact=True)
    with pytest.raises(BitstreamError, match=r"filter of one's own.*tools=\{'inter_luma': \.\.\.\}"):
        codecsim.decode(encoded)
    with pytest.raises(MismatchError):
        codecsim.decode(encoded, tools={"inter_luma": Offset(3)})
    with pytest.raises(codecsim.ConfigError, match="loop"):
        codecsim.decode(encoded, tools={"inter_luma": Blend(), "loop": Smooth()})
    shipped = codecsim.encode(video(), **FAST)
    with pytest.raises(codecsim.ConfigError, match="inter_luma"):
        codecsim.decode(shipped, tools={"inter_luma": Blend()})


def test_beside_tools_that_ship():
    tools = {"inter_luma": Blend(), "inter_chroma": "online", "overlap": "on", "intra": "frozen", "loop": Smooth()}
    encoded = codecsim.encode(video(), **FAST, tools=tools, exact=True)
    own = {name: tools[name] for name in ("inter_luma", "loop")}
    decoded = codecsim.decode(encoded, tools=own)
    np.testing.assert_array_equal(encoded.recon.frames[3].u, decoded.video.frames[3].u)


def test_the_one_that_is_given_stays_as_it_is():
    own = Offset()
    first, second = encode(own, exact=True), encode(own, exact=True)
    assert own.lessons == 0 and first.data == second.data
    assert first.filters["inter_luma"].lessons > 0
    assert encode(Offset, exact=True).data == first.data  # a class makes one
    assert encode(lambda: Offset(0), exact=True).data == first.data


def test_those_that_cannot_be_copied():
    own = Offset()
    own.lock = threading.Lock()
    with pytest.raises(codecsim.ConfigError, match="give a function that makes it"):
        encode(own)

    def make():
        made = Offset()
        made.lock = threading.Lock()
        return made

    assert encode(make).bits


@pytest.mark.parametrize("has_reset", [False, True])
def test_it_begins_anew_at_idr_pictures(has_reset):
    class Counting(Offset):
        def reset(self):
            self.__init__()

    own = Counting() if has_reset else Offset()
    made = video(count=6)
    encoded = encode(own, exact=True, intra_period=3, of=made)
    assert encoded.filters["inter_luma"].lessons <= 2
    codecsim.decode(encoded, tools={"inter_luma": own})


@pytest.mark.parametrize("depth", [8, 10])
def test_both_sides_see_the_same(depth):
    """Planes, blocks and lessons of encoder and decoder are equal, whatever the encoder tries in between."""
    options = {"exact": True, "preset": "medium", "config": "ldb"}
    sides = []
    for side in ("encode", "decode"):
        Watched.seen.clear()
        if side == "encode":
            encoded = encode(Watched(), of=video(count=5, depth=depth), **options)
        else:
            codecsim.decode(encoded, tools={"inter_luma": Watched()})
        sides.append(list(Watched.seen))
    assert len(sides[0]) == len(sides[1]) == 4
    for ours, theirs in zip(*sides, strict=True):
        for name in ("output", "target", "coded"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
        for name in ("prediction", "qp", "bit_depth"):
            np.testing.assert_array_equal(getattr(ours.inputs, name), getattr(theirs.inputs, name))
        assert list(ours.inputs.aux) == ["overlapped", "further_1"]
        for name, plane in ours.inputs.aux.items():
            np.testing.assert_array_equal(plane, theirs.inputs.aux[name])
        for ours_blocks, theirs_blocks in zip(ours.inputs.blocks, theirs.inputs.blocks, strict=True):
            np.testing.assert_array_equal(ours_blocks, theirs_blocks)


def test_what_it_sees():
    Watched.seen.clear()
    encoded = encode(Watched(), exact=True)
    lesson, inputs = Watched.seen[-1], Watched.seen[-1].inputs
    shape = (56, 72)
    for plane in (inputs.prediction, lesson.target, lesson.output, *inputs.aux.values()):
        assert plane.shape == shape and plane.dtype == np.uint16
        with pytest.raises(ValueError, match="read-only"):
            plane[0, 0] = 1
    assert lesson.coded.shape == (14, 18) and lesson.coded.dtype == bool and lesson.mask.shape == shape
    assert inputs.features().shape == (4, *shape) and inputs.features().dtype == np.float32
    assert abs(inputs.features()).max() < 20
    *_, last = codecsim.inspect(encoded, tools={"inter_luma": Watched()})
    np.testing.assert_array_equal(lesson.target, last.data.unfiltered.y)
    np.testing.assert_array_equal(inputs.blocks.is_inter, last.data.blocks.pred_mode >= 2)
    np.testing.assert_array_equal(inputs.blocks.size, 1 << last.data.blocks.cu_log2.astype(int))
    np.testing.assert_array_equal(inputs.blocks.reference, last.data.motion.ref_idx)


@pytest.mark.parametrize(
    "needs", [(), ("further_2",), ("overlapped",), ("overlapped", "further_1", "further_2", "further_3")]
)
def test_needs(needs):
    class Needing:
        def predict(self, inputs):
            assert set(inputs.aux) == set(needs)
            assert inputs.features().shape[0] == 2 + len(needs)
            return inputs.prediction

    Needing.needs = needs
    codecsim.decode(encode(Needing(), exact=True, config="ldb"), tools={"inter_luma": Needing})
    Needing.needs = ("original",)
    with pytest.raises(codecsim.ConfigError, match="needs original; there are overlapped, further_1"):
        encode(Needing())


def returning(value):
    """A filter that returns what a function makes of the right plane, and its in-loop twin."""

    class Wrong:
        def predict(self, inputs):
            return value(inputs.prediction)

        def filter(self, planes):
            return (value(planes.y), planes.u, planes.v)

    return Wrong()


@pytest.mark.parametrize("tool", ["inter_luma", "loop"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda plane: plane[1:], r"returned \(55, 72\) uint16; expected \(56, 72\) integers"),
        (lambda plane: plane[np.newaxis], r"returned \(1, 56, 72\)"),
        (lambda plane: plane.astype(np.float32), r"float32; expected \(56, 72\) integers; inputs.rounded"),
        (lambda plane: plane.astype(int) - 1000, r"returned samples -\d+..-\d+; 8 bits allow 0..255"),
        (lambda plane: plane + np.uint16(256), "8 bits allow 0..255"),
        (lambda plane: None, "returned a NoneType"),
        (lambda plane: plane.tolist(), "returned a list"),
    ],
)
def test_returns_that_are_refused(tool, value, message):
    if tool == "loop":
        message = message.replace("; inputs.rounded", "")
    with pytest.raises(codecsim.ConfigError, match=message) as error:
        encode(returning(value), tool)
    assert "\n" not in str(error.value)


def test_loop_filters_return_three_planes():
    class Two:
        def filter(self, planes):
            return planes[:2]

    with pytest.raises(codecsim.ConfigError, match="returned 2 planes; expected 3"):
        encode(Two(), "loop")


def test_what_loop_filters_see():
    seen = []

    class Looking:
        def filter(self, planes):
            y, u, v = planes
            seen.append((y.shape, u.shape, v.shape, planes.qp, planes.picture_type, planes.bit_depth))
            return planes

    encode(Looking, "loop", of=video(count=2, depth=10))
    assert seen[0] == ((56, 72), (28, 36), (28, 36), 32, "I", 10) and seen[-1][4] == "P"


@pytest.mark.parametrize(
    ("tools", "message"),
    [
        ({"inter_luma": object()}, r"object has no method predict\(\)"),
        ({"inter_luma": Smooth()}, r"Smooth has no method predict\(\)"),
        ({"loop": Blend()}, r"Blend has no method filter\(\)"),
        ({"inter_chroma": Blend()}, "inter_luma or loop, not inter_chroma"),
        ({"overlap": Blend()}, "not overlap"),
        ({"inter_luma": 7}, "int has no method predict"),
        ({"inter_luma": lambda: None}, "NoneType has no method predict"),
    ],
)
def test_objects_that_are_refused(tools, message):
    with pytest.raises(codecsim.ConfigError, match=message):
        codecsim.encode(video(count=1), **FAST, tools=tools)


def test_settings_that_are_refused():
    for name in ("learning_rate", "experts", "model"):
        with pytest.raises(codecsim.ConfigError, match=f"inter_luma.{name} is a setting of the filter"):
            encode(Blend(), settings={f"inter_luma.{name}": "1"})
    with pytest.raises(codecsim.ConfigError, match="inter_luma is a setting of the filter"):
        encode(Blend(), settings={"inter_luma": {"channels": 8}})
    with pytest.raises(codecsim.ConfigError, match="oracle"):
        encode(Blend(), exact=True, oracle="original")
    with pytest.raises(codecsim.ConfigError, match="oracle"):
        encode(Blend(), oracle="weights")


def test_research_goes_on():
    """It may learn from the original; all-intra streams ignore it; orders by trial are for filters that ship."""
    assert not encode(Offset(), oracle="original").decodable
    assert encode(Offset(), config="ai").decodable
    assert encode(Offset(), settings={"search.learner_trials": True}).bits


def test_what_it_raises_comes_through():
    class Failing:
        def predict(self, inputs):
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        encode(Failing())


def net(torch, channels=4, zero=True):
    """A small network that begins with nothing."""
    torch.manual_seed(0)
    last = torch.nn.Conv2d(8, 1, 3, padding=1)
    if zero:
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.zeros_(last.bias)
    return torch.nn.Sequential(torch.nn.Conv2d(channels, 8, 3, padding=1), torch.nn.ReLU(), last)


def test_torch():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    module = net(torch)
    own = codecsim.torch_filter(module, steps=2)
    encoded = encode(own, exact=True, of=video(count=5))
    codecsim.decode(encoded, tools={"inter_luma": own})
    assert not module[2].weight.any() and encoded.filters["inter_luma"].module[2].weight.any()
    assert {report.trained_steps for report in encoded.pictures[1:]} == {0, 2}  # 0: no block has a residual
    frozen = encode(codecsim.torch_filter(module, steps=0))
    assert [report.trained_steps for report in frozen.pictures[1:]] == [0] * 3


def test_torch_refusals(monkeypatch):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    with pytest.raises(codecsim.ConfigError, match=r"codecsim.torch_filter\(module\)"):
        encode(net(torch))
    with pytest.raises(codecsim.ConfigError, match="takes a torch.nn.Module; found a int"):
        codecsim.torch_filter(3)
    for options in ({"steps": -1}, {"steps": 0.5}, {"learning_rate": 0}):
        with pytest.raises(codecsim.ConfigError, match="expected"):
            codecsim.torch_filter(net(torch), **options)
    with pytest.raises(codecsim.ConfigError, match=r"returned \(1, 2, 56, 72\); expected"):
        encode(codecsim.torch_filter(torch.nn.Conv2d(4, 2, 3, padding=1)))
    module = net(torch)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(codecsim.ConfigError, match=r"pip install '\.\[train\]'"):
        codecsim.torch_filter(module)
