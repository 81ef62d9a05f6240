"""Normative.  What a stream says about the learners of chroma."""

from dataclasses import dataclass

from codecsim.errors import ConfigError
from codecsim.learned.inter.params import LEARNER_FIELDS, BlockSize, Field, LearnParams


@dataclass(frozen=True)
class ChromaParams(LearnParams):
    """Signalled parameters of the chroma filter: those of a learner, of which U and V have one each, and these.

    Sizes are in chroma samples.  The experts are those of luma, so `experts` is not looked at; `further` must be 0,
    `block_size` shared.

    Raises
    ------
    ConfigError : at construction, for a value out of range
    """

    further: int = 0
    learning_rate: float = 1e-3  # float32, 0..1; below luma's, since its weights are trained before
    luma_addition: bool = True  # input: what the luma filter adds
    luma_detail: bool = True  # input: luma prediction minus the mean of its neighbours
    luma_coded: bool = True  # learn also where only luma has a residual

    packed_fields = (
        *LEARNER_FIELDS,
        Field("luma_addition", 1, 0, 1),
        Field("luma_detail", 1, 0, 1),
        Field("luma_coded", 1, 0, 1),
    )

    def _check(self):
        super()._check()
        if self.further:
            raise ConfigError("chroma filter: it has no further predictions; expected further=0")
        if self.block_size != BlockSize.SHARED:
            raise ConfigError("chroma filter: it does not take the sizes of blocks; expected block_size=shared")

    @property
    def n_aux(self):
        """Auxiliary predictions that the filter of a component takes."""
        return self.overlapped + self.luma_addition + self.luma_detail

    @property
    def inputs(self):
        """Names of the input planes, in order, as model files have them."""
        switched = (
            ("high_pass", self.high_pass),
            ("overlapped", self.overlapped),
            ("luma_addition", self.luma_addition),
            ("luma_detail", self.luma_detail),
            ("qp", self.qp_plane),
        )
        return ("prediction", *(name for name, on in switched if on))
