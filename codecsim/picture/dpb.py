"""Normative. Decoded picture buffer: order counts, reference picture sets, reference lists, output order.

Source: H.265 clauses 8.3.1 (picture order count), 8.3.2 (reference picture set), 8.3.4 (lists), C.5.2 (output order).
Encoder and decoder run the same buffer.
"""

from collections.abc import Sequence
from typing import NamedTuple

from codecsim.errors import BitstreamError
from codecsim.picture.planes import Picture
from codecsim.syntax import nal as nal_units
from codecsim.syntax.headers_rps import ReferencePictureSet
from codecsim.syntax.headers_sequence import Sps
from codecsim.syntax.headers_slice import SLICE_I, SliceHeader, num_lists

Pictures = tuple[Picture, ...]


class CurrentPicture(NamedTuple):
    """A picture about to be coded, with what it refers to."""

    picture: Picture
    lists: tuple[Pictures, Pictures]  # active reference picture lists 0 and 1
    collocated: Picture | None  # source of temporal motion vectors; None where the slice has them off

    @property
    def list_pocs(self) -> tuple[tuple[int, ...], ...]:
        """POC of the entries of both lists."""
        return tuple(tuple(picture.poc for picture in entries) for entries in self.lists)


def build_lists(header: SliceHeader, before: Sequence[Picture], after: Sequence[Picture]) -> tuple[Pictures, Pictures]:
    """Active reference picture lists (8.3.4).

    Parameters
    ----------
    header : SliceHeader
    before, after : sequences of what precedes and follows the current picture in output order, nearest first

    Returns
    -------
    pair of tuples; those that the slice type lacks are empty
    """
    lists: list[Pictures] = [(), ()]
    for side in range(num_lists(header.slice_type)):
        initial = [*before, *after] if side == 0 else [*after, *before]
        size = header.num_ref_idx[side]
        order = header.list_entries[side] or range(size)
        lists[side] = tuple(initial[entry % len(initial)] for entry in order)
    return lists[0], lists[1]


