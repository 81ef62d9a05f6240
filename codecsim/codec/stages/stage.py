"""Normative. What a stage of a picture is."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from codecsim.codec.picture_store import PictureStore
from codecsim.codec.reports import PictureReport
from codecsim.entropy.cabac import Coder
from codecsim.syntax.headers import SliceHeader
from codecsim.tools.learner import Order

Samples = tuple[str, Sequence[np.ndarray]]  # a name, and planes of luma, or of luma and chroma


class Opening(NamedTuple):
    """What the headers say about a picture that begins."""

    header: SliceHeader
    is_inter: bool
    tools: int  # bits of the tools that are on in the picture
    order: Order  # to the learners


class Stage:
    """One step of a picture, from its decisions to a reference: alike in encoder and decoder.

    A stage owns all that belongs to its step: memory, the choice that blocks or the picture have, the syntax of that
    choice, what it learns, and what it reports.  For each picture PictureCodec calls `begin` of all stages; the slice
    data are coded, `code_choice` before the first CTU; then stage by stage, in the order of its list:

        prepare    make ready what blocks choose from
        (choose)   the encoder alone: see search.choices; the decoder has read the choice
        apply      do what is chosen

    An encoder may search a picture several times, and then prepares and applies the stages of prediction each time.

    Attributes
    ----------
    name : str, of the stage
    predicts : bool, whether it comes before the residual is added
    learners : tuple of what it learns with, in the order in which their states are hashed
    takes_orders : bool, whether slice headers carry orders to them
    order : Order that they obey before the picture
    """

    name: ClassVar[str]
    predicts: ClassVar[bool] = False
    takes_orders = False
    order = Order.TRAIN

    def __init__(self) -> None:
        self.learners: tuple[Any, ...] = ()

    def begin(self, picture: PictureStore, opening: Opening) -> Mapping[str, int]:
        """A picture begins, with nothing chosen; returns the fields of SliceSyntax that this stage decides.

        `picture` is not bound yet: only its arrays that live from picture to picture may be used.
        """
        return {}

    def recon_fields(self, qp: int) -> Mapping[str, Any]:
        """Fields of Recon that this stage owns, for a picture of slice QP `qp`."""
        return {}

    def code_choice(self, mode: int, coder: Coder) -> None:
        """Write or read what is chosen for the whole picture, before its first CTU."""

    def prepare(self, picture: PictureStore) -> None:
        """Make ready what the choice is between."""

    def apply(self, picture: PictureStore) -> None:
        """Do what is chosen."""

    @property
    def unused_tools(self) -> int:
        """Bits of the tools that the picture may use but does not, by the encoder's choice."""
        return 0

    @property
    def header_fields(self) -> Mapping[str, Any]:
        """Fields of SliceHeader that follow from the choice."""
        return {}

    def report(self, picture: PictureStore, report: PictureReport) -> None:
        """Say what the stage did: sets its fields of the report."""

    def inspect(self, picture: PictureStore) -> Mapping[str, Any]:
        """Fields of inspection.PictureData that stand when the stage has been applied; arrays are to be copied."""
        return {}

    def samples(self, picture: PictureStore) -> Iterable[Samples]:
        """What a trace compares when the stage has been applied: named planes without borders."""
        return ()
