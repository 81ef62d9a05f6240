"""What encoder and decoder say about each picture, and how its bits divide into parts."""

import dataclasses

import numpy as np


@dataclasses.dataclass
class PictureReport:
    """One coded picture.  PSNR is None when decoding; the fields of the learner are None where it did not run."""

    poc: int  # picture order count, 0 at every IDR picture
    type: str  # I, P or B
    qp: int
    bits: int  # of all NAL units of the picture without hashes, parameter sets before it included
    hash_bits: int = 0  # of the messages that carry hashes
    psnr_y: float | None = None  # dB
    psnr_u: float | None = None
    psnr_v: float | None = None
    seconds: float = 0.0
    parts: dict[str, int] = dataclasses.field(default_factory=dict)  # bits by part; they sum to `bits`
    overlapped_share: float | None = None  # of the 32x32 blocks; None where the tool is off
    loop_share: float | None = None  # of the blocks whose luma the in-loop filter made; None where it is off
    loop_ran: bool | None = None  # whether the decoder needs its network for this picture
    intra_filter_shares: dict[str, float] | None = None  # of the luma that the intra filter made, by side of its blocks
    filtered_share: float | None = None  # of the 32x32 blocks
    expert_shares: dict[str, float] | None = None  # the same by expert
    trained_steps: int | None = None
    chroma_used: bool | None = None  # whether blocks take filtered chroma too
    chroma_trained_steps: int | None = None
    intra_trained_steps: int | None = None  # of the intra filter
    intra_trained_samples: int | None = None  # that these took in all
    fitted_samples: int | None = None  # that linear experts took in
    reset: bool | None = None
    accumulated_loss: int | None = None
    learner_order: str | None = None  # train, hold or reset, obeyed before the picture; None where it takes no orders
    learner_hash: str | None = None  # 32 hex digits
    picture_hash: str | None = None  # Y, U and V, in hexadecimal; what the encoder sends

    @property
    def file_bits(self) -> int:
        """All that the picture takes in the file."""
        return self.bits + self.hash_bits

    def take_from_headers(self, part: str, bits: int) -> None:
        """Say that so many of the bits of headers are of another part."""
        self.parts["headers"] -= bits
        self.parts[part] = bits


def bits_by_part(total: int, slice_data_bits: int, costs: np.ndarray) -> dict[str, int]:
    """Divide a picture's bits.

    Parameters
    ----------
    total : int, bits of all its NAL units but the hashes
    slice_data_bits : int, of which slice data
    costs : (NUM_PARTS,) int64, model cost of each part of the slice data in any unit

    Returns
    -------
    dict of part to bits: slice data are divided in proportion to their cost, by largest remainder
    """
    from codecsim.entropy import cabac

    names = {
        cabac.PART_MODES: "modes",
        cabac.PART_MOTION: "motion",
        cabac.PART_RESIDUAL: "residual",
        cabac.PART_LEARNED: "learned_flags",
        cabac.PART_FILTER: "loop_filter",
    }
    weight = int(costs.sum())
    shares = [slice_data_bits * int(cost) // weight if weight else 0 for cost in costs]
    remainders = [slice_data_bits * int(cost) % weight if weight else 0 for cost in costs]
    missing = slice_data_bits - sum(shares)
    for index in np.argsort([-r for r in remainders], kind="stable")[:missing]:
        shares[index] += 1
    parts = {"headers": total - sum(shares)}
    return parts | {names[k]: shares[k] for k in range(cabac.NUM_PARTS)}
