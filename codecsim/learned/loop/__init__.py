"""Normative.  The convolutional in-loop filter."""
