"""Rate-distortion points of other encoders, from a CSV file."""

import csv
import os
import pathlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from codecsim.errors import FormatError

COLUMNS = {
    **dict.fromkeys(("clip", "codec", "config"), str),
    **dict.fromkeys(("width", "height", "frames", "qp", "bits"), int),
    **dict.fromkeys(("psnr_y", "psnr_u", "psnr_v"), float),
}


class Anchors:
    """Points of all codecs of a file.

    Parameters
    ----------
    path : of a CSV file with at least the columns COLUMNS: bits of the whole file, PSNR as mean over pictures

    Raises
    ------
    FormatError : unreadable, a column or a number is missing, or a point is there twice
    """

    def __init__(self, path: str | os.PathLike):
        self.name = pathlib.Path(path).name
        self._points: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        try:
            with open(path, newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file)
                missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
                if missing:
                    raise FormatError(f"{path}: has no column {missing[0]!r}; expected {', '.join(COLUMNS)}")
                for row in reader:
                    self._add(path, reader.line_num, row)
        except (OSError, UnicodeDecodeError) as error:
            raise FormatError(f"{path}: cannot be read ({error})") from error

    def _add(self, path: str | os.PathLike, line: int, row: Mapping[str, Any]) -> None:
        try:
            point = {name: kind(row[name]) for name, kind in COLUMNS.items()}
        except (TypeError, ValueError) as error:
            raise FormatError(f"{path}, line {line}: {error}") from None
        curve = self._points.setdefault((point["codec"], point["clip"], point["config"]), [])
        if point["qp"] in [other["qp"] for other in curve]:
            raise FormatError(f"{path}, line {line}: a second point of {point['clip']} at QP {point['qp']}")
        curve.append(point)

    def codecs(self) -> list[str]:
        """Names of the codecs."""
        return list(dict.fromkeys(codec for codec, _, _ in self._points))

    def clips(self, codecs: Collection[str], configs: Collection[str]) -> list[str]:
        """Names of the clips with points of any of these codecs and configurations."""
        return list(dict.fromkeys(p[1] for p in self._points if p[0] in codecs and p[2] in configs))

    def configs(self, codecs: Collection[str]) -> list[str]:
        """Configurations with points of any of these codecs."""
        return list(dict.fromkeys(p[2] for p in self._points if p[0] in codecs))

    def points(self, codec: str, clip: str, config: str) -> list[dict]:
        """Points of one curve, in the file's order; empty where there are none."""
        return self._points.get((codec, clip, config), [])

    def coding(
        self, codecs: Iterable[str], clip: str, config: str, frames: int | None = None
    ) -> tuple[int | None, list[int]]:
        """Number of pictures, or `frames` where given, and QPs of the points of these codecs; None, [] without points.

        Raises
        ------
        FormatError : the points of a clip do not agree on the number of pictures, and `frames` is not given
        """
        points = [point for codec in codecs for point in self.points(codec, clip, config)]
        counts = {frames} if frames else {point["frames"] for point in points}
        if len(counts) > 1:
            text = ", ".join(map(str, sorted(counts)))
            raise FormatError(f"{self.name}: {clip}, {config}: points of {text} pictures; give --frames")
        return next(iter(counts), None), sorted({point["qp"] for point in points})
