"""Normative.  Short-term reference picture sets (H.265 clauses 7.3.7 and 7.4.8)."""

import dataclasses
from collections.abc import Sequence

from codecsim.syntax.bits import BitReader, Coder


@dataclasses.dataclass(frozen=True)
class ReferencePictureSet:
    """Short-term reference picture set: (POC difference to the current picture, used by it) of pictures to keep."""

    negative: tuple[tuple[int, bool], ...] = ()  # before it in output order, nearest first
    positive: tuple[tuple[int, bool], ...] = ()  # after it in output order, nearest first

    @property
    def num_used(self) -> int:
        """Pictures that the current one may refer to (NumPicTotalCurr)."""
        return sum(used for _, used in self.negative + self.positive)


def _code_half_rps(
    coder: Coder, pictures: tuple[tuple[int, bool], ...], sign: int, count: int
) -> tuple[tuple[int, bool], ...]:
    """The explicit negative (sign -1) or positive (1) half of a reference picture set."""
    half, previous, kind = [], 0, "s0" if sign < 0 else "s1"
    for i in range(count):
        delta, used = pictures[i] if not coder.reading else (0, False)
        step = coder.ue(sign * (delta - previous) - 1, f"delta_poc_{kind}_minus1", 0, 32767) + 1
        previous += sign * step
        half.append((previous, coder.flag(used, f"used_by_curr_pic_{kind}_flag")))
    return tuple(half)


def _read_predicted_rps(
    coder: BitReader, rps_list: Sequence[ReferencePictureSet], in_slice: bool
) -> ReferencePictureSet:
    """Read a set that is predicted from another one (equations 7-61 and 7-62)."""
    index = len(rps_list)
    delta_idx = coder.ue(0, "delta_idx_minus1", 0, index - 1) + 1 if in_slice else 1
    sign = -1 if coder.flag(False, "delta_rps_sign") else 1
    delta_rps = sign * (coder.ue(0, "abs_delta_rps_minus1", 0, 32767) + 1)
    reference = rps_list[index - delta_idx]
    # The flags come in the order negative, positive, and the reference picture of the other set itself.
    entries = [*reference.negative, *reference.positive, (0, True)]
    kept = []
    for delta, _ in entries:
        used = coder.flag(False, "used_by_curr_pic_flag")
        if used or coder.flag(True, "use_delta_flag"):
            kept.append((delta + delta_rps, used))
    negative = tuple(sorted((e for e in kept if e[0] < 0), reverse=True))
    positive = tuple(sorted(e for e in kept if e[0] > 0))
    return ReferencePictureSet(negative, positive)


def code_rps(
    coder: Coder,
    rps: ReferencePictureSet,
    rps_list: Sequence[ReferencePictureSet],
    max_pictures: int,
    in_slice: bool,
) -> ReferencePictureSet:
    """st_ref_pic_set(): written explicitly, read in either form.

    Parameters
    ----------
    coder : BitWriter or BitReader
    rps : ReferencePictureSet, ignored when reading
    rps_list : sequence of the sets before it in the sequence parameter set
    max_pictures : int, most pictures a set may hold (max_dec_pic_buffering - 1)
    in_slice : bool, the set is that of a slice header
    """
    if rps_list and coder.flag(False, "inter_ref_pic_set_prediction_flag"):
        assert isinstance(coder, BitReader)  # a set is written explicitly
        result = _read_predicted_rps(coder, rps_list, in_slice)
        if len(result.negative + result.positive) > max_pictures:
            coder.fail(f"reference picture set of more than {max_pictures} pictures", "st_ref_pic_set")
        return result
    num_negative = coder.ue(len(rps.negative), "num_negative_pics", 0, max_pictures)
    num_positive = coder.ue(len(rps.positive), "num_positive_pics", 0, max_pictures - num_negative)
    negative = _code_half_rps(coder, rps.negative, -1, num_negative)
    positive = _code_half_rps(coder, rps.positive, 1, num_positive)
    return ReferencePictureSet(negative, positive)
