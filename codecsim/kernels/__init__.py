"""Compiling kernels: the decorator, binding of trees of arrays, linking by address, vector instructions."""
