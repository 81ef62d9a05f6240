"""From what coders record to traced elements, in the order of the stream."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from codecsim.codec.picture_codec import PictureCodec
from codecsim.codec.stages.stage import Stage
from codecsim.entropy import contexts, elements
from codecsim.entropy.cabac import RANGE_LPS
from codecsim.entropy.trace import BYPASS, FIRST_ELEMENT, TERMINATE
from codecsim.errors import CodecError
from codecsim.syntax import nal
from codecsim.tracing.records import HEX, SAMPLES, Record
from codecsim.tracing.samples import Entry, digests

NAL_HEADER_BITS = 16
INCOMPLETE = "(incomplete)"  # bins that no element owns: the data end inside it
HeaderElement = tuple[str, bytes | int, int, int]  # name, value, bits, position
_COMPONENTS = (None, "Y", "Cb", "Cr")
_UNIT_NAMES = {number: name for name, number in vars(nal).items() if name.isupper() and isinstance(number, int)}


class Tracer:
    """Takes what an encoder or a decoder codes.

    Header elements are appended as `syntax.bits` gives them, slice data are taken from a `TracedCoder`.  An encoder
    writes a slice's data before its header: they are held until `begin_slice_data`.

    Parameters
    ----------
    emit : function of an iterable of Record, called in the order of the stream; the iterable need not be used at once
    samples : bool, note digests of the samples too, behind the slice data of each picture: see tracing.samples

    Attributes
    ----------
    observer : for a PictureCodec, None without `samples`
    """

    def __init__(self, emit: Callable[[Iterable[Record]], object], samples: bool = False):
        self._emit = emit
        self.observer = self._observe if samples else None
        self._digests: dict[
            str, list[Entry]
        ] = {}  # by stage of the picture; one that an encoder tries again counts as it was last
        self._pictures = 0  # whose slice data have begun
        self._picture = 0
        self._poc: int | None = None
        self._poc_of_last: int | None = None
        self._unit = ""
        self._first_bit = 0  # of the unit, as header elements count
        self._start_bit: int | None = None  # of the slice data, as their rows count; None while they have to wait
        self._headers: list[HeaderElement] = []
        self._held: list[tuple[int | None, Any]] = []

    def begin_unit(self, nal_type: int, layer_id: int = 0, temporal_id: int = 0, byte: int = -2) -> None:
        """A NAL unit follows, whose header stands at byte `byte` of the stream."""
        self.finish()
        self._unit = _UNIT_NAMES.get(nal_type, f"NAL_{nal_type}")
        self._first_bit = 8 * byte
        of_next = nal_type not in (nal.SUFFIX_SEI, nal.EOS, nal.EOB) or self._pictures == 0
        self._picture, self._poc = (self._pictures, None) if of_next else (self._pictures - 1, self._poc_of_last)
        fields = (
            ("forbidden_zero_bit", 0, 1),
            ("nal_unit_type", nal_type, 6),
            ("nuh_layer_id", layer_id, 6),
            ("nuh_temporal_id_plus1", temporal_id + 1, 3),
        )
        for name, value, bits in fields:
            self._headers.append((name, value, bits, self._first_bit + sum(bits for _, _, bits, _ in self._headers)))

    def append(self, element: HeaderElement) -> None:
        """Take a header's element: (name, value, bits, position)."""
        self._headers.append(element)

    def begin_slice_data(self, poc: int, start_bit: int = 0) -> None:
        """The slice header is complete and its data follow, or have been taken before.

        poc : int
        start_bit : int, added to the positions in what is taken to have those in the unit without its header
        """
        self._poc = self._poc_of_last = poc
        self._pictures += 1
        self._flush_headers()
        self._start_bit = start_bit
        held, self._held = self._held, []
        for ctu, rows in held:
            self._emit(self._from_rows(ctu, rows, start_bit))

    def take(self, record: Any, ctu: int | None) -> None:
        """Take, and clear, the record of a TracedCoder.

        ctu : int, address of the CTU whose elements these are; None: they stand before the first one
        """
        last = int(record[0].what)
        if last >= len(record):
            raise CodecError(f"trace: a CTU of more than {len(record)} bins and elements")
        rows = record[1 : last + 1].copy()
        record[: last + 1] = 0
        if self._start_bit is None:
            self._held.append((ctu, rows))
        else:
            self._emit(self._from_rows(ctu, rows, self._start_bit))

    def finish(self) -> None:
        """The unit, or the stream, has ended."""
        self._flush_headers()
        if self._start_bit is not None:
            found, self._digests = self._digests, {}
            for entries in found.values():
                self._emit(_digest_records(self._picture, self._poc, entries))
        self._start_bit = None

    def _observe(self, stage: Stage, codec: PictureCodec) -> None:
        self._digests[stage.name] = list(digests(stage, codec))

    def _flush_headers(self) -> None:
        if self._headers:
            self._emit(_header_records(self._picture, self._poc, self._unit, self._headers, self._first_bit))
        self._headers = []

    def _from_rows(self, ctu: int | None, rows: Any, start_bit: int) -> Iterator[Record]:
        """Records of an array of rows."""
        return _slice_records(self._picture, self._poc, self._unit, ctu, rows, start_bit + NAL_HEADER_BITS)


