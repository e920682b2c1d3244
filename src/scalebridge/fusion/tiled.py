"""A fusion that is written tile by tile: learnt on a sample, added up, smoothed, kept, and gone on with."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.engine.array_store import ArrayStore
from scalebridge.engine.farm import Task, run_tasks, stream_tasks
from scalebridge.fusion.block_estimate import Estimate, Gated, Search, gate_scenes
from scalebridge.fusion.field_files import Frame, Put, open_field
from scalebridge.fusion.fusion_problem import Problem
from scalebridge.fusion.held_out import Farm
from scalebridge.fusion.lazy_arrays import Window
from scalebridge.fusion.learning import Learnt
from scalebridge.fusion.methods import Blocks, learn_by
from scalebridge.fusion.overview import Overview
from scalebridge.fusion.problem_tables import problem_from, problem_tables
from scalebridge.fusion.scene import Scene
from scalebridge.fusion.shared_coefficients import Coefficients, coefficients_by_date, solve_coefficients
from scalebridge.fusion.tile_tasks import smooth_tile, sum_tile

_VERSION = "1"  # of the answers of tiles


@dataclass(frozen=True)
class Sample:
    """What was learnt from a sample of footprints.

    Args:
        whole: the sample as it was read.
        clean: without scenes that are far off; with the coefficients of the whole scene.
        learnt: the parameters.
        gated: the scenes that were left out.
        left_out: sensor and position of each.
    """

    whole: Problem
    clean: Problem
    learnt: Learnt
    gated: tuple[Gated, ...]
    left_out: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class TiledAnswer:
    """What came out of all tiles, beside the file.

    Args:
        overview: every so-many-th pixel of it.
        estimate: of the overview, with the coefficients and the log-likelihood of the whole.
        squares: (sensors, 2): sum of squares of standardised differences, and how many there are.
        totals: mean, and root mean square of the standard deviation, of the whole.
        tiles: how many.
    """

    overview: Overview
    estimate: Estimate
    squares: np.ndarray
    totals: tuple[float, float]
    tiles: int


def work_folder(output: Path) -> Path:
    """Return where finished tiles are kept until the field is whole, unless a store is named."""
    return output.with_name(f".{output.name}.tiles")


def learn_sample(scene: Scene, search: Search, farm: Farm) -> Sample:
    """Read some footprints, leave out scenes that are far off in them, and learn the parameters.

    Args:
        scene: the scene.
        search: how; its `footprints` are how many are read.
        farm: who does it, and where what was learnt is kept.
    """
    whole = scene.part(scene.footprints(search.footprints))
    clean, gated = (whole, ()) if search.gate is None else gate_scenes(whole, search.gate)
    left_out = tuple((g.sensor, _place(whole, g)) for g in gated)
    how = asdict(replace(search, gate=None))
    inputs = {"problem": problem_tables(clean), "block": tuple(scene.block), "search": how}
    harvest = run_tasks(
        [Task("parameters", learn_tables, inputs, _VERSION)],
        **(farm.options | {"engine": "serial", "workers": None}), title="learning",
    )  # fmt: skip
    clean = replace(clean, shared=scene.coefficients(clean))
    return Sample(whole, clean, Learnt(**harvest.results[0]), gated, left_out)


def learn_tables(
    problem: Mapping[str, Any], block: tuple[int, int], search: Mapping[str, Any]
) -> dict[str, Any]:
    """Learn from all footprints of a problem; the fields of `Learnt` by name."""
    return learn_by(Blocks(block), problem_from(problem), Search(**search))[0]._asdict()


def _place(problem: Problem, gated: Gated) -> int:
    return next(t for t in range(len(problem.days)) if problem.date_text(t) == gated.date)


def estimate_tiles(
    scene: Scene, sample: Sample, output: Path, edge: int, lag: int | None, farm: Farm
) -> TiledAnswer:
    """Smooth a scene tile by tile and write it.

    What is finished is kept in the farm's store; a run that was stopped goes on there, and its file has the
    same bits.

    Args:
        scene: the scene.
        sample: what was learnt.
        output: the file.
        edge: pixels along a tile's edge, at least; footprints stay whole.
        lag: see `block_engine.smooth`.
        farm: who does it.

    Cost: memory of two tiles a worker, each about 80 bytes a pixel and date.
    """
    job = _Job(scene, sample, scene.tiles(edge), lag, farm)
    shared, log = job.coefficients()
    frame = Frame(
        scene.grid, scene.days, scene.finest.dated, scene.finest.unit,
        {"title": "fused field", "schema": "scalebridge/fusion/1", "method": "blocks"},
        scene.bands,
    )  # fmt: skip
    with open_field(output, frame, job.largest) as put:
        return job.smooth(shared, log, put)


@dataclass(frozen=True)
class _Job:
    """Both passes over the tiles."""

    scene: Scene
    sample: Sample
    windows: list[Window]
    lag: int | None
    farm: Farm

    @property
    def largest(self) -> tuple[int, int]:
        """Rows and columns of the first tile, which is a largest one."""
        rows, columns = self.windows[0]
        return rows.stop - rows.start, columns.stop - columns.start

    def tiles(self) -> Iterator[tuple[Window, Problem]]:
        """Read each tile when its turn comes, without the scenes that were left out."""
        for window in self.windows:
            tile = self.scene.part([window], self.sample.clean)
            for name, place in self.sample.left_out:
                tile = tile.without(name, place)
            yield window, tile

    def inputs(self, tile: Problem) -> dict[str, Any]:
        """What both passes have to know of a tile."""
        values = self.sample.learnt.values
        return {"problem": problem_tables(tile), "block": tuple(self.scene.block), "values": values}

    def stream(self, tasks: Iterator[Task], take: Any, store: Any, title: str) -> None:
        """Do tasks on the farm."""
        farm = self.farm
        stream_tasks(
            tasks, take, len(self.windows), engine=farm.engine, workers=farm.workers, store=store,
            title=title, progress=farm.progress,
        )  # fmt: skip

    def coefficients(self) -> tuple[list[Coefficients], float]:
        """What all footprints share, from sums over all tiles: added in their order, whoever came first."""
        told: dict[int, Any] = {}
        tasks = (
            Task(_name(w), sum_tile, self.inputs(t) | {"by_date": self.lag is not None}, _VERSION)
            for w, t in self.tiles()
        )
        self.stream(tasks, told.__setitem__, self.farm.kept, "adding up")
        products = np.sum([told[n]["products"] for n in range(len(self.windows))], axis=0)
        values = self.sample.learnt.values
        spread = [values[p] if isinstance(p, str) else p for _, p in self.sample.clean.coefficients]
        prior = np.array(spread, dtype=float) ** 2
        found, quadratic = solve_coefficients(products.sum(axis=0), prior)
        log = sum(told[n]["log"] for n in range(len(self.windows))) + quadratic
        return ([found] if self.lag is None else coefficients_by_date(products, prior, self.lag)), float(log)

    def smooth(self, shared: list[Coefficients], log: float, put: Put) -> TiledAnswer:
        """Smooth and write all tiles."""
        kept = self.farm.kept
        assert kept is not None  # noqa: S101
        overview, squares, totals = Overview(self.scene), {}, {}
        known = {"mean": np.stack([s.mean for s in shared]), "cov": np.stack([s.cov for s in shared])}

        def tasks() -> Iterator[Task]:
            for window, tile in self.tiles():
                overview.see(window, tile)
                inputs = self.inputs(tile) | {"shared": known, "lag": self.lag}
                yield Task(_name(window), smooth_tile, inputs, _VERSION)

        def take(number: int, found: Mapping[str, np.ndarray]) -> None:
            window = self.windows[number]
            put(window, found)
            overview.take(window, found)
            squares[number] = found["squares"]
            totals[number] = np.array([found["mean"].sum(), (found["std"] ** 2).sum()])

        self.stream(tasks(), take, ArrayStore(kept.folder, fresh=kept.fresh), "smoothing")
        order = range(len(self.windows))
        count = len(self.scene.days) * int(np.prod(self.scene.grid.shape)) * max(len(self.scene.bands), 1)
        mean, square = np.sum([totals[n] for n in order], axis=0) / count
        names = [name for name, _ in self.sample.clean.coefficients]
        spread = np.sqrt(np.diag(shared[-1].cov))
        pairs = zip(names, shared[-1].mean, spread, strict=True)
        estimate = Estimate(
            overview.mean, overview.std, {}, {n: (float(m), float(s)) for n, m, s in pairs}, log
        )
        added = np.sum([squares[n] for n in order], axis=0)
        return TiledAnswer(
            overview, estimate, added, (float(mean), float(np.sqrt(square))), len(self.windows)
        )


def _name(window: Window) -> str:
    return f"tile at row {window[0].start}, column {window[1].start}"
