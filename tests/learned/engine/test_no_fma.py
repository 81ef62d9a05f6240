"""No kernel that computes in floating point may hold a fused multiply-add, on x86-64 or on aarch64."""

import platform
import re

import llvmlite.binding as llvm
import numba
import numpy as np
import pytest

from codecsim.learned.engine import ops_vector, update
from codecsim.learned.engine.self_check import keeps_subnormals
from codecsim.learned.engine.spec import KINDS, NetSpec
from codecsim.learned.engine.state import LearnerState
from codecsim.learned.engine.tile_net import Loss, Optimiser, PackedWeights, TileNet
from codecsim.learned.engine.weights import builtin_weights
from codecsim.learned.inter import rls

FUSED = re.compile(r"^\s+(vfn?m(add|sub)\w*|fn?m(add|sub)|fml[as])\b", re.MULTILINE)
FLOAT_KERNELS = ["pack_weights", "optimise", "update_average", "subnormal_product", "solve_normal_equations"]
LINEAR_KERNELS = ["apply_linear", "fill_samples", "fill_feature_difference", "gather_features", "forget"]
INTEGER_KERNELS = ["gather_tile", "loss_gradient", "bias_gradients", *LINEAR_KERNELS]
VECTOR_KERNELS = [
    *(f"{way}_{kind}" for way in ("forward", "backward", "gradient") for kind in KINDS),
    "output",
    "gradient_output",
    "gradient_skip",
]
FLOAT_TYPE = re.compile(r"\b(float|double)\b")


@numba.njit(fastmath={"contract"})
def fused(a, b, c):
    for i in range(a.size):
        c[i] = a[i] * b[i] + c[i]


@pytest.fixture(scope="module")
def compiled():
    """Kernels of `update` and others, compiled here and not taken from the cache, which keeps no assembly."""
    spec = NetSpec(2, (("conv3", 8), ("conv1", 8), ("depthwise3", 8), ("conv3", 8)))
    net, packed = TileNet(spec, 16, 16, train=True), PackedWeights(spec)
    net.load(np.zeros((2, 32, 32), np.int16), 0, 0)
    optimiser = Optimiser(0, np.zeros(4, np.float32))
    net.step(LearnerState(builtin_weights(spec)), packed, np.zeros((16, 16), np.int16), 0, 0, Loss(11, 1), optimiser)
    assert keeps_subnormals()
    update.update_average(np.zeros(4, np.float32), np.zeros(4, np.float32), np.float32(0.5))
    plane = np.zeros((4, 4), np.uint16)
    linear, planes = rls.LinearFilter(4, 4, 8, (1, 1)), rls.feature_planes(plane, [plane], 8)
    linear.learn(planes, plane, linear.predict(planes, plane), plane, np.ones((1, 1), np.uint8))
    kernels = {}
    for name in FLOAT_KERNELS + INTEGER_KERNELS + VECTOR_KERNELS:
        found = next(getattr(module, name) for module in (update, rls, ops_vector) if hasattr(module, name))
        found = found.dispatcher
        options = {k: v for k, v in found.targetoptions.items() if k not in ("cache", "nopython")}
        kernels[name] = numba.njit(**options)(found.py_func)
        kernels[name].compile(found.signatures[0])
    return kernels


def cross_assembly(kernel, triple, cpu, features=""):
    """Assembly of a kernel for another machine, from its optimised IR."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    (text,) = kernel.inspect_llvm().values()
    text = re.sub(r'target triple = ".*"', f'target triple = "{triple}"', text)
    text = re.sub(r'target datalayout = ".*"\n', "", text)
    text = re.sub(r'"target-(cpu|features)"="[^"]*"', "", text)
    text = re.sub(r"(%\S+) = (tail )?call i8 @llvm\.x86\.atomic[^\n]*", r"\1 = add i8 0, 0", text)  # reference counts
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, features=features, opt=3)
    return machine.emit_assembly(llvm.parse_assembly(text))


TARGETS = [("x86_64-unknown-linux-gnu", "x86-64-v3"), ("aarch64-unknown-linux-gnu", "neoverse-v2")]


def test_positive_control():
    a = np.ones(8, np.float32)
    fused(a, a, a)
    (assembly,) = fused.inspect_asm().values()
    assert FUSED.search(assembly)
    for triple, cpu in TARGETS:
        assert FUSED.search(cross_assembly(fused, triple, cpu)), triple


@pytest.mark.parametrize("name", FLOAT_KERNELS)
def test_float_kernels_hold_no_fused_arithmetic(compiled, name):
    (assembly,) = compiled[name].inspect_asm().values()
    assert re.search(r"\bv?(mul|cvt)\w*[sp][sd]\b", assembly)
    assert not FUSED.search(assembly)


@pytest.mark.parametrize(("triple", "cpu"), TARGETS)
@pytest.mark.parametrize("name", FLOAT_KERNELS)
def test_cross_compiled_kernels_hold_no_fused_arithmetic(compiled, name, triple, cpu):
    assert not FUSED.search(cross_assembly(compiled[name], triple, cpu))


@pytest.mark.parametrize("name", VECTOR_KERNELS)
def test_vector_ir_becomes_multiply_add_of_pairs(compiled, name):
    """On x86-64 and, as widening multiplies, on aarch64."""
    (assembly,) = compiled[name].inspect_asm().values()
    if platform.machine() in ("x86_64", "AMD64"):
        assert re.search(r"\bv?(pmaddwd|pdpwssd)\b", assembly)
    assert re.search(r"\bsm(lal|ull)2?\b", cross_assembly(compiled[name], *TARGETS[1]))


@pytest.mark.parametrize("name", INTEGER_KERNELS + VECTOR_KERNELS)
def test_other_kernels_hold_no_floats(compiled, name):
    (text,) = compiled[name].inspect_llvm().values()
    assert not FLOAT_TYPE.search(text)
