"""Normative.  The engine's layers through vector IR; twins of ops_plain.py, where their meaning is stated."""

from codecsim.kernels.jit import kernel
from codecsim.learned.engine import depthwise_ir, vector_ir


@kernel(unit=True)
def forward_conv3(arrays, job, shift, scratch):
    """See ops_plain.forward_conv3."""
    vector_ir.conv3_forward(arrays, job, shift)


@kernel(unit=True)
def forward_conv1(arrays, job, shift, scratch):
    """See ops_plain.forward_conv1."""
    vector_ir.conv1_forward(arrays, job, shift)


@kernel(unit=True)
def forward_depthwise3(arrays, job, shift, scratch):
    """See ops_plain.forward_depthwise3."""
    depthwise_ir.depthwise3_forward(arrays, job, shift)


@kernel(unit=True)
def backward_conv3(arrays, job, shift, scratch):
    """See ops_plain.backward_conv3."""
    vector_ir.conv3_backward(arrays, job, shift)


@kernel(unit=True)
def backward_conv1(arrays, job, shift, scratch):
    """See ops_plain.backward_conv1."""
    vector_ir.conv1_backward(arrays, job, shift)


@kernel(unit=True)
def backward_depthwise3(arrays, job, shift, scratch):
    """See ops_plain.backward_depthwise3."""
    depthwise_ir.depthwise3_backward(arrays, job, shift)


@kernel(unit=True)
def output(x, w, bias, out, job, scratch):
    """See ops_plain.output."""
    vector_ir.conv_output(x, w, bias, out, job)


@kernel(unit=True)
def gradient_conv3(x, g, dw, job):
    """See ops_plain.gradient_conv3."""
    vector_ir.gradient_conv3(x, g, dw, job)


@kernel(unit=True)
def gradient_conv1(x, g, dw, job):
    """See ops_plain.gradient_conv1."""
    vector_ir.gradient_conv1(x, g, dw, job)


@kernel(unit=True)
def gradient_depthwise3(x, g, dw, job):
    """See ops_plain.gradient_depthwise3."""
    depthwise_ir.gradient_depthwise3(x, g, dw, job)


@kernel(unit=True)
def gradient_output(x, g, dw, job):
    """See ops_plain.gradient_output."""
    vector_ir.gradient_output(x, g, dw, job)


@kernel(unit=True)
def gradient_skip(x, g, dw, job):
    """See ops_plain.gradient_skip."""
    vector_ir.gradient_skip(x, g, dw, job)
