"""Coding structures: which picture is coded when, how, from what, at which QP and Lagrange multiplier.

Structures, QP offsets, QP factors and the multiplier follow the published common test conditions of the reference
encoder HM-16: all intra ("ai"), low delay P and B ("ldp", "ldb"), random access ("ra").
"""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from codecsim.hevc.tables import chroma_qp
from codecsim.syntax.headers_rps import ReferencePictureSet
from codecsim.syntax.headers_slice import SLICE_B, SLICE_I, SLICE_P
from codecsim.syntax.nal import CRA, IDR_W_RADL, RASL_N, RASL_R, TRAIL_N, TRAIL_R

MAX_QP = 51


@dataclasses.dataclass(frozen=True)
class GopEntry:
    """A picture of the repeating group."""

    poc: int  # relative to the end of the group before, 1..its size
    qp_offset: int  # added to the QP of intra pictures
    qp_factor: float  # of the Lagrange multiplier
    depth: int  # in the hierarchy of QPs; > 0 raises the multiplier
    active: int  # entries of each reference list
    references: tuple[int, ...]  # POC differences of what is kept, nearest first, before and then after the picture
    is_reference: bool = True  # later pictures are predicted from it


@dataclasses.dataclass(frozen=True)
class Gop:
    """A repeating group, its pictures in coding order."""

    entries: tuple[GopEntry, ...]
    slice_type: int  # of inter pictures
    max_num_reorder: int = 0  # pictures that may precede one in coding order and follow it in output order
    open_period: int = 0  # usual distance of intra pictures where they are CRA pictures, 0: they are IDR pictures

    @property
    def size(self) -> int:
        """Pictures of the group."""
        return len(self.entries)


# encoder_lowdelay_main.cfg and encoder_lowdelay_P_main.cfg of HM-16
_LOW_DELAY = (
    GopEntry(1, 3, 0.4624, 2, 4, (-1, -5, -9, -13)),
    GopEntry(2, 2, 0.4624, 1, 4, (-1, -2, -6, -10)),
    GopEntry(3, 3, 0.4624, 2, 4, (-1, -3, -7, -11)),
    GopEntry(4, 1, 0.578, 0, 4, (-1, -4, -8, -12)),
)
# encoder_randomaccess_main.cfg of HM-16
_RANDOM_ACCESS = (
    GopEntry(8, 1, 0.442, 0, 4, (-8, -10, -12, -16)),
    GopEntry(4, 2, 0.3536, 1, 2, (-4, -6, 4)),
    GopEntry(2, 3, 0.3536, 2, 2, (-2, -4, 2, 6)),
    GopEntry(1, 4, 0.68, 3, 2, (-1, 1, 3, 7), is_reference=False),
    GopEntry(3, 4, 0.68, 3, 2, (-1, -3, 1, 5), is_reference=False),
    GopEntry(6, 3, 0.3536, 2, 2, (-2, -4, -6, 2)),
    GopEntry(5, 4, 0.68, 3, 2, (-1, -5, 1, 3), is_reference=False),
    GopEntry(7, 4, 0.68, 3, 2, (-1, -3, -7, 1), is_reference=False),
)
GOPS = {
    "ai": Gop((), SLICE_I),
    "ldp": Gop(_LOW_DELAY, SLICE_P),
    "ldb": Gop(_LOW_DELAY, SLICE_B),
    "ra": Gop(_RANDOM_ACCESS, SLICE_B, max_num_reorder=3, open_period=32),
}


