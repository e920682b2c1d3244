"""The start of a section in a volume: every plane, position, angle and face, coarsely, then refined.

Each candidate plane has its own centroid and area of tissue in the volume: the section's are laid upon them.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from scalebridge.core.errors import ImageError
from scalebridge.core.slabs import in_slabs
from scalebridge.registration.descent import descend
from scalebridge.registration.matching import Pairing, Step
from scalebridge.registration.pyramid import Layer, nearest_layer
from scalebridge.registration.section_kernels import fill_histograms
from scalebridge.registration.section_pose import plane_axes, upright, with_plane
from scalebridge.registration.similarity import Matched, joint_information
from scalebridge.registration.similarity_kernels import carry_back, fill_histogram, sample_volume
from scalebridge.registration.spatial_map import SpatialMap
from scalebridge.registration.start import Attempt, Start

_LEAST_OVERLAP = 0.5  # of the section's weight, below which a pose costs
_LEAST_AREA = 0.1  # of the largest cut: smaller ones are the ends of the volume
_SCALES = (0.4, 2.5)  # of the volume over the section
_POSITIONS = 26  # along the tissue
_CLIMBED = 60  # candidates that are refined as similarity maps, by a few steps
_FINISHED = 15  # of these to the end
_FEW, _MANY = 5, 18  # steps
_KEPT = 6  # of these as affine ones
_FINAL = 3  # of these on a finer level


@dataclass(frozen=True)
class Cut:
    """One plane through the volume.

    Args:
        plane: its name.
        middle: centroid of tissue, (3,), mm.
        size: square root of the area of tissue, mm.
    """

    plane: str
    middle: np.ndarray
    size: float


def cuts_of(volume: Layer, tissue: np.ndarray, plane: str, count: int = _POSITIONS) -> list[Cut]:
    """Planes across the tissue of a volume at equal distances.

    Args:
        volume: a coarse layer.
        tissue: where it shows tissue.
        plane: which planes.
        count: how many.
    """
    axis = int(np.argmin(np.abs(plane_axes(plane)).sum(axis=1)))
    points = volume.frame.grid()[tissue.ravel()]
    along = points[:, axis]
    step = max(float(np.ptp(along)) / count, *volume.frame.spacing)
    cuts = []
    for place in np.arange(along.min() + step / 2, along.max(), step):
        weight = np.maximum(1.0 - np.abs(along - place) / step, 0.0)  # a tent: no sample counts twice
        area = weight.sum() * float(np.prod(volume.frame.spacing)) / step
        if area > 0:
            cuts.append(Cut(plane, weight @ points / weight.sum(), float(np.sqrt(area))))
    largest = max(cut.size for cut in cuts)
    return [cut for cut in cuts if cut.size**2 > _LEAST_AREA * largest**2]


class SmallPairing:
    """A section and a volume compared on this thread alone, which is quicker for a few thousand points.

    Args:
        fixed: the section's layer.
        moving: the volume's layer.
        bins: of the histogram.
        normalised: whether the similarity is NMI.
    """

    def __init__(self, fixed: Layer, moving: Layer, *, bins: int = 16, normalised: bool = False):
        self.whole = Pairing(fixed, moving, bins=bins, normalised=normalised)
        self.fixed, self.points = fixed, self.whole.points
        count = len(self.points)
        self._values, self._weights, self._curved = (np.zeros(count, np.float32) for _ in range(3))
        self._slopes, self._weight_slopes = (np.zeros((count, 3), np.float32) for _ in range(2))
        self._forces = np.zeros((count, 3))

    def __call__(self, mapped: np.ndarray) -> Matched:
        """Compare where the section's samples are mapped to, (n, 3), mm."""
        own, count = self.whole.similarity, len(self.points)
        sampled = (self._values, self._weights, self._slopes, self._weight_slopes)
        sample_volume(0, count, 0, self.whole.places(mapped), own.moving, own.mask, *sampled)
        histogram = np.zeros((1, own.bins, own.bins))
        known = (own.fixed, own.fixed_weights, self._values, self._weights)
        fill_histogram(0, count, 0, *known, histogram)
        value, by_bin, weight = joint_information(histogram[0], own.normalised)
        slopes = (self._slopes, self._weight_slopes, by_bin, self._forces, self._curved)
        carry_back(0, count, 0, *known, *slopes)
        return Matched(
            value, self._forces, weight / max(own.total, 1e-12), weight, self._curved, self._slopes
        )

    def forces(self, matched: Matched) -> np.ndarray:
        """Derivative of the similarity by the mapped points, (n, 3), 1/mm."""
        return self.whole.forces(matched)

    def worths(self, poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """NMI of many poses, (n, 3, 3): two columns and a shift, mm; and the overlap of each."""
        own = self.whole.similarity
        inside = self.whole.inverse @ poses
        inside[:, :, 2] -= self.whole.inverse @ self.whole.origin
        histograms = np.zeros((len(poses), own.bins, own.bins))
        known = (self.points, own.fixed, own.fixed_weights, own.moving, own.mask)
        in_slabs(fill_histograms, len(poses), inside, *known, histograms)
        p = histograms / np.maximum(histograms.sum(axis=(1, 2)), 1e-9)[:, None, None]
        first, second, both = (_entropies(q) for q in (p.sum(axis=1), p.sum(axis=2), p.reshape(len(p), -1)))
        return (first + second) / np.maximum(both, 1e-9), histograms.sum(axis=(1, 2)) / max(own.total, 1e-12)


def _entropies(p: np.ndarray) -> np.ndarray:
    return -np.sum(p * np.log(p + 1e-12), axis=1)


def search_pose(
    fixed: list[Layer],
    moving: list[Layer],
    tissue: tuple[np.ndarray, np.ndarray],
    size: float,
    *,
    planes: tuple[str, ...],
    angles: int = 24,
    flips: tuple[bool, ...] = (False, True),
    given: SpatialMap | None = None,
) -> Start:
    """Search the pose of a section, keep the best, and refine these as affine maps into space.

    Args:
        fixed: pyramid of the section whose weights are tissue and its surroundings.
        moving: pyramid of the volume.
        tissue: where the coarsest levels show tissue.
        size: square root of the section's area, mm.
        planes: which planes to try.
        angles: number of starting angles of the full turn.
        flips: faces to try.
        given: a pose to start from in place of all others.

    Raises:
        ImageError: no plane of the volume is of about the section's size.
    """
    pairing = SmallPairing(fixed[-1], moving[-1], normalised=True)
    if given is None:
        starts = _scored(pairing, moving[-1], tissue, planes, angles, flips)
    else:
        starts = [_attempt(given, 0.0, False, 0.0, 0.0)]
    found = [climb_pose(pairing, start, _FEW) for start in starts]
    found.sort(key=lambda attempt: -attempt.similarity)
    found[:_FINISHED] = [climb_pose(pairing, start, _MANY) for start in found[:_FINISHED]]
    found.sort(key=lambda attempt: -attempt.similarity)
    coarse = SmallPairing(fixed[-1], moving[-1])
    kept = _different(coarse.points, [attempt.map for attempt in found], _KEPT)
    refined = _ranked([fit_pose(coarse, pose, 40) for pose in kept])
    spacing = size / 70.0
    fine = Pairing(nearest_layer(fixed, spacing), nearest_layer(moving, spacing), bins=32)
    last = _ranked([fit_pose(fine, pose, 40) for pose, _ in refined[:_FINAL]])
    (best, step), points = last[0], fine.points
    others = [s for m, s in last[1:] if _apart(m, best, points)]
    margin = step.after - others[0].after if others else np.inf
    return Start(best, step, tuple(found), float(margin))


def _scored(
    pairing: SmallPairing,
    volume: Layer,
    tissue: tuple[np.ndarray, np.ndarray],
    planes: tuple[str, ...],
    angles: int,
    flips: tuple[bool, ...],
) -> list[Attempt]:
    """Compare every candidate where it is, and return the best of those that differ."""
    weight = (tissue[0] * pairing.fixed.weights).ravel()
    middle = (pairing.fixed.frame.grid() * weight[:, None]).sum(axis=0) / weight.sum()
    size = float(np.sqrt(weight.sum() * np.prod(pairing.fixed.frame.spacing)))
    cuts = [cut for plane in planes for cut in cuts_of(volume, tissue[1], plane)]
    fits = [cut for cut in cuts if _SCALES[0] < cut.size / size < _SCALES[1]]
    if not fits:
        sizes = [cut.size for cut in cuts]
        raise ImageError(
            "moving",
            got=f"tissue {min(sizes):.3g} to {max(sizes):.3g} mm across, beside a section's of {size:.3g} mm",
            wanted="planes of about the section's size",
            cure="check both pixel sizes",
        )
    turns = np.arange(angles) * (2 * np.pi / angles)
    asked = [(cut, flip, turn) for cut in fits for flip in flips for turn in turns]
    poses = np.empty((len(asked), 3, 3))
    for pose, (cut, flip, turn) in zip(poses, asked, strict=True):
        c, s = np.cos(turn), np.sin(turn)
        turned = np.array([[c, -s], [s, c]]) @ np.diag([-1.0 if flip else 1.0, 1.0])
        pose[:, :2] = plane_axes(cut.plane) @ turned * (cut.size / size)
        pose[:, 2] = cut.middle - pose[:, :2] @ middle
    values, overlaps = pairing.worths(poses)
    worth = values - 0.5 * np.maximum(_LEAST_OVERLAP - overlaps, 0.0)
    frame = pairing.fixed.frame
    return [
        _attempt(
            SpatialMap(upright(poses[k, :, :2]), poses[k, :, 2], frame), float(asked[k][2]), asked[k][1],
            float(worth[k]), float(overlaps[k]),
        )
        for k in np.argsort(-worth, kind="stable")[:_CLIMBED]
    ]  # fmt: skip


def _attempt(pose: SpatialMap, turn: float, flip: bool, worth: float, overlap: float) -> Attempt:
    scale = float(np.sqrt(np.linalg.norm(np.cross(pose.matrix[:, 0], pose.matrix[:, 1]))))
    return Attempt(turn, flip, scale, worth, overlap, pose)


def climb_pose(pairing: SmallPairing, start: Attempt, steps: int = _MANY) -> Attempt:
    """Maximise NMI over rotation, scale and shift in space from one pose, by so many steps at most."""
    middle = pairing.points.mean(axis=0)
    columns = start.map.matrix[:, :2]
    centred, anchor = (pairing.points - middle) @ columns.T, columns @ middle + start.map.shift
    radius = float(np.sqrt((centred**2).sum(axis=1).mean()))
    units = np.array([1.0 / radius] * 4 + [1.0] * 3)  # so that each moves points by about 1 mm

    def pose(p):
        return np.exp(p[3]) * Rotation.from_rotvec(p[:3]).as_matrix(), anchor + p[4:]

    def cost(x):
        p = x * units
        turn, there = pose(p)
        around = centred @ turn.T
        matched = pairing(around + there)
        forces = pairing.forces(matched)
        torque = _left_jacobian(p[:3]).T @ np.cross(around, forces).sum(axis=0)
        slope = np.concatenate([torque, [np.sum(forces * around)], forces.sum(axis=0)])
        lack = max(_LEAST_OVERLAP - matched.overlap, 0.0)
        return -matched.value + 0.5 * lack, -slope * units

    gone = descend(
        cost, np.zeros(7), lambda g: g * (2.0 / max(np.abs(g).max(), 1e-9)), steps=steps, tolerance=1e-4,
        longest=0.15 * radius,
    )  # fmt: skip
    turn, there = pose(gone.x * units)
    moved = turn @ columns
    found = with_plane(start.map, moved, there - moved @ middle)
    overlap = pairing(found(pairing.points)).overlap
    scale = start.scale * float(np.exp(gone.x[3] * units[3]))
    return replace(start, map=found, scale=scale, similarity=-gone.cost, overlap=overlap)


def _left_jacobian(w: np.ndarray) -> np.ndarray:
    """d(exp(w) v) = (J dw) x exp(w) v: the left Jacobian of rotations."""
    angle = float(np.linalg.norm(w))
    if angle < 1e-6:
        return np.eye(3)
    skew = np.array([[0.0, -w[2], w[1]], [w[2], 0.0, -w[0]], [-w[1], w[0], 0.0]])
    first, second = (1 - np.cos(angle)) / angle**2, (angle - np.sin(angle)) / angle**3
    return np.eye(3) + first * skew + second * skew @ skew


def fit_pose(pairing: Pairing | SmallPairing, start: SpatialMap, steps: int = 60) -> tuple[SpatialMap, Step]:
    """Maximise the similarity over affine maps of the plane into space: pose, two scales and a shear."""
    middle = pairing.points.mean(axis=0)
    centred = pairing.points - middle
    radius = float(np.sqrt((centred**2).sum(axis=1).mean()))
    columns = start.matrix[:, :2]
    anchor = columns @ middle + start.shift

    def unpack(x):
        return columns + x[:6].reshape(3, 2) / radius, anchor + x[6:]

    def cost(x):
        moved, there = unpack(x)
        matched = pairing(centred @ moved.T + there)
        forces = pairing.forces(matched)
        slope = np.concatenate([(forces.T @ centred).ravel() / radius, forces.sum(axis=0)])
        lack = max(_LEAST_OVERLAP - matched.overlap, 0.0)
        return -matched.value + 2.0 * lack, -slope

    zero = np.zeros(9)
    before = -cost(zero)[0]
    gone = descend(cost, zero, lambda g: g * (1.0 / max(np.abs(g).max(), 1e-9)), steps=steps)
    moved, there = unpack(gone.x)
    found = with_plane(start, moved, there - moved @ middle)
    told = (pairing.fixed.spacing, 0.0, 9, gone.evaluations, before, -gone.cost, gone.costs)
    return found, Step("pose", *told)


def _ranked(poses: list[tuple[SpatialMap, Step]]) -> list[tuple[SpatialMap, Step]]:
    return sorted(poses, key=lambda pair: -pair[1].after)


def _apart(one: SpatialMap, other: SpatialMap, points: np.ndarray) -> bool:
    """Whether two poses differ by more than a tenth of the section's size."""
    there = other(points)
    spread = 0.1 * np.sqrt(np.var(there, axis=0).sum())
    return bool(np.median(np.linalg.norm(one(points) - there, axis=1)) > spread)


def _different(points: np.ndarray, poses: list[SpatialMap], most: int) -> list[SpatialMap]:
    kept: list[SpatialMap] = []
    for pose in poses:
        if len(kept) < most and all(_apart(pose, other, points) for other in kept):
            kept.append(pose)
    return kept
