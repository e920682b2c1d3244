"""Every so-many-th pixel of a field that is too large to be held, for pictures."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from scalebridge.fusion.fusion_grid import Grid
from scalebridge.fusion.fusion_problem import Observed, Problem
from scalebridge.fusion.lazy_arrays import Window
from scalebridge.fusion.scene import Scene
from scalebridge.grids.transfers import BlockAverage

_MOST = 40_000  # pixels


class Overview:
    """A thinned field and what the sensors saw there, filled tile by tile.

    Args:
        scene: the scene.

    Example:
        >>> from scalebridge.fusion.fusion_model import FusionModel
        >>> from scalebridge.fusion.scene import make_scene
        >>> from scalebridge.fusion.sensors import Sensor
        >>> scene = make_scene(Sensor("survey", np.ones((1, 300, 500)), [0]), FusionModel())
        >>> Overview(scene).step, Overview(scene).mean.shape
        (2, (1, 150, 250))
    """

    def __init__(self, scene: Scene):
        rows, columns = scene.grid.shape
        self.scene = scene
        self.step = max(1, int(np.ceil(np.sqrt(rows * columns / _MOST))))
        shape = (len(scene.days), len(range(0, rows, self.step)), len(range(0, columns, self.step)))
        field = (shape[0], *([len(scene.bands)] if scene.bands else []), *shape[1:])
        self.mean, self.std = np.full(field, np.nan), np.full(field, np.nan)
        self.seen = {s.name: np.full(shape, np.nan) for _, s in scene.seen}
        self.scale = {s.name: np.ones(shape) for _, s in scene.seen}

    def see(self, window: Window, tile: Problem) -> None:
        """Take what the sensors saw of a tile, less its centre."""
        inside, outside = self._places(window)
        for o in tile.observed:
            assert o.factor is not None  # noqa: S101
            own = np.ix_(
                *(np.arange(w.start, w.stop, w.step) // f for w, f in zip(inside, o.factor, strict=True))
            )
            for whole, values in ((self.seen, o.values), (self.scale, o.scale)):
                whole[o.name][(slice(None), *outside)] = values.reshape(-1, *o.shape)[(slice(None), *own)]

    def take(self, window: Window, found: Mapping[str, np.ndarray]) -> None:
        """Take the answer of a tile."""
        inside, outside = self._places(window)
        self.mean[(..., *outside)] = found["mean"][(..., *inside)]
        self.std[(..., *outside)] = found["std"][(..., *inside)]

    def problem(self, clean: Problem) -> Problem:
        """Return the thinned pixels as a problem, for pictures: every sensor as if it saw them alone."""
        grid, shape = self.scene.grid, (self.mean.shape[-2], self.mean.shape[-1])
        middle = grid.affine[:, :2] @ np.array([0.5, 0.5]) + grid.affine[:, 2]
        wide = grid.affine[:, :2] * self.step
        affine = np.column_stack([wide, middle - wide @ np.array([0.5, 0.5])])
        pixels = shape[0] * shape[1]
        observed = tuple(
            Observed(
                o.name, self.seen[o.name].reshape(-1, pixels), self.scale[o.name].reshape(-1, pixels),
                BlockAverage(shape, (1, 1)), (1, 1), o.bias, o.offset, o.learn_noise, shape,
                response=o.response, scene=o.scene, outside=o.outside,
            )
            for o in clean.observed
        )  # fmt: skip
        classes = np.zeros(pixels * max(len(self.scene.bands), 1), dtype=np.int64)
        return replace(
            clean, grid=Grid(shape, affine, grid.crs), observed=observed, classes=classes, covariates={}
        )

    def _places(self, window: Window) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        inside, outside = [], []
        for w in window:
            first = -w.start % self.step
            count = len(range(first, w.stop - w.start, self.step))
            inside.append(slice(first, w.stop - w.start, self.step))
            outside.append(slice((w.start + first) // self.step, (w.start + first) // self.step + count))
        return (inside[0], inside[1]), (outside[0], outside[1])
