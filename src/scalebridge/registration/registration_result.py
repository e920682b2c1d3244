"""What a registration found: the map, how sure it is, what each level did, and how it is told."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError
from scalebridge.core.provenance import Provenance
from scalebridge.core.saved import Saved
from scalebridge.core.upscaled import plain
from scalebridge.registration.climb import Tried
from scalebridge.registration.composition import Chain, Inverse
from scalebridge.registration.confidence import Confidence
from scalebridge.registration.frame import Frame
from scalebridge.registration.matching import Step
from scalebridge.registration.section_confidence import SectionConfidence
from scalebridge.registration.section_pose import Pose, pose_of
from scalebridge.registration.spatial_image import SpatialImage
from scalebridge.registration.spatial_map import SpatialMap
from scalebridge.registration.start import Attempt
from scalebridge.registration.warp import warp

SCHEMA = "scalebridge/registration/1"


@dataclass(frozen=True)
class Shown:
    """The images as the last level saw them, for pages.

    Args:
        fixed: values in 0..1, (nx, ny).
        moving: values in 0..1, (nx, ny), or (nx, ny, nz) of a volume.
        fixed_frame: where the fixed samples are.
        moving_frame: where the moving samples are.
        weights: of the fixed samples.
        moving_weights: of the moving samples.
    """

    fixed: np.ndarray
    moving: np.ndarray
    fixed_frame: Frame
    moving_frame: Frame
    weights: np.ndarray
    moving_weights: np.ndarray


@dataclass(frozen=True)
class Landmarks:
    """Pairs of points that were not used, and how far the map misses them.

    Args:
        fixed: points, (n, 2), mm.
        moving: what they are in the moving image, mm.
        errors: |T(fixed) - moving|, mm.
        stated: stated standard errors there, mm.
    """

    fixed: np.ndarray
    moving: np.ndarray
    errors: np.ndarray
    stated: np.ndarray

    @property
    def coverage(self) -> float:
        """Share of errors within the stated 95 % radius."""
        return float(np.mean(self.errors <= RADIUS_95 * self.stated))


RADIUS_95 = float(np.sqrt(-2.0 * np.log(0.05) / 2.0))
"""Radius that holds 95 % of a round Gaussian in a plane, in root mean square lengths."""


@dataclass(frozen=True)
class Registration(Saved):
    """A map from fixed to moving points, with its standard error and its proof.

    Points are (x, y) in millimetres (LPS where the image says more), always from the fixed image to the
    moving one: an image is carried the other way. Of a section in a volume, moving points are (x, y, z).

    Args:
        map: the map.
        linear: its affine part before the displacement was found.
        fixed_frame: grid of the fixed image.
        moving_frame: grid of the moving image.
        steps: what each level did.
        attempts: starts, the best first.
        margin: similarity of the chosen start less that of the best different one, nats.
        overlap: share of the fixed tissue that has a counterpart.
        similarity: mutual information at the end, nats.
        confidence: standard errors.
        shown: the images as the last level saw them.
        checks: what has to hold, measured.
        notes: what a reader has to know.
        stiffness: factor on the stiffness that the size of the tissue suggests, as given or chosen.
        tried: stiffnesses that were tried on half of the tissue.
        landmarks: how landmarks are met, where given.
        provenance: where it all came from.
    """

    map: SpatialMap
    linear: SpatialMap
    fixed_frame: Frame
    moving_frame: Frame
    steps: tuple[Step, ...]
    attempts: tuple[Attempt, ...]
    margin: float
    overlap: float
    similarity: float
    confidence: Confidence | SectionConfidence
    shown: Shown
    checks: tuple[Check, ...]
    notes: tuple[str, ...]
    stiffness: float = 1.0
    tried: tuple[Tried, ...] = ()
    landmarks: Landmarks | None = None
    provenance: Provenance = field(default_factory=lambda: Provenance({}, {}))

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def in_volume(self) -> bool:
        """Whether the moving image is a volume and the fixed one a section of it."""
        return self.moving_frame.size > self.fixed_frame.size

    @property
    def pose(self) -> Pose | None:
        """Where the section lies in the volume; None between planes."""
        return pose_of(self.map, self.tissue_points()) if self.in_volume else None

    def tissue_points(self, most: int = 3000) -> np.ndarray:
        """Points of the fixed image's tissue that were compared, about so many, (n, 2), mm."""
        inside = self.shown.weights.ravel() > 0.5
        points = self.shown.fixed_frame.grid()[inside]
        return points[:: max(1, len(points) // most)]

    def map_points(self, points: Any) -> np.ndarray:
        """Points of the moving image that correspond to points of the fixed one, mm.

        Args:
            points: (n, axes), mm.
        """
        return self.map(_points(points, self.fixed_frame.size))

    def standard_error(self, points: Any) -> np.ndarray:
        """Root mean square error of mapped points, mm, (n,): 95 % are within 1.73 times that."""
        return self.confidence.at(self.map, _points(points, self.fixed_frame.size))

    def inverse_points(self, points: Any) -> np.ndarray:
        """Points of the fixed image that correspond to points of the moving one; NaN where there is none.

        Of points of a volume the third coordinate is the distance from the section along its normal, in mm of
        the section.
        """
        return self.map.inverse(_points(points, self.moving_frame.size))

    def map_image(self, image: Any, **options: Any) -> Any:
        """Carry an image of the moving frame onto the fixed grid; options and answer are those of `warp`."""
        return warp(self, image, **options)

    def inverse(self) -> Any:
        """The map from moving points to fixed ones, NaN where there is none, between planes.

        `warp` carries the fixed image onto the moving grid by it, `compose` takes it, `write_map` writes it
        as a dense field. That there and back returns is the check "round trip".

        Raises:
            InputError: of a section in a volume; see `inverse_points`.
        """
        if self.in_volume:
            raise InputError(
                "inverse", got="a section in a volume", wanted="two planes", cure="use inverse_points"
            )
        return Chain((Inverse(self.map, self.moving_frame),), self.moving_frame)

    def jacobian_map(self) -> SpatialImage:
        """`jacobian` on the samples that the last level compared, as an image."""
        frame = self.shown.fixed_frame
        return SpatialImage(self.map.jacobian(frame.grid()).reshape(frame.shape), frame, "ratio of areas")

    def jacobian(self, points: Any) -> np.ndarray:
        """Ratio of areas, moving over fixed, relative to the linear part's, (n,); 0 or less is a fold."""
        return self.map.jacobian(_points(points, self.fixed_frame.size))

    @property
    def stretches(self) -> tuple[float, float]:
        """Principal stretches of the linear part, moving over fixed: what the tissue shrank by."""
        large, small = np.linalg.svd(self.linear.matrix[:, :2], compute_uv=False)
        return float(large), float(small)

    @property
    def rotation(self) -> float:
        """Rotation of the linear part, degrees, after a flip if there is one; in its plane, of a section."""
        if self.pose is not None:
            return self.pose.turn
        u, _, v = np.linalg.svd(self.linear.matrix[:2, :2])
        turn = u @ v
        if np.linalg.det(turn) < 0:
            turn = turn @ np.diag([-1.0, 1.0])
        return float(np.degrees(np.arctan2(turn[1, 0], turn[0, 0])))

    @property
    def flipped(self) -> bool:
        """Whether the moving image lies on its face; of a section, whether that does."""
        if self.pose is not None:
            return self.pose.flipped
        return bool(np.linalg.det(self.linear.matrix) < 0)

    def __str__(self) -> str:
        return "\n".join(_summary(self))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: the map with its coefficients, levels, checks and origin, without images."""
        return _as_dict(self)


def _points(points: Any, axes: int) -> np.ndarray:
    try:
        found = np.asarray(points, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(
            "points", got=repr(points)[:60], wanted=f"numbers (n, {axes}), mm", cure="pass an array"
        ) from error
    if found.ndim != 2 or found.shape[1] != axes or not np.all(np.isfinite(found)):
        raise InputError(
            "points",
            got=f"shape {found.shape}",
            wanted=f"finite numbers (n, {axes}), mm",
            cure="pass one row a point",
        )
    return found


def _summary(found: Registration) -> list[str]:
    large, small = found.stretches
    face = ", on its face" if found.flipped else ""
    where, pose = "", found.pose
    if pose is not None:
        middle = ", ".join(f"{v:.1f}" for v in pose.middle)
        where = f"{pose.plane} section through ({middle}) mm, tilted by {pose.tilt:.2f} degrees; "
    lines = [
        f"{where}fixed to moving: turned by {found.rotation:.2f} degrees{face}, "
        f"stretched {large:.4f} x {small:.4f}",
        f"  similarity {found.similarity:.4f} nats, overlap {found.overlap:.1%}, "
        f"margin {found.margin:.3f} nats",
        f"  standard error {found.confidence.typical:.3g} mm (median over tissue)",
        f"  {'level':<10} {'samples mm':>10} {'grid mm':>8} {'unknowns':>8} {'similarity':>20} "
        f"{'evaluations':>11} {'held out':>16}",
    ]
    for step in found.steps:
        grid = f"{step.grid:8.3g}" if step.grid else f"{'':>8}"
        reached = f"{step.before:.4f} to {step.after:.4f}"
        lines.append(
            f"  {step.kind:<10} {step.spacing:10.3g} {grid} {step.unknowns:8d} {reached:>20} "
            f"{step.evaluations:11d} {_held_out(step):>16}"
        )
    if found.landmarks is not None:
        marks = found.landmarks
        lines.append(
            f"  {len(marks.errors)} landmarks: median {np.median(marks.errors):.3g} mm, "
            f"{marks.coverage:.0%} within the stated 95 %"
        )
    lines += [f"  {check}" for check in found.checks]
    return [*lines, *(f"  note: {note}" for note in found.notes)]


def _held_out(step: Step) -> str:
    held = step.held_out
    if held is None:
        return ""
    return f"{held.gain:.4f} ({held.chance:.4f})" if step.accepted else f"{held.gain:.4f} left out"


def map_as_dict(found: SpatialMap) -> dict[str, Any]:
    """The map as plain data, enough to make it again."""
    grid = found.grid
    return {
        "direction": "fixed point to moving point, mm",
        "matrix": found.matrix.tolist(),
        "shift": found.shift.tolist(),
        "frame": vars(found.frame),
        "grid": None if grid is None else vars(grid),
        "coefficients": None if found.coefficients is None else found.coefficients.tolist(),
    }


def _step_as_dict(step: Step) -> dict[str, Any]:
    held = step.held_out
    return {**vars(step), "costs": list(step.costs), "held_out": None if held is None else vars(held)}


def _as_dict(found: Registration) -> dict[str, Any]:
    marks = found.landmarks
    return plain(
        {
            "schema": SCHEMA,
            "quantity": "map",
            "unit": "mm",
            "map": map_as_dict(found.map),
            "linear": map_as_dict(found.linear),
            "rotation": found.rotation,
            "flipped": found.flipped,
            "stretches": found.stretches,
            "pose": None if found.pose is None else vars(found.pose),
            "fixed": vars(found.fixed_frame),
            "moving": vars(found.moving_frame),
            "similarity": found.similarity,
            "overlap": found.overlap,
            "margin": found.margin,
            "standard error": found.confidence.typical,
            "steps": [_step_as_dict(step) for step in found.steps],
            "starts": [
                {
                    "angle": np.degrees(a.angle),
                    "flipped": a.flipped,
                    "scale": a.scale,
                    "similarity": a.similarity,
                }
                for a in found.attempts
            ],
            "stiffness": {
                "factor": found.stiffness,
                "tried": [{"factor": t.factor, **vars(t.held_out)} for t in found.tried],
            },
            "landmarks": None
            if marks is None
            else {"errors": marks.errors, "stated": marks.stated, "coverage": marks.coverage},
            "checks": [check.to_dict() for check in found.checks],
            "passed": found.passed,
            "notes": found.notes,
            "provenance": found.provenance.to_dict(),
        }
    )
