"""Effort of the search: its settings, and the presets."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from codecsim.settings.setting import Settings, setting


@dataclasses.dataclass(frozen=True)
class SearchSettings(Settings):
    """How much time the search may take.  The defaults are those of preset medium."""

    group = "search"

    merge_rd: int = setting(1, "Merge candidates tried with full rate-distortion cost.", low=1, high=5)
    early_skip: bool = setting(
        False, "End a CU's search where skipping it is best and no merge candidate tried left a level."
    )
    split_after_skip: bool = setting(True, "Look into smaller CUs where the best is skipped without residual.")
    split_uncoded: bool = setting(
        False, "In intra pictures, look into smaller CUs and NxN where the best leaves no residual."
    )
    shapes_log2: int = setting(4, "Log2 of the largest CU in which 2NxN and Nx2N are tried. 2: none.", low=2, high=6)
    amp: bool = setting(True, "Try asymmetric partitions in the direction that the symmetric ones point to.")
    shape_gate: bool = setting(True, "Full cost only for partitions whose motion beats that of 2Nx2N by SATD and rate.")
    ref_limit: bool = setting(False, "In partitions, search only the reference pictures best for 2Nx2N.")
    range: int = setting(64, "Motion search range.", allowed=(2, 4, 8, 16, 32, 64, 128, 256, 512, 1024), unit="samples")
    rings: int = setting(2, "Rings of the motion search without a gain before it ends.", low=1, high=4)
    part_rings: int = setting(
        1, "The same in partitions, which start at the vector of the whole CU too.", low=1, high=4
    )
    bi_rounds: int = setting(
        3, "Rounds of the search for bi-prediction, each in one list. One if list 1 sends no difference.", low=1, high=8
    )
    bi_all_refs: bool = setting(False, "Refine bi-prediction in all reference pictures, not only where it starts best.")
    intra_gate: int = setting(
        16,
        "Intra 2Nx2N is coded in inter pictures if its SATD is below this share of the inter one. 0: always.",
        low=0,
        high=64,
        unit="1/16",
    )
    intra_rd: int = setting(
        1, "Intra modes of blocks from 16x16 on tried with full cost, beside the probable ones.", low=1, high=35
    )
    intra_rd_small: int = setting(
        2, "Intra modes of 4x4 and 8x8 blocks tried with full cost, beside the probable ones.", low=1, high=35
    )
    probable_rd: int = setting(2, "Most probable intra modes tried with full cost, whatever their rank.", low=0, high=3)
    intra_64: bool = setting(False, "Try intra in CUs of 64x64, in inter pictures only where intra_gate is 0.")
    parts_gate: bool = setting(True, "Give NxN up as soon as its luma looks dearer than that of 2Nx2N.")
    intra_margin: int = setting(
        4, "Drop intra modes whose SATD and rate are more than this above the best.", low=0, high=64, unit="1/16"
    )
    coarse_angles: bool = setting(True, "Rank every fourth intra angle first, then those around the best.")
    chroma_rd: int = setting(1, "Intra chroma modes tried with full cost.", low=1, high=5)
    intra_filter_modes: bool = setting(
        True, "Choose intra modes anew for the intra filter, not only those best without it."
    )
    transform_depth: int = setting(1, "max_transform_hierarchy_depth of intra and inter.", low=0, high=2)
    learner_trials: bool = setting(
        False,
        "Order the learner before each picture to train, hold or reset, by trial (control signalled). "
        "Encoding takes 5 to 10 % longer; the decoder trains up to a third less.",
    )
    filter_passes: int = setting(
        2, "Searches of a picture with the learned filter, each knowing the last's additions.", low=1, high=8
    )
    sao: bool = setting(True, "Sample adaptive offset.")


_MEDIUM = SearchSettings()
_SLOW = dataclasses.replace(
    _MEDIUM,
    merge_rd=3,
    split_uncoded=True,
    shapes_log2=6,
    shape_gate=False,
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
    transform_depth=2,
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
PRESETS: Mapping[str, SearchSettings] = MappingProxyType({"fast": _FAST, "medium": _MEDIUM, "slow": _SLOW})
