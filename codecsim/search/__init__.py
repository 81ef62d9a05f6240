"""Encoder only: which partition, modes, motion and levels to code."""
