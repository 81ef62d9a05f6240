"""The specification in codecsim/syntax/README.md says what the code does: its tables, and a reader made from it."""

import enum
import io
import re
import struct

import numpy as np
import pytest
from safetensors.numpy import load_file

from codecsim.codec.active_tools import ARITHMETIC_VERSION, NOT_DECODABLE
from codecsim.codec.config import EncoderConfig
from codecsim.codec.decoder import decode
from codecsim.codec.stages.compensation import Compensation
from codecsim.codec.stages.inter_filter import InterFiltering, InterLearning
from codecsim.entropy import contexts, elements
from codecsim.entropy.cabac import NEXT_CONTEXT, RANGE_LPS
from codecsim.learned.inter import input_planes
from codecsim.learned.intra.inputs import INPUTS as INTRA_PLANES
from codecsim.picture.blocks import CBF_Y, MODE_INTER
from codecsim.picture.planes import PAD_Y
from codecsim.settings.wire import pack, words_of
from codecsim.syntax import headers
from codecsim.syntax.bits import BitWriter
from codecsim.syntax.headers import LearnedTools, Sps, ToolSettings, code_sps
from codecsim.syntax.nal import SPS, read_nal_units
from codecsim.syntax.sei import LearnerHash, write_sei
from codecsim.tools import TOOLS, learner, tool_named
from codecsim.tools.inter_luma import InterLumaSettings
from tests.conformance.clips import make_clip
from tests.conformance.make_streams import FOLDER, LEARN
from tests.conformance.runs import run_encoder
from tests.syntax import specification_reader as spec
from tests.syntax.specification_learner import LumaLearner
from tests.test_architecture import ROOT
from tests.tracing.tracing_of import decoder_trace

STREAMS = sorted(path for path in FOLDER.iterdir() if path.suffix in (".bin", ".hevc") and "random" not in path.name)
BEYOND_STREAMS = [path for path in STREAMS if path.suffix == ".bin"]
MORE_LEARNERS = ["learned.bin", "learned_switches.bin", "obmc_learned.bin"]
VARIANTS = [
    {"experts": "initial,rls,mix", "loss": "l1", "tiles_log2": 1, "average_q8": 0},
    {"experts": "online", "uncoded_q7": 32, "worse_q8": 64, "method": "sgd", "learning_rate": 1e-2},
    {"control": "signalled", "reset": "never", "hidden_layers": 1, "further": 2, "jitter": 0},
    {"control": "never", "overlapped": False, "further": 0, "qp_plane": False, "replay": 1},
    {"control": "threshold", "threshold_q8": "8,8,8,8", "tile_threshold_q8": "8,16,16,16", "tile_log2": 4},
]
BEYOND = elements.OBMC_WHERE  # the first element that H.265 does not have
OF_H265 = ("sps_", "payload_", "uuid_", "rbsp_", "general_profile_")  # names that begin like this are the standard's


def wire_fields(tool):
    """[(name, bits, range, default)] of the settings of a tool that a stream carries, in order, as the code has it.

    Numbers are those of the stream; bits is None of a float, whose default is its value.
    """
    kind = tool_named(tool).settings
    found = []
    for word, packed in zip(words_of(kind), pack(kind()), strict=True):
        is_float = word.declared.kind is float
        default = struct.unpack("<f", struct.pack("<I", packed))[0] if is_float else packed
        found.append((word.name, None if is_float else word.declared.bits, range_of(word), default))
    return found


def range_of(word):
    """What a word may be, as the tables of the specification have it."""
    declared = word.declared
    if declared.allowed:
        return ", ".join(map(str, declared.allowed))
    if declared.kind is float:
        if declared.above:
            return f"above {declared.low}"
        return f"{declared.low}..{declared.high}" + (f", not {declared.high}" if declared.below else "")
    return f"{word.low}..{word.high}"


def names_traced(code):
    """Names of the elements that `code(writer)` writes."""
    writer = BitWriter([])
    code(writer)
    return {name for name, *_ in writer.trace}


def test_elements_of_headers():
    tools = LearnedTools(ARITHMETIC_VERSION, 1, (ToolSettings((1,), bytes(16)),))
    names = names_traced(lambda writer: code_sps(writer, Sps(profile_idc=headers.PROFILE_LEARNED, learned=tools)))
    names -= names_traced(lambda writer: code_sps(writer, Sps()))
    trace = []
    write_sei([LearnerHash(bytes(16))], trace)
    names |= {name for name, *_ in trace}
    assert {row[0] for row in spec.table("Table 1")} == {name for name in names if not name.startswith(OF_H265)}


def test_elements_of_slice_data():
    own = {name for number, name in elements.NAMES.items() if number >= BEYOND}
    assert {row[0] for row in spec.table("Table 3")} == own


def test_tools():
    assert {row[1]: int(row[0]) for row in spec.table("Table 2")} == {tool.name: tool.bit for tool in TOOLS}
    for _, name, has_settings, in_i_slices, _ in spec.table("Table 2"):
        assert (has_settings == "yes") == tool_named(name).learned
        assert (in_i_slices == "no") == tool_named(name).inter_only


