"""Normative.  The filter of inter prediction of chroma: a learner for U and one for V, helped by luma.

Each is a PredictionFilter over a plane of chroma, whose further inputs come from luma at half its size.
"""

import dataclasses
import hashlib

import numpy as np

from codecsim.learned.inter.prediction_filter import LearnReport, PredictionFilter
from codecsim.tools.learner import Expert


def sum_of_four(luma):
    """Sums over 2x2 samples: (h, w) uint16 of at most 12 bits -> (h / 2, w / 2) int32."""
    rows = luma[0::2].astype(np.int32) + luma[1::2]
    return rows[:, 0::2] + rows[:, 1::2]


def detail(sums):
    """What stands out of its surroundings, at four times the scale of samples.

    Parameters
    ----------
    sums : (h, w) int32 of `sum_of_four`

    Returns
    -------
    (h, w) int32 : a sum minus the mean of the 5x5 around it, rounded down
    """
    h, w = sums.shape
    padded = np.pad(sums, 2, mode="edge")
    rows = sum(padded[k : k + h] for k in range(5))
    return sums - sum(rows[:, k : k + w] for k in range(5)) // 25


def coded_chroma(units, luma_coded, component):
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


class ChromaFilter:
    """P' = clip(P + net(inputs)) for U and for V, which then learn from the reconstruction.

    Parameters
    ----------
    params : InterChromaSettings
    width, height : int, coded luma size in samples, multiples of 8
    bit_depth : int, 8..12
    initial : InitialWeights of both, default the built-in ones
    threads : int, of `predict`; does not change results

    Raises
    ------
    ConfigError, ModelError : as PredictionFilter
    """

    def __init__(self, params, width, height, bit_depth=8, initial=None, threads=1):
        self.params, self.bit_depth = params, bit_depth
        own = dataclasses.replace(params, experts=Expert.ONLINE)
        self.components = tuple(
            PredictionFilter(own, width // 2, height // 2, bit_depth, initial, threads) for _ in range(2)
        )

    def predict(self, pred, overlapped, luma, qp):
        """Filter the prediction of chroma, and keep the inputs for `learn`.

        Parameters
        ----------
        pred : Planes of uint16, prediction; its luma is what the luma filter was given
        overlapped : pair of (H / 2, W / 2) uint16, overlapped prediction of chroma; looked at if the parameters say so
        luma : (H, W) uint16, filtered prediction of luma
        qp : int, of the picture

        Returns
        -------
        pair of (H / 2, W / 2) uint16
        """
        before = sum_of_four(pred.y)
        cues = []
        if self.params.luma_addition:
            cues.append(sum_of_four(luma) - before)
        if self.params.luma_detail:
            cues.append(detail(before) >> 2)
        top = (1 << self.bit_depth) - 1
        filtered = []
        for net, plane, other in zip(self.components, pred[1:], overlapped, strict=True):
            # as predictions, because that is what further inputs are: the net sees them minus the prediction
            aux = [other] if self.params.overlapped else []
            aux += [np.clip(plane.astype(np.int32) + cue, 0, top).astype(np.uint16) for cue in cues]
            filtered.append(net.predict(plane, aux, qp)[0])
        return tuple(filtered)

    def learn(self, recon, units, qp):
        """Learn from the reconstruction of the picture that `predict` saw last.

        Parameters
        ----------
        recon : pair of (H / 2, W / 2) uint16, before in-loop filters
        units : as for `coded_chroma`
        qp : int, of the picture

        Returns
        -------
        LearnReport of both
        """
        reports = [
            net.learn(plane, coded_chroma(units, self.params.luma_coded, k), qp)
            for k, (net, plane) in enumerate(zip(self.components, recon, strict=True), 1)
        ]
        return LearnReport(
            sum(report.trained_steps for report in reports),
            sum(report.accumulated_loss for report in reports),
            any(report.reset for report in reports),
        )

    def obey(self, order):
        """Before `predict`: as PredictionFilter.obey."""
        for net in self.components:
            net.obey(order)

    def snapshot(self):
        """As PredictionFilter.snapshot."""
        return tuple(net.snapshot() for net in self.components)

    def restore(self, snapshot):
        """As PredictionFilter.restore."""
        for net, own in zip(self.components, snapshot, strict=True):
            net.restore(own)

    def reset(self):
        """At an IDR: as PredictionFilter.reset."""
        for net in self.components:
            net.reset()

    def digest(self):
        """16 bytes that name the state of both."""
        states = b"".join(net.digest() for net in self.components)
        return hashlib.blake2b(states, digest_size=16).digest()
