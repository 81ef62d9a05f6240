"""Search for settings of the learners: plans as files, trials by Optuna, presets as results."""
