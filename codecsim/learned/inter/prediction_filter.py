"""Normative.  The filter of inter prediction that learns from each picture, alike in encoder and decoder."""

from typing import Any

import numpy as np

from codecsim.errors import ConfigError
from codecsim.learned.engine.self_check import check_engine
from codecsim.learned.engine.weights import InitialWeights, builtin_weights
from codecsim.learned.inter.experts import (
    EXPERTS,
    ExpertSetup,
    OnlineExpert,
    PictureLesson,
    choose_experts,
    running_experts,
)
from codecsim.learned.inter.input_planes import Canvas, fill_planes, planes_of
from codecsim.learned.inter.online_net import OnlineNet, PictureShape
from codecsim.learned.inter.signalled import SignalledLearner
from codecsim.learned.learner import LearnerInputs, LearnReport, joined_digest, joined_report
from codecsim.tools.learner import Control, Expert, LearnerSettings, Reset


class PredictionFilter:
    """A net, P' = clip(P + net(inputs)), and other experts; then they learn from the reconstruction.  A Learner.

    Parameters
    ----------
    params : LearnerSettings
    width, height : of the component in samples, multiples of 4
    bit_depth : 8..12
    initial : InitialWeights, which decide the network's shape; default the built-in ones for params.spec, with which
        the filter is the identity
    threads : of `predict`; does not change results
    inputs : names of the input planes of the net, see input_planes; default those that the parameters switch on

    Raises
    ------
    ConfigError : for an impossible size or depth, or weights for other inputs
    ModelError : where this machine does not compute as the format demands

    Attributes
    ----------
    experts : tuple of Expert, what the choice of a block has for 1, 2, ...
    net : OnlineNet
    """

    takes_orders = False

    def __init__(
        self,
        params: LearnerSettings,
        width: int,
        height: int,
        bit_depth: int = 8,
        initial: InitialWeights | None = None,
        threads: int = 1,
        inputs: tuple[str, ...] | None = None,
    ) -> None:
        if width < 4 or height < 4 or width % 4 or height % 4 or not 8 <= bit_depth <= 12:
            raise ConfigError(f"learned tools: no filter for {width}x{height} at {bit_depth} bits")
        self.inputs = params.inputs if inputs is None else inputs
        self._planes = planes_of(self.inputs)
        initial = initial or builtin_weights(params.spec)
        wanted = len(self._planes) + len(self._planes) % 2
        if initial.spec.n_inputs != wanted or initial.spec.n_outputs != 1:
            raise ConfigError(
                f"learned tools: the initial weights are for {initial.spec}; expected {wanted} inputs and 1 output"
            )
        check_engine([initial.spec])
        self.params, self.shape = params, PictureShape(width, height, bit_depth)
        self.needs = tuple(dict.fromkeys(name for plane in self._planes for name in plane.needs))
        self._others = tuple(plane.needs[0] for plane in self._planes if plane.is_prediction)
        self.net = OnlineNet(params, self.shape, initial, threads)
        self.experts = choose_experts(params, initial)
        self.names = tuple(str(expert.name).lower() for expert in self.experts)
        self._running = {
            expert: EXPERTS[expert].make(ExpertSetup(expert, self.net, self.experts, len(self._others)))
            for expert in running_experts(self.experts)
        }
        self._stateful = {Expert.ONLINE: OnlineExpert(self.net), **self._running}  # the net's state is always named
        self._rows = np.zeros((height, width), np.int32)

    @property
    def state(self) -> Any:
        """LearnerState of the net."""
        return self.net.state

    def predict(self, inputs: LearnerInputs) -> tuple[list[np.ndarray], PictureLesson]:
        """As Learner.predict: a plane for each of `experts`.

        Raises
        ------
        ConfigError : for a missing plane, or a wrong shape of one
        """
        width, height, _ = self.shape
        missing = [name for name in self.needs if name not in inputs.aux]
        if missing:
            raise ConfigError(f"learned tools: {', '.join(missing)} are needed, but are not given")
        others = tuple(np.ascontiguousarray(inputs.aux[name]) for name in self._others)
        for plane in (inputs.prediction, *others):
            if plane.shape != (height, width) or plane.dtype != np.uint16:
                raise ConfigError(f"learned tools: expected {height}x{width} uint16, got {plane.shape}")
        own = inputs.with_prediction(inputs.prediction.copy())
        planes = np.zeros((self.net.spec.n_inputs, *self.net.plane_shape), np.int16)
        fill_planes(self._planes, own, Canvas(planes, self.net.spec.margin, self._rows))
        lesson = PictureLesson(own, planes, others)
        for expert, filtering in self._running.items():
            lesson.outputs[expert] = filtering.predict(lesson)
        return [lesson.outputs[expert].copy() for expert in self.experts], lesson

    def learn(self, lesson: PictureLesson, target: np.ndarray, coded: np.ndarray) -> LearnReport:
        """As Learner.learn.

        Raises
        ------
        ModelError : where this thread flushes subnormal numbers to zero
        """
        target, coded = np.ascontiguousarray(target, np.uint16), np.ascontiguousarray(coded, np.uint8)
        reports = [expert.learn(lesson, target, coded) for expert in self._stateful.values()]
        fitted = max(report.fitted_samples for report in reports)  # all linear filters take in the same samples
        return joined_report(reports)._replace(fitted_samples=fitted)

    def reset(self) -> None:
        """At an IDR picture: return to the initial weights; with Reset.NEVER only forget the pictures before it."""
        if self.params.reset == Reset.NEVER:
            self.state.replay = ()
        else:
            self.start_again()

    def start_again(self) -> None:
        """Return to the initial weights."""
        for expert in self._stateful.values():
            expert.reset()

    def snapshot(self) -> Any:
        """As Learner.snapshot."""
        return tuple(expert.snapshot() for expert in self._stateful.values())

    def restore(self, snapshot: Any) -> None:
        """As Learner.restore."""
        for expert, own in zip(self._stateful.values(), snapshot, strict=True):
            expert.restore(own)

    def digest(self, *more: bytes) -> bytes:
        """16 bytes that name the state, and what a wrapper adds to it."""
        return joined_digest([*(part for expert in self._stateful.values() for part in expert.digests()), *more])


def make_learner(params: LearnerSettings, *args: Any, **kwargs: Any) -> PredictionFilter | SignalledLearner:
    """A PredictionFilter, made to wait for orders where its parameters say so."""
    own = PredictionFilter(params, *args, **kwargs)
    return SignalledLearner(own) if params.control == Control.SIGNALLED else own
