"""The plots of docs/performance.md as SVG, by matplotlib.

Drawn without a background in greys and colours that stand out from white and from near black alike; text is in the
reader's sans-serif. The same figures make the same octets: no date, a fixed salt for ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullLocator

from tests.benchmarks import apps, cold
from tests.benchmarks.contenders import OURS, is_rust
from tests.benchmarks.record import Record

INK = "#737b84"
FAINT = "#737b8455"
OURS_COLOUR = "#2f81f7"
CACHED_COLOUR = "#1a9e77"
RUST_COLOUR = "#c4682b"
PEER_COLOUR = "#8b93a0"
STYLE = {
    "svg.hashsalt": "bearer_guard",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],  # laid out in the first, a wide one: others fit
    "font.size": 8.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}
Bar = tuple[str, float, float, float, str]
_LEAST = 0.01


def draw(record: Record, folder: Path) -> list[Path]:
    """Draw what was measured into `folder`; the files that were written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with mpl.rc_context(STYLE):
        for name, plot in PLOTS.items():
            if name in record:
                figure = plot(record[name]["figures"])
                if figure is not None:
                    written.append(_save(figure, folder / f"{name}.svg"))
    return written


def _save(figure: Figure, path: Path) -> Path:
    FigureCanvasSVG(figure)
    figure.savefig(path, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    # matplotlib ends lines with white space, which the repository does not.
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")
    return path


def tokens(figures: dict[str, Any]) -> Figure:
    """A panel for each algorithm: times RAW, by contender."""
    figure = Figure(figsize=(9, 6.6), layout="constrained")
    panels = figure.subplots(2, 2).flat
    for axes, (algorithm, entries) in zip(panels, figures["algorithms"].items(), strict=False):
        bars = [
            _bar(entry["name"], entry["ratio"], _colour(entry["name"]))
            for entry in entries
            if entry["name"] != cold.RAW
        ]
        _bars(axes, bars, f"{algorithm}, every token new", "x RAW (signature check and json.loads)", line=1.0)
    _legend(figure, {"ours": OURS_COLOUR, "in Rust": RUST_COLOUR, "others": PEER_COLOUR})
    return figure


def requests(figures: dict[str, Any]) -> Figure:
    """What guarding adds to a request, in process."""
    figure = Figure(figsize=(9, 5.2), layout="constrained")
    bars = [
        _bar(f"{entry['name']} · {apps.BARE[entry['framework']]}", entry["ratio"], _colour(entry["name"]))
        for entry in figures["added"]
    ]
    axes = figure.subplots()
    _bars(axes, bars, "Added to a request, in process (RS256)", "x RAW, logarithmic", line=1.0, logarithmic=True)
    _legend(figure, {"ours, every token new": OURS_COLOUR, "ours, cached": CACHED_COLOUR, "others": PEER_COLOUR})
    return figure


def servers(figures: dict[str, Any]) -> Figure | None:
    """Requests a second, a panel for each server."""
    groups = figures["groups"]
    if not groups:
        return None
    heights = [len(group["figures"]) for group in groups.values()]
    figure = Figure(figsize=(9, 1.2 + 0.21 * sum(heights)), layout="constrained")
    panels = figure.subplots(len(groups), 1, height_ratios=heights, squeeze=False).flat
    for axes, (server, group) in zip(panels, groups.items(), strict=True):
        bars = []
        for entry in sorted(group["figures"], key=lambda entry: -entry["rate"]["median"]):
            framework, _, name = entry["key"].partition(": ")
            colour = _colour(name) if name else FAINT
            bars.append(_bar(f"{name or 'unprotected'} · {apps.BARE[framework]}", entry["rate"], colour))
        _bars(axes, bars, f"{server}, one worker", "requests a second", form="{:,.0f}")
    colours = {"unprotected": FAINT, "ours": OURS_COLOUR, "ours, cached": CACHED_COLOUR, "others": PEER_COLOUR}
    _legend(figure, colours)
    return figure


def growth(figures: dict[str, Any]) -> Figure:
    """Payload, keys, issuers, and a cache's time and memory."""
    figure = Figure(figsize=(9, 5.8), layout="constrained")
    panels = figure.subplot_mosaic([["payload", "payload", "keys"], ["issuers", "cache", "memory"]])
    rows = figures["payload"]
    axes = _panel(panels["payload"], "Payload (RS256)", "bytes", "x RAW on the same tokens")
    for name, colour in ((OURS, OURS_COLOUR), ("PyJWT", PEER_COLOUR)):
        _line(axes, [row["octets"] for row in rows], [row[name]["ratio"] for row in rows], colour, name)
    axes.set_xlim(left=0)
    axes.legend()
    for name, title in (("keys", "Keys in the set (ES256)"), ("issuers", "Issuers (RS256)")):
        axes = _panel(panels[name], title, name, "x RAW on the same tokens", logarithmic=True)
        _line(axes, [row[name] for row in figures[name]], [row[OURS]["ratio"] for row in figures[name]], OURS_COLOUR)
    rows = figures["cache"]
    entries = [row["entries"] for row in rows]
    axes = _panel(panels["cache"], "A cache's time (HS256)", "entries", "µs", logarithmic=True)
    axes.plot(entries, [row["cold"] for row in rows], color=OURS_COLOUR, marker="o", ms=3, label="without")
    axes.plot(entries, [row["microseconds"] for row in rows], color=CACHED_COLOUR, marker="o", ms=3, label="a hit")
    axes.legend()
    weighed = [row for row in rows if row["bytes"] is not None]
    axes = _panel(panels["memory"], "A cache's memory", "entries", "bytes an entry", logarithmic=True)
    octets = [row["bytes"] for row in weighed]
    axes.plot([row["entries"] for row in weighed], octets, color=CACHED_COLOUR, marker="o", ms=3)
    for axes in panels.values():
        axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
    return figure


def introspection(figures: dict[str, Any]) -> Figure:
    """Answers a second by number in flight, a panel for TLS and one without."""
    figure = Figure(figsize=(9, 3.9), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    names = list(dict.fromkeys(entry["name"] for entries in figures["figures"].values() for entry in entries))
    colours = dict(zip(names, (FAINT, PEER_COLOUR, OURS_COLOUR, CACHED_COLOUR), strict=False))
    width = 0.8 / len(names)
    for axes, (kind, entries) in zip(panels, figures["figures"].items(), strict=True):
        levels = list(dict.fromkeys(entry["in_flight"] for entry in entries))
        for place, name in enumerate(names):
            rates = [entry["rate"] for entry in entries if entry["name"] == name]
            where = [level + (place - (len(names) - 1) / 2) * width for level in range(len(levels))]
            medians = [rate["median"] for rate in rates]
            axes.bar(where, medians, width * 0.92, color=colours[name], label=name, yerr=_whiskers(rates), ecolor=INK)
        axes.set_xticks(range(len(levels)), [str(level) for level in levels])
        axes.set_title("Over TLS" if kind == "https" else "In the clear")
        axes.set_xlabel("in flight")
        _grid(axes, "y")
    panels[0].set_ylabel("answers a second")
    _legend(figure, colours)
    return figure


PLOTS: dict[str, Callable[[dict[str, Any]], Figure | None]] = {
    "tokens": tokens,
    "requests": requests,
    "servers": servers,
    "growth": growth,
    "introspection": introspection,
}


def _bar(label: str, spread: dict[str, float], colour: str) -> Bar:
    return label.replace("`", ""), spread["median"], spread["lower"], spread["upper"], colour


def _colour(name: str) -> str:
    if name.startswith(OURS):
        return CACHED_COLOUR if name.endswith("cached") else OURS_COLOUR
    return RUST_COLOUR if is_rust(name) else PEER_COLOUR


def _bars(
    axes: Axes,
    bars: Sequence[Bar],
    title: str,
    unit: str,
    *,
    line: float | None = None,
    logarithmic: bool = False,
    form: str = "{:.2f}",
) -> None:
    """Horizontal bars with quartiles as whiskers and the median as a number, the first on top."""
    places = range(len(bars))
    least = _LEAST if logarithmic else -float("inf")  # noise can make an added cost negative
    shown = [[max(value, least) for value in bar[1:4]] for bar in bars]
    medians = [median for median, _, _ in shown]
    whiskers = _whiskers([{"median": median, "lower": lower, "upper": upper} for median, lower, upper in shown])
    axes.barh(places, medians, 0.72, color=[bar[4] for bar in bars], xerr=whiskers, ecolor=INK, error_kw={"lw": 0.8})
    axes.set_yticks(places, [bar[0] for bar in bars])
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.set_title(title)
    axes.set_xlabel(unit)
    if logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
    if line is not None:
        axes.axvline(line, color=INK, lw=0.8, ls="--")
    for place, bar, (_, _, upper) in zip(places, bars, shown, strict=True):
        label = form.format(bar[1])
        axes.annotate(label, (upper, place), (4, 0), textcoords="offset points", va="center", size=7.5)
    low, high = axes.get_xlim()
    axes.set_xlim(low, high * (1.6 if logarithmic else 1.08))
    _grid(axes, "x")


def _panel(axes: Axes, title: str, across: str, up: str, *, logarithmic: bool = False) -> Axes:
    axes.set_title(title)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    if logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(_short))
    _grid(axes, "both")
    return axes


def _short(number: float, _: object) -> str:
    """1,500 as it is, 10,000 as 10 k, a million as 1 M."""
    if number >= 10_000:
        return f"{number / 1e6:g} M" if number >= 1e6 else f"{number / 1e3:g} k"
    return f"{number:,.0f}"


def _line(
    axes: Axes, across: Sequence[float], ratios: Sequence[dict[str, float]], colour: str, label: str = ""
) -> None:
    axes.plot(across, [ratio["median"] for ratio in ratios], color=colour, marker="o", ms=3, label=label or None)
    lower, upper = [ratio["lower"] for ratio in ratios], [ratio["upper"] for ratio in ratios]
    axes.fill_between(across, lower, upper, color=colour, alpha=0.2, lw=0)


def _whiskers(spreads: Sequence[dict[str, float]]) -> list[list[float]]:
    below = [spread["median"] - spread["lower"] for spread in spreads]
    return [below, [spread["upper"] - spread["median"] for spread in spreads]]


def _grid(axes: Axes, which: Any) -> None:
    axes.set_axisbelow(True)
    axes.grid(axis=which, color=FAINT, lw=0.5)


def _legend(figure: Figure, colours: Mapping[str, str]) -> None:
    patches = [Patch(color=colour, label=label) for label, colour in colours.items()]
    figure.legend(handles=patches, loc="outside upper right", ncols=len(patches))
