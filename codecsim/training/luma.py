"""Initial weights of the inter luma prediction filter: `codecsim train luma CLIP... -o OUT`."""

import itertools

from codecsim.config import EncoderConfig
from codecsim.learned.model_files import INTER_LUMA
from codecsim.learned.params import LearnParams
from codecsim.learned.stream import UNTRAINED
from codecsim.training import by_engine

CONFIGS = ("ldp", "ra")


def collect(path, qp, count):
    """Samples of one encoding in each of CONFIGS, as `by_engine.collect` yields them."""
    learn = {"experts": "online", "replay": 1}
    configs = (
        EncoderConfig(name, qp, preset="fast", filter="frozen", model=UNTRAINED, learn=learn) for name in CONFIGS
    )
    return itertools.chain.from_iterable(
        by_engine.collect(path, config, count, lambda codec: [(codec.learned_filter.state, 0)]) for config in configs
    )


command = by_engine.make_command(INTER_LUMA, collect, lambda channels: LearnParams(channels=channels))
