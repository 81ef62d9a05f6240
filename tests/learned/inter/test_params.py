import contextlib
import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecsim.codec.config import EncoderConfig
from codecsim.errors import ConfigError
from codecsim.learned.inter.chroma_params import ChromaParams
from codecsim.learned.inter.params import FIELDS, Control, LearnParams, LossKind, Method, Reset
from codecsim.learned.intra.params import IntraParams

TRUTH = {True: True, "true": True, "On": True, "1": True, False: False, "FALSE": False, "off": False, "0": False}


def test_pack_and_unpack_are_inverse():
    params = LearnParams(
        channels=32, hidden_layers=1, high_pass=False, overlapped=False, further=2, qp_plane=False,
        loss=LossKind.L2, method=Method.SGD, learning_rate=0.0123, control=Control.THRESHOLD,
        threshold_q8=(1, 2, 3, 2**24 - 1), reset=Reset.AUTO,
    )  # fmt: skip
    packed = params.pack()
    assert all(isinstance(value, int) and value < 2**field.bits for field, value in zip(FIELDS, packed, strict=True))
    assert LearnParams.unpack(packed) == params
    assert LearnParams.unpack(LearnParams().pack()) == LearnParams()
    assert np.float32(params.learning_rate) == params.rates[0]


def test_values_may_be_strings():
    params = LearnParams(
        channels="8", loss="l2", control="Threshold", threshold_q8="1,2,3,4", learning_rate="1e-3", qp_plane="0"
    )
    assert params == LearnParams(
        channels=8, loss=LossKind.L2, control=Control.THRESHOLD, threshold_q8=(1, 2, 3, 4), learning_rate=1e-3,
        qp_plane=False,
    )  # fmt: skip


@pytest.mark.parametrize("kind", [LearnParams, ChromaParams, IntraParams])
def test_truth_is_read_as_the_search_reads_it(kind):
    name = next(field.name for field in dataclasses.fields(kind) if field.type is bool)
    for text, value in TRUTH.items():
        assert getattr(kind(**{name: text}), name) is EncoderConfig(effort={"sao": text}).search_effort.sao is value
    for wrong in (7, 0.5, "yes", "", None):
        with pytest.raises(ConfigError, match=f"{name} is {wrong!r}; expected true or false"):
            kind(**{name: wrong})


@pytest.mark.parametrize("overlapped", [False, True])
@pytest.mark.parametrize("further", range(4))
def test_auxiliary_planes_are_counted(overlapped, further):
    params = LearnParams(overlapped=overlapped, further=further)
    assert params.n_aux == overlapped + further
    assert params.n_planes == 3 + params.n_aux  # the prediction, its high pass, the QP
    assert params.spec.n_inputs in (params.n_planes, params.n_planes + 1)
    assert params.spec.n_inputs % 2 == 0


def test_every_field_is_packed():
    names = {field.name.partition(":")[0].partition("[")[0] for field in FIELDS}
    assert names == {field.name for field in dataclasses.fields(LearnParams)}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"channels": 24}, "channels is 24"),
        ({"hidden_layers": 5}, "hidden_layers is 5; expected 1..4"),
        ({"further": 4}, "further is 4; expected 0..3"),
        ({"tile_log2": 3}, "tile_log2 is 3"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0"),
        ({"learning_rate": 1.5}, "learning_rate up to 1"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"beta1": 1.0}, "beta1 and beta2 below 1"),
        ({"epsilon": 0.0}, "epsilon above 0"),
        ({"control": 4}, "control is 4; expected always or threshold or never or signalled"),
        ({"loss": "l3"}, "loss is 'l3'; expected huber or l2"),
        ({"channels": "many"}, "channels is 'many'; expected int"),
        ({"hidden_layers": 2.5}, "hidden_layers is 2.5; expected int"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast'; expected float"),
        ({"learning_rate": 1e300}, "learning_rate is inf"),
        ({"threshold_q8": 3}, "threshold_q8 is 3; expected tuple"),
        ({"threshold_q8": (1, 2)}, "needs 4 values"),
        ({"threshold_q8": (1, 2, 3, 2**24)}, r"threshold_q8\[3\]"),
        ({"replay": 0}, "replay is 0; expected 1..8"),
    ],
)
def test_values_out_of_range(wrong, message):
    with pytest.raises(ConfigError, match=message):
        LearnParams(**wrong)


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e400", 10**400, float("nan"), None, "many", 1.5])
def test_whole_numbers_of_the_intra_filter(value):
    with pytest.raises(ConfigError, match=r"blocks is .*; expected 1..4095"):
        IntraParams(blocks=value)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", ["inf", "nan", "1e300", -1])
def test_learning_rates_of_the_intra_filter(value):
    with pytest.raises(ConfigError, match=r"learning_rate is .*; expected 0..1"):
        IntraParams(learning_rate=value)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=len(FIELDS) - 1, max_size=len(FIELDS)))
def test_unpack_of_anything_ends_in_parameters_or_a_clear_error(values):
    with contextlib.suppress(ConfigError):
        assert LearnParams.unpack(values).pack() == values
