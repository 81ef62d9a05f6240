"""Databases of made-up runs: what a report needs is in them, and what it should say can be told."""

import dataclasses
import math

from codecsim.codec.config import EncoderConfig
from codecsim.experiments.clips import Clip
from codecsim.experiments.database import Cell, Database, Experiment
from codecsim.experiments.work import Done

QPS = (22, 27, 32, 37)
HASHES = 100  # bits a picture
SOURCES = "0123456789abcdef"
OFF, OBMC, ONLINE = EncoderConfig(filter="off"), EncoderConfig(filter="off", obmc=True), EncoderConfig(filter="online")
ARMS = {"off": (OFF, 1.0), "obmc": (OBMC, 0.95), "online": (ONLINE, 0.9)}  # settings, and bits against the first's
CLIPS = ("cars", "walk", "foliage")


def result_of(clip, config, scale=1.0, frames=6, size=(176, 144), measured=False):
    """A result as encode_video gives it; `scale` times the bits that another arm takes, with VMAF and SSIM or not."""
    pictures = [_picture(index, config, scale * (1 + len(clip) / 10)) for index in range(frames)]
    bits = sum(picture["bits"] for picture in pictures)
    result = {"width": size[0], "height": size[1], "frames": frames, "fps": 25.0, "bit_depth": 8, "bits": bits}
    hash_bits = HASHES * frames
    result |= {"version": 2, "hash_bits": hash_bits, "file_bits": bits + hash_bits}
    result |= {f"psnr_{p}": sum(picture[f"psnr_{p}"] for picture in pictures) / frames for p in "yuv"}
    result |= {"kbps": bits * 25 / frames / 1000, "seconds": 2.0, "cpu_seconds": 1.5 / scale, "qp": config.qp}
    result |= {"config": config.config, "encoder": {"version": "0.1.0"}, "pictures": pictures}
    if measured:
        result |= {"vmaf": 120 - 2 * config.qp} | {f"ssim_{p}": 1 - 10 ** (-2 + config.qp / 50) for p in "yuv"}
    if config.filter == "online":
        result["kmac_per_pixel"] = {"inference": 3.0, "training": 12.5}
    return result


def _picture(index, config, scale):
    coded = round(scale * (4000 if index == 0 else 1000) * 2 ** ((37 - config.qp) / 5))
    parts = {"headers": 40, "modes": coded // 4, "motion": 0 if index == 0 else coded // 8}
    parts["residual"] = coded - sum(parts.values())
    kind, wave = "I" if index == 0 else "P", 0.3 * math.sin(index)
    picture = {
        "poc": index,
        "type": kind,
        "qp": config.qp + (index > 0),
        "bits": coded,
        "hash_bits": HASHES,
        "parts": parts,
    }
    picture |= {"psnr_y": 55 - config.qp / 1.7 + wave, "psnr_u": 60 - config.qp / 2, "psnr_v": 61 - config.qp / 2}
    if config.filter == "online" and index:
        trained = index % 3 == 0
        picture |= {"accumulated_loss": 25344 * ((index - 1) % 3 + 1), "trained_steps": 80 if trained else 0}
        picture |= {"chroma_used": index % 2 == 0}
        picture |= {"reset": index == 5, "filtered_share": 0.6, "expert_shares": {"online": 0.4, "rls": 0.2}}
    if config.filter == "online":
        picture["intra_filter_shares"] = {"4": 0.125, "8": 0.375}
    if config.obmc and index:
        picture["overlapped_share"] = 0.75
    return picture


def make_database(path, arms=None, clips=CLIPS, configs=("ldp",), missing=(), experiment="trial", **result):
    """Keep runs of all arms, clips, configurations and QPs.

    Parameters
    ----------
    arms : {name: (EncoderConfig, scale of bits)}, the first is the reference
    missing : (arm, clip, QP) whose run is not there
    experiment : its name, None: there is none
    result : settings of result_of
    """
    arms, cells, frames = arms or ARMS, [], result.get("frames", 6)
    with Database(path) as kept:
        kept.add_version(SOURCES)
        for name, (settings, scale) in arms.items():
            for config in configs:
                for text in clips:
                    for qp in QPS:
                        key = f"{name}/{config}/{text}/{qp}"
                        clip = Clip(text, f"{text}.y4m", f"sha of {text}", 176, 144, frames)
                        cells.append(Cell(name, config, text, clip.sha256, qp, frames, key))
                        if (name, text, qp) not in missing:
                            keep_run(kept, key, clip, settings, scale, config, qp, **result)
        if experiment is not None:
            reference = next(iter(arms))
            options = {name: f"--options-of {name}" for name in arms}
            definition = f'[experiment]\nname = "{experiment}"\n'
            kept.add_experiment(Experiment(experiment, definition, reference, options, tuple(cells), SOURCES))
    return path


def keep_run(kept, key, clip, settings, scale, config, qp, sources=SOURCES, **result):
    """Keep one run."""
    config = dataclasses.replace(settings, config=config, qp=qp, frames=result.get("frames", 6))
    made = result_of(clip.name, config, scale, **result)
    kept.add(key, clip, config, sources, Done(made, 0.5, 3.0, "2 x processor", "Python"))
