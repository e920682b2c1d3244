"""Results in time: fields of every increment as VTU or XDMF, and inside the points that were chosen."""

from pathlib import Path
from xml.sax.saxutils import quoteattr

import meshio
import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.core.files import atomic_path, write_text
from scalebridge.engine.history_unit import HistoryUnit
from scalebridge.io.xdmf import XdmfGrid, attributes, image_grid, mesh_grid, write_time, write_xdmf
from scalebridge.structures.equilibrium import Trial
from scalebridge.structures.march import Journey
from scalebridge.structures.micro_fields import micro_fields
from scalebridge.structures.solid_mesh import SolidMesh
from scalebridge.structures.structure_files import frame_values, mesh_places
from scalebridge.structures.structure_study import cauchy

FORMATS = ("vtu", "xdmf")


def check_series_format(given: str) -> None:
    """Refuse a format of series that there is not.

    Raises:
        InputError: it is none of them.

    Example:
        >>> check_series_format("xdmf")
    """
    if given not in FORMATS:
        raise InputError(
            "results_format", got=repr(given), wanted="'vtu' or 'xdmf'", cure="choose one of them"
        )


class Series:
    """Writes the fields of every increment, and the series that ties them together.

    Files of increments are written whole, one by one, and the series anew after each: what a killed run
    leaves can be read, and a resumed one goes on with it.

    Args:
        folder: where to.
        kind: "vtu" (opened by `series.pvd`) or "xdmf" (by `series.xdmf`).
        solid: the mesh.
        unit: what each point asks.
        watch: points whose micro fields are written at every increment, as `micro-NUMBER.xdmf`.
    """

    def __init__(self, folder: Path, kind: str, solid: SolidMesh, unit: HistoryUnit, watch: tuple[int, ...]):
        self.folder, self.kind, self._solid, self._unit, self._watch = folder, kind, solid, unit, watch
        self._grid: XdmfGrid | None = None

    def increment(self, journey: Journey) -> None:
        """Write what an increment has found."""
        times = [record.time for record in journey.records]
        if self.kind == "vtu":
            self._vtu(journey.trial, times)
        else:
            self._xdmf(journey.trial, times)
        for point in self._watch:
            self._micro(point, journey.trial, times)

    def _vtu(self, trial: Trial, times: list[float]) -> None:
        moved, cells = frame_values(trial)
        places, cell, elements = mesh_places(self._solid)
        made = meshio.Mesh(
            places,
            [(cell, elements)],
            point_data={"displacement": moved},
            cell_data={name: [values] for name, values in cells.items()},
        )
        with atomic_path(self.folder / _frame("frame", len(times), "vtu")) as part:
            made.write(part, file_format="vtu")
        rows = "".join(
            f"    <DataSet timestep={quoteattr(repr(time))} file={quoteattr(name)}/>\n"
            for time, name in self._there("frame", "vtu", times)
        )
        head = '<?xml version="1.0"?>\n<VTKFile type="Collection" version="0.1">\n  <Collection>\n'
        write_text(self.folder / "series.pvd", f"{head}{rows}  </Collection>\n</VTKFile>\n")

    def _xdmf(self, trial: Trial, times: list[float]) -> None:
        if self._grid is None:
            self._grid = mesh_grid(self.folder / "mesh.h5", *mesh_places(self._solid))
        moved, cells = frame_values(trial)
        self._write("series", "frame", self._grid, times, ({"displacement": moved}, cells))

    def _micro(self, point: int, trial: Trial, times: list[float]) -> None:
        """Write the fields inside a point; a law at a point has none."""
        load = trial.structure.kinematics.loads(trial.u, trial.across)[point]
        fields = micro_fields(self._unit, trial.structure.engine.state(point), load)
        if not fields:
            return
        unit, name = self._unit, f"micro-{point:06d}"
        grid = image_grid(unit.index.shape, unit.spacing)  # type: ignore[attr-defined]
        self._write(name, name, grid, times, ({}, {name: _stored(values) for name, values in fields.items()}))

    def _write(
        self,
        series: str,
        frame: str,
        grid: XdmfGrid,
        times: list[float],
        data: tuple[dict[str, np.ndarray], dict[str, np.ndarray]],
    ) -> None:
        """Write the last time's values, and the text that points to those of all times."""
        write_time(self.folder / _frame(frame, len(times), "h5"), *data)
        told = [(time, attributes(name, *data)) for time, name in self._there(frame, "h5", times)]
        write_xdmf(self.folder / f"{series}.xdmf", series, grid, told)

    def _there(self, frame: str, suffix: str, times: list[float]) -> list[tuple[float, str]]:
        """Return time and file of the increments that were written."""
        named = [(time, _frame(frame, number, suffix)) for number, time in enumerate(times, 1)]
        return [(time, name) for time, name in named if (self.folder / name).is_file()]


def _frame(frame: str, number: int, suffix: str) -> str:
    return f"{frame}-{number:06d}.{suffix}"


def _stored(values: np.ndarray) -> np.ndarray:
    """Return voxel means (components, x, y, z) as (z, y, x, components): symmetric tensors as 9."""
    count, shape = len(values), values.shape[1:]
    flat = values.reshape(count, -1).T
    if count == 6:
        flat = cauchy(flat, flat).reshape(-1, 9)
    turned = flat.reshape(*shape, -1).transpose(2, 1, 0, 3)
    return np.ascontiguousarray(turned[..., 0] if count == 1 else turned)
