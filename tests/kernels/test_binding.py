"""Trees of namedtuples as kernels see them."""

from typing import NamedTuple

import numpy as np
import pytest

from codecsim.kernels.binding import Bound, bind
from codecsim.kernels.compilation import watch_compilation
from codecsim.kernels.jit import kernel


class Pair(NamedTuple):
    """Two fields of one type: to Numba another kind of tuple."""

    first: np.ndarray
    second: np.ndarray


class Numbers(NamedTuple):
    whole: int
    flag: bool
    real: float
    small: np.int8
    single: np.float32
    switch: bool


class Point(NamedTuple):
    x: int
    y: int


class Tree(NamedTuple):
    flag: bool
    volume: np.ndarray
    numbers: Numbers
    pair: Pair
    point: Point
    line: np.ndarray
    last: int


class Forest(NamedTuple):
    count: int
    tree: Tree
    trees: Pair  # of arrays again, after a deep field


def make_tree(k):
    volume = (np.arange(24, dtype=np.int16) - 5 * k).reshape(2, 3, 4)
    pair = Pair(np.full((2, 2), 3 + k, np.uint16), np.full((5, 1), 7 * k, np.uint16))
    numbers = Numbers(-(2**40) - k, k % 2 == 0, 0.1 * k, np.int8(-k), np.float32(k / 3), k % 2 == 1)
    return Tree(k % 2 == 1, volume, numbers, pair, Point(k, -k), np.linspace(0, k, 9, dtype=np.float32), 10**12 + k)


@kernel
def read_numbers(numbers, out):
    out[0] = numbers.whole
    out[1] = 1 if numbers.flag else 0
    out[2] = numbers.real
    out[3] = numbers.small
    out[4] = numbers.single
    out[5] = 1 if numbers.switch else 0


@kernel(unit=True)
def sum_pair(pair):
    total = 0
    for array in (pair.first, pair.second):
        for j in range(array.shape[0]):
            for i in range(array.shape[1]):
                total += array[j, i]
    return total


@kernel
def read_tree(tree, out):
    read_numbers(tree.numbers, out)
    out[6] = 1 if tree.flag else 0
    out[7] = tree.volume[1, 2, 3]
    out[8] = tree.volume.shape[0] * 100 + tree.volume.shape[1] * 10 + tree.volume.shape[2]
    out[9] = sum_pair(tree.pair)
    out[10] = tree.point.x
    out[11] = tree.point.y
    out[12] = tree.line[tree.line.size - 1]
    out[13] = tree.last


@kernel
def read_forest(forest, out):
    read_tree(forest.tree, out)
    out[14] = forest.count
    out[15] = sum_pair(forest.trees)
    numbers = forest.tree.numbers
    out[16] = numbers.small + numbers.switch


def expected(tree):
    n = tree.numbers
    values = [n.whole, n.flag, n.real, n.small, n.single, n.switch, tree.flag, tree.volume[1, 2, 3], 234]
    values += [int(tree.pair.first.sum() + tree.pair.second.sum()), *tree.point, tree.line[-1], tree.last]
    return np.array([float(value) for value in values])


@pytest.mark.parametrize("k", range(4))
def test_every_kind_of_field_is_read_back(k):
    tree, out = make_tree(k), np.zeros(17)
    read_tree(bind(tree), out)
    np.testing.assert_array_equal(out[:14], expected(tree))
    forest = Forest(k, tree, Pair(np.ones((1, k + 1), np.uint16), np.zeros((0, 3), np.uint16)))
    read_forest(bind(forest), out)
    np.testing.assert_array_equal(out[:14], expected(tree))
    assert list(out[14:]) == [k, k + 1, -k + k % 2]
    numbers = np.zeros(6)
    read_numbers(bind(tree.numbers), numbers)
    np.testing.assert_array_equal(numbers, out[:6])
    assert sum_pair(bind(forest.trees)) == k + 1


def test_values_are_not_compiled_in():
    out = np.zeros(17)
    read_tree(bind(make_tree(0)), out)
    bound = [bind(make_tree(k)) for k in range(5, 15)]
    with watch_compilation() as watch:
        for one in bound:
            read_tree(one, out)
            np.testing.assert_array_equal(out[:14], expected(one.value))
    assert watch.kernels == 0


@kernel(unit=True)
def _write(pair, value):
    pair.second[1, 0] = value


@kernel
def write(tree, value):
    tree.volume[0, 1, 2] = value
    _write(tree.pair, value + 1)
    return tree.volume[0, 1, 2] + tree.pair.second[1, 0]


def test_elements_are_shared():
    tree = make_tree(3)
    bound = bind(tree)
    assert write(bound, 40) == 81
    assert (tree.volume[0, 1, 2], tree.pair.second[1, 0]) == (40, 41)
    tree.volume[0, 1, 2] = 9
    out = np.zeros(17)
    tree.volume[1, 2, 3] = -77
    read_tree(bound, out)
    assert out[7] == -77


def test_bound_stays_bound():
    bound = bind(make_tree(1))
    assert isinstance(bound, Bound) and bind(bound) is bound
    assert bound.kind == bind(make_tree(2)).kind
    assert bound.kind != bind(make_tree(1).pair).kind


def test_arrays_need_not_be_contiguous():
    whole = np.arange(48, dtype=np.uint16).reshape(6, 8)
    pair = Pair(whole[1::2, ::3], whole[::-1, 2:4])
    assert sum_pair(bind(pair)) == pair.first.sum() + pair.second.sum()
