"""Normative.  The experts among which blocks choose, each behind one interface.

To add one: its class here or in a file of its own; its entry in EXPERTS; its name among params.Expert, which the stream
carries.  Experts run in the order of that enumeration, and may look at what those before them made.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from codecsim.learned.engine.weights import InitialWeights
from codecsim.learned.inter.inputs import CODED
from codecsim.learned.inter.online_net import OnlineNet, Taught
from codecsim.learned.inter.rls import DIFFERENCE_SIDE, PREDICTION_SIDE, LinearFilter, feature_planes
from codecsim.learned.learner import NOTHING_LEARNT, LearnerInputs, LearnReport
from codecsim.tools.learner import Control, Expert, LearnerSettings


class PictureLesson:
    """A picture as experts see it, and what each has made of it; the Lesson of a PredictionFilter.

    Parameters
    ----------
    inputs : LearnerInputs, in memory of its own
    planes : (n_inputs, ...) int16, of the net
    others : further predictions, which linear filters take too

    Attributes
    ----------
    outputs : dict of Expert to (h, w) uint16
    """

    def __init__(self, inputs: LearnerInputs, planes: np.ndarray, others: tuple[np.ndarray, ...]) -> None:
        self.inputs, self.planes, self._others = inputs, planes, others
        self.outputs: dict[Expert, np.ndarray] = {}
        self._features: np.ndarray | None = None

    def output(self, name: str) -> np.ndarray | None:
        """As Lesson.output."""
        return self.outputs.get(Expert[name.upper()])

    def features(self, further: tuple[Expert, ...]) -> np.ndarray:
        """Planes of features of linear filters, made once: the prediction, the others, what some experts made."""
        if self._features is None:
            others = (*self._others, *(self.outputs[expert] for expert in further))
            self._features = feature_planes(self.inputs.prediction, others, self.inputs.bit_depth)
        return self._features


class ExpertFilter(Protocol):
    """One expert.

    Attributes
    ----------
    requires : Experts whose outputs it takes, which run before it even where blocks cannot choose them
    """

    requires: tuple[Expert, ...]

    def predict(self, lesson: PictureLesson) -> np.ndarray:
        """The filtered prediction, (h, w) uint16; what it needs again for `learn` it finds in the lesson."""

    def learn(self, lesson: PictureLesson, target: np.ndarray, coded: np.ndarray) -> LearnReport:
        """Learn from what the picture became: as Learner.learn."""

    def reset(self) -> None:
        """Forget all."""

    def snapshot(self) -> Any:
        """All that has been learnt, for `restore`."""

    def restore(self, snapshot: Any) -> None:
        """Be as at a `snapshot`, which may be used again."""

    def digests(self) -> tuple[bytes, ...]:
        """Names of its state, nothing where it has none."""


class InitialExpert:
    """The net with its initial weights."""

    requires: tuple[Expert, ...] = ()

    def __init__(self, net: OnlineNet) -> None:
        self._net = net

    def predict(self, lesson: PictureLesson) -> np.ndarray:
        """As ExpertFilter.predict."""
        return self._net.run(self._net.state.initial.master, lesson.inputs.prediction, lesson.planes)

    def learn(self, lesson: PictureLesson, target: np.ndarray, coded: np.ndarray) -> LearnReport:
        """It does not learn."""
        return NOTHING_LEARNT

    def reset(self) -> None:
        """There is nothing to forget."""

    def snapshot(self) -> None:
        """There is nothing to keep."""

    def restore(self, snapshot: None) -> None:
        """There is nothing to bring back."""

    def digests(self) -> tuple[bytes, ...]:
        """It has no state."""
        return ()


class OnlineExpert:
    """The net as it learns."""

    requires: tuple[Expert, ...] = ()

    def __init__(self, net: OnlineNet) -> None:
        self._net = net

    def predict(self, lesson: PictureLesson) -> np.ndarray:
        """As ExpertFilter.predict."""
        return self._net.run(self._net.state.weights, lesson.inputs.prediction, lesson.planes)

    def learn(self, lesson: PictureLesson, target: np.ndarray, coded: np.ndarray) -> LearnReport:
        """As ExpertFilter.learn; nothing where no expert asks for it."""
        if Expert.ONLINE not in lesson.outputs:
            return NOTHING_LEARNT
        made, inputs = lesson.outputs, lesson.inputs
        return self._net.learn(
            Taught(
                inputs.prediction,
                lesson.planes,
                made[Expert.ONLINE],
                made.get(Expert.INITIAL),
                target,
                coded,
                inputs.qp,
            )
        )

    def reset(self) -> None:
        """Return to the initial weights."""
        self._net.state.reset()

    def snapshot(self) -> Any:
        """As ExpertFilter.snapshot."""
        return self._net.state.copy()

    def restore(self, snapshot: Any) -> None:
        """As ExpertFilter.restore."""
        self._net.state = snapshot.copy()

    def digests(self) -> tuple[bytes, ...]:
        """Of the net."""
        return (self._net.state.digest(),)


class LinearExpert:
    """A linear filter over the prediction, or over what another expert made."""

    def __init__(self, linear: LinearFilter, expert: Expert, base: Expert | None, further: tuple[Expert, ...]) -> None:
        self.linear, self._expert, self._base, self._further = linear, expert, base, further
        self.requires: tuple[Expert, ...] = () if base is None else (base,)

    def _base_of(self, lesson: PictureLesson) -> np.ndarray:
        return lesson.inputs.prediction if self._base is None else lesson.outputs[self._base]

    def predict(self, lesson: PictureLesson) -> np.ndarray:
        """As ExpertFilter.predict."""
        return self.linear.predict(lesson.features(self._further), self._base_of(lesson))

    def learn(self, lesson: PictureLesson, target: np.ndarray, coded: np.ndarray) -> LearnReport:
        """As ExpertFilter.learn."""
        is_coded = (coded == CODED).astype(np.uint8)
        made = lesson.outputs[self._expert]
        self.linear.learn(lesson.features(self._further), self._base_of(lesson), made, target, is_coded)
        return NOTHING_LEARNT._replace(fitted_samples=16 * int(np.count_nonzero(is_coded)))

    def reset(self) -> None:
        """Forget all."""
        self.linear.reset()

    def snapshot(self) -> Any:
        """As ExpertFilter.snapshot."""
        return self.linear.snapshot()

    def restore(self, snapshot: Any) -> None:
        """As ExpertFilter.restore."""
        self.linear.restore(snapshot)

    def digests(self) -> tuple[bytes, ...]:
        """Of the filter."""
        return (self.linear.digest(),)


def linear_sides(expert: Expert, n_others: int) -> tuple[int, ...]:
    """Squares of taps, as LinearFilter takes them, of an Expert with so many further predictions; () if it is none."""
    sides = (PREDICTION_SIDE, *(DIFFERENCE_SIDE,) * n_others)
    return {Expert.RLS: sides, Expert.MIX: (*sides, 1)}.get(expert, ())


def _make_linear(expert: Expert, net: OnlineNet, experts: tuple[Expert, ...], n_others: int) -> LinearExpert:
    linear = LinearFilter(*net.shape, linear_sides(expert, n_others))
    mixes = Expert.MIX in experts  # all linear filters share the planes of features
    base = Expert.ONLINE if expert == Expert.MIX else None
    return LinearExpert(linear, expert, base, (Expert.ONLINE,) if mixes else ())


# (the expert, the net, all experts of the filter, its further predictions) -> ExpertFilter
EXPERTS: Mapping[Expert, Callable[[Expert, OnlineNet, tuple[Expert, ...], int], ExpertFilter]] = {
    Expert.INITIAL: lambda expert, net, experts, n_others: InitialExpert(net),
    Expert.ONLINE: lambda expert, net, experts, n_others: OnlineExpert(net),
    Expert.RLS: _make_linear,
    Expert.MIX: _make_linear,
}


def choose_experts(params: LearnerSettings, initial: InitialWeights) -> tuple[Expert, ...]:
    """The experts of a stream, at least one: those that its parameters name, less an initial net that adds nothing.

    Without training the net stays as it began, and the identity is what a block without filter has.
    """
    named = tuple(expert for expert in Expert if expert & params.experts)
    stays = Expert.ONLINE in named and params.control == Control.NEVER
    useful = tuple(expert for expert in named if expert != Expert.INITIAL or not (stays or initial.is_identity))
    return useful or named
