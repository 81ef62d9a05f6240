"""Measuring: rate-distortion curves and their comparison."""