def _header_records(
    picture: int, poc: int | None, unit: str, entries: list[HeaderElement], first_bit: int
) -> Iterator[Record]:
    """Records of a header's (name, value, bits, position), the unit beginning at position `first_bit`."""
    nowhere = (None, None, None, None, None)  # ctu to component
    for name, found, bits, position in entries:
        value = HEX + found.hex() if isinstance(found, bytes) else int(found)
        yield Record(picture, poc, unit, *nowhere, name, value, float(bits), position - first_bit, None, None, None)


def _digest_records(picture: int, poc: int | None, entries: list[Entry]) -> Iterator[Record]:
    for ctu, x, y, size, component, name, value in entries:
        yield Record(
            picture, poc, SAMPLES, ctu, x, y, size, component, name, HEX + value.hex(), 0.0, 0, None, None, None
        )


def _slice_records(
    picture: int, poc: int | None, unit: str, ctu: int | None, rows: Any, first_bit: int
) -> Iterator[Record]:
    """Records of slice data: bins up to the element that owns them."""
    bits = _bits(rows)
    owned = 0.0  # what the bins since the last element take
    first: tuple[int, int, int] | None = None  # the coder before the first of them
    tokens: list[str] = []
    for row, taken in zip(rows.tolist(), bits.tolist(), strict=True):
        what, value, count, state, width, register, position, place = row
        if what < FIRST_ELEMENT:
            first = first or (position + first_bit, width, register)
            owned += taken
            _add_bins(tokens, what, value, count, state)
            continue
        assert first is not None  # an element owns bins
        name = elements.NAMES[what - FIRST_ELEMENT]
        yield Record(picture, poc, unit, ctu, *_place(place), name, value, owned, *first, " ".join(tokens))
        owned, first, tokens = 0.0, None, []
    if first:
        yield Record(picture, poc, unit, ctu, *_place(0), INCOMPLETE, 0, owned, *first, " ".join(tokens))


def _place(packed: int) -> tuple[int | None, int | None, str | None, str | None]:
    """(x, y, size, component) as `entropy.trace.located` packs them."""
    if packed == 0:
        return None, None, None, None
    size = f"{packed >> 32 & 255}x{packed >> 40 & 255}"
    return packed & 0xFFFF, packed >> 16 & 0xFFFF, size, _COMPONENTS[packed >> 48]


def _add_bins(tokens: list[str], what: int, value: int, count: int, state: int) -> None:
    """Add a row of bins to those of an element; bins without context are one token where they follow each other."""
    if what == BYPASS:
        bins = f"{value & (1 << count) - 1:0{count}b}"
        if tokens and tokens[-1].endswith("@bypass"):
            bins = tokens.pop().removesuffix("@bypass") + bins
        tokens.append(f"{bins}@bypass")
    elif what == TERMINATE:
        tokens.append(f"{value}@end")
    else:
        tokens.append(f"{value}@{contexts.NAMES[what]}:{state >> 1}.{state & 1}")


def _bits(rows: Any) -> np.ndarray:
    """(N,) float64 what each row of bins takes: by how much it narrows the interval of the arithmetic coder."""
    what, value, state = rows.what, rows.value, rows.state
    bins = what < FIRST_ELEMENT
    with_context = bins & (what >= 0)
    width = np.where(bins, rows.range, 2).astype(np.float64)
    least = np.where(with_context, RANGE_LPS[state >> 1 & 63, (rows.range >> 6) & 3], 2)
    is_least = np.where(with_context, value != state & 1, value == 1)
    bits = np.log2(width / np.where(is_least, least, np.maximum(width - least, 1)))
    return np.where(what == BYPASS, rows.count, np.where(bins, bits, 0))
