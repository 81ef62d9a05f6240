"""The encoder's choice of the in-loop filter, and how a picture takes it."""

import numpy as np
import pytest

from codecsim.codec.block_choices import take_filtered
from codecsim.picture.blocks import CHOICE_EVERYWHERE, CHOICE_NOWHERE, CHOICE_PER_BLOCK
from codecsim.search.loop import _block_sums, _choose


@pytest.mark.parametrize("where", [CHOICE_EVERYWHERE, CHOICE_PER_BLOCK])
@pytest.mark.parametrize("log2", [4, 5, 6])
def test_samples_are_taken_where_the_flags_are_set(where, log2):
    rng = np.random.default_rng(log2)
    filtered = rng.integers(0, 256, (72, 104)).astype(np.uint16)
    plane = rng.integers(0, 256, (72 + 8, 104 + 8)).astype(np.uint16)
    flags = rng.integers(0, 2, (5, 7)).astype(np.uint8)
    wanted = plane.copy()
    for y, x in np.ndindex(filtered.shape):
        if where == CHOICE_EVERYWHERE or flags[y // 2**log2, x // 2**log2]:
            wanted[y + 4, x + 4] = filtered[y, x]
    take_filtered(filtered, where, flags, log2, 4, plane)
    np.testing.assert_array_equal(plane, wanted)


def test_blocks_at_the_edge_are_smaller():
    values = np.arange(7 * 5).reshape(7, 5)
    wanted = [[values[y : y + 4, x : x + 4].sum() for x in (0, 4)] for y in (0, 4)]
    np.testing.assert_array_equal(_block_sums(values, 4), wanted)


def test_what_gains_most_is_chosen():
    gain = np.array([[100.0, 50.0], [80.0, -5.0]])
    assert _choose(gain, lam=0.1)[1] == CHOICE_PER_BLOCK
    np.testing.assert_array_equal(_choose(gain, lam=0.1)[2], [[1, 1], [1, 0]])
    assert _choose(gain, lam=10.0)[1] == CHOICE_EVERYWHERE
    assert _choose(-gain, lam=10.0)[1] == CHOICE_NOWHERE
