"""The page of a report: one file that needs nothing else, with tables as HTML and figures drawn by plotly.

The library and the figures are in the page, gzip in base64; the page's script unpacks them. Every text that comes from
a database is escaped: in HTML by the template's autoescape, in figures by `style.shown`, elsewhere as a text node.
"""

import base64
import gzip
import importlib.metadata
import importlib.util
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from codecsim import __version__
from codecsim.errors import ConfigError
from codecsim.experiments.compare import METRICS
from codecsim.experiments.report.overview import all_points, overview
from codecsim.experiments.report.progress import gain_figure, learning_figure, pictures_figure
from codecsim.experiments.report.rates import costs_figure, gains_figure, rd_figure, savings_figure
from codecsim.experiments.report.shares import experts_figure, parts_figure
from codecsim.experiments.report.study import Study
from codecsim.experiments.report.style import ARMS, DARK, colour_of
from codecsim.experiments.tables import notes_of
from codecsim.extras import install_command, needed

_FOLDER = pathlib.Path(__file__).parent
NO_COMPARISON = "Nothing to show: no arm here can be compared with the reference."


class FigureKind(NamedTuple):
    """A figure of the page."""

    per: str  # config, clip, metric or qp: what there is a figure for
    make: Callable  # of the study, configuration, clip, and metric or QP, as far as `per` goes; with tables for config
    without: str  # what to say where it is empty


FIGURES: Mapping[str, FigureKind] = {
    "gains": FigureKind("config", gains_figure, NO_COMPARISON),
    "rd": FigureKind("metric", rd_figure, "Nothing to show: no arm that is shown has runs here."),
    "savings": FigureKind("metric", savings_figure, NO_COMPARISON),
    "costs": FigureKind("config", costs_figure, NO_COMPARISON),
    "gain": FigureKind("clip", gain_figure, NO_COMPARISON),
    "pictures": FigureKind("qp", pictures_figure, NO_COMPARISON),
    "learning": FigureKind("qp", learning_figure, "Nothing to show: no arm that is shown learns here."),
    "experts": FigureKind("clip", experts_figure, "Nothing to show: no arm that is shown filters blocks here."),
    "parts": FigureKind("clip", parts_figure, "Nothing to show: the reference has no runs here."),
}


def all_figures(study: Study, tables: Mapping) -> dict[str, dict]:
    """All figures by name, each {'per', 'without', 'found': {key: figure}}; empty ones are left out.

    A key is the index of the configuration, of the clip in it, and the QP or the metric's name, slashes between.
    """
    metrics = study.metrics
    found: dict[str, Any] = {
        name: {"per": kind.per, "without": kind.without, "found": {}} for name, kind in FIGURES.items()
    }
    for i, (config, clips) in enumerate(study.curves.items()):
        for name, kind in FIGURES.items():
            figures = {}
            if kind.per == "config":
                figures[f"{i}"] = kind.make(study, config, tables[config])
            for j, clip in enumerate(clips if kind.per != "config" else ()):
                if kind.per == "clip":
                    figures[f"{i}/{j}"] = kind.make(study, config, clip)
                    continue
                for last in metrics if kind.per == "metric" else qps_of(study, config, clip):
                    figures[f"{i}/{j}/{last}"] = kind.make(study, config, clip, last)
            found[name]["found"] |= {key: figure for key, figure in figures.items() if figure["data"]}
    return found


def qps_of(study: Study, config: str, clip: str) -> list[int]:
    """QPs that any arm has of a clip."""
    return sorted({qp for curve in study.curves[config][clip].values() for qp in curve.qps})


def page(study: Study, tables: Mapping, qualities: Mapping) -> str:
    """The page as text; `tables` and `qualities` are those of `overview.comparisons` and `quality_comparisons`.

    Raises
    ------
    ConfigError : plotly or jinja2 is not installed
    """
    jinja2, markupsafe = (needed(module, "report") for module in ("jinja2", "markupsafe"))
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(_FOLDER), autoescape=True)
    data = {
        "title": study.title,
        "arms": [arm.name for arm in study.arms],
        "colours": [colour_of(k) for k in range(len(study.arms))],
        "shown": 1 + len(ARMS),  # arms shown at first: as many as have a colour of their own
        "dark": DARK,
        "configs": [
            {"name": config, "clips": [{"name": clip, "qps": qps_of(study, config, clip)} for clip in clips]}
            for config, clips in study.curves.items()
        ],
        "metrics": [{"name": name, "title": METRICS[name].title} for name in study.metrics],
        "figures": all_figures(study, tables),
    }
    by_metric = {METRICS["psnr"].title if qualities else "": tables}  # there is nothing to tell apart without others
    by_metric |= {METRICS[name].title: found for name, found in qualities.items()}
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    own = {name: markupsafe.Markup((_FOLDER / f"page.{name}").read_text(encoding="utf-8")) for name in ("css", "js")}
    return environment.get_template("page.html").render(
        study=study,
        overviews={
            config: [(title, overview(study, config, by_config[config])) for title, by_config in by_metric.items()]
            for config, found in tables.items()
            if found
        },
        comparisons={
            config: {title: by_config[config] for title, by_config in by_metric.items()}
            for config, found in tables.items()
            if found
        },
        points=all_points(study),
        notes=notes_of(study.metrics),
        version=__version__,
        library=f"plotly {importlib.metadata.version('plotly')}",
        style=own["css"],
        script=own["js"],
        plotly=packed(plotly_script()),
        data=packed(text.encode()),
    )


def packed(data: bytes) -> str:
    """Bytes as the page's script unpacks them; the same for the same bytes."""
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def plotly_script() -> bytes:
    """Plotly for browsers, as its package holds it.

    Raises
    ------
    ConfigError : it is not installed
    """
    found = importlib.util.find_spec("plotly")
    if found is None or found.origin is None:
        raise ConfigError(f"report needs plotly, which is not installed: {install_command('plotly')}")
    return (pathlib.Path(found.origin).parent / "package_data" / "plotly.min.js").read_bytes()
