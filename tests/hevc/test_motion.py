"""Motion vector prediction against its naive twin, over random partitions."""

import types

import numpy as np
import pytest

from codecsim.hevc.merge import merge_candidates
from codecsim.hevc.motion import (
    PredictionUnit,
    amvp_candidates,
    distance_scale,
    make_motion_context,
    same_motion,
    scale_mv,
    wrap_mv,
)
from codecsim.kernels.binding import bind
from codecsim.picture.areas import Area
from codecsim.picture.planes import Motion, Picture
from tests.reference.motion import MotionInfo, NaiveMotion, scale

PARTS = {
    "2Nx2N": ((0, 0, 4, 4),),
    "2NxN": ((0, 0, 4, 2), (0, 2, 4, 2)),
    "Nx2N": ((0, 0, 2, 4), (2, 0, 2, 4)),
    "NxN": ((0, 0, 2, 2), (2, 0, 2, 2), (0, 2, 2, 2), (2, 2, 2, 2)),
    "2NxnU": ((0, 0, 4, 1), (0, 1, 4, 3)),
    "2NxnD": ((0, 0, 4, 3), (0, 3, 4, 1)),
    "nLx2N": ((0, 0, 1, 4), (1, 0, 3, 4)),
    "nRx2N": ((0, 0, 3, 4), (3, 0, 1, 4)),
}


