"""Normative.  A learner that learns when the stream orders it to."""

from typing import Any, NamedTuple

import numpy as np

from codecsim.learned.learner import NOTHING_LEARNT, LearnerInputs, LearnReport
from codecsim.tools.learner import Order


class _Waiting(NamedTuple):
    """A picture from which the learner learns if it is ordered to."""

    lesson: Any
    target: np.ndarray
    coded: np.ndarray


class SignalledLearner:
    """Any Learner, whose lesson waits for the order before the next picture.

    Parameters
    ----------
    learner : Learner with `start_again`, a reset whatever its settings say, and with digest(*more): see `digest`
    """

    takes_orders = True

    def __init__(self, learner: Any) -> None:
        self.learner = learner
        self.names, self.needs = learner.names, learner.needs
        self._waiting: _Waiting | None = None
        self._obeyed = NOTHING_LEARNT

    @property
    def has_lesson(self) -> bool:
        """Whether a picture waits for an order."""
        return self._waiting is not None

    def predict(self, inputs: LearnerInputs) -> tuple[list[np.ndarray], Any]:
        """As Learner.predict."""
        return self.learner.predict(inputs)

    def learn(self, lesson: Any, target: np.ndarray, coded: np.ndarray) -> LearnReport:
        """Keep the lesson; returns the report of the order before this picture."""
        self._waiting = _Waiting(lesson, target.copy(), coded.copy())
        report, self._obeyed = self._obeyed, NOTHING_LEARNT
        return report

    def obey(self, order: Order) -> None:
        """Before `predict`: do what the stream orders.

        Once TRAIN or HOLD has been obeyed the lesson is gone, and repeating it does nothing.

        Raises
        ------
        ModelError : as the learner's `learn`
        """
        waiting, self._waiting = self._waiting, None
        if order == Order.RESET:
            self.learner.start_again()
            self._obeyed = NOTHING_LEARNT._replace(reset=True)
        elif order == Order.TRAIN and waiting is not None:
            self._obeyed = self.learner.learn(*waiting)

    def reset(self) -> None:
        """At an IDR picture."""
        self._waiting, self._obeyed = None, NOTHING_LEARNT
        self.learner.reset()

    def snapshot(self) -> tuple[Any, ...]:
        """All that has been learnt, and the lesson that waits, for `restore`."""
        return self.learner.snapshot(), self._waiting, self._obeyed

    def restore(self, snapshot: tuple[Any, ...]) -> None:
        """Be as at a `snapshot`, which may be used again."""
        learnt, self._waiting, self._obeyed = snapshot
        self.learner.restore(learnt)

    def digest(self) -> bytes:
        """16 bytes that name the learner's state.

        Includes whether a lesson is waiting.  Excludes the lesson itself, as it excludes replay pictures.
        """
        return self.learner.digest(bytes([self.has_lesson]))
