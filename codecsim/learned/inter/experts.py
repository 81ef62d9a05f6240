"""Normative.  The experts among which blocks choose, each behind one interface.

To add one: its class here or in a file of its own; its entry in EXPERTS; its name among tools.learner.Expert, which
the stream carries.  Experts run in the order of that enumeration, and may look at what those before them made.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from codecsim.learned.engine.complexity import fit_macs, forward_macs
from codecsim.learned.engine.spec import NetSpec
from codecsim.learned.engine.weights import InitialWeights
from codecsim.learned.inter.inputs import CODED
from codecsim.learned.inter.online_net import OnlineNet, Taught
from codecsim.learned.inter.rls import DIFFERENCE_SIDE, PREDICTION_SIDE, LinearFilter, feature_planes, make_taps
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
    """One expert."""

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
    """Squares of taps, as LinearFilter takes them, of a linear Expert with so many further predictions."""
    net = (1,) if expert == Expert.MIX else ()
    return (PREDICTION_SIDE, *(DIFFERENCE_SIDE,) * n_others, *net)


class ExpertSetup(NamedTuple):
    """What an expert is made for."""

    expert: Expert
    net: OnlineNet
    experts: tuple[Expert, ...]  # all of the filter
    n_others: int  # further predictions


def _make_linear(of: ExpertSetup) -> LinearExpert:
    linear = LinearFilter(*of.net.shape, linear_sides(of.expert, of.n_others))
    mixes = Expert.MIX in of.experts  # all linear filters share the planes of features
    base = Expert.ONLINE if of.expert == Expert.MIX else None
    return LinearExpert(linear, of.expert, base, (Expert.ONLINE,) if mixes else ())


def _net_macs(expert: Expert, spec: NetSpec, n_others: int) -> int:
    return forward_macs(spec)


def _features(expert: Expert, spec: NetSpec, n_others: int) -> int:
    return len(make_taps(linear_sides(expert, n_others))) + 1


class ExpertKind(NamedTuple):
    """What is known of an expert before it runs."""

    make: Callable[[ExpertSetup], ExpertFilter]
    macs: Callable[[Expert, NetSpec, int], int]  # multiply-accumulates a sample, with so many further predictions
    is_fitted: bool = False  # whether it is fitted to coded samples, by normal equations of as many features as macs
    requires: tuple[Expert, ...] = ()  # whose outputs it takes; they run before it even where blocks do not have them


EXPERTS: Mapping[Expert, ExpertKind] = {
    Expert.INITIAL: ExpertKind(lambda of: InitialExpert(of.net), _net_macs),
    Expert.ONLINE: ExpertKind(lambda of: OnlineExpert(of.net), _net_macs),
    Expert.RLS: ExpertKind(_make_linear, _features, is_fitted=True),
    Expert.MIX: ExpertKind(_make_linear, _features, is_fitted=True, requires=(Expert.ONLINE,)),
}


def running_experts(experts: tuple[Expert, ...]) -> tuple[Expert, ...]:
    """These experts and those that they require, in the order in which they run."""
    required = {required for expert in experts for required in EXPERTS[expert].requires}
    return tuple(expert for expert in Expert if expert in {*experts} | required)


def inference_macs(experts: tuple[Expert, ...], spec: NetSpec, n_others: int) -> int:
    """Multiply-accumulates a sample of what runs for these experts."""
    return sum(EXPERTS[expert].macs(expert, spec, n_others) for expert in running_experts(experts))


def fitting_macs(experts: tuple[Expert, ...], spec: NetSpec, n_others: int) -> int:
    """Multiply-accumulates a coded sample to fit those of them that are fitted."""
    fitted = [expert for expert in running_experts(experts) if EXPERTS[expert].is_fitted]
    return sum(fit_macs(EXPERTS[expert].macs(expert, spec, n_others)) for expert in fitted)


def choose_experts(params: LearnerSettings, initial: InitialWeights) -> tuple[Expert, ...]:
    """The experts of a stream, at least one: those that its parameters name, less an initial net that adds nothing.

    Without training the net stays as it began, and the identity is what a block without filter has.
    """
    named = tuple(expert for expert in Expert if expert & params.experts)
    stays = Expert.ONLINE in named and params.control == Control.NEVER
    useful = tuple(expert for expert in named if expert != Expert.INITIAL or not (stays or initial.is_identity))
    return useful or named
