"""Normative.  The engine's layers through vector IR; twins of ops_plain.py, where their meaning is stated."""

from codecsim.jit import kernel
from codecsim.learned import depthwise_ir, vector_ir


@kernel
def forward_conv3(x, w, bias, out, flat, job, shift, scratch):
    """See ops_plain.forward_conv3."""
    vector_ir.conv3_forward(
        x, job[0], w, job[1], bias, job[2], out, job[3], flat, job[4], flat, job[5],
        job[6], job[7], job[8], job[9], job[10], job[11], job[12], shift,
    )  # fmt: skip


@kernel
def forward_conv1(x, w, bias, out, flat, job, shift, scratch):
    """See ops_plain.forward_conv1."""
    vector_ir.conv1_forward(
        x, job[0], w, job[1], bias, job[2], out, job[3], flat, job[4], flat, job[5],
        job[6], job[7], job[8], job[9], job[10], job[11], job[12], shift,
    )  # fmt: skip


@kernel
def forward_depthwise3(x, w, bias, out, flat, job, shift, scratch):
    """See ops_plain.forward_depthwise3."""
    depthwise_ir.depthwise3_forward(
        x, job[0], w, job[1], bias, job[2], out, job[3], flat, job[4], flat, job[5],
        job[6], job[7], job[8], job[9], job[10], job[11], job[12], shift,
    )  # fmt: skip


@kernel
def backward_conv3(x, w, bias, out, flat, mask, job, shift, scratch):
    """See ops_plain.backward_conv3."""
    vector_ir.conv3_backward(
        x, job[0], w, job[1], bias, job[2], out, job[3], flat, job[4], mask, job[5],
        job[6], job[7], job[8], job[9], job[10], job[11], job[12], shift,
    )  # fmt: skip


@kernel
def backward_conv1(x, w, bias, out, flat, mask, job, shift, scratch):
    """See ops_plain.backward_conv1."""
    vector_ir.conv1_backward(
        x, job[0], w, job[1], bias, job[2], out, job[3], flat, job[4], mask, job[5],
        job[6], job[7], job[8], job[9], job[10], job[11], job[12], shift,
    )  # fmt: skip


@kernel
def backward_depthwise3(x, w, bias, out, flat, mask, job, shift, scratch):
    """See ops_plain.backward_depthwise3."""
    depthwise_ir.depthwise3_backward(
        x, job[0], w, job[1], bias, job[2], out, job[3], flat, job[4], mask, job[5],
        job[6], job[7], job[8], job[9], job[10], job[11], job[12], shift,
    )  # fmt: skip


@kernel
def output(x, w, bias, out, job, scratch):
    """See ops_plain.output."""
    vector_ir.conv_output(
        x, job[0], w, job[1], x, job[2], w, job[3], bias, job[4], out, job[5], job[6], job[7], job[8], job[9], job[10]
    )


@kernel
def gradient_conv3(x, g, dw, job):
    """See ops_plain.gradient_conv3."""
    vector_ir.gradient_conv3(x, job[0], g, job[1], dw, job[2], job[3], job[4], job[5], job[6], job[7])


@kernel
def gradient_conv1(x, g, dw, job):
    """See ops_plain.gradient_conv1."""
    vector_ir.gradient_conv1(x, job[0], g, job[1], dw, job[2], job[3], job[4], job[5], job[6], job[7])


@kernel
def gradient_depthwise3(x, g, dw, job):
    """See ops_plain.gradient_depthwise3."""
    depthwise_ir.gradient_depthwise3(x, job[0], g, job[1], dw, job[2], job[3], job[5], job[6], job[7])


@kernel
def gradient_output(x, g, dw, job):
    """See ops_plain.gradient_output."""
    vector_ir.gradient_output(x, job[0], g, job[1], dw, job[2], job[3], job[4], job[5], job[6], job[7])


@kernel
def gradient_skip(x, g, dw, job):
    """See ops_plain.gradient_skip."""
    vector_ir.gradient_skip(x, job[0], g, job[1], dw, job[2], job[3], job[4], job[5], job[6], job[7])
