"""The plain question: what does this image of materials that remember answer along a path of loads?"""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scalebridge.cells.image_input import Threshold, as_image
from scalebridge.cells.path_cell import PathCell
from scalebridge.cells.path_control import Controlled, parse_control, respond_controlled
from scalebridge.cells.path_fields import FieldReader
from scalebridge.cells.path_inputs import (
    described_laws,
    parse_laws,
    parse_path,
    parse_times,
    refuse_loads,
    refuse_memory,
)
from scalebridge.cells.path_result import PathStep, path_result, step_of
from scalebridge.cells.path_settings import PathSettings
from scalebridge.cells.path_slopes import PathSlopes, everywhere, named_slopes, slopes_along
from scalebridge.core.provenance import Stopwatch
from scalebridge.core.results import Outcome, require_converged
from scalebridge.core.upscaled import Upscaled
from scalebridge.engine.progress import tallied
from scalebridge.grids.image import VoxelImage
from scalebridge.laws.path_law import PathLaw

PathImage = VoxelImage | np.ndarray | str | os.PathLike[str]


def response_along_path(
    image: PathImage,
    laws: Mapping[Any, PathLaw | str],
    path: Any,
    *,
    control: str | Sequence[str] = "strain",
    times: Any = None,
    voxel: str | Sequence[str] | None = None,
    threshold: Threshold = None,
    settings: PathSettings | None = None,
    derivatives: bool | Sequence[tuple[int, str]] = False,
    fields: bool = False,
    read_options: dict[str, Any] | None = None,
    memory_limit: float | None = None,
    progress: bool | None = None,
    throw: bool = True,
) -> Upscaled:
    """Lead an image of materials with memory along a path of mean strains or stresses.

    The periodic micro equilibrium  div sigma = 0,  sigma = law(E + sym grad u, history),  is solved step by
    step on trilinear hexahedra with eight points a voxel. Handed up are the mean stress and its consistent
    tangent, the derivative of the whole micro solution by the mean strain, of every step.

    Args:
        image: a VoxelImage, an integer array with axes (x, y) or (x, y, z), or a path. A planar image is the
            cross-section of cylinders along z.
        laws: the law of each label, "*" for all labels not named; "void" for a pore. All of small strain, or
            all of finite strain.
        path: (steps, 6) of mean strains in Mandel notation (11, 22, 33, 23, 13, 12), or, where control says
            so, of mean stresses, Pa; with finite strain (steps, 3, 3) or (steps, 9) of mean deformation
            gradients and nominal stresses, row by row. The cell starts at rest; the rest is no step.
        control: which components of the path are stresses: "strain" (none), "uniaxial stress" (all but 11),
            "plane stress" (33, 23, 13), or their names, such as ("22", "33").
        times: end of every step, s, rising from 0; needed by laws that depend on the rate. Without it a step
            takes no time.
        voxel: edge length of a voxel with its unit, or one an axis; overrules the file.
        threshold: for grey images, as in `effective_stiffness`.
        settings: tolerances and limits; `PathSettings()` unless given.
        derivatives: whether to differentiate the stresses by every scalar parameter of every law, through the
            whole history; or which, as (label, name) such as (0, "hardening.yield_stress"). Where stresses
            are given, the loads' derivatives are among the stats.
        fields: whether to keep strain, stress and internal variables of the last step, one a voxel.
        read_options: further arguments of `scalebridge.io.read.read_volume`, for a path to a file.
        memory_limit: bytes that the job may need; the machine's free memory unless given.
        progress: whether to draw a bar; on a terminal unless given.
        throw: whether to raise where a step finds no equilibrium; otherwise the steps before it are returned,
            and `outcome` says so.

    Returns:
        an `Upscaled` whose value is the mean stress of every step, (steps, 6) in Mandel notation, or
        (steps, 9), Pa. Its stats hold "load" (steps, 6), "tangent" (steps, 6, 6), energies, and what it
        took; after Ctrl-C the steps that were done.

    Raises:
        InputError: something in the input cannot be right; nothing long has run yet.
        SolverError: a step found no equilibrium, and `throw` is true.

    Limits: periodic; no inertia; no contact in pores. Voxels lock where a phase is nearly incompressible. A
        softening law without a length of its own gives answers that depend on the voxel's size.

    Cost: per step some five evaluations of the laws and some 50 to 100 conjugate gradient steps, and once
        more as many for the tangent.

    Source: F. Feyel & J.-L. Chaboche, Comput. Methods Appl. Mech. Engrg. 183 (2000) 309; C. Miehe, J.
        Schroeder & J. Schotte, ibid. 171 (1999) 387; preconditioner: J. Ladecky et al., Appl. Math. Comput.
        446 (2023) 127835.

    Example:
        >>> from scalebridge.laws.hardening import LinearHardening
        >>> from scalebridge.laws.plastic import J2Plasticity
        >>> law = J2Plasticity(4e9, 3e9, LinearHardening(3e7))
        >>> pull = np.zeros((2, 6)); pull[:, 0] = 0.002, 0.02
        >>> found = response_along_path(np.zeros((2, 2, 2), int), {0: law}, pull, control="uniaxial stress")
        >>> (found.value[:, 0] / 1e6).round(3).tolist(), found.passed
        ([14.4, 30.0], True)
    """
    clock = Stopwatch()
    given = as_image(image, voxel=voxel, threshold_at=threshold, read_options=read_options)
    chosen = parse_laws(laws, given)
    finite = chosen[0].finite
    given_path = parse_path(path, finite)
    mask = parse_control(control, given_path.shape[1])
    refuse_loads(given_path, mask, finite)
    ends = parse_times(times, len(given_path), chosen)
    refuse_memory(given.shape, chosen, memory_limit)
    settings = PathSettings() if settings is None else settings
    cell = cell_of(given, chosen, settings)
    notes = list(cell.notes)
    clock.lap("preparing")
    slopes = slopes_along(cell, given.phases, derivatives)
    walk = _Walk(cell, mask, slopes)
    with tallied(len(given_path), "response along the path", progress) as advance:
        walk.follow(given_path, np.diff(ends, prepend=0.0), advance)
    clock.lap("solving")
    if throw and walk.outcome is not Outcome.cancelled:
        require_converged(walk.outcome, f"step {len(walk.steps) + 1} of the path")
    if walk.outcome is Outcome.cancelled:
        notes.append(f"Stopped from outside after step {len(walk.steps)}.")
    if slopes is not None and any(step.stats["substeps"] > 1 for step in walk.steps):
        notes.append(
            "Steps that were cut count as whole ones in the derivatives by parameters: shorten them."
        )
    return path_result(
        given,
        cell,
        walk.steps,
        walk.outcome,
        times=ends,
        settings={**vars(settings), "control": control if isinstance(control, str) else list(control)},
        inputs=described_laws(chosen, given),
        fields=walk.fields() if fields else {},
        initial=walk.initial,
        slopes=named_slopes(slopes, given.phases, walk.by_parameter),
        notes=tuple(notes),
        clock=clock,
    )


