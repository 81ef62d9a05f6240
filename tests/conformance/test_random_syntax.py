"""Streams of random decisions: this decoder, FFmpeg and libde265 agree on every sample."""

import io
import itertools
import shutil

import numpy as np
import pytest

from codecsim.codec.decoder import decode
from codecsim.picture.blocks import (
    CHOICE_EVERYWHERE,
    CHOICE_NOWHERE,
    CHOICE_PER_BLOCK,
    MODE_INTER,
    MODE_INTRA,
    MODE_SKIP,
    TSKIP_CB,
    TSKIP_CR,
    TSKIP_Y,
)
from codecsim.syntax.headers import SLICE_B
from codecsim.tools.inter_luma import InterLumaSettings
from tests.conformance.random_syntax import random_stream
from tests.conformance.runs import assert_same_pictures, check_ffmpeg, check_libde265
from tests.reference.luma_qp import derive_qp

DECODER = shutil.which("libde265-dec265") or shutil.which("dec265")


def check(seeds, folder):
    for seed in seeds:
        run = random_stream(seed)
        try:
            assert_same_pictures([picture.frame for picture in decode(io.BytesIO(run.data))], run.recon)
            check_ffmpeg(run)
            if DECODER:
                check_libde265(DECODER, run, folder)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_few(first, tmp_path):
    check(range(first, first + 20), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 4000, 100))
def test_many(first, tmp_path):
    check(range(first, first + 100), tmp_path)


@pytest.mark.parametrize(
    "learn",
    [
        InterLumaSettings(channels=8, tile_log2=4),
        InterLumaSettings(channels=16, further=3, method="sgd", reset="auto", loss="l2"),
        InterLumaSettings(channels=8, experts="online,rls,mix", further=3),
        InterLumaSettings(channels=8, experts="rls", overlapped=False, further=0),
    ],
    ids=["overlapped", "further", "experts", "linear"],
)
def test_with_learning(learn):
    """This decoder alone; hashes of the learner are in the streams."""
    modes = set()

    def watch(codec, header):
        if codec.slice.syntax.experts:
            modes.update(codec.blocks.filtering.where.tolist())

    for seed in range(15):
        run = random_stream(seed, learn=learn, obmc=bool(seed % 2), watch=watch)
        assert_same_pictures([picture.frame for picture in decode(io.BytesIO(run.data))], run.recon)
    assert modes == {CHOICE_NOWHERE, CHOICE_EVERYWHERE, CHOICE_PER_BLOCK}


def test_with_overlapped_motion_compensation():
    """This decoder alone; blocks of all kinds choose it."""
    chosen, modes = set(), set()

    def watch(codec, header):
        overlap = codec.blocks.overlap
        units = np.kron(overlap.taken, np.ones((8, 8), int))[tuple(slice(n) for n in codec.blocks.cu_log2.shape)]
        overlapped = units * (codec.blocks.pred_mode >= MODE_INTER) > 0
        modes.update(overlap.where.tolist())
        chosen.update(((codec.picture.motion.ref_idx >= 0) @ (1, 2))[overlapped].tolist())

    for seed in range(30):
        run = random_stream(seed, obmc=True, watch=watch)
        assert_same_pictures([picture.frame for picture in decode(io.BytesIO(run.data))], run.recon)
    assert chosen == {1, 2, 3} and modes == {CHOICE_NOWHERE, CHOICE_EVERYWHERE, CHOICE_PER_BLOCK}


def test_everything_occurs():
    """Of what streams can say: so that the tests above mean something."""
    names = ("part", "tu", "cu", "intra", "chroma", "merge", "ref", "skip", "group")
    names += ("lists", "coded lists", "mvd", "header")
    seen = {name: set() for name in names}
    far = levels = 0

    def watch(codec, header):
        nonlocal far, levels
        blocks, motion = codec.blocks, codec.picture.motion
        inter, intra = blocks.pred_mode == MODE_INTER, blocks.pred_mode == MODE_INTRA
        seen["part"] |= {*np.unique(blocks.part_mode[inter]), *(-np.unique(blocks.part_mode[intra]).astype(int) - 1)}
        seen["tu"] |= {*np.unique(blocks.tu_log2)}
        seen["cu"] |= {*np.unique(blocks.cu_log2)}
        seen["intra"] |= {*np.unique(blocks.intra_luma[intra])}
        seen["chroma"] |= {*np.unique(blocks.intra_chroma[intra])}
        seen["merge"] |= {
            *np.unique(blocks.merge[inter]),
            *(-np.unique(blocks.merge[blocks.pred_mode == MODE_SKIP]).astype(int)),
        }
        for kind, area in (("intra", intra), ("inter", inter)):
            seen["skip"] |= {(kind, bit) for bit in (TSKIP_Y, TSKIP_CB, TSKIP_CR) if (blocks.cbf[area] & bit).any()}
        syntax = codec.slice.syntax
        if syntax.qp_delta:
            group = 1 << syntax.group_log2
            qp, differences = derive_qp(blocks, blocks.qp, codec.slice.qp, group, syntax.bit_depth)
            np.testing.assert_array_equal(blocks.qp, qp)
            seen["group"] |= {(group, np.sign(difference)) for difference in differences}
        seen["ref"] |= {(side, int(k)) for side in range(2) for k in np.unique(motion.ref_idx[..., side])}
        used = (motion.ref_idx >= 0) @ (1, 2)  # 1 list 0, 2 list 1, 3 both
        seen["lists"] |= {*np.unique(used[blocks.pred_mode >= MODE_INTER])}
        seen["coded lists"] |= {*np.unique(used[inter & (blocks.merge == 0)])}
        both = header.slice_type == SLICE_B
        seen["mvd"] |= {both and header.mvd_l1_zero and bool((used[inter & (blocks.merge == 0)] == 3).any())}
        poc = codec.picture.poc
        seen["header"] |= {
            ("slice type", header.slice_type),
            (
                "later pictures",
                both and any(found > poc for found in codec.picture.ref_poc[0, : header.num_ref_idx[0]]),
            ),
            *((both, "list", side, header.list_entries[side] is not None) for side in range(2)),
            ("motion from list 1", both and header.temporal_mvp and not header.collocated_from_l0),
        }
        far = max(far, int(abs(motion.mv.astype(int)).max()))
        levels = max(levels, int(abs(codec.levels.y.astype(int)).max()))

    for seed in range(60):
        random_stream(seed, watch=watch)
    assert seen["part"] == {0, 1, 2, 4, 5, 6, 7, -1, -4}
    assert seen["tu"] == {2, 3, 4, 5} and seen["cu"] == {3, 4, 5, 6}
    assert seen["intra"] == set(range(35)) and seen["chroma"] == set(range(5))
    assert seen["merge"] == set(range(-5, 6))
    assert seen["skip"] == {*itertools.product(("intra", "inter"), (TSKIP_Y, TSKIP_CB, TSKIP_CR))}
    assert seen["group"] == {*itertools.product((8, 16, 32, 64), (-1, 0, 1))}
    assert seen["ref"] >= {(side, k) for side in range(2) for k in range(-1, 6)}
    assert seen["lists"] == seen["coded lists"] == {1, 2, 3} and True in seen["mvd"]
    assert seen["header"] >= {
        *(("slice type", kind) for kind in range(3)),
        ("later pictures", True),
        *((both, "list", 0, True) for both in (False, True)),
        (True, "list", 1, True),
        ("motion from list 1", True),
    }
    assert far > 4000 and levels > 4000
