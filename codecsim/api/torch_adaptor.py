"""A torch module as a filter of inter prediction."""

import contextlib
from collections.abc import Iterator

import numpy as np
import torch

from codecsim.errors import ConfigError
from codecsim.learned.own_filters import ADDITION, FilterInputs, FilterLesson

HUBER = 0.25  # bound of the loss, in units of ADDITION: 4 8-bit samples, as the filter that ships


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in one order, whatever the number of cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class TorchFilter:
    """See `own_filters.torch_filter`.

    Attributes
    ----------
    module : as it has learnt
    """

    def __init__(self, module: torch.nn.Module, learning_rate: float, steps: int) -> None:
        if not isinstance(module, torch.nn.Module):
            raise ConfigError(f"torch_filter takes a torch.nn.Module; found a {type(module).__name__}")
        if not (isinstance(steps, int) and steps >= 0 and 0 < learning_rate < 10):
            raise ConfigError(f"learning_rate is {learning_rate} and steps {steps}; expected above 0, and 0 or more")
        self.module, self._steps = module, steps
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        self._optimiser = torch.optim.Adam(trained, learning_rate) if trained else None

    def _addition(self, inputs: FilterInputs) -> torch.Tensor:
        """(h, w), in units of ADDITION."""
        height, width = inputs.prediction.shape
        found = self.module(torch.from_numpy(inputs.features())[None])
        if not isinstance(found, torch.Tensor) or found.shape != (1, 1, height, width):
            shown = tuple(found.shape) if isinstance(found, torch.Tensor) else f"a {type(found).__name__}"
            raise ConfigError(f"the torch module returned {shown}; expected a tensor of (1, 1, {height}, {width})")
        return found[0, 0]

    def predict(self, inputs: FilterInputs) -> np.ndarray:
        """Prediction plus what the module adds."""
        with torch.no_grad(), _one_thread():
            addition = self._addition(inputs).numpy()
        return inputs.rounded(inputs.prediction + addition * float(ADDITION << (inputs.bit_depth - 8)))

    def learn(self, lesson: FilterLesson) -> int:
        """Train on coded blocks, by Huber's loss; returns the steps."""
        if self._optimiser is None or not lesson.coded.any():
            return 0
        inputs, scale = lesson.inputs, np.float32(ADDITION << (lesson.inputs.bit_depth - 8))
        goal = torch.from_numpy((lesson.target.astype(np.float32) - inputs.prediction) / scale)
        mask = torch.from_numpy(lesson.mask)
        with _one_thread():
            for _ in range(self._steps):
                self._optimiser.zero_grad()
                error = torch.nn.functional.huber_loss(self._addition(inputs)[mask], goal[mask], delta=HUBER)
                error.backward()
                self._optimiser.step()
        return self._steps
