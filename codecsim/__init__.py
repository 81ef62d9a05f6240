"""Online-learning prediction-filter codec simulator on a standard HEVC host."""
