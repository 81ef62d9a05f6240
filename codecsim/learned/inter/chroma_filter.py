"""Normative.  The filter of inter prediction of chroma: a learner for U and one for V, helped by luma.

Each is a PredictionFilter over a plane of chroma, whose further inputs come from luma at half its size.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from codecsim.learned.engine.weights import InitialWeights
from codecsim.learned.inter.prediction_filter import make_learner
from codecsim.learned.learner import LearnerGroup, LearnerInputs, LearnReport, joined_report
from codecsim.tools.inter_chroma import InterChromaSettings
from codecsim.tools.learner import Expert


def coded_chroma(units: np.ndarray, luma_coded: bool, component: int) -> np.ndarray:
    """Where a learner of chroma learns.

    Parameters
    ----------
    units : (H4, W4) uint8, of each 4x4 luma samples: CBF_* bits of inter blocks, 0 elsewhere
    luma_coded : bool, also where luma is coded
    component : int, 1 U, 2 V

    Returns
    -------
    (H4 / 2, W4 / 2) uint8 : of each 4x4 chroma samples, 1 where they teach
    """
    wanted = units & ((1 << component) | (1 if luma_coded else 0)) > 0
    rows = wanted[0::2] | wanted[1::2]
    return (rows[:, 0::2] | rows[:, 1::2]).astype(np.uint8)


class ChromaFilter(LearnerGroup):
    """P' = clip(P + net(inputs)) for U and for V, which then learn from the reconstruction.

    Parameters
    ----------
    params : InterChromaSettings
    width, height : coded luma size in samples, multiples of 8
    bit_depth : 8..12
    initial : InitialWeights of both, default the built-in ones
    threads : of `predict`; does not change results
    inputs : as for PredictionFilter

    Raises
    ------
    ConfigError, ModelError : as PredictionFilter

    Attributes
    ----------
    needs : names of what LearnerInputs.aux must hold: `luma` and `filtered_luma` of (H, W), other predictions of chroma
    """

    def __init__(
        self,
        params: InterChromaSettings,
        width: int,
        height: int,
        bit_depth: int = 8,
        initial: InitialWeights | None = None,
        threads: int = 1,
        inputs: tuple[str, ...] | None = None,
    ) -> None:
        own = dataclasses.replace(params, experts=Expert.ONLINE)
        size = width // 2, height // 2
        super().__init__([make_learner(own, *size, bit_depth, initial, threads, inputs) for _ in range(2)])
        self.params, self.needs = params, self.members[0].needs

    def predict(self, inputs: Sequence[LearnerInputs]) -> tuple[tuple[np.ndarray, ...], tuple[Any, ...]]:
        """Filter the prediction of U and V, each with its LearnerInputs; they may share what is made once.

        Returns
        -------
        pair of (H / 2, W / 2) uint16, and the lesson for `learn`
        """
        planes, lessons = zip(*(net.predict(own) for net, own in zip(self.members, inputs, strict=True)), strict=True)
        return tuple(filtered for (filtered,) in planes), lessons

    def learn(self, lesson: Any, recon: Sequence[np.ndarray], units: np.ndarray) -> LearnReport:
        """Learn from the reconstruction of the picture of a lesson.

        Parameters
        ----------
        recon : pair of (H / 2, W / 2) uint16, before in-loop filters
        units : as for `coded_chroma`

        Returns
        -------
        LearnReport of both
        """
        return joined_report(
            [
                net.learn(own, plane, coded_chroma(units, self.params.luma_coded, k))
                for k, (net, own, plane) in enumerate(zip(self.members, lesson, recon, strict=True), 1)
            ]
        )
