"""Speed of every sample kernel, in nanoseconds a sample and milliseconds a CIF picture.

    python benchmarks/kernels.py [--json] [--only intra] [--output FILE.md] [--history FILE.jsonl]

One thread; CPU time, best of several runs over all blocks of a CIF picture (luma and, where both are coded by the same
call, chroma).  Called from a compiled loop, so that the cost of a call from Python is left out.
"""

import argparse
import json
import sys
import time

import measuring
import numpy as np

from codecsim.entropy.cabac import make_coder
from codecsim.entropy.contexts import init_contexts
from codecsim.hevc import deblock, distortion, inter, intra, sao, transform
from codecsim.hevc.tables import make_zorder
from codecsim.kernels.binding import bind
from codecsim.kernels.jit import kernel
from codecsim.picture.areas import Area, Place, TransformBlock, Vector
from codecsim.picture.blocks import make_blocks
from codecsim.picture.planes import PAD_Y, Picture, Planes
from codecsim.search.motion import interpolate_picture
from codecsim.search.quantise import Quantiser, make_quantising, quantise

WIDTH, HEIGHT = 352, 288
WIDTH_C, HEIGHT_C = WIDTH // 2, HEIGHT // 2


@kernel
def _gather(plane, zorder, refs, log2):
    for y in range(0, HEIGHT, 1 << log2):
        for x in range(0, WIDTH, 1 << log2):
            around = intra.Surroundings(plane, PAD_Y, zorder)
            intra.gather_references(around, TransformBlock(y, x, log2, 0), 8, refs)
            intra.filter_references(refs, log2, True, 8)


@kernel
def _predict_mode(refs, dst, log2, mode):
    for y in range(0, HEIGHT, 1 << log2):
        for x in range(0, WIDTH, 1 << log2):
            intra.predict_mode(refs, log2, mode, 0, 8, dst, y, x)


@kernel
def _inverse(levels, res, tmp, log2, is_dst):
    for y in range(0, HEIGHT, 1 << log2):
        for x in range(0, WIDTH, 1 << log2):
            transform.dequant_inverse(levels, TransformBlock(y, x, log2, 0), 30, is_dst, 8, res, tmp)


@kernel
def _forward(res, out, tmp, log2, is_dst):
    for _ in range(WIDTH * HEIGHT >> 2 * log2):
        transform.fwd_transform(res, log2, is_dst, 8, out, tmp)


@kernel
def _add(pred, res, rec, log2):
    for y in range(0, HEIGHT, 1 << log2):
        for x in range(0, WIDTH, 1 << log2):
            transform.add_residual(pred, Place(y, x), res, 1 << log2, rec, Place(y, x), 8)


@kernel
def _luma(ref, mvx, mvy, dst, tmp, log2):
    n = 1 << log2
    for y in range(0, HEIGHT, n):
        for x in range(0, WIDTH, n):
            inter.predict_luma_uni(ref, Vector(mvx, mvy), Area(x, y, n, n), dst, Place(y, x), tmp, 8)


@kernel
def _chroma(ref, mvx, mvy, dst, tmp, log2):
    n = 1 << log2
    for y in range(0, HEIGHT_C, n):
        for x in range(0, WIDTH_C, n):
            inter.predict_chroma_uni(ref, Vector(mvx, mvy), Area(x, y, n, n), dst, Place(y, x), tmp, 8)


@kernel
def _luma_bi(ref, dst, first, tmp, log2):
    n = 1 << log2
    for y in range(0, HEIGHT, n):
        for x in range(0, WIDTH, n):
            inter.predict_luma_14bit(ref, Vector(5, -7), Area(x, y, n, n), first, Place(y, x), tmp, 8)
            inter.average_bi(first, first, Area(x, y, n, n), dst, Place(y, x), 8)


@kernel
def _distortion(which, original, ref, log2):
    n = 1 << log2
    total = 0
    for y in range(0, HEIGHT, n):
        for x in range(0, WIDTH, n):
            if which == 0:
                total += distortion.sad(original, y, x, ref, y + PAD_Y, x + PAD_Y, n, n)
            elif which == 1:
                total += distortion.sse(original, y, x, ref, y + PAD_Y, x + PAD_Y, n, n)
            else:
                total += distortion.satd(original, y, x, ref, y + PAD_Y, x + PAD_Y, n, n)
    return total


