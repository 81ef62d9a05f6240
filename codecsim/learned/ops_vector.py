"""Normative.  The engine's convolutions through vector IR; twins of ops_plain.py, where their meaning is stated."""

from codecsim.jit import kernel
from codecsim.learned.vector_ir import (
    conv3_backward,
    conv3_forward,
    conv_output,
    gradient_hidden,
    gradient_output,
    gradient_skip,
)


@kernel
def hidden(x, w, bias, out, flat, job, shift, scratch):
    """See ops_plain.hidden."""
    conv3_forward(
        x, job[0], w, job[1], bias, job[2], out, job[3], flat, job[4], flat, job[5],
        job[6], job[7], job[8], job[9], job[10], shift, job[11],
    )  # fmt: skip


@kernel
def backward(x, w, bias, out, flat, mask, job, shift, scratch):
    """See ops_plain.backward."""
    conv3_backward(
        x, job[0], w, job[1], bias, job[2], out, job[3], flat, job[4], mask, job[5],
        job[6], job[7], job[8], job[9], job[10], shift, job[11],
    )  # fmt: skip


@kernel
def output(x, w, bias, out, job, scratch):
    """See ops_plain.output."""
    conv_output(
        x, job[0], w, job[1], x, job[2], w, job[3], bias, job[4], out, job[5], job[6], job[7], job[8], job[9], job[10]
    )


@kernel
def gradients_hidden(x, g, dw, job):
    """See ops_plain.gradients_hidden."""
    gradient_hidden(x, job[0], g, job[1], dw, job[2], job[3], job[4], job[5], job[6], job[7])


@kernel
def gradients_output(x, g, dw, job):
    """See ops_plain.gradients_output."""
    gradient_output(x, job[0], g, job[1], dw, job[2], job[3], job[4], job[5], job[6], job[7])


@kernel
def gradients_skip(x, g, dw, job):
    """See ops_plain.gradients_skip."""
    gradient_skip(x, job[0], g, job[1], dw, job[2], job[3], job[4], job[5], job[6], job[7])