@dataclasses.dataclass(frozen=True)
class PictureStructure:
    """How one picture is coded."""

    index: int  # in output order
    poc: int  # 0 at every IDR picture
    nal_type: int
    slice_type: int  # 0 B, 1 P, 2 I
    qp_offset: int
    qp_factor: float
    depth: int
    rps: ReferencePictureSet
    num_ref_idx: tuple[int, int]  # active entries of the lists, in their initial order

    @property
    def list_pocs(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """POC of the entries of both lists, as 8.3.4 builds them from `rps` without modification."""
        halves = self.rps.negative, self.rps.positive
        before, after = ([self.poc + delta for delta, used in half if used] for half in halves)
        return tuple((before + after)[: self.num_ref_idx[0]]), tuple((after + before)[: self.num_ref_idx[1]])

    @property
    def is_idr(self) -> bool:
        """Whether the picture restarts the sequence."""
        return self.nal_type == IDR_W_RADL


def coding_structure(config: str, frames: Iterable, intra_period: int | None = None) -> Iterator:
    """The pictures of a sequence in coding order.

    Parameters
    ----------
    config : a key of GOPS
    frames : pictures in output order; no more are read ahead than a group holds
    intra_period : int, an intra picture every so many pictures; 0: only the first; None: as the configuration usually
        has it.  A multiple of the group's size where intra pictures are CRA pictures.

    Yields
    ------
    (PictureStructure, frame)
    """
    gop = GOPS[config]
    period = gop.open_period if intra_period is None else intra_period
    closed = 0 if gop.open_period else period
    sequence = _Sequence(gop, period if gop.open_period else 0)
    frames = iter(frames)
    index = 0
    while True:
        restarts = index == 0 or (closed and index % closed == 0)
        ahead = list(itertools.islice(frames, gop.size if gop.max_num_reorder and not restarts else 1))
        if not ahead:
            return
        structures = [sequence.restart(index)] if restarts else sequence.advance(index, len(ahead))
        for structure in structures:
            yield structure, ahead[structure.index - index]
        index += len(ahead)


class _Sequence:
    """What the structure of a picture depends on, beside its place in the group."""

    def __init__(self, gop: Gop, open_period: int):
        self._gop = gop
        self._open_period = open_period
        self._start = 0  # index of the last IDR picture
        self._kept: list[
            Any
        ] = []  # POC of the pictures that the current one may refer to, latest in coding order first
        self._random_access = 0  # POC of the last intra picture, which later pictures in output order do not look past

    def restart(self, index: int) -> PictureStructure:
        """An IDR picture."""
        self._start, self._kept, self._random_access = index, [0], 0
        return self._intra(index, 0, IDR_W_RADL, ReferencePictureSet())

    def advance(self, index: int, count: int) -> list[PictureStructure]:
        """The next `count` pictures, at most to the end of their group; the first in output order is at `index`."""
        done = index - self._start - 1  # pictures since the IDR picture
        if not self._gop.entries:
            return [self._intra(index, done + 1, TRAIL_R, ReferencePictureSet())]
        place = done % self._gop.size
        entries = [entry for entry in self._gop.entries if place < entry.poc <= place + count]
        return [self._picture(index - place + entry.poc - 1, done - place + entry.poc, entry) for entry in entries]

    def _picture(self, index: int, poc: int, entry: GopEntry) -> PictureStructure:
        is_intra = self._open_period and poc % self._open_period == 0
        references = self._references(poc, entry)
        leading = poc < self._random_access
        if is_intra:
            self._random_access = poc
        if entry.is_reference:
            self._kept = [poc, *(ref for ref in self._kept if ref in references)]
        else:
            self._kept = [ref for ref in self._kept if ref in references]
        # NumPicTotalCurr of a CRA picture is 0 (7.4.7.1): what it keeps is for its leading pictures
        used = not is_intra
        negative = tuple((ref - poc, used) for ref in sorted((r for r in references if r < poc), reverse=True))
        positive = tuple((ref - poc, used) for ref in sorted(r for r in references if r > poc))
        rps = ReferencePictureSet(negative, positive)
        if is_intra:
            return self._intra(index, poc, CRA, rps)
        active = min(entry.active, len(references))
        nal_types = (RASL_N, RASL_R) if leading else (TRAIL_N, TRAIL_R)
        return PictureStructure(
            index=index,
            poc=poc,
            nal_type=nal_types[entry.is_reference],
            slice_type=self._gop.slice_type,
            qp_offset=entry.qp_offset,
            qp_factor=entry.qp_factor,
            depth=entry.depth,
            rps=rps,
            num_ref_idx=(active, active if self._gop.slice_type == SLICE_B else 0),
        )

    def _references(self, poc: int, entry: GopEntry) -> list[int]:
        """POC of what the picture keeps; where some of the group's do not exist, the latest others take their place."""
        available = [ref for ref in self._kept if poc <= self._random_access or ref >= self._random_access]
        wanted = [poc + delta for delta in entry.references]
        found = [ref for ref in wanted if ref in available]
        found += [ref for ref in available if ref not in found][: len(wanted) - len(found)]
        return found

    def _intra(self, index: int, poc: int, nal_type: int, rps: ReferencePictureSet) -> PictureStructure:
        return PictureStructure(
            index=index,
            poc=poc,
            nal_type=nal_type,
            slice_type=SLICE_I,
            qp_offset=0,
            qp_factor=intra_qp_factor(self._gop.size),
            depth=0,
            rps=rps,
            num_ref_idx=(0, 0),
        )


def reference_picture_sets(config: str) -> tuple[ReferencePictureSet, ...]:
    """The sets of the steady state, for the sequence parameter set; others are sent with their slice.

    Parameters
    ----------
    config : a key of GOPS
    """
    found = []
    for entry in GOPS[config].entries:
        negative = tuple((delta, True) for delta in entry.references if delta < 0)
        found.append(ReferencePictureSet(negative, tuple((delta, True) for delta in entry.references if delta > 0)))
    return tuple(found)


def dpb_size(config: str) -> int:
    """Pictures that the decoder must hold, the current one included.

    Parameters
    ----------
    config : a key of GOPS
    """
    gop = GOPS[config]
    return 1 + max([len(entry.references) for entry in gop.entries] + [gop.max_num_reorder])


def intra_qp_factor(gop_size: int) -> float:
    """QP factor of an I picture in groups of `gop_size` pictures (0 or 1: all intra)."""
    return 0.57 * (1.0 - min(max(0.05 * (gop_size - 1), 0.0), 0.5))


def picture_qp(qp: int, structure: PictureStructure) -> int:
    """Slice QP of a picture, 0..51, for the configured QP."""
    return min(max(qp + structure.qp_offset, 0), MAX_QP)


def picture_lambda(structure: PictureStructure, qp: int, bit_depth: int = 8) -> float:
    """Lagrange multiplier of a picture for squared error against bits.

    HM lowers it by 5 % in inter pictures if motion search does without SATD; its test conditions have SATD.

    Parameters
    ----------
    structure : PictureStructure
    qp : int, slice QP, 0..51
    bit_depth : int, of the samples whose error is squared: each bit doubles the error of the same picture
    """
    lam = structure.qp_factor * 2.0 ** ((qp - 12) / 3.0) * 4.0 ** (bit_depth - 8)
    if structure.depth > 0:
        lam *= min(max((qp - 12) / 6.0, 2.0), 4.0)
    return lam


def chroma_weight(qp: int, offset: int = 0) -> float:
    """Factor of chroma squared error beside luma's: chroma is coded at a lower QP where luma's is high.

    Parameters
    ----------
    qp : int, luma QP, 0..51
    offset : int, chroma QP offset
    """
    return 2.0 ** ((qp - int(chroma_qp(min(max(qp + offset, 0), 57)))) / 3.0)
