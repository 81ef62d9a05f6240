"""Tables on standard output, with rich, which is imported when there is one to print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table


def make_table(*columns: str, **options: Any) -> Table:
    """A table of rich, with its options and columns of these names."""
    from rich.table import Table

    return Table(*columns, **options)


def print_table(table: Table) -> None:
    """Print a table; lines too long for the terminal are left to it."""
    from rich.console import Console

    Console(soft_wrap=True).print(table)
