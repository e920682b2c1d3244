"""What a run leaves while it goes: the residual table on the terminal, checkpoints, frames."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scalebridge.core.files import write_text
from scalebridge.engine.archive import archive_checkpoint
from scalebridge.engine.checkpoint import SCHEMA, read_head, refuse_other
from scalebridge.engine.hashing import hash_call
from scalebridge.engine.history_unit import HistoryUnit
from scalebridge.engine.point_engine import save_checkpoint
from scalebridge.io.fields import write_fields
from scalebridge.structures.conditions import Conditions
from scalebridge.structures.equilibrium import Iteration
from scalebridge.structures.kinematics import Kinematics
from scalebridge.structures.march import Journey
from scalebridge.structures.micro_fields import micro_fields
from scalebridge.structures.solid_mesh import SolidMesh
from scalebridge.structures.structure_series import Series
from scalebridge.structures.structure_study import StructureStudy


def signatures(
    solid: SolidMesh, given: Conditions, asked: dict[str, Any], unit: HistoryUnit
) -> dict[str, str]:
    """Return the hashes of what a checkpoint belongs to: material, mesh, loads.

    The steps that are still to come may be changed between runs, and other settings of the solver too.
    """
    mesh = {"p": solid.mesh.p, "t": solid.mesh.t, "kind": solid.kind}
    loads = {"conditions": repr(asdict(given)), "order": asked["order"], "plane": asked["plane"]}
    return {
        "material": unit.signature(),
        "mesh": hash_call(signatures, "1", mesh),
        "loads": hash_call(signatures, "1", loads),
    }


class Log:
    """Writes down how a run goes.

    Args:
        folder: of checkpoints, None for none.
        series: writes the fields of increments, None for none.
        hashes: what checkpoints belong to.
        show: whether to print the residual table; on a terminal unless given.
        archive: folder of checkpoints in reduced precision, and that precision; None for none.
    """

    def __init__(
        self,
        folder: Path | None,
        series: Series | None,
        hashes: dict[str, str],
        show: bool | None,
        archive: tuple[Path, str] | None = None,
    ):
        self.folder = folder
        self.series = series
        self.hashes = hashes
        self.archive = archive
        self.last: Path | None = None
        self.bytes = 0
        self._show = sys.stderr.isatty() if show is None else show

    def open(self, kinematics: Kinematics) -> None:
        """Begin: the head of the table."""
        if self._show:
            sys.stderr.write(
                f"{kinematics.unknowns} unknowns, {kinematics.points} integration points\n"
                f"{'step':>4} {'inc':>4} {'it':>3} {'factor':>12} {'residual':>10} {'length':>7}\n"
            )

    def refuse_other(self, last: Path, schema: str = SCHEMA) -> None:
        """Refuse a checkpoint that belongs to something else."""
        refuse_other(read_head(last, schema)[0], last, self.hashes)
        self.last = last

    def iteration(self, row: Iteration) -> None:
        """Print a row of the residual table."""
        if self._show:
            sys.stderr.write(
                f"{row.step:4d} {row.increment:4d} {row.iteration:3d} {row.factor:12.6g} "
                f"{row.residual:10.2e} {row.length:7.3g}  {row.outcome}\n"
            )

    def increment(self, journey: Journey) -> None:
        """Write the fields of an increment."""
        if self.series is not None:
            self.series.increment(journey)

    def step(self, journey: Journey) -> None:
        """Write a checkpoint of a finished step."""
        if self.folder is None:
            return
        header = {**self.hashes, "journey": journey.plain()}
        engine = journey.trial.structure.engine
        self.last, self.bytes = save_checkpoint(engine, self.folder, journey.done, header, journey.arrays())
        if self.archive is not None:
            archive_checkpoint(self.last, self.archive[0], journey.done, self.archive[1])
        if self._show:
            sys.stderr.write(f"     checkpoint {self.last}\n")

    def close(self, study: StructureStudy) -> None:
        """Write the tables, and the micro fields of the points that were chosen."""
        if self.series is None:
            return
        folder = self.series.folder
        write_text(folder / "reactions.csv", study.reactions_csv())
        write_text(folder / "residuals.csv", study.residuals_csv())
        for point, state in study.micro.items():
            fields = micro_fields(study.unit, state, study.strains[point])
            if fields:
                write_fields(folder / f"micro-{point:06d}.vtkhdf", fields, study.unit.spacing)
