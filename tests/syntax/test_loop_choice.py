"""The in-loop filter's choice: what is written is read back, and COUNT costs what ENCODE writes."""

import numpy as np
import pytest

from codecsim.entropy import cabac
from codecsim.entropy.contexts import init_contexts
from codecsim.picture.blocks import CHOICE_PER_BLOCK
from codecsim.syntax.loop_choice import SIZES_LOG2, code_loop_choice, make_loop_choice


def random_choice(rng, height, width):
    """Any choice of a picture, zeros where nothing is coded."""
    choice = make_loop_choice(height, width)
    choice.where[:] = rng.integers(0, 3, 3)
    if (choice.where == CHOICE_PER_BLOCK).any():
        choice.size[0] = rng.integers(3)
    side = 1 << SIZES_LOG2[choice.size[0]]
    for c in np.flatnonzero(choice.where == CHOICE_PER_BLOCK):
        rows, columns = -(-height // side), -(-width // side)
        choice.flags[c, :rows, :columns] = rng.integers(0, 2, (rows, columns))
    return choice


@pytest.mark.parametrize("size", [(8, 8), (128, 256), (136, 264), (600, 72)])
def test_round_trip(size):
    rng = np.random.default_rng(size)
    for _ in range(20):
        written, found = random_choice(rng, *size), make_loop_choice(*size)
        coder = cabac.make_coder(np.zeros(1 << 12, np.uint8))
        init_contexts(coder.ctx, 1, 30)
        cabac.start_encoder(coder)
        code_loop_choice(cabac.ENCODE, coder, written, *size)
        cabac.code_terminate(cabac.ENCODE, coder, 1)
        length = cabac.finish_encoder(coder)
        assert coder.parts.sum() == coder.parts[cabac.PART_LEARNED] > 0
        reader = cabac.make_coder(coder.buf[:length].copy())
        init_contexts(reader.ctx, 1, 30)
        cabac.start_decoder(reader, 0, length)
        code_loop_choice(cabac.DECODE, reader, found, *size)
        assert cabac.code_terminate(cabac.DECODE, reader, 0) == 1
        for a, b in zip(found, written, strict=True):
            np.testing.assert_array_equal(a, b)
        counter = cabac.make_coder(np.zeros(1, np.uint8))
        init_contexts(counter.ctx, 1, 30)
        code_loop_choice(cabac.COUNT, counter, written, *size)
        assert (counter.ctx == coder.ctx).all()
