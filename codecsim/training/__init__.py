"""Offline training of initial weights: clips, samples, models, trainer.  The only package that imports torch."""
