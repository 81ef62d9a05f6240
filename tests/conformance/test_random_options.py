"""Whatever the options: the decoder gives the encoder's pictures, bits and learner."""

import dataclasses
import itertools

import numpy as np
import pytest

from codecsim.codec.config import QP_GROUPS, EncoderConfig
from codecsim.codec.presets import PRESETS, SearchSettings
from codecsim.tools import INTER_LUMA, TOOLS
from tests.conformance.clips import CONTENTS, make_clip
from tests.conformance.runs import check_ffmpeg, check_own_decoder, run_encoder


def draw_learning(rng):
    """Options of the learner."""
    options = {
        "channels": rng.choice([8, 16, 32]),
        "hidden_layers": rng.integers(1, 5),
        "high_pass": rng.integers(2),
        "overlapped": rng.integers(2),
        "further": rng.integers(4),
        "qp_plane": rng.integers(2),
        "tile_log2": rng.integers(4, 7),
        "epochs_q2": rng.integers(0, 13),
        "replay": rng.integers(1, 5),
        "hot_share_q8": rng.choice([0, 1, 32, 256]),
        "jitter": rng.choice([0, 8, 31]),
        "loss": rng.choice(["huber", "l2", "l1"]),
        "tiles_log2": rng.integers(4),
        "uncoded_q7": rng.choice([0, 16, 128]),
        "worse_q8": rng.choice([0, 64, 256]),
        "tile_threshold_q8": (8, 64, 96, 128),
        "method": rng.choice(["adam", "sgd"]),
        "learning_rate": rng.choice([2e-3, 2e-2]),
        "average_q8": rng.choice([0, 20, 255]),
        "control": rng.choice(["always", "threshold", "never", "signalled"]),
        "threshold_q8": (16, 32, 64, 128),
        "reset": rng.choice(["never", "idr", "auto"]),
        "reset_margin_q8": rng.choice([0, 8]),
        "block_size": rng.choice(["input", "two_classes", "three_classes"]),
    }
    kept = rng.random(len(options)) < 0.5
    return {name: value for (name, value), keep in zip(options.items(), kept, strict=True) if keep}


def draw_effort(rng):
    """Some settings of the search at any value they may have, but for the dearest."""
    drawn = {}
    for declared in SearchSettings.declared():
        whole = (False, True) if declared.kind is bool else range(int(declared.low or 0), int(declared.high or 0) + 1)
        allowed = [value for value in declared.allowed or whole if value <= 128]
        value = allowed[rng.integers(min(len(allowed), 8))]
        if rng.random() < 0.3:
            drawn[declared.name] = value
    return drawn


def of_use(tool, mode, settings):
    """Those settings of a tool that may be said in a mode."""
    names = {"off": (), "frozen": [declared.name for declared in tool.settings.declared() if not declared.training]}
    return {name: value for name, value in settings.items() if name in names.get(mode, settings)}


def draw(seed):
    """(EncoderConfig, clip) of a seed."""
    rng = np.random.default_rng(seed)
    width, height = 2 * rng.integers(4, 60, 2)
    content = str(rng.choice(list(CONTENTS)))
    count = int(rng.integers(1, 8 if width * height < 4000 else 4))
    structure = str(rng.choice(["ai", "ldp", "ldb", "ra", "ra"]))
    if structure == "ra" and width * height < 4000:
        count += 8
    period = int(rng.choice([0, 0, 1, 3]))
    luma_filter = str(rng.choice(["off", "online", "online", "frozen"]))
    options = {
        "config": structure,
        "qp": int(rng.integers(0, 52)),
        "preset": str(rng.choice(list(PRESETS))),
        "intra_period": 8 * (period > 0) if structure == "ra" else period,
        "filter": luma_filter,
        "chroma_filter": str(rng.choice(["off", "online", "frozen"])) if luma_filter != "off" else "off",
        "hash": str(rng.choice(["md5", "crc", "checksum"])),
        "threads": int(rng.integers(1, 3)),
        "obmc": bool(rng.integers(2)),
        "intra_filter": str(rng.choice(["off", "off", "frozen"])),
        "loop_filter": str(rng.choice(["off", "off", "on"])),
        "settings": {
            "search": draw_effort(rng),
            "hevc": {
                "internal_bit_depth": (0, 0, 8, 10)[rng.integers(4)],
                "transform_skip": bool(rng.integers(2)),
                "adaptive_qp": int(rng.choice([0, 0, 3, 12])),
                "qp_group": int(rng.choice(QP_GROUPS)),
            },
            "inter_luma": draw_learning(rng),
            "intra": {"inter_pictures": bool(rng.integers(2))},
        },
    }
    for tool in TOOLS:  # drawn all the same, so that a seed is one draw
        if tool.name in options["settings"]:
            options["settings"][tool.name] = of_use(tool, options[tool.option], options["settings"][tool.name])
    config = EncoderConfig(**options)
    return config, make_clip(content, int(width), int(height), count, seed, bit_depth=int(rng.choice([8, 8, 10])))


def check(seed):
    config, clip = draw(seed)
    run = run_encoder(config, clip)
    check_own_decoder(run, threads=3 - config.threads)
    standard_inter = (config.filter == "off" and not config.obmc) or config.config == "ai"
    if standard_inter and config.intra_filter == config.loop_filter == "off":
        check_ffmpeg(run)


@pytest.mark.parametrize("seed", range(40))
def test_few(seed):
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 2000))
def test_many(seed):
    check(seed)


def test_draws_differ():
    drawn = [draw(seed) for seed in range(40)]
    assert len({dataclasses.astuple(config)[:3] for config, _ in drawn[:6]}) > 3
    assert {(config.config, config.filter) for config, _ in drawn} >= set(
        itertools.product(("ldp", "ldb", "ra"), INTER_LUMA.modes)
    )
    assert {name for config, _ in drawn for name in config.of_group("search")} == {
        declared.name for declared in SearchSettings.declared()
    }
    assert any(config.config == "ra" and config.intra_period == 8 and len(clip[1]) > 9 for config, clip in drawn)
