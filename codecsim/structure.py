"""Coding structures: which picture is coded how, from what, at which QP and Lagrange multiplier.

Structures, QP offsets, QP factors and the multiplier follow the published common test conditions of the reference
encoder HM-16: all intra ("ai") and low delay P ("ldp").  Coding order is output order in both.
"""

import dataclasses
import itertools

from codecsim.syntax.headers_sequence import ReferencePictureSet
from codecsim.syntax.headers_slice import SLICE_I, SLICE_P
from codecsim.syntax.nal import IDR_W_RADL, TRAIL_R
from codecsim.tables import chroma_qp

MAX_QP = 51


@dataclasses.dataclass(frozen=True)
class GopEntry:
    """A picture of the repeating group, at its POC modulo the group's size."""

    qp_offset: int  # added to the QP of intra pictures
    qp_factor: float  # of the Lagrange multiplier
    depth: int  # in the hierarchy of QPs; > 0 raises the multiplier
    references: tuple[int, ...]  # POC differences, nearest first


# encoder_lowdelay_P_main.cfg of HM-16; the index is POC modulo 4.
_LDP = (
    GopEntry(1, 0.578, 0, (-1, -4, -8, -12)),
    GopEntry(3, 0.4624, 2, (-1, -5, -9, -13)),
    GopEntry(2, 0.4624, 1, (-1, -2, -6, -10)),
    GopEntry(3, 0.4624, 2, (-1, -3, -7, -11)),
)
CONFIGS = {"ai": (), "ldp": _LDP}


@dataclasses.dataclass(frozen=True)
class PictureStructure:
    """How one picture is coded."""

    index: int  # in coding order, which is output order
    poc: int  # 0 at every IDR picture
    nal_type: int
    slice_type: int  # 0 B, 1 P, 2 I
    qp_offset: int
    qp_factor: float
    depth: int
    rps: ReferencePictureSet
    num_ref_idx: tuple[int, int]  # active entries of the lists, in their initial order
    temporal_id: int = 0

    @property
    def list_pocs(self):
        """POC of the entries of both lists, as 8.3.4 builds them from `rps` without modification."""
        before = [self.poc + delta for delta, used in self.rps.negative if used]
        return tuple(before[: self.num_ref_idx[0]]), ()

    @property
    def is_idr(self):
        """Whether the picture restarts the sequence."""
        return self.nal_type == IDR_W_RADL


def coding_structure(config, num_refs=4, intra_period=0):
    """Endless iterator over the pictures of a sequence.

    Parameters
    ----------
    config : "ai" or "ldp"
    num_refs : int, 1..4, reference pictures of a P picture
    intra_period : int, an IDR picture every so many pictures; 0: only the first

    Yields
    ------
    PictureStructure
    """
    gop = CONFIGS[config]
    kept = []  # POC of the pictures that the current one may keep, latest first
    for index in itertools.count():
        poc = index % intra_period if intra_period else index
        if poc == 0 or not gop:
            kept = [poc]
            yield PictureStructure(
                index=index,
                poc=poc,
                nal_type=TRAIL_R if poc else IDR_W_RADL,
                slice_type=SLICE_I,
                qp_offset=0,
                qp_factor=intra_qp_factor(len(gop)),
                depth=0,
                rps=ReferencePictureSet(),
                num_ref_idx=(0, 0),
            )
            continue
        entry = gop[poc % len(gop)]
        wanted = [poc + delta for delta in entry.references[:num_refs]]
        references = [ref for ref in wanted if ref >= 0]
        # Near the start some do not exist: the latest pictures take their place.
        references += [ref for ref in kept if ref not in references][: len(wanted) - len(references)]
        references.sort(reverse=True)
        kept = [poc, *references]
        yield PictureStructure(
            index=index,
            poc=poc,
            nal_type=TRAIL_R,
            slice_type=SLICE_P,
            qp_offset=entry.qp_offset,
            qp_factor=entry.qp_factor,
            depth=entry.depth,
            rps=ReferencePictureSet(tuple((ref - poc, True) for ref in references)),
            num_ref_idx=(len(references), 0),
        )


def reference_picture_sets(config, num_refs=4):
    """The sets of the steady state, for the sequence parameter set; others are sent with their slice.

    Parameters
    ----------
    config, num_refs : as in coding_structure
    """
    gop = CONFIGS[config]
    entries = [gop[poc % len(gop)] for poc in range(1, len(gop) + 1)]
    return tuple(ReferencePictureSet(tuple((delta, True) for delta in e.references[:num_refs])) for e in entries)


def dpb_size(config, num_refs=4):
    """Pictures that the decoder must hold, the current one included.

    Parameters
    ----------
    config, num_refs : as in coding_structure
    """
    return 1 + max((len(entry.references[:num_refs]) for entry in CONFIGS[config]), default=0)


def intra_qp_factor(gop_size):
    """QP factor of an I picture in groups of `gop_size` pictures (0 or 1: all intra)."""
    return 0.57 * (1.0 - min(max(0.05 * (gop_size - 1), 0.0), 0.5))


def picture_qp(qp, structure):
    """Slice QP of a picture, 0..51, for the configured QP."""
    return min(max(qp + structure.qp_offset, 0), MAX_QP)


def picture_lambda(structure, qp, bit_depth=8):
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


def chroma_weight(qp, offset=0):
    """Factor of chroma squared error beside luma's: chroma is coded at a lower QP where luma's is high.

    Parameters
    ----------
    qp : int, luma QP, 0..51
    offset : int, chroma QP offset
    """
    return 2.0 ** ((qp - int(chroma_qp(min(max(qp + offset, 0), 57)))) / 3.0)
