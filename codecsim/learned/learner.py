"""Normative.  What learns from picture to picture, alike in encoder and decoder: the protocol, and groups of learners.

For each picture a learner filters a prediction, and later learns from what the picture became:

    planes, lesson = learner.predict(inputs)
    ...                                       # the picture is reconstructed
    report = learner.learn(lesson, target, coded)

`predict` changes nothing that counts, and may be called several times; all that `learn` needs of it is in the lesson.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from codecsim.picture.blocks import Blocks
from codecsim.picture.planes import Motion
from codecsim.tools.learner import Order

_Value = TypeVar("_Value")


@dataclass(frozen=True, eq=False)
class LearnerInputs:
    """What a filter of inter prediction knows of a picture.  Arrays are not to be written to."""

    prediction: np.ndarray  # (h, w) uint16, of the component that is filtered
    aux: Mapping[str, np.ndarray]  # what the learner needs beside it, by name: see Learner.needs
    qp: int  # of the slice
    bit_depth: int
    blocks: Blocks | None = None  # decisions per 4x4 luma samples
    motion: Motion | None = None
    _made: dict[str, Any] = field(default_factory=dict)

    def with_prediction(self, prediction: np.ndarray) -> "LearnerInputs":
        """The same for another prediction, sharing what is made once."""
        return replace(self, prediction=prediction)

    def once(self, name: str, make: Callable[[], _Value]) -> _Value:
        """What `make` returns, made once for all filters that share these inputs."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]


class Lesson(Protocol):
    """What a learner keeps of a picture that it has filtered, for `learn`."""

    inputs: LearnerInputs

    def output(self, name: str) -> np.ndarray | None:
        """What the expert of a name made of the picture, None where there is none."""


class LearnReport(NamedTuple):
    """What `learn` did."""

    trained_steps: int
    accumulated_loss: int  # absolute error in samples, since the last training
    reset: bool
    fitted_samples: int = 0  # that the linear filters took in


NOTHING_LEARNT = LearnReport(0, 0, False)


class LearnerState(Protocol):
    """What has a state that encoder and decoder must have alike."""

    def reset(self) -> None:
        """At an IDR picture: return to the beginning, as far as the settings say so."""

    def snapshot(self) -> Any:
        """All that has been learnt, for `restore`."""

    def restore(self, snapshot: Any) -> None:
        """Be as at a `snapshot`, which may be used again."""

    def digest(self) -> bytes:
        """16 bytes that name the state; streams carry them, so they must not change."""


class Learner(LearnerState, Protocol):
    """A filter of inter prediction that learns.

    Attributes
    ----------
    names : what blocks may choose among: the planes that `predict` returns, in order
    needs : names of what LearnerInputs.aux must hold: see InterFiltering
    """

    names: tuple[str, ...]
    needs: tuple[str, ...]

    @property
    def takes_orders(self) -> bool:
        """Whether it is a SignalledLearner, or a group of such; it then has their `obey` and `has_lesson`."""

    def predict(self, inputs: LearnerInputs) -> tuple[list[np.ndarray], Any]:
        """Filter a prediction.

        Returns
        -------
        planes : list of (h, w) uint16, one for each of `names`
        lesson : Lesson, for `learn`
        """

    def learn(self, lesson: Any, target: np.ndarray, coded: np.ndarray) -> LearnReport:
        """Learn from the picture of a lesson.

        Parameters
        ----------
        lesson : Lesson of this learner's `predict`
        target : (h, w) uint16, the reconstruction before in-loop filters
        coded : (h // 4, w // 4) uint8, inputs.CODED or UNCODED in units of inter blocks, else 0
        """


def joined_digest(parts: Sequence[bytes]) -> bytes:
    """16 bytes that name all parts; those of the part itself where there is one."""
    return parts[0] if len(parts) == 1 else hashlib.blake2b(b"".join(parts), digest_size=16).digest()


def joined_report(reports: Sequence[LearnReport]) -> LearnReport:
    """What several learners did."""
    steps, losses, resets, fitted = zip(*reports, strict=True)
    return LearnReport(sum(steps), sum(losses), any(resets), sum(fitted))


class LearnerGroup:
    """Several learners as one.

    Parameters
    ----------
    members : sequence of LearnerState, in the order of their digests
    """

    def __init__(self, members: Sequence[Any]) -> None:
        self.members = tuple(members)

    @property
    def _obedient(self) -> list[Any]:
        return [member for member in self.members if member.takes_orders]

    @property
    def takes_orders(self) -> bool:
        """Whether any of them does."""
        return bool(self._obedient)

    @property
    def has_lesson(self) -> bool:
        """Whether a picture waits for an order."""
        return any(member.has_lesson for member in self._obedient)

    def obey(self, order: Order) -> None:
        """As SignalledLearner.obey, all that take orders."""
        for member in self._obedient:
            member.obey(order)

    def reset(self) -> None:
        """At an IDR picture."""
        for member in self.members:
            member.reset()

    def snapshot(self) -> tuple[Any, ...]:
        """All that has been learnt, for `restore`."""
        return tuple(member.snapshot() for member in self.members)

    def restore(self, snapshot: tuple[Any, ...]) -> None:
        """Be as at a `snapshot`, which may be used again."""
        for member, own in zip(self.members, snapshot, strict=True):
            member.restore(own)

    def digest(self) -> bytes:
        """16 bytes that name the state of all."""
        return joined_digest([member.digest() for member in self.members])
