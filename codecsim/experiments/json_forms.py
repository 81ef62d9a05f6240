"""What `--json` prints: every field of every command's result, with its unit and meaning.

`python -m codecsim.experiments.json_forms` prints these tables as Markdown; they stand in RESULTS.md beside this file.
A field that does not apply is left out of a result, or is null where it says so.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from codecsim.experiments.runs import FORM_VERSION

ANY_NAME = "*"  # in a path: any name


class Field(NamedTuple):
    """One field of a result."""

    path: str  # names joined by points; `[]` behind a name: each item of a list
    unit: str  # or the type, where there is no unit
    meaning: str


_SIZE = (
    Field("frames", "pictures", "Number of pictures."),
    Field("width", "luma samples", "Width of the pictures, cropped."),
    Field("height", "luma samples", "Height of the pictures, cropped."),
    Field("bit_depth", "bits", "Of a coded sample."),
)
_TIME = (
    Field("fps", "pictures/s", "Rate of the video; 25 if a stream does not say."),
    Field("seconds", "s", "Time of the whole loop with reading and writing, without compiling kernels and metrics."),
    Field("cpu_seconds", "s", "Processor time of all threads in it."),
)
_BITS = (
    Field("bits", "bits", "Size without hashes: all NAL units but the messages that carry them."),
    Field("hash_bits", "bits", "Of the messages that carry hashes."),
)
_SIZES = (*_BITS, Field("file_bits", "bits", "Size of the file times eight: `bits` and `hash_bits`."))
_RATES = (
    Field("version", "number", "Version of this form."),
    *_SIZES,
    Field("kbps", "kbit/s", "Rate of `bits`."),
)
_PICTURE = (
    *_BITS,
    Field("poc", "number", "Picture order count, 0 at every IDR picture."),
    Field("type", "text", "Slice type: I, P or B."),
    Field("qp", "number", "QP of the slice."),
    Field("seconds", "s", "Time to code or decode the picture."),
    Field("parts.*", "bits", "`bits` by part of the syntax: headers, modes, motion, residual, learned_flags, ..."),
    Field("overlapped_share", "0..1", "Share of 32x32 blocks with overlapped motion compensation."),
    Field("loop_share", "0..1", "Share of blocks whose luma the in-loop filter made."),
    Field("loop_ran", "true or false", "Whether a decoder runs the in-loop filter's network for this picture."),
    Field("intra_filter_shares.*", "0..1", "Share of luma that the intra filter made, by side of its blocks."),
    Field("filtered_share", "0..1", "Share of 32x32 blocks that the prediction filter made."),
    Field("expert_shares.*", "0..1", "The same by expert."),
    Field("trained_steps", "steps", "Training steps of the prediction filter, luma."),
    Field("chroma_used", "true or false", "Whether blocks take filtered chroma with filtered luma."),
    Field("chroma_trained_steps", "steps", "Training steps of the chroma filter, U and V together."),
    Field("intra_trained_steps", "steps", "Training steps of the intra filter."),
    Field("intra_trained_samples", "samples", "Samples that these steps took."),
    Field("fitted_samples", "samples", "Samples that linear experts took in."),
    Field("reset", "true or false", "Whether a learner returned to its initial weights."),
    Field("accumulated_loss", "samples", "Absolute error of the prediction since the last training."),
    Field("learner_order", "text", "Order obeyed before the picture: train, hold or reset."),
    Field("learner_hash", "32 hex digits", "Hash of the state of all learners after the picture."),
)
_PSNR = tuple(
    Field(f"psnr_{plane}", "dB", f"PSNR of {plane.upper()}; of the result: mean over pictures.") for plane in "yuv"
)
_SIMILARITY = tuple(
    Field(f"{name}_{plane}", "0..1", f"{title} of {plane.upper()}, if asked for by --metrics.")
    for name, title in (("ssim", "SSIM"), ("ms_ssim", "MS-SSIM"))
    for plane in "yuv"
)
_QUALITY = (*_SIMILARITY, Field("vmaf", "0..100", "VMAF of luma, if asked for by --metrics."))


def _in(place: str, fields: Iterable[Field]) -> tuple[Field, ...]:
    """Fields of each item of a list, or of an object."""
    return tuple(field._replace(path=f"{place}.{field.path}") for field in fields)


_ENCODE = (
    *_SIZE,
    *_TIME,
    *_RATES,
    Field("input", "text", "Name of the video."),
    Field("config", "text", "Coding structure: ai, ldp, ldb or ra."),
    Field("qp", "number", "Base QP."),
    *_PSNR,
    *_QUALITY,
    Field("encoder.version", "text", "Version of codecsim."),
    Field("encoder.options.*", "", "All settings of the encoder, by the names that `codecsim settings` lists."),
    Field("encoder.weights.*", "32 hex digits", "Digest of the initial weights, by tool."),
    Field("encoder.own_filters.*", "text", "Class of a filter of one's own, by tool; only of encodings from Python."),
    Field("stream_sha256", "64 hex digits", "SHA-256 of the file."),
    Field("decodable", "false", "Present where no decoder can follow: --oracle, or a filter of one's own."),
    Field(
        "kmac_per_pixel.*",
        "kMAC/pixel",
        "Multiply-accumulates of the decoder: by tool, then sums.",
    ),
    *_in(
        "pictures[]",
        (
            *_PICTURE,
            *_PSNR,
            *_QUALITY,
            Field("picture_hash", "hex digits", "Hash of Y, U and V in the stream."),
        ),
    ),
)
_DECODE = (
    *_SIZE,
    *_TIME,
    *_RATES,
    Field("input", "text", "Name of the stream."),
    Field("decoder.version", "text", "Version of codecsim."),
    *_in("pictures[]", _PICTURE),
)
_INFO = (
    *_DECODE,
    Field("parts.*", "bits", "`bits` by part of the syntax, of all pictures."),
    Field("parameter_sets[].kind", "text", "vps, sps or pps."),
    Field("parameter_sets[].*", "", "What it says, by the fields of Vps, Sps and Pps in codecsim/syntax."),
    Field("learned", "object or null", "Tools beyond HEVC; null in a standard stream."),
    Field("learned.arithmetic_version", "number", "Version of the tools' arithmetic."),
    Field("learned.tools.*", "", "Each tool by its name; without settings or weights an empty object."),
    Field("learned.tools.*.weights_digest", "32 hex digits", "Digest of the initial weights."),
    Field("learned.tools.*.settings.*", "", "Settings that the stream carries, as `codecsim settings` lists them."),
)
_METRICS = (
    Field("reference", "text", "Name of the original."),
    Field("input", "text", "Name of the video that is measured."),
    *_SIZE,
    *_PSNR,
    *_QUALITY,
    *_in("pictures[]", (*_PSNR, *_QUALITY)),
)
_COMPARE = (
    Field("metric", "text", "Quality that is compared: psnr, ssim, ms-ssim or vmaf."),
    Field("confidence", "0..1", "Level of the mean's interval."),
    *_in(
        "clips[]",
        (
            Field("clip", "text", "Name of the clip; 'mean' for the mean over all."),
            Field("bd_rate.*", "%", "BD-rate of a plane, negative: TEST needs fewer bits; null where there is none."),
            Field("encoder_time", "ratio", "Time of TEST over ANCHOR, geometric mean; null where it is not known."),
            Field("decoder_time", "ratio", "The same of decoding."),
            Field("warnings[]", "text", "Why the figures may not be trusted."),
            Field(
                "confidence.*",
                "%",
                "Confidence interval of the mean, by plane; null for fewer than three clips.",
            ),
        ),
    ),
)
_PROFILE = (
    Field("model", "text", "Name of the model."),
    Field("kind", "text", "Tool that it is for."),
    Field("digest", "32 hex digits", "Digest of the weights."),
    Field("architecture", "text", "Shape of the network."),
    Field("inputs[]", "text", "Names of the input planes."),
    Field("parameters", "number", "Weights and biases."),
    Field("weights_bytes", "bytes", "Weights as the engine holds them for inference."),
    Field("inference_kmac", "kMAC/pixel", "Inference, a sample of what the model filters."),
    Field("training_kmac", "kMAC/pixel", "Training after a picture, all of it; null where it does not learn."),
    Field("epochs", "epochs", "Of that training."),
    Field("block", "samples", "Side of the blocks that are filtered one by one; null: large tiles."),
    Field("device", "text", "Device of torch that was timed too; null: none."),
    *_in(
        "layers[]",
        (
            Field("layer", "text", "Name of the layer."),
            Field("kind", "text", "Kind of the layer."),
            Field("inputs", "channels", "Channels that enter."),
            Field("outputs", "channels", "Channels that leave."),
            Field("parameters", "number", "Weights and biases."),
            Field("kmac_per_pixel", "kMAC/pixel", "Inference."),
        ),
    ),
    *_in(
        "pictures[]",
        (
            Field("picture", "text", "Name of the size: CIF or 1080p."),
            Field("width", "samples", "Width of what the model filters."),
            Field("height", "samples", "Height of it."),
            Field("inference_ms", "ms", "Inference on one thread."),
            Field("activations_bytes", "bytes", "Input planes and the tile in work."),
            Field("training_ms", "ms", "Training after the picture; null where it does not learn."),
            Field("training_steps", "steps", "Steps of that training."),
            Field("training_bytes", "bytes", "Optimiser, gradients, replayed pictures."),
            Field("device_inference_ms", "ms", "Inference in torch on the device; null: not timed."),
            Field("device_training_ms", "ms", "Training in torch on the device."),
        ),
    ),
)
_SETTINGS = _in(
    ANY_NAME,
    (
        Field("type", "text", "bool, int, float, str, tuple, or the name of a set of choices."),
        Field("default", "", "Value if nothing is set, as --set takes it."),
        Field("expected", "text", "What it may be, in words."),
        Field("unit", "text", "Its unit; empty: none."),
        Field("bits", "bits", "Of its value in the stream; 0: only the encoder knows it."),
        Field("help", "text", "What it means, one line."),
        Field("presets.*", "", "Value in each preset; only settings of the search."),
    ),
)
_SWEEP = (
    Field("experiment", "text", "Name of the experiment."),
    Field("database", "text", "Path of the database."),
    Field("sources", "hex digits", "Digest of this version of the sources."),
    Field("reference", "text", "Arm that the others are compared with."),
    Field("arms.*", "", "Settings of each arm."),
    *_in(
        "results[]",
        (
            Field("arm", "text", "Name of the arm."),
            Field("config", "text", "Coding structure."),
            Field("clip", "text", "Name of the clip."),
            Field("qp", "number", "Base QP."),
            Field("frames", "pictures", "Pictures coded."),
            *_SIZES,
            *(field for field in _PSNR),
            Field("encoder_seconds", "s", "Processor time of the encoder."),
            Field("decoder_seconds", "s", "Processor time of the decoder; null where it did not run."),
            Field("stream_sha256", "64 hex digits", "SHA-256 of the stream; null where there is none."),
            Field("key", "hex digits", "What the run is known by in the database."),
            *_QUALITY,
        ),
    ),
    Field("failed[].run", "text", "A run that failed."),
    Field("failed[].error", "text", "Why."),
)
_DRY_RUN = (
    Field("experiment", "text", "Name of the experiment."),
    Field("runs", "number", "Different runs of the experiment."),
    Field("missing[].run", "text", "A run that the database does not have."),
    Field("missing[].key", "hex digits", "What it will be known by."),
)
_REPORT = (
    Field("page", "text", "Path of the page."),
    Field("bytes", "bytes", "Size of the page."),
    Field("runs", "number", "Runs that were found."),
    Field("asked", "number", "Runs that the experiment has."),
    Field("tables[].title", "text", "Title of a table."),
    Field("tables[].columns[].name", "text", "Head of a column."),
    Field("tables[].columns[].style", "text", "How Python formats its numbers."),
    Field("tables[].rows[].values[]", "", "Cells of a row: numbers, texts, null for what cannot be told."),
    Field("tables[].rows[].kind", "text", "clip, class, mean or interval."),
    Field("tables[].intervals.*", "%", "Confidence interval of a mean, by column."),
    Field("tables[].warnings[][]", "text", "Name of a clip, and why its figures may not be trusted."),
)
_TRACE_LINE = (
    Field("picture", "number", "Index in coding order; parameter sets belong to the picture that follows."),
    Field("poc", "number", "Picture order count; null before the slice header has been read."),
    Field("unit", "text", "Type of the NAL unit."),
    Field("ctu", "number", "Address of the coding tree unit; null before the first one."),
    Field("x", "luma samples", "Column of the block."),
    Field("y", "luma samples", "Row of the block."),
    Field("size", "text", "Width x height of the block, luma samples."),
    Field("component", "text", "Y, Cb or Cr."),
    Field("element", "text", "Name of the syntax element."),
    Field("value", "number or text", "Its value; bytes as 0x and hexadecimal digits."),
    Field("bits", "bits", "What it takes."),
    Field("position", "bits", "Its place in the NAL unit, without emulation prevention."),
    Field("range", "number", "ivlCurrRange before it."),
    Field("register", "number", "ivlOffset of a decoder or ivlLow of an encoder before it."),
    Field("bins", "text", "Its bins, each with its context and state."),
)
_TRACE_SUMMARY = _in(
    "[]",
    (
        Field("element", "text", "Name of the syntax element."),
        Field("component", "text", "Y, Cb or Cr; null where that makes no difference."),
        Field("count", "number", "How often it stands in the trace."),
        Field("bins", "number", "Bins of the arithmetic coder."),
        Field("bits", "bits", "What all of them take."),
        Field("share", "0..1", "Share of all bits."),
    ),
)

FORMS: Mapping[str, tuple[Field, ...]] = MappingProxyType(
    {
        "encode": _ENCODE,
        "decode": _DECODE,
        "info": _INFO,
        "metrics": _METRICS,
        "compare": _COMPARE,
        "profile": _PROFILE,
        "settings": _SETTINGS,
        "sweep": _SWEEP,
        "sweep --dry-run": _DRY_RUN,
        "report": _REPORT,
        "trace": _TRACE_LINE,
        "trace --summary": _TRACE_SUMMARY,
    }
)


def paths_of(value: Any, place: str = "") -> set[str]:
    """Paths of all fields in a result, as `Field.path` has them, without wildcards.

    A point in a name becomes a colon; an empty list or object stands for itself.
    """
    if isinstance(value, Mapping) and value:
        names = {name: name.replace(".", ":") for name in value}
        return {path for name, own in names.items() for path in paths_of(value[name], f"{place}.{own}".lstrip("."))}
    if isinstance(value, (list, tuple)) and value:
        return {path for own in value for path in paths_of(own, f"{place}[]")}
    return {place}


def covers(field: Field, path: str) -> bool:
    """Whether a field of a table is what stands at a path of a result."""
    own, found = field.path.split("."), path.split(".")
    if own[-1] == ANY_NAME and len(found) >= len(own):  # the names below are free, and so is what they hold
        own, found = own[:-1], found[: len(own) - 1]
    return len(own) == len(found) and all(a in (ANY_NAME, b) for a, b in zip(own, found, strict=True))


def is_documented(path: str, fields: Iterable[Field]) -> bool:
    """Whether a path of a result is that of a field, or of an empty list or object of fields."""
    return any(covers(field, path) or field.path.startswith((f"{path}.", f"{path}[]")) for field in fields)


def markdown() -> str:
    """The tables as text."""
    lines = ["# Results as JSON", ""]
    lines += [f"What `--json` prints, version {FORM_VERSION} of the form. `json_forms.py` writes this page.", ""]
    lines += ["Names are joined by points; `[]` is each item of a list, `*` any name.", ""]
    for command, fields in FORMS.items():
        lines += [f"## codecsim {command} --json", "", "| field | unit | meaning |", "|---|---|---|"]
        lines += [f"| `{field.path}` | {field.unit} | {field.meaning} |" for field in fields] + [""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown(), end="")
