"""The plain question: which point of the moving image is this point of the fixed one?"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from scalebridge.core.errors import ImageError, InputError
from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.registration.climb import Fitted, Rule
from scalebridge.registration.levels import fit_levels, plan_levels
from scalebridge.registration.matching import Pairing, Step
from scalebridge.registration.pyramid import Layer, build_pyramid
from scalebridge.registration.registration_checks import check_registration
from scalebridge.registration.registration_inputs import (
    Options,
    check_options,
    given_start,
    read_given,
    read_landmarks,
)
from scalebridge.registration.registration_result import Landmarks, Registration, Shown
from scalebridge.registration.section_confidence import measure_section_confidence
from scalebridge.registration.section_levels import fit_section
from scalebridge.registration.section_search import search_pose
from scalebridge.registration.spatial_image import SpatialImage, check_mask
from scalebridge.registration.spatial_map import SpatialMap
from scalebridge.registration.start import Start, search_start
from scalebridge.registration.tissue import around, find_tissue, grey_of, stretched, with_sparse

_COARSEST = 36.0  # samples along an edge of tissue at the coarsest level, about
_STIFFNESS = 0.085  # of the size of tissue: the length within which the displacement is nearly linear
_STIFFER = {"information": 1.0, "gradients": 7.0, "mind": 33.0}  # channels say the same thing more than once
_LEAST_OVERLAP = 0.05  # of a given start, below which there is nothing to begin with
_MARGIN = 0.05  # of the size of tissue: surroundings that are compared too


def register(
    fixed: Any,
    moving: Any,
    *,
    fixed_pixel: Any = None,
    moving_pixel: Any = None,
    fixed_mask: Any = None,
    moving_mask: Any = None,
    start: Any = None,
    plane: Literal["axial", "coronal", "sagittal"] | None = None,
    angles: int = 24,
    flip: bool = True,
    deform: bool = True,
    finest: Any = None,
    grid: Any = None,
    stiffness: float | None = None,
    bins: int = 32,
    similarity: Literal["information", "gradients", "mind"] = "information",
    even: bool = True,
    damage: Literal["detect", "given"] = "detect",
    landmarks: Any = None,
    progress: Callable[[str], None] | None = None,
) -> Registration:
    """Find the map from points of one image to points of another of the same tissue, coarse to fine.

    The fixed image is a plane; the moving one a plane, or a volume in which the fixed one is a section.

    T(x) = A (x + u(x)) + b maximises the mutual information of the two images, less stiffness times the
    bending energy of u. Starts from all angles and both faces on the coarsest level; then an affine map;
    then a cubic B-spline whose control points double from level to level. In a volume the pose comes first
    (every plane, position, angle and face), and u also bows out of the plane, by a polynomial of second
    degree.

    Args:
        fixed: an image file, an array (x first; grey or RGB), or a `SpatialImage`.
        moving: likewise: often the histology.
        fixed_pixel: distance of the fixed samples, "0.5 um", where the image does not say.
        moving_pixel: likewise.
        fixed_mask: weights in 0..1 on the fixed samples; 0 leaves out what has no counterpart.
        moving_mask: likewise: tears, folds, missing pieces are 0.
        start: a matrix (2, 3) or (3, 3) in mm, fixed to moving, in place of the search. Into a volume:
            (3, 3), two columns and a shift; QuickNII's nine numbers o, u, v; or its JSON or DeepSlice's.
        plane: of a volume, to which the section is nearest; all are searched unless given.
        angles: starting angles of the full turn.
        flip: whether the moving image may lie on its face.
        deform: whether a displacement is sought beyond the affine map.
        finest: distance of samples at the last level, "0.4 mm"; chosen by the number of samples unless given.
        grid: distance of control points at the last level, "10 mm". Unless given, a fourteenth of the tissue,
            and levels that better held-out tissue by no more than chance are left out.
        stiffness: factor on the stiffness that the size of the tissue suggests; unless given, 1, or 4 or 16
            where held-out tissue asks for it.
        bins: of the histogram along each axis; a quarter more at the last level.
        similarity: what the displacement maximises: "information", mutual; "gradients" compares directions
            of slopes, "mind" how alike neighbours are: for stain to stain, and stains that change from place
            to place.
        even: whether slow changes of the moving image's brightness (stain) are divided out on the way.
        damage: "detect" also leaves out what fits nothing, "given" only what masks say.
        landmarks: pairs of points (fixed, moving) in mm, which are not used but compared.
        progress: told a line after each level.

    Returns:
        a `Registration`: `map_points`, `standard_error`, `inverse_points`, checks; `warp` carries images.

    Raises:
        ImageError: an image or a mask that cannot be right; nothing long has run yet.
        FileFormatError: a file that cannot be read.
        InputError: an option that cannot be right, or a start at which the images do not meet.

    Limits: the fixed image is a plane. The displacement is smooth: a tear
        that gapes is not closed by it. Symmetric tissue looks alike on its
        face; `margin` says by how much the other answer was worse.
    Cost: 512 x 512 about 6 s of processor time and 0.3 GB, a third of it the search for a start; time grows
        with the tissue's samples up to 0.2 million, beyond which a coarser layer is compared. A section of
        192 x 192 in a volume of 7 million about 7 s and 0.4 GB.
    Source: P. Viola and W. M. Wells 1997; D. Rueckert et al. 1999 (splines); P. Thevenaz and M. Unser 2000;
        E. Haber and J. Modersitzki 2006 (gradients); M. Heinrich et al. 2013 (mind).

    Example:
        >>> from scalebridge.registration.problems import histology_task, phantom_anatomy
        >>> task = histology_task(phantom_anatomy(), pixels=144, rotation=10, amplitude=0.5, damage=False)
        >>> found = register(
        ...     SpatialImage(task.fixed, task.fixed_frame),
        ...     SpatialImage(task.moving_colour, task.moving_frame),
        ...     angles=8,
        ...     flip=False,
        ... )
        >>> miss = np.linalg.norm(found.map_points(task.points) - task.answers, axis=1)
        >>> bool(np.median(miss) < 1.0)
        True
    """
    watch = Stopwatch()
    options = check_options(
        angles=angles, flip=flip, deform=deform, stiffness=stiffness, bins=bins, even=even, damage=damage,
        finest=finest, grid=grid, plane=plane, similarity=similarity,
    )  # fmt: skip
    pair = (read_given(fixed, fixed_pixel, "fixed"), read_given(moving, moving_pixel, "moving"))
    _refuse_places(pair, plane, options.similarity)
    masks = (_weights(fixed_mask, pair[0], "fixed_mask"), _weights(moving_mask, pair[1], "moving_mask"))
    marks = read_landmarks(landmarks, pair[1].axes)
    first = None if start is None else given_start(start, *pair)
    say = progress or (lambda _: None)
    watch.lap("reading")
    ready = _prepare(pair, masks)
    begun = _begin(ready, first, options)
    say(f"start: margin {begun.margin:.3f} nats")
    watch.lap("start")
    fitted = _fit(ready, begun.map, options, lambda step: say(_told(step)))
    watch.lap("levels")
    confidence = measure_section_confidence(fitted)
    watch.lap("uncertainty")
    level = fitted.level
    overlap = level.pairing(level.map(level.pairing.points), slope=False)
    found = Registration(
        level.map, fitted.linear, pair[0].frame, pair[1].frame, fitted.steps, begun.attempts, begun.margin,
        overlap.overlap, overlap.value, confidence, _shown(fitted), (), (),
        options.stiffness or fitted.factor, fitted.tried,
    )  # fmt: skip
    found = replace(found, landmarks=None if marks is None else _met(found, *marks))
    checks, notes = check_registration(found, fitted, searched=first is None)
    remarks = (*pair[0].remarks, *pair[1].remarks)
    watch.lap("checks")
    inputs = {
        name: {
            "file": image.name,
            "sha256 of samples": hashlib.sha256(np.ascontiguousarray(image.values).tobytes()).hexdigest(),
            "shape": image.frame.shape,
            "spacing mm": image.frame.spacing,
            "origin mm": image.frame.origin,
            "masked": mask is not None,
        }
        for name, image, mask in zip(("fixed", "moving"), pair, (fixed_mask, moving_mask), strict=True)
    }
    origin = Provenance(
        inputs, options.told(), installed_versions(), this_machine(), watch.started, watch.elapsed, None
    )
    return replace(found, checks=checks, notes=(*remarks, *notes), provenance=origin)


@dataclass(frozen=True)
class _Ready:
    """Pyramids, tissue and its size."""

    fixed: list[Layer]
    moving: list[Layer]
    tissue: tuple[np.ndarray, np.ndarray]
    size: float

    @property
    def in_volume(self) -> bool:
        """Whether the moving image is a volume."""
        return self.moving[0].values.ndim == 3


def _refuse_places(pair: tuple[SpatialImage, SpatialImage], plane: str | None, similarity: str) -> None:
    if pair[0].axes == 3:
        raise ImageError(
            "fixed",
            got=f"a volume of {pair[0].frame.shape} samples",
            wanted="a plane; the volume may be the moving image",
            cure="exchange the two: points of the section are mapped into the volume",
        )
    if pair[1].axes == 3:
        if similarity != "information":
            raise InputError(
                "similarity",
                got=repr(similarity),
                wanted="'information': descriptors compare planes, and the moving image is a volume",
                cure="leave it out",
            )
        return  # in space, axes of samples may be left-handed: points are what counts
    if plane is not None:
        raise InputError(
            "plane", got=repr(plane), wanted="nothing: both images are planes", cure="leave it out"
        )
    mirrored = [image.frame.mirrored for image in pair]
    if mirrored[0] != mirrored[1]:
        raise ImageError(
            "directions",
            got="one image whose axes are mirrored (a left-handed direction matrix) and one whose are not",
            wanted="both right-handed, or both mirrored",
            cure="check left and right in the header (RAS or LPS); if meant, flip samples and header",
        )


def _weights(mask: Any, image: SpatialImage, argument: str) -> np.ndarray:
    if mask is None:
        return np.ones(image.frame.shape, dtype=np.float32)
    read = read_given(mask, None, argument) if isinstance(mask, str) or hasattr(mask, "__fspath__") else mask
    return check_mask(read, image, argument)


def _prepare(pair: tuple[SpatialImage, SpatialImage], masks: tuple[np.ndarray, np.ndarray]) -> _Ready:
    pyramids, tissues, sizes = [], [], []
    for image, mask, argument in zip(pair, masks, ("fixed", "moving"), strict=True):
        plain = image.values.ndim == image.axes
        grey = np.asarray(image.values, dtype=np.float32) if plain else grey_of(image.values)
        if np.ptp(grey[mask > 0]) <= 0:
            raise ImageError(
                argument,
                got="one value everywhere",
                wanted="an image with contrast",
                cure="check that the right file, channel and mask were given",
            )
        layer = Layer(stretched(grey, mask), mask, image.frame)
        rough = build_pyramid(layer, float(max(image.frame.extent)) / _COARSEST / 1.5)
        tissue = find_tissue(rough[-1])
        area = float(tissue.sum() * np.prod(rough[-1].frame.spacing))
        pyramids.append(rough)
        tissues.append(tissue)
        sizes.append(float(np.sqrt(area)))
    compared = with_sparse(tissues[0], pyramids[0])
    kept = [
        replace(q, weights=q.weights * around(compared, pyramids[0][-1], q, _MARGIN * sizes[0]))
        for q in pyramids[0]
    ]
    return _Ready(kept, pyramids[1], (tissues[0], tissues[1]), sizes[0])


def _begin(ready: _Ready, first: SpatialMap | None, options: Options) -> Start:
    flips = (False, True) if options.flip else (False,)
    if first is not None:
        _refuse_apart(ready, first)
    if ready.in_volume:
        found = search_pose(
            ready.fixed, ready.moving, ready.tissue, ready.size, planes=options.planes, angles=options.angles,
            flips=flips, given=first,
        )  # fmt: skip
    elif first is not None:
        step = Step("given", ready.fixed[-1].spacing, 0.0, 0, 0, float("nan"), float("nan"))
        return Start(first, step, (), float("inf"))
    else:
        found = search_start(
            ready.fixed[-1], ready.moving[-1], ready.tissue, angles=options.angles, flips=flips
        )
    return replace(found, map=replace(found.map, frame=ready.fixed[0].frame))  # not the coarse layer's


def _refuse_apart(ready: _Ready, first: SpatialMap) -> None:
    pairing = Pairing(ready.fixed[-1], ready.moving[-1], bins=16)
    overlap = pairing(first(pairing.points), slope=False).overlap
    if overlap < _LEAST_OVERLAP:
        raise InputError(
            "start",
            got=f"a map that puts {overlap:.1%} of the fixed tissue onto the moving image",
            wanted=f"an overlap of {_LEAST_OVERLAP:.0%} or more",
            cure="give it in mm, fixed point to moving point, or leave it out to search",
        )


def _fit(ready: _Ready, start: SpatialMap, options: Options, say: Callable[[Step], None]) -> Fitted:
    plans = plan_levels(ready.fixed, ready.size, options.finest, options.grid)
    keep = None if options.grid is None else len(plans)
    if not options.deform:  # the first level says what a linear map does not follow
        plans, keep = plans[:1], 0
    fit = fit_section if ready.in_volume else partial(fit_levels, similarity=options.similarity)
    suggested = _STIFFER[options.similarity] * (_STIFFNESS * ready.size) ** 2
    fitted = fit(
        ready.fixed,
        ready.moving,
        start,
        ready.size,
        plans,
        rule=Rule(suggested * (options.stiffness or 1.0), options.stiffness is None, keep),
        bins=options.bins,
        even=options.even,
        detect=options.damage == "detect",
        say=lambda step: say(step) if options.deform or not step.grid else None,
    )
    if options.deform:
        return fitted
    level = replace(fitted.level, map=fitted.level.map.linear)
    return replace(fitted, level=level, steps=fitted.steps[:1])


def _shown(fitted: Fitted) -> Shown:
    fixed, moving = fitted.level.pairing.fixed, fitted.level.pairing.moving
    return Shown(fixed.values, moving.values, fixed.frame, moving.frame, fixed.weights, moving.weights)


def _met(found: Registration, fixed: np.ndarray, moving: np.ndarray) -> Landmarks:
    errors = np.linalg.norm(found.map_points(fixed) - moving, axis=1)
    return Landmarks(fixed, moving, errors, found.standard_error(fixed))


def _told(step: Step) -> str:
    grid = f", grid {step.grid:.3g} mm" if step.grid else ""
    return (
        f"{step.kind}: samples {step.spacing:.3g} mm{grid}, similarity {step.before:.4f} to {step.after:.4f}"
    )