def test_versions():
    text = spec.SPECIFICATION.read_text()
    assert re.findall(r"^The arithmetic version is: \*\*(\d+)\*\*$", text, re.MULTILINE) == [str(ARITHMETIC_VERSION)]
    assert f"describes version {ARITHMETIC_VERSION}. {NOT_DECODABLE}: the stream is an experiment" in text


def test_contexts():
    starts = {name.removesuffix("+0"): k for k, name in enumerate(contexts.NAMES) if name.endswith("+0")}
    own = list(starts)[list(starts).index("GREATER2") + 1 :]
    rows = spec.table("Table 4")
    assert [row[0] for row in rows] == own
    for name, *columns in rows:
        end = next((k for k in starts.values() if k > starts[name]), contexts.NUM_CONTEXTS)
        for init_type, column in enumerate(columns):
            if column != "-":
                assert column.split() == [str(v) for v in contexts.INIT_VALUES[init_type, starts[name] : end]]


@pytest.mark.parametrize("tool", ["inter_luma", "inter_chroma", "intra"])
def test_settings(tool):
    rows = spec.settings_table(tool)
    assert [int(row[0]) for row in rows] == list(range(len(rows)))
    for (_, name, bits, allowed, default), (code_name, code_bits, code_range, usual) in zip(
        rows, wire_fields(tool), strict=True
    ):
        assert (name, allowed) == (code_name, code_range)
        if code_bits is None:
            assert bits == "32, float"
            assert np.float32(default) == np.float32(usual)
        else:
            assert (bits, default) == (str(code_bits), str(int(usual)))


def test_numbers_of_choices():
    kinds = {"loss": learner.LossKind, "method": learner.Method, "control": learner.Control, "reset": learner.Reset}
    kinds |= {"experts": learner.Expert, "block_size": learner.BlockSize}
    rows = spec.table("Table A.4")
    assert {row[0] for row in rows} == set(kinds)
    for name, numbers in rows:
        assert issubclass(kinds[name], enum.IntEnum | enum.IntFlag)
        assert dict(re.findall(r"(\d+) (\w+)", numbers)) == {str(int(c)): c.name.lower() for c in kinds[name]}


def test_input_planes():
    text = spec.SPECIFICATION.read_text()
    names = {re.sub(r"^further_\d$", "further_k", name) for name in input_planes.PLANES}
    assert {name for name in names if f"`{name}`" not in text} == set()
    assert [row[0] for row in spec.table("7.2")] == [
        re.sub(r"^further_\d$", "further_k", name)
        for name in InterLumaSettings(further=1, block_size=learner.BlockSize.INPUT).inputs
    ]
    assert tuple(name for row in spec.table("9.2") for name in row[0].split("`, `")) == INTRA_PLANES


def test_files_named_exist():
    root = spec.SPECIFICATION.parent
    text = spec.SPECIFICATION.read_text()
    named = re.findall(r"`((?:codecsim|tests)/[\w/.]+\.py)`", text)
    assert named and all((root.parent.parent / name).is_file() for name in named)
    assert all((root / name).is_file() for line in re.findall(r"^\| (`\w+\.py`.*?) \|", text, re.MULTILINE)
               for name in re.findall(r"`(\w+\.py)`", line))  # fmt: skip


def probability_tables():
    """rangeTabLps and transIdxLps of H.265 as lists, from the codec, which has the second in another form."""
    next_lps = [int(NEXT_CONTEXT[1, state << 1]) >> 1 for state in range(64)]
    return np.asarray(RANGE_LPS).tolist(), next_lps


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.name)
def test_second_reader(path):
    data = path.read_bytes()
    pictures = spec.read_stream(data)
    traced = {}
    for record in decoder_trace(data):
        traced.setdefault(record.picture, []).append(record)
    assert len(pictures) == len(traced)
    for k, (sps, picture, learner_hash) in enumerate(pictures):
        records = traced[k]
        by_name = {record.element: record.value for record in records}
        assert picture["slice_type"] == by_name["slice_type"]
        if "learned_tools" in by_name:
            assert sps["learned"]["version"] == by_name["learned_arithmetic_version"]
            assert sps["learned"]["bits"] == by_name["learned_tools"]
            digests = [value[1].hex() for value in sps["learned"]["tools"].values() if value]
            values = [record.value for record in records if record.element == "learned_weights_digest"]
            assert [f"0x{digest}" for digest in digests] == values
        assert (learner_hash and f"0x{learner_hash.hex()}") == by_name.get("learner_hash")
        cabac = spec.Cabac(picture["data"], picture["qp"], picture["init_type"], *probability_tables())
        before = [(r.element, r.value) for r in records if r.element in dict.fromkeys(elements.NAMES.values())]
        own = spec.elements_before_first_ctu(cabac, picture, sps)
        assert own == before[: len(own)]
        assert not before[len(own)][0].endswith("_where")


