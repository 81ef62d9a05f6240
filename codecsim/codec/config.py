"""What a user can set about an encoding; the parameter sets say what the stream tells of it."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from codecsim.errors import ConfigError
from codecsim.picture.planes import BIT_DEPTHS
from codecsim.settings.truth import EXPECTED, read_truth

CONFIGS = ("ai", "ldp", "ldb", "ra")
RA_GOP_SIZE = 8  # pictures of a group in ra
FILTERS = ("off", "frozen", "online")
ORACLES = ("original", "weights")  # for research, what no decoder can follow: see EncoderConfig
LOOP_FILTERS = ("off", "on")  # on: with the weights that ship; any other value names some
INTRA_FILTERS = ("off", "frozen", "online")
QP_GROUPS = (8, 16, 32, 64)
HASHES = ("md5", "crc", "checksum")


def _switch(doc):
    """A field of `Preset` that is on or off, with what it does."""
    return dataclasses.field(metadata={"doc": doc, "allowed": (False, True)})


def _count(doc, low, high):
    """A field of `Preset` within low..high."""
    return dataclasses.field(metadata={"doc": doc, "allowed": range(low, high + 1)})


def _power(doc, low, high):
    """A field of `Preset` that is a power of two within low..high, themselves powers of two."""
    powers = [low << k for k in range((high // low).bit_length())]
    return dataclasses.field(metadata={"doc": doc, "allowed": tuple(powers)})


@dataclasses.dataclass(frozen=True)
class Preset:
    """How much time the search may take."""

    merge_rd: int = _count("merge candidates tried with full rate-distortion cost", 1, 5)
    early_skip: bool = _switch("end a CU's search where it is best skipped and no merge candidate tried left a level")
    split_after_skip: bool = _switch("look into smaller CUs where the best is skipped without residual")
    split_uncoded: bool = _switch("in intra pictures, look into smaller CUs and NxN where the best leaves no residual")
    shapes_log2: int = _count("log2 of the largest CU in which 2NxN and Nx2N are tried, 2: none", 2, 6)
    amp: bool = _switch("try asymmetric partitions in the direction that the symmetric ones point to")
    shape_gate: bool = _switch("full cost only for partitions whose motion beats that of 2Nx2N by SATD and rate")
    ref_limit: bool = _switch("in partitions, search only the reference pictures best for 2Nx2N")
    range: int = _power("motion search range in full samples", 2, 1024)
    rings: int = _count("rings of the motion search without a gain before it ends", 1, 4)
    part_rings: int = _count("the same in partitions, which start at the vector of the whole CU, too", 1, 4)
    bi_rounds: int = _count(
        "rounds of the search for bi-prediction, each in one list; one if list 1 sends no difference", 1, 8
    )
    bi_all_refs: bool = _switch("refine bi-prediction in all reference pictures, not only where it starts best")
    intra_gate: int = _count(
        "intra 2Nx2N is coded in inter pictures if its SATD is below so many 1/16 of the inter one; 0: always", 0, 64
    )
    intra_rd: int = _count("intra modes in blocks from 16x16 tried with full cost, beside the probable ones", 1, 35)
    intra_rd_small: int = _count("intra modes in blocks of 4x4 and 8x8 tried with full cost, beside the same", 1, 35)
    probable_rd: int = _count("most probable intra modes tried so, whatever their rank", 0, 3)
    intra_64: bool = _switch("try intra in CUs of 64x64, in inter pictures only where intra_gate is 0")
    parts_gate: bool = _switch("give NxN up as soon as its luma looks dearer than that of 2Nx2N")
    intra_margin: int = _count("drop intra modes whose SATD and rate are more than so many 1/16 above the best", 0, 64)
    coarse_angles: bool = _switch("rank every fourth intra angle first, then those around the best")
    chroma_rd: int = _count("intra chroma modes tried with full cost", 1, 5)
    intra_filter_modes: bool = _switch("choose intra modes anew for the intra filter, not only those best without it")
    transform_depth: int = _count("max_transform_hierarchy_depth of intra and inter", 0, 2)
    learner_trials: bool = _switch(
        "order the learner, before each picture, to train, hold or reset by trial of the three, as --learn signalled: "
        "5 to 10 % of time, and up to a third less training for the decoder"
    )
    filter_passes: int = _count(
        "searches of a picture with the learned filter, each knowing the last's additions", 1, 8
    )
    sao: bool = _switch("sample adaptive offset")


_SLOW = Preset(
    merge_rd=3,
    early_skip=False,
    split_after_skip=True,
    split_uncoded=True,
    shapes_log2=6,
    amp=True,
    shape_gate=False,
    ref_limit=False,
    range=64,
    rings=3,
    part_rings=3,
    bi_rounds=4,
    bi_all_refs=True,
    intra_gate=0,
    intra_rd=3,
    intra_rd_small=8,
    probable_rd=3,
    intra_64=True,
    parts_gate=False,
    intra_margin=64,
    coarse_angles=False,
    chroma_rd=5,
    intra_filter_modes=True,
    transform_depth=2,
    learner_trials=False,
    filter_passes=2,
    sao=True,
)
_MEDIUM = dataclasses.replace(
    _SLOW,
    merge_rd=1,
    split_uncoded=False,
    shapes_log2=4,
    shape_gate=True,
    rings=2,
    part_rings=1,
    bi_rounds=3,
    bi_all_refs=False,
    intra_gate=16,
    intra_rd=1,
    intra_rd_small=2,
    probable_rd=2,
    intra_64=False,
    parts_gate=True,
    intra_margin=4,
    coarse_angles=True,
    chroma_rd=1,
    transform_depth=1,
)
_FAST = dataclasses.replace(
    _MEDIUM,
    early_skip=True,
    split_after_skip=False,
    shapes_log2=3,
    amp=False,
    ref_limit=True,
    range=32,
    intra_rd_small=1,
    probable_rd=1,
    filter_passes=1,
)
PRESETS: Mapping[str, Preset] = MappingProxyType({"fast": _FAST, "medium": _MEDIUM, "slow": _SLOW})


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
    """Settings of one encoding.

    Raises
    ------
    ConfigError : at construction, for a value that is unknown or out of range
    """

    config: str = "ldp"  # structure: all intra, low delay P or B, random access
    qp: int = 32  # base QP, 0..51
    frames: int | None = None  # encode at most so many pictures
    preset: str = "medium"  # a key of PRESETS
    effort: Mapping[str, object] = dataclasses.field(default_factory=dict)  # fields of Preset that differ from it
    intra_period: int | None = None  # pictures between intra pictures, 0: only the first is one; None: 32 in ra, else 0
    transform_skip: bool = True  # try 4x4 blocks without transform
    adaptive_qp: int = 0  # largest QP offset of a quantisation group by its activity, 0..12; 0: one QP a picture
    qp_group: int = 32  # samples a side of the quantisation groups, of QP_GROUPS; smaller follow activity at more bits
    obmc: bool = False  # overlapped block motion compensation; with it inter streams are not HEVC
    filter: str = "online"  # prediction filter: off, frozen (never trained), online
    model: str | None = None  # initial weights: name, path or untrained; None: those that ship if they are of the shape
    learn: Mapping[str, object] = dataclasses.field(default_factory=dict)  # LearnParams' fields; values may be by QP
    # of ORACLES; no stream. original: the filter learns from the source, which no decoder has; weights: those fitted to
    # the source of each picture are sent, that is, filler data take their place
    oracle: str | None = None
    chroma_filter: str = "off"  # prediction filter of chroma, beside that of luma: off, frozen, online
    chroma_model: str | None = None  # its initial weights: name, path or untrained; None: those that ship
    chroma_learn: Mapping[str, object] = dataclasses.field(default_factory=dict)  # fields of learned.chroma_params
    intra_filter: str = "off"  # intra prediction filter: off, frozen, online
    intra_model: str | None = None  # its weights: name or path; None: those that ship
    intra_learn: Mapping[str, object] = dataclasses.field(default_factory=dict)  # fields of learned.intra_params
    # convolutional in-loop filter, with which streams are not HEVC: off; on: that which ships; or a name or path
    loop_filter: str = "off"
    hash: str = "md5"  # picture hash: md5, crc or checksum
    internal_bit_depth: int | None = None  # of the coded samples, a value of BIT_DEPTHS; None: the input's
    threads: int = 1  # of the prediction filter; results do not depend on it

    def __post_init__(self):
        _choice("configuration", self.config, CONFIGS)
        _choice("preset", self.preset, tuple(PRESETS))
        _choice("prediction filter", self.filter, FILTERS)
        _choice("oracle", self.oracle, (None, *ORACLES))
        _choice("chroma filter", self.chroma_filter, FILTERS)
        _choice("intra filter", self.intra_filter, INTRA_FILTERS)
        _choice("quantisation group size", self.qp_group, QP_GROUPS)
        _choice("picture hash", self.hash, HASHES)
        _choice("internal bit depth", self.internal_bit_depth, (None, *BIT_DEPTHS))
        for name, value, low, high in (
            ("QP", self.qp, 0, 51),
            ("number of pictures", self.frames or 1, 1, 1 << 30),
            ("intra period", self.intra_period or 0, 0, 1 << 30),
            ("range of the adaptive QP", self.adaptive_qp, 0, 12),
            ("number of threads", self.threads, 1, 256),
        ):
            if not isinstance(value, int) or not low <= value <= high:
                raise ConfigError(f"{name} is {value}; expected {low}..{high}")
        if self.config == "ra" and (self.intra_period or 0) % RA_GOP_SIZE:
            raise ConfigError(f"intra period is {self.intra_period}; in ra expected a multiple of {RA_GOP_SIZE}")
        if self.model is not None and self.filter == "off":
            raise ConfigError(f"model {self.model!r} is for the prediction filter, which is off")
        if self.oracle is not None and (self.filter == "off" or self.config == "ai"):
            raise ConfigError(f"oracle {self.oracle!r} needs the prediction filter on, in pictures between others")
        if self.oracle == "original" and self.filter != "online":
            raise ConfigError("oracle 'original' needs the prediction filter online")
        if self.chroma_filter != "off" and self.filter == "off":
            raise ConfigError("the chroma filter goes with the prediction filter of luma, which is off")
        if self.chroma_model is not None and self.chroma_filter == "off":
            raise ConfigError(f"chroma model {self.chroma_model!r} is for the chroma filter, which is off")
        if self.intra_model is not None and self.intra_filter == "off":
            raise ConfigError(f"intra model {self.intra_model!r} is for the intra filter, which is off")
        for what, learn, tool, mode in (
            ("the learner", self.learn, "prediction filter", self.filter),
            ("the learner of chroma", self.chroma_learn, "chroma filter", self.chroma_filter),
            ("the learner of intra prediction", self.intra_learn, "intra filter", self.intra_filter),
        ):
            if learn and mode == "off":
                raise ConfigError(f"settings of {what} ({', '.join(learn)}) are for the {tool}, which is off")
        object.__setattr__(self, "effort", read_effort(self.effort))

    @property
    def search_effort(self) -> Preset:
        """The preset with the fields that `effort` overrides."""
        return dataclasses.replace(PRESETS[self.preset], **self.effort)

    @property
    def named_weights(self) -> dict[str, str]:
        """Weights that settings name, by the setting: a name, a path or, but for the in-loop filter, untrained."""
        found = {name: getattr(self, name) for name in ("model", "chroma_model", "intra_model", "loop_filter")}
        if self.loop_filter in LOOP_FILTERS:
            del found["loop_filter"]
        return {name: value for name, value in found.items() if value is not None}


def read_effort(settings: Mapping[str, object]) -> dict[str, int | bool]:
    """Fields of `Preset` from values that may be strings, as a command line gives them: "3", "off", "false".

    Raises
    ------
    ConfigError : an unknown field, or a value that it cannot have
    """
    known = {field.name: field for field in dataclasses.fields(Preset)}
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise ConfigError(f"search effort: no field {unknown[0]!r}; expected one of {', '.join(known)}")
    return {name: _effort_value(known[name], value) for name, value in settings.items()}


def _effort_value(field, value):
    """`value` as the type of a field of `Preset`."""
    text, allowed = str(value).lower(), field.metadata["allowed"]
    if field.type is bool:
        found, expected = read_truth(value), EXPECTED
    else:
        found = next((number for number in allowed if str(number) == text), None)
        expected = (
            f"{allowed[0]}..{allowed[-1]}" if isinstance(allowed, range) else f"one of {', '.join(map(str, allowed))}"
        )
    if found is None:
        raise ConfigError(f"search effort: {field.name} is {value!r}; expected {expected}")
    return found


def _choice(name, value, allowed):
    if value not in allowed:
        raise ConfigError(f"unknown {name} {value!r}; expected one of {', '.join(map(str, filter(None, allowed)))}")