_NOT_PERIODIC = "The sample is continued periodically, though it does not repeat: faces do not fit."


def cell_of(image: VoxelImage, laws: list[PathLaw], settings: PathSettings) -> PathCell:
    """Return the cell of an image; of a planar one, with one voxel along z.

    Args:
        image: the image.
        laws: one a phase, in the order of its labels.
        settings: how it is solved.
    """
    labels = image.labels if image.dim == 3 else image.labels[:, :, None]
    index = np.searchsorted(np.asarray(image.phases), labels).astype(np.int32)
    edges = (1.0,) * image.dim if image.voxel is None else image.voxel
    edges = edges if image.dim == 3 else (*edges, math.sqrt(edges[0] * edges[1]))
    return PathCell(index, laws, edges, settings, () if image.periodic else (_NOT_PERIODIC,))


class _Walk:
    """A cell on its way along a path."""

    def __init__(self, cell: PathCell, mask: np.ndarray, slopes: PathSlopes | None):
        self.cell, self.mask, self.slopes = cell, mask, slopes
        self.by_parameter: list[tuple[np.ndarray, np.ndarray]] = []
        self.reader, self.state = FieldReader(cell), cell.rest()
        self.past = self.reader.read(self.state)
        self.initial, self.outcome = self.past.stored, Outcome.converged
        self.steps: list[PathStep] = []
        self._hint: Any = None

    def follow(self, path: np.ndarray, widths: np.ndarray, advance: Any) -> None:
        """Go as far as there is an equilibrium, or until Ctrl-C."""
        try:
            for given, width in zip(path, widths, strict=True):
                found = self._step(given, float(width))
                self.outcome = found.found.outcome
                if self.outcome is not Outcome.converged:
                    return
                self._differentiate(found, float(width))
                self._keep(found)
                advance(1, f"step {len(self.steps)}")
        except KeyboardInterrupt:
            self.outcome = Outcome.cancelled

    def fields(self) -> dict[str, np.ndarray]:
        """Return the local fields of the last step."""
        return self.past.voxel_means()

    def _step(self, given: np.ndarray, width: float) -> Controlled:
        if self.mask.any():
            return respond_controlled(self.cell, given, self.mask, self.state, width, hint=self._hint)
        found = self.cell.respond(given, self.state, width, hint=self._hint)
        return Controlled(given, found, 1)

    def _differentiate(self, found: Controlled, width: float) -> None:
        if self.slopes is None:
            return
        state, before = found.found.state, everywhere(self.cell, self.state)
        u = state["u"] / self.cell.edge
        tangent = np.asarray(found.found.tangent)
        stress = self.slopes.step(u, found.load, before, width, tangent, self.mask)
        self.by_parameter.append((stress, self.slopes.load_slopes))

    def _keep(self, found: Controlled) -> None:
        fields = self.reader.read(found.found.state)
        load, nothing = self.state["load"], np.zeros(len(found.load))
        start = PathStep(load, nothing, np.zeros((0, 0)), 0.0, 0.0, 0.0, 0.0, 0)
        before = self.steps[-1] if self.steps else start
        self.steps.append(step_of(found, before, fields, self.past))
        self.past, self.state, self._hint = fields, found.found.state, found.found.hint