@pytest.mark.parametrize("path", BEYOND_STREAMS, ids=lambda path: path.name)
def test_second_reader_of_settings(path):
    sps = spec.read_stream(path.read_bytes())[0][0]
    ours = headers.ParameterSets()
    nal = next(unit for unit in read_nal_units(io.BytesIO(path.read_bytes())) if unit.type == SPS)
    announced = ours.receive(nal).learned
    for tool, found in sps["learned"]["tools"].items():
        if found is None:
            continue
        settings = announced.settings_of(tool_named(tool))
        assert (tuple(found[0]), found[1]) == (settings.parameters, settings.weights_digest)
        if tool != "loop":
            assert spec.settings_of(tool, found[0]) == code_settings(tool, settings.parameters)


def code_settings(tool, parameters):
    """Settings by name of the specification, as the codec understands the parameters."""
    found = tool_named(tool).settings.from_stream(parameters)
    return {
        word.name: struct.unpack("<f", struct.pack("<I", value))[0] if word.declared.kind is float else value
        for word, value in zip(words_of(type(found)), pack(found), strict=True)
    }


def test_the_learners_hash_before_learning():
    compared = 0
    for path in BEYOND_STREAMS:
        sps, _, learner_hash = spec.read_stream(path.read_bytes())[0]
        if set(sps["learned"]["tools"]) <= {"inter_luma", "overlap"} and learner_hash and spec.has_builtin_weights(sps):
            assert learner_hash == spec.fresh_hash(sps)
            compared += 1
    assert compared >= 3


class Follower:
    """Runs the second learner beside a decoder, and compares outputs and hashes of every picture."""

    def __init__(self, data):
        self.pictures = iter(spec.read_stream(data))
        self.learner, self.filtered = None, 0

    def __call__(self, stage, codec):
        if isinstance(stage, Compensation):
            self.pred = codec.pred.y.astype(np.int64)
            self._begin()
        if isinstance(stage, InterFiltering):
            self._filter(stage, codec)
        if isinstance(stage, InterLearning) and stage.has_learnt:
            mode, coded = codec.blocks.pred_mode, codec.blocks.cbf & CBF_Y > 0
            recon = codec.picture.planes.y[PAD_Y:-PAD_Y, PAD_Y:-PAD_Y].astype(np.int64)
            coded = (mode == MODE_INTER) & coded
            self.learner.learn(recon, coded, (mode >= MODE_INTER) & ~coded, codec.slice.qp)
        if stage is codec.stages[-1]:
            assert self.learner.digest() == self.hash == codec.learner_digest()

    def _begin(self):
        sps, self.picture, self.hash = next(self.pictures)
        if self.learner is None:
            settings, digest = spec.luma_settings(sps)
            size = sps["width"], sps["height"], sps["bit_depth"]
            self.learner = LumaLearner(settings, spec.experts_of(sps), *initial_weights(settings, digest), *size)
        if self.picture["idr"]:
            self.learner.begin_idr()

    def _filter(self, stage, codec):
        if stage.filtered is not None:
            others = [stage.lessons[0].inputs.aux[name].astype(np.int64) for name in stage.luma.needs]
            self.learner.obey(self.picture["order"])
            outputs = self.learner.predict(self.pred, others, codec.slice.qp)
            assert np.array_equal(outputs, stage.filtered.y)
            self.filtered += 1


def initial_weights(settings, digest):
    """(n,) float32 weights of inter_luma, and (inputs, channels, layers) of its network: built-in, or of a model."""
    weights = spec.builtin_weights(settings)
    if spec.weights_digest(spec.shape_of(settings), weights) == digest:
        return np.array(weights, np.float32), spec.shape_of(settings)
    for path in (ROOT / "models").glob("*/*/weights.safetensors"):
        tensors = load_file(path)
        layers = sum(name.startswith("hidden.") for name in tensors) // 2
        if "output.skip" in tensors and tensors["output.skip"].shape[0] == 1:
            names = [f"hidden.{k}.{part}" for k in range(layers) for part in ("weight", "bias")]
            names += ["output.weight", "output.skip", "output.bias"]
            master = np.concatenate([tensors[name].ravel() for name in names])
            shape = tensors["output.skip"].shape[1], len(tensors["hidden.0.bias"]), layers
            if spec.weights_digest(shape, master) == digest:
                return master, shape
    raise AssertionError(f"no weights with the digest {digest.hex()}")


def follow(data):
    """Number of pictures that were filtered alike."""
    follower = Follower(data)

    class Tap:
        """What the decoder takes as an observer, without what it shows."""

        begin = staticmethod(lambda codec, first, last: None)
        __call__ = staticmethod(follower)

    for _ in decode(io.BytesIO(data), observer=Tap()):
        pass
    return follower.filtered


@pytest.mark.parametrize(
    "name",
    ["learned_10_bits.bin", "learned_ra.bin", *(pytest.param(name, marks=pytest.mark.slow) for name in MORE_LEARNERS)],
)
def test_second_learner(name):
    assert follow((FOLDER / name).read_bytes()) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("settings", VARIANTS, ids=lambda settings: ",".join(map(str, settings.values())))
def test_second_learner_with_other_settings(settings):
    config = EncoderConfig("ldp", 30, preset="fast", settings={"inter_luma": {**LEARN, **settings}})
    assert follow(run_encoder(config, make_clip("texture", 64, 64, 5)).data) >= 3
