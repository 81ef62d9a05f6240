"""Online-learning prediction-filter codec simulator on a standard HEVC host."""

__version__ = "0.1.0"
