"""The coded difference to the predicted QP: every value, and those that no stream may have."""

import numpy as np
import pytest

from codecsim.entropy import cabac
from codecsim.entropy.contexts import GROUP_CODED, GROUP_QP, QP_BIAS, QP_DELTA, init_contexts
from codecsim.picture.blocks import make_blocks
from codecsim.syntax.quantisation_group import begin_quantisation_group, code_qp_delta, group_qp


def new_coder(predicted, buf=None):
    """A coder at the start of a group whose predicted QP is `predicted`."""
    coder = cabac.make_coder(np.zeros(1 << 16, np.uint8) if buf is None else buf)
    init_contexts(coder.ctx, 1, 30)
    start_group(coder, predicted)
    return coder


def start_group(coder, predicted):
    coder.ctx[GROUP_QP], coder.ctx[GROUP_CODED] = predicted + QP_BIAS, 0


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_every_qp_is_reached_from_every_other(bit_depth):
    qps = range(-6 * (bit_depth - 8), 52)
    writer, counter = new_coder(0), new_coder(0)
    cabac.start_encoder(writer)
    for predicted in qps:
        for qp in qps:
            for mode, coder in ((cabac.ENCODE, writer), (cabac.COUNT, counter)):
                start_group(coder, predicted)
                code_qp_delta(mode, coder, bit_depth, qp)
                assert group_qp(coder) == qp
    cabac.code_terminate(cabac.ENCODE, writer, 1)
    size = cabac.finish_encoder(writer)
    assert counter.reg.cost == writer.parts.sum()
    reader = new_coder(0, writer.buf)
    cabac.start_decoder(reader, 0, size)
    for predicted in qps:
        for qp in qps:
            start_group(reader, predicted)
            code_qp_delta(cabac.DECODE, reader, bit_depth, 0)
            assert group_qp(reader) == qp
    assert cabac.code_terminate(cabac.DECODE, reader, 0) == 1
    assert not reader.reg.fault


def written(*differences):
    """Bytes of differences, each coded as 10-bit video may: -32..31."""
    writer = new_coder(0)
    cabac.start_encoder(writer)
    for difference in differences:
        start_group(writer, 10)
        code_qp_delta(cabac.ENCODE, writer, 10, 10 + difference)
    cabac.code_terminate(cabac.ENCODE, writer, 1)
    return writer.buf, cabac.finish_encoder(writer)


@pytest.mark.parametrize("difference, fault", [(25, 0), (26, 1), (31, 1)])
def test_differences_that_8_bit_video_cannot_have(difference, fault):
    buf, size = written(difference)
    reader = new_coder(10, buf)
    cabac.start_decoder(reader, 0, size)
    code_qp_delta(cabac.DECODE, reader, 8, 0)
    assert reader.reg.fault == fault


@pytest.mark.parametrize("ones, fault", [(4, 0), (6, 1), (32, 1)])
def test_endless_code_is_a_fault(ones, fault):
    """Ones before the zero that ends the prefix of the Exp-Golomb part: four are enough for any difference."""
    writer = new_coder(10)
    cabac.start_encoder(writer)
    for k in range(5):
        cabac.code_bin(cabac.ENCODE, writer, QP_DELTA + min(k, 1), 1)
    cabac.code_bypass(cabac.ENCODE, writer, ones, (1 << ones) - 1)
    cabac.code_bypass(cabac.ENCODE, writer, 16, 0)
    cabac.code_terminate(cabac.ENCODE, writer, 1)
    reader = new_coder(10, writer.buf)
    cabac.start_decoder(reader, 0, cabac.finish_encoder(writer))
    code_qp_delta(cabac.DECODE, reader, 8, 0)
    assert reader.reg.fault == fault


def test_only_the_first_residual_of_a_group_codes_a_difference():
    counter = new_coder(20)
    code_qp_delta(cabac.COUNT, counter, 8, 27)
    cost = counter.reg.cost
    code_qp_delta(cabac.COUNT, counter, 8, 40)
    assert group_qp(counter) == 27 and counter.reg.cost == cost > 0


def test_prediction_stays_in_the_tree_unit():
    blocks = make_blocks(128, 128)
    blocks.qp[:] = 10
    blocks.qp[:16] = 50
    for (y, x), wanted in {(0, 0): 30, (0, 16): 30, (16, 0): 30, (16, 8): 20, (24, 0): 20, (24, 8): 10}.items():
        counter = new_coder(30)
        begin_quantisation_group(counter, blocks, y, x)
        assert group_qp(counter) == wanted, (y, x)