class DecodedPictureBuffer:
    """Reference and not yet output pictures of a stream.

    For each picture: `begin`, fill its samples and motion, `end`, `take_output`.  At the end of the stream `flush`.
    """

    def __init__(self) -> None:
        self._pictures: list[Picture] = []
        self._ready: list[Picture] = []  # in output order
        self._previous_poc = 0  # of the last picture that order counts are coded against
        self._after_break = True  # nothing decoded yet, or an end of sequence: leading pictures have no references
        self._skip_leading = False

    @property
    def pictures(self) -> Pictures:
        """Pictures held, in no particular order."""
        return tuple(self._pictures)

    @property
    def is_entered(self) -> bool:
        """Whether the next picture is the first of the stream or after an end of sequence."""
        return self._after_break

    def begin(self, nal_type: int, temporal_id: int, header: SliceHeader, sps: Sps) -> CurrentPicture | None:
        """Start a picture: its order count, its references, room for it.

        Parameters
        ----------
        nal_type, temporal_id : int, of its slice
        header : SliceHeader
        sps : Sps

        Returns
        -------
        CurrentPicture, or None for a leading picture whose references precede the random access point (to be skipped)

        Raises
        ------
        BitstreamError : a reference picture is missing, an order count occurs twice, or the stream begins elsewhere
        """
        poc = self._order_count(nal_type, temporal_id, header, sps)
        if self._is_skipped(nal_type, poc):
            return None
        restarts = self._restarts(nal_type)
        if nal_units.is_irap(nal_type):
            self._skip_leading = restarts and not nal_units.is_idr(nal_type)
        if restarts:
            self._restart(header.no_output_of_prior_pics)
            before: Pictures = ()
            after: Pictures = ()
        else:
            before, after = self._apply_rps(header.rps, poc, sps)
        self._after_break = False
        self._make_room(sps)
        picture = Picture(sps.width, sps.height, poc)
        picture.sps = sps
        picture.needed_for_output = header.pic_output
        if header.slice_type == SLICE_I:
            return CurrentPicture(picture, ((), ()), None)
        lists = build_lists(header, before, after)
        for row, entries in zip(picture.ref_poc, lists, strict=True):
            row[: len(entries)] = [entry.poc for entry in entries]
        collocated = None
        if header.temporal_mvp:
            collocated = lists[0 if header.collocated_from_l0 else 1][header.collocated_ref_idx]
        return CurrentPicture(picture, lists, collocated)

    def end(self, picture: Picture) -> None:
        """Store a finished picture: a reference from now on, and output when its turn comes."""
        picture.is_reference = True
        for other in self._pictures:
            other.latency += other.needed_for_output and other.poc > picture.poc
        self._pictures.append(picture)
        while self._must_output(picture.sps):
            self._output_next()

    def take_output(self) -> list[Picture]:
        """Pictures whose turn has come since the last call, in output order."""
        ready, self._ready = self._ready, []
        return ready

    def end_of_sequence(self) -> None:
        """An end-of-sequence NAL unit: the next picture is a random access point."""
        self._after_break = True

    def flush(self) -> None:
        """Move all that is left to the output; the buffer is empty afterwards."""
        self._restart(discard=False)

    def _restarts(self, nal_type: int) -> bool:
        """Whether nothing before this picture is referred to from here on (NoRaslOutputFlag)."""
        if nal_type == nal_units.CRA:
            return self._after_break
        return nal_units.is_irap(nal_type)

    def _order_count(self, nal_type: int, temporal_id: int, header: SliceHeader, sps: Sps) -> int:
        """POC of the picture (8.3.1)."""
        if self._restarts(nal_type):
            poc = header.poc_lsb  # 0 in an IDR picture
        else:
            modulus = 1 << sps.log2_max_poc_lsb
            difference = header.poc_lsb - self._previous_poc % modulus
            poc = self._previous_poc + difference
            if difference <= -modulus // 2:
                poc += modulus
            elif difference > modulus // 2:
                poc -= modulus
        if not -(2**31) <= poc < 2**31:
            raise BitstreamError("the picture order count does not fit in 32 bits", "slice_pic_order_cnt_lsb")
        leading = nal_units.RADL_N <= nal_type <= nal_units.RASL_R
        if temporal_id == 0 and not leading and nal_units.is_sub_layer_reference(nal_type):
            self._previous_poc = poc
        return poc

    def _is_skipped(self, nal_type: int, poc: int) -> bool:
        """Whether the picture cannot be decoded because decoding began after its references."""
        if self._after_break and not nal_units.is_irap(nal_type):
            raise BitstreamError("the sequence does not begin with a random access picture", "nal_unit_type", poc=poc)
        return self._skip_leading and nal_type in (nal_units.RASL_N, nal_units.RASL_R)

    def _apply_rps(self, rps: ReferencePictureSet, poc: int, sps: Sps) -> tuple[Pictures, Pictures]:
        """Mark what stays a reference; returns what the picture may refer to, before and after it, nearest first."""
        references = {picture.poc: picture for picture in self._pictures if picture.is_reference}
        keep = set()
        halves: list[Pictures] = []
        for entries in (rps.negative, rps.positive):
            half = []
            for delta, used in entries:
                picture = references.get(poc + delta)
                keep.add(poc + delta)
                if not used:
                    continue
                if picture is None:
                    raise BitstreamError(f"reference picture {poc + delta} is missing", "st_ref_pic_set", poc=poc)
                if (picture.width, picture.height) != (sps.width, sps.height):
                    raise BitstreamError(f"reference picture {poc + delta} has another size", "st_ref_pic_set", poc=poc)
                half.append(picture)
            halves.append(tuple(half))
        for picture in self._pictures:
            picture.is_reference = picture.is_reference and picture.poc in keep
        if any(picture.poc == poc for picture in self._pictures if picture.is_reference or picture.needed_for_output):
            raise BitstreamError(f"two pictures have the order count {poc}", "slice_pic_order_cnt_lsb", poc=poc)
        return halves[0], halves[1]

    def _restart(self, discard: bool) -> None:
        """Empty the buffer, outputting what is left unless `discard`."""
        if not discard:
            while any(picture.needed_for_output for picture in self._pictures):
                self._output_next()
        self._pictures = []

    def _make_room(self, sps: Sps) -> None:
        """Remove what is neither a reference nor to be output; output early where the buffer is full (C.5.2.2)."""
        self._drop_unused()
        while self._must_output(sps) or (
            len(self._pictures) >= sps.max_dec_pic_buffering and any(p.needed_for_output for p in self._pictures)
        ):
            self._output_next()
            self._drop_unused()

    def _must_output(self, sps: Sps) -> bool:
        waiting = [picture for picture in self._pictures if picture.needed_for_output]
        limit = sps.max_num_reorder + sps.max_latency_plus1 - 1 if sps.max_latency_plus1 else None
        late = limit is not None and any(picture.latency >= limit for picture in waiting)
        return len(waiting) > sps.max_num_reorder or (late and bool(waiting))

    def _output_next(self) -> None:
        picture = min((p for p in self._pictures if p.needed_for_output), key=lambda p: p.poc)
        picture.needed_for_output = False
        self._ready.append(picture)

    def _drop_unused(self) -> None:
        self._pictures = [p for p in self._pictures if p.is_reference or p.needed_for_output]