def naive_zorder(width, height):
    ux, uy = np.meshgrid(np.arange(width // 4), np.arange(height // 4))
    z = sum(((ux >> b) & 1) << (2 * b) | ((uy >> b) & 1) << (2 * b + 1) for b in range(4))
    return (((uy >> 4) * -(-width // 64) + (ux >> 4)) << 8 | z).astype(np.int32)


def random_cus(rng, x, y, size, width, height):
    """Coding units of one quadtree in decoding order."""
    if x >= width or y >= height:
        return
    if x + size > width or y + size > height or (size > 8 and rng.random() < 0.6):
        for dy in (0, size // 2):
            for dx in (0, size // 2):
                yield from random_cus(rng, x + dx, y + dy, size // 2, width, height)
    else:
        yield x, y, size


def random_info(rng, lists, is_b, pool):
    if pool and rng.random() < 0.6:
        return pool[rng.integers(len(pool))]
    big = 32768 if rng.random() < 0.1 else 40
    refs = [int(rng.integers(len(pocs))) if pocs else -1 for pocs in lists]
    if is_b and rng.random() < 0.5:
        refs[rng.integers(2)] = -1
    mvs = [tuple(int(v) for v in rng.integers(-big, big, 2)) if ref >= 0 else None for ref in refs]
    return MotionInfo(mvs, refs)


def store(motion, x, y, w, h, info):
    units = (slice(y // 4, (y + h) // 4), slice(x // 4, (x + w) // 4))
    for side in range(2):
        motion.ref_idx[(*units, side)] = info.ref[side]
        motion.mv[(*units, side)] = info.mv[side] if info.mv[side] is not None else (77, 77)


def random_collocated(rng, width, height, poc, lists):
    picture = Picture(width, height, poc)
    for row, pocs in zip(picture.ref_poc, lists, strict=True):
        row[: len(pocs)] = pocs
    motion = {}
    for uy in range(0, height // 4, 2):
        for ux in range(0, width // 4, 2):
            info = random_info(rng, lists, bool(lists[1]), []) if rng.random() < 0.7 else None
            if info is not None:
                store(picture.motion, ux * 4, uy * 4, 8, 8, info)
            motion[ux, uy] = info
    return picture, (poc, lists, motion)


@pytest.mark.parametrize("seed", range(24))
def test_candidates_equal_naive_twin(seed):
    rng = np.random.default_rng(seed)
    width, height = [(int(rng.integers(2, 18)) * 8) for _ in range(2)]
    is_b, poc = seed % 2 == 0, 40
    low, high = (-40, 0) if seed % 3 else (-300, 90)
    lists = [[poc + int(d) or 1 for d in rng.integers(low, high, rng.integers(1, 5))] for _ in range(2)]
    lists = [[p if p != poc else poc - 1 for p in pocs] for pocs in lists]
    if not is_b:
        lists[1] = []
    col_poc = lists[0][0]
    col_lists = [[col_poc + int(d) for d in rng.integers(1, 9, 3) * rng.choice([-1, 1], 3)] for _ in range(2)]
    collocated, naive_collocated = random_collocated(rng, width, height, col_poc, col_lists)
    if seed % 5 == 4:
        collocated = naive_collocated = None
    from_l0, max_merge = int(rng.integers(2)), min(5, int(rng.integers(1, 10)))
    level = 2 if seed % 4 else int(rng.integers(2, 6))

    picture = Picture(width, height, poc)
    pred_mode = np.zeros((height // 4, width // 4), np.uint8)
    header = types.SimpleNamespace(
        slice_type=0 if is_b else 1, five_minus_max_num_merge_cand=5 - max_merge, collocated_from_l0=from_l0
    )
    ctx = make_motion_context(picture, collocated, lists, header, naive_zorder(width, height), pred_mode)
    ctx = ctx._replace(log2_par_mrg_level=level)
    naive = NaiveMotion(width, height, poc, lists, is_b, max_merge, level, naive_collocated, from_l0)
    out_mv, out_ref, out = np.zeros((5, 2, 2), np.int32), np.zeros((5, 2), np.int8), np.zeros((2, 2), np.int32)
    pool = []
    ctus = [(x, y) for y in range(0, height, 64) for x in range(0, width, 64)]
    for cu_x, cu_y, size in (cu for x, y in ctus for cu in random_cus(rng, x, y, 64, width, height)):
        units = (slice(cu_y // 4, (cu_y + size) // 4), slice(cu_x // 4, (cu_x + size) // 4))
        if rng.random() < 0.25:
            pred_mode[units] = 1
            naive.record(cu_x, cu_y, size, size, None)
            continue
        names = ["2Nx2N", "2NxN", "Nx2N"] if size == 8 else list(PARTS)
        part_mode = names[rng.integers(len(names))]
        for part_idx, (px, py, pw, ph) in enumerate(PARTS[part_mode]):
            x, y, w, h = cu_x + px * size // 4, cu_y + py * size // 4, pw * size // 4, ph * size // 4
            wanted = naive.merge(x, y, w, h, cu_x, cu_y, size, part_mode, part_idx)
            stop = int(rng.integers(1, 6))
            pu = PredictionUnit(Area(x, y, w, h), cu_x, cu_y, size, part_idx)
            count = merge_candidates(ctx, pu, stop, out_mv, out_ref)
            assert count == min(stop, max_merge)
            for i in range(count):
                got = MotionInfo(
                    [tuple(out_mv[i, s].tolist()) if out_ref[i, s] >= 0 else None for s in range(2)],
                    out_ref[i].tolist(),
                )
                assert got.same(wanted[i]), (x, y, w, h, part_mode, part_idx, i)
            for side in range(2 if is_b else 1):
                ref_idx = int(rng.integers(len(lists[side])))
                amvp_candidates(ctx, pu, side, ref_idx, out)
                predictors = naive.amvp(x, y, w, h, cu_x, cu_y, size, part_mode, part_idx, side, ref_idx)
                assert [tuple(mv) for mv in out.tolist()] == predictors, (x, y, w, h, part_mode, part_idx, side)
            info = random_info(rng, lists, is_b, [*pool, *wanted])
            pool = [*pool[-3:], info]
            store(picture.motion, x, y, w, h, info)
            naive.record(x, y, w, h, info)
        pred_mode[units] = rng.integers(2, 4)


def test_scaling_equals_naive_over_all_distances():
    rng = np.random.default_rng(0)
    for td in [*range(-140, 0), *range(1, 140)]:
        for tb in (-200, -128, -3, -1, 1, 2, 7, 127, 128):
            mv = int(rng.integers(-32768, 32768))
            if td != tb:
                assert scale_mv(distance_scale(td, tb), mv) == scale((mv, 0), td, tb)[0]


@pytest.mark.parametrize("value,wrapped", [(32767, 32767), (32768, -32768), (-32769, 32767), (-32768, -32768)])
def test_wrap(value, wrapped):
    assert wrap_mv(value) == wrapped


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (((0, (1, 2)), (-1, (0, 0))), ((0, (1, 2)), (-1, (9, 9))), True),  # what an unused list holds does not matter
        (((0, (1, 2)), (-1, (0, 0))), ((0, (1, 3)), (-1, (0, 0))), False),
        (((0, (1, 2)), (-1, (0, 0))), ((1, (1, 2)), (-1, (0, 0))), False),
        (((0, (1, 2)), (-1, (0, 0))), ((0, (1, 2)), (0, (0, 0))), False),
        (((0, (1, 2)), (1, (3, 4))), ((0, (1, 2)), (1, (3, 4))), True),
        (((0, (1, 2)), (1, (3, 4))), ((0, (1, 2)), (1, (5, 4))), False),
        (((-1, (1, 2)), (1, (3, 4))), ((-1, (7, 7)), (1, (3, 4))), True),
        (((-1, (1, 2)), (-1, (3, 4))), ((-1, (7, 7)), (-1, (0, 0))), True),
    ],
)
def test_same_motion(first, second, same):
    motion = Motion(np.zeros((1, 2, 2, 2), np.int16), np.zeros((1, 2, 2), np.int8))
    for ux, unit in enumerate((first, second)):
        for side, (index, mv) in enumerate(unit):
            motion.ref_idx[0, ux, side], motion.mv[0, ux, side] = index, mv
    assert same_motion(bind(motion), 0, 0, 0, 1) == same == same_motion(bind(motion), 0, 1, 0, 0)