@kernel
def _quantise(coef, levels, log2, how, ctx, work):
    for k in range(coef.shape[0]):
        quantise(coef[k], levels, TransformBlock(0, 0, log2, 0), how, ctx, work)


def make_picture(rng):
    """A picture of smooth texture with a little noise."""
    picture = Picture(WIDTH, HEIGHT)
    for plane in picture.inner():
        wave = np.add.outer(np.sin(np.arange(plane.shape[0]) / 9), np.cos(np.arange(plane.shape[1]) / 13))
        plane[:] = np.clip(128 + 50 * wave + rng.normal(0, 2, plane.shape), 0, 255)
    picture.pad()
    return picture


def intra_cases(rng):
    plane, zorder = make_picture(rng).planes.y, make_zorder(HEIGHT // 4, WIDTH // 4)
    refs = rng.integers(0, 256, intra.REFS_SHAPE).astype(np.int32)
    dst = np.zeros((HEIGHT, WIDTH), np.uint16)
    for log2 in range(2, 6):
        yield f"intra gather and filter {1 << log2}", _gather, (plane, zorder, refs, log2)
        for name, mode in (("planar", 0), ("DC", 1), ("horizontal", 10), ("angular 5", 5), ("angular 22", 22)):
            yield f"intra {name} {1 << log2}", _predict_mode, (refs, dst, log2, mode)


def transform_cases(rng):
    res = rng.integers(-100, 101, transform.RES_SIZE).astype(np.int32)
    out, tmp = np.zeros(transform.RES_SIZE, np.int32), np.zeros(transform.TMP_SIZE, np.int32)
    plane = rng.integers(0, 256, (HEIGHT, WIDTH)).astype(np.uint16)
    for log2, is_dst in ((2, True), (2, False), (3, False), (4, False), (5, False)):
        n, kind = 1 << log2, "DST" if is_dst else "DCT"
        for name, size in (("DC only", 1), ("sparse", max(2, n // 4)), ("full", n)):
            block = np.zeros((n, n), np.int16)
            block[:size, :size] = rng.integers(1, 9, (size, size))
            levels = np.tile(block, (HEIGHT // n, WIDTH // n))
            yield f"inverse {kind} {n} {name}", _inverse, (levels, out, tmp, log2, is_dst)
        yield f"forward {kind} {n}", _forward, (res, out, tmp, log2, is_dst)
        if not is_dst:
            yield f"add residual {n}", _add, (plane, res, plane, log2)


def inter_cases(rng):
    planes = make_picture(rng).planes
    dst, tmp = np.zeros((HEIGHT, WIDTH), np.uint16), np.zeros(inter.TMP_SIZE, np.int32)
    wide = np.zeros((HEIGHT, WIDTH), np.int32)
    phases = (("whole", 8, -16), ("across", 13, -16), ("down", 8, -13), ("both", 13, -13))
    for log2 in (3, 4, 5):
        for name, mvx, mvy in phases:
            yield f"inter luma {1 << log2} {name}", _luma, (planes.y, mvx, mvy, dst, tmp, log2)
        yield f"inter luma {1 << log2} bi", _luma_bi, (planes.y, dst, wide, tmp, log2)
    for log2 in (2, 3, 4):
        for name, mvx, mvy in phases:
            yield f"inter chroma {1 << log2} {name}", _chroma, (planes.u, mvx, mvy, dst, tmp, log2)


def distortion_cases(rng):
    ref = make_picture(rng).planes.y
    original = rng.integers(0, 256, (HEIGHT, WIDTH)).astype(np.uint16)
    for which, name in enumerate(("SAD", "SSE", "SATD")):
        for log2 in range(2, 6):
            yield f"{name} {1 << log2}", _distortion, (which, original, ref, log2)


def search_cases(rng):
    plane = make_picture(rng).planes.y
    phases, rows = np.zeros((16, *plane.shape), np.uint16), np.zeros(plane.shape, np.int16)
    yield "interpolation of a reference picture", interpolate_picture, (plane, phases, rows, 8)
    ctx, work = make_coder(np.zeros(1, np.uint8)).ctx, bind(make_quantising())
    init_contexts(ctx, 1, 32)
    how = Quantiser(qp=32, bit_depth=8, lam=0.57 * 2 ** (20 / 3), scan_idx=0, hide=1)
    for log2 in range(2, 6):
        n = 1 << log2
        fall = 0.8 ** np.add.outer(np.arange(n), np.arange(n)).ravel()
        levels = np.zeros((n, n), np.int16)
        for name, scale in (("few", 200), ("many", 1000)):
            # no block comes twice: the processor would learn how a few are quantised
            coef = (rng.laplace(0, scale, (WIDTH * HEIGHT >> 2 * log2, n * n)) * fall).astype(np.int32)
            yield f"quantisation {n}, {name} levels, no block twice", _quantise, (coef, levels, log2, how, ctx, work)


def filter_cases(rng):
    picture = make_picture(rng)
    shape = (HEIGHT // 4, WIDTH // 4)
    for name, mode in (("intra", 1), ("inter", 2)):
        blocks = make_blocks(HEIGHT, WIDTH)
        blocks.pred_mode[:], blocks.tu_log2[:], blocks.qp[:] = mode, 3, 34
        blocks.cbf[:] = rng.integers(0, 2, shape)
        picture.motion.ref_idx[..., 0] = -1 if mode == 1 else 0
        picture.motion.mv[..., 0, :] = rng.integers(-6, 7, (*shape, 2)) if mode == 2 else 0
        params = deblock.DeblockParams(0, 0, 0, 0, 8)
        arguments = blocks, picture.motion, picture.ref_poc, picture.planes, params
        yield f"deblocking, 8x8 {name}", deblock.deblock_picture, arguments
    scratch = Planes(*(plane.copy() for plane in picture.planes))
    for name, kind in (("band", sao.SAO_BAND), ("edge", sao.SAO_EDGE)):
        params = sao.make_sao_params(HEIGHT, WIDTH)
        params.type_idx[:], params.edge_class[:], params.offsets[:] = kind, 2, (1, 1, -1, -1)
        yield f"SAO {name}", sao.sao_picture, (picture.planes, scratch, params, 8)
    original = Planes(*(np.ascontiguousarray(plane) for plane in picture.inner()))
    arguments = original, picture.planes, sao.make_sao_statistics(HEIGHT, WIDTH), 8
    yield "SAO statistics", sao.measure_sao, arguments


GROUPS = {
    "intra": intra_cases,
    "transform": transform_cases,
    "inter": inter_cases,
    "distortion": distortion_cases,
    "search": search_cases,
    "filter": filter_cases,
}


def measure(function, arguments, runs):
    """(CPU seconds of the first call, least of the later ones)."""
    times = []
    for _ in range(runs + 1):
        start = time.thread_time()
        function(*arguments)
        times.append(time.thread_time() - start)
    return times[0], min(times[1:])


def parse(words=None):
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, and nothing else")
    parser.add_argument("--only", choices=list(GROUPS), help="measure one group")
    parser.add_argument("--runs", type=measuring.positive, default=8, help="the best counts; default: %(default)s")
    measuring.output_option(parser)
    return parser.parse_args(words)


def main(arguments):
    """Time the sample kernels; returns the exit status."""
    rows = []
    for group, cases in GROUPS.items():
        if arguments.only and arguments.only != group:
            continue
        for name, function, inputs in cases(np.random.default_rng(1)):
            first, seconds = measure(function, inputs, arguments.runs)
            samples = WIDTH * HEIGHT * (1.5 if group == "filter" else 0.25 if "chroma" in name else 1)
            rows.append(
                {
                    "group": group,
                    "kernel": name,
                    "ns_per_sample": round(seconds / samples * 1e9, 3),
                    "ms_per_cif_picture": round(seconds * 1e3, 4),
                    "first_call_s": round(first, 2),
                }
            )
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return 0
    report = measuring.Report(arguments, "Speed of the kernels")
    cells = [(row["kernel"], f"{row['ns_per_sample']:.2f}", f"{row['ms_per_cif_picture']:.3f}") for row in rows]
    report.table("one thread, CPU time", ("kernel", "ns a sample", "ms a CIF picture"), cells)
    kept = {f"kernel, {row['kernel']}": row["ns_per_sample"] for row in rows}
    report.keep("blocks of a CIF picture", "ns/sample", "lower", kept)
    report.save()
    return 0


if __name__ == "__main__":
    sys.exit(measuring.guarded(main, parse()))
