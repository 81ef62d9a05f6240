"""Normative.  The exact arithmetic of small networks: layers, gradients, optimisers, states."""
