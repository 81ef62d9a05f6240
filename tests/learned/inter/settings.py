"""Settings that tests of the learner share; they do not follow the defaults."""

from codecsim.tools.inter_luma import InterLumaSettings

# No auxiliary planes, no replay, no running mean: what the stored digests of the engine are of.
PLAIN = InterLumaSettings(
    experts="online",
    overlapped=False,
    further=0,
    tile_log2=6,
    epochs_q2=8,
    replay=1,
    huber_bound_q4=32,
    learning_rate=2e-3,
    average_q8=0,
)
