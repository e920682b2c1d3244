"""Stiffness of a material whose density, and with it the modulus, is told voxel by voxel by grey values.

Bone, foams and sintered powders are not two phases: a scanner's grey value is close to linear in the density,
and the modulus follows the density by a power law,

    rho = rho_s (g - g_0) / (g_s - g_0),   E = E_s (rho / rho_s)^n,

with the grey values g_0 of what fills the pores and g_s of the dense solid. Voxels below a threshold are
void. The law is sampled at some tens of densities, so that the solver's table stays small.

Source: of the power law for bone tissue D. R. Carter and W. C. Hayes, J. Bone Joint Surg. 59-A (1977) 954; of
its use voxel by voxel B. C. Bourne and M. C. H. van der Meulen, J. Biomech. 37 (2004) 613.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from scalebridge.cells.elastic_answer import answer_of
from scalebridge.cells.elastic_budget import bracket_of
from scalebridge.cells.elastic_job import Budget, ElasticSettings
from scalebridge.cells.stiffness import effective_stiffness, elastic_job
from scalebridge.core.errors import ImageError, InputError
from scalebridge.core.upscaled import Contribution, Upscaled
from scalebridge.engine.progress import Meter
from scalebridge.grids.image import VoxelImage
from scalebridge.upscaling.voxel_error import voxel_size_error

_FEWEST = 8  # voxels an edge that a coarsened image has at least


@dataclass(frozen=True)
class DensityLaw:
    """A power law from grey value to Young's modulus.

    Args:
        pore_grey: grey value of what fills the pores, at density zero.
        solid_grey: grey value of the dense solid.
        young: Young's modulus of the dense solid, Pa.
        exponent: of the modulus over the density; 1 to 3.
        poisson: Poisson's ratio, the same at all densities.
        threshold: grey value below which a voxel is void.
        young_std: standard deviation of the solid's modulus, Pa: common to all voxels.
        exponent_std: standard deviation of the exponent.
        threshold_std: standard deviation of the threshold.

    Raises:
        InputError: values that physics forbids.
    """

    pore_grey: float
    solid_grey: float
    young: float
    exponent: float
    poisson: float
    threshold: float
    young_std: float = 0.0
    exponent_std: float = 0.0
    threshold_std: float = 0.0

    def __post_init__(self) -> None:
        for name in ("young_std", "exponent_std", "threshold_std"):
            if not getattr(self, name) >= 0:
                _refuse(name, getattr(self, name), "zero or a positive number")
        if not self.pore_grey < self.solid_grey:
            _refuse("solid_grey", self.solid_grey, f"more than pore_grey, {self.pore_grey:g}")
        if not self.pore_grey < self.threshold < self.solid_grey:
            _refuse("threshold", self.threshold, f"between {self.pore_grey:g} and {self.solid_grey:g}")
        if not self.young > 0:
            _refuse("young", self.young, "a positive number of Pa")
        if not 0 < self.exponent <= 5:
            _refuse("exponent", self.exponent, "a number from above 0 to 5")
        if not -1 < self.poisson < 0.5:
            _refuse("poisson", self.poisson, "a number between -1 and 0.5")

    def relative_density(self, grey: np.ndarray) -> np.ndarray:
        """Return the density over that of the dense solid."""
        return (np.asarray(grey, float) - self.pore_grey) / (self.solid_grey - self.pore_grey)

    def modulus(self, grey: np.ndarray) -> np.ndarray:
        """Return Young's modulus, Pa, zero below the threshold.

        Example:
            >>> law = DensityLaw(0, 200, 18e9, 2.0, 0.3, threshold=50)
            >>> (law.modulus(np.array([20, 100, 200])) / 1e9).round(6).tolist()
            [0.0, 4.5, 18.0]
        """
        grey = np.asarray(grey, float)
        inside = grey >= self.threshold
        return np.where(inside, self.young * np.abs(self.relative_density(grey)) ** self.exponent, 0.0)


def graded_phases(
    grey: np.ndarray, law: DensityLaw, *, levels: int = 32, voxel: Any = None
) -> tuple[VoxelImage, dict[int, Any]]:
    """Cut grey values into density classes with a material each.

    Args:
        grey: (x, y) or (x, y, z).
        law: from grey to modulus.
        levels: number of classes, each with as many voxels as the others; a class has the mean modulus of
            its own voxels, so that the mean modulus is kept.
        voxel: edge length of a voxel in m, or one an axis; None if not known.

    Returns:
        the image of classes, 0 for voids, and a material for each.
    """
    grey = np.asarray(grey)
    if grey.ndim not in (2, 3) or grey.dtype.kind not in "uif" or grey.size == 0:
        raise ImageError(
            "grey",
            got=f"{grey.dtype} of shape {grey.shape}",
            wanted="a planar or spatial array of grey values",
            cure="read it with scalebridge.read_volume(path).data",
        )
    if isinstance(levels, bool) or not isinstance(levels, int) or not 1 <= levels <= 250:
        _refuse("levels", levels, "an integer from 1 to 250")
    moduli = law.modulus(grey)
    solid = moduli > 0
    if not solid.any():
        raise ImageError(
            "grey",
            got=f"no voxel at or above the threshold {law.threshold:g}",
            wanted="solid voxels",
            cure="lower the threshold: look at the histogram with `scalebridge inspect`",
        )
    cuts = np.unique(np.quantile(moduli[solid], np.linspace(0, 1, levels + 1)[1:-1]))
    labels = np.zeros(grey.shape, np.uint8)
    labels[solid] = 1 + np.searchsorted(cuts, moduli[solid], side="left")
    used = np.unique(labels[solid])
    place = np.zeros(256, np.uint8)
    place[used] = 1 + np.arange(used.size)
    labels = place[labels]
    sums = np.bincount(labels.reshape(-1), moduli.reshape(-1))
    counts = np.bincount(labels.reshape(-1))
    phases: dict[int, Any] = {
        label: {"young": sums[label] / counts[label], "poisson": law.poisson, "name": f"class {label}"}
        for label in range(1, used.size + 1)
    }
    if counts[0]:
        phases[0] = "void"
    size = None if voxel is None else tuple(np.broadcast_to(voxel, grey.ndim).tolist())
    return VoxelImage(labels, size, periodic=False), phases


def graded_stiffness(
    grey: np.ndarray,
    law: DensityLaw,
    *,
    levels: int = 32,
    voxel: Any = None,
    budget: Budget = "standard",
    rtol: float = 1e-6,
    fields: bool = False,
    progress: bool | None = None,
) -> Upscaled:
    """Compute the effective stiffness of a grey image under a density law, with its error budget.

    Args:
        grey: (x, y) or (x, y, z) grey values.
        law: from grey value to modulus.
        levels: number of density classes.
        voxel: edge length of a voxel in m, or one an axis.
        budget: "none"; "quick" for the law's own spread (each spread parameter is solved again, one standard
            deviation away, because it acts on all voxels at once); "standard" adds the voxels' size, from the
            grey values averaged over 2 and 4 voxels; "full" adds the bracket of uniform stress and strain.
        rtol: as for `effective_stiffness`.
        fields: as for `effective_stiffness`.
        progress: as for `effective_stiffness`.

    Returns:
        an `Upscaled` as of `effective_stiffness`.

    Raises:
        InputError: as for `effective_stiffness`.

    Cost: one solve of six load cases, one more for each spread of the law (a spread of the modulus costs
    none), and the coarser images.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> law = DensityLaw(0, 255, 18e9, 1.5, 0.3, threshold=60, young_std=1e9)
        >>> found = graded_stiffness(rng.integers(50, 255, (8, 8, 8)), law, budget="quick")
        >>> bool(found.uncertainty["tissue modulus"].std[0, 0] > 0)
        True
    """
    image, phases = graded_phases(grey, law, levels=levels, voxel=voxel)
    plain: Budget = "none" if budget == "none" else "quick"
    found = effective_stiffness(image, phases, rtol=rtol, budget=plain, fields=fields, progress=progress)
    parts = dict(found.uncertainty)
    stats = dict(found.stats)
    if budget != "none":
        parts |= _law_parts(grey, law, levels, rtol, found.value)
    if budget in ("standard", "full"):
        error = voxel_size_error([found.value, *_coarser(grey, law, levels, rtol)])
        parts["voxel size"] = Contribution(error.std_about(found.value), error.method)
        stats["voxel size"] = error.to_dict()
    bounds = dict(found.bounds)
    if budget == "full":
        job = elastic_job(image, phases, ElasticSettings(rtol=rtol))
        bound, parts["boundary"] = bracket_of(job, lambda answer: answer.stiffness, Meter(12))
        bounds["boundary conditions"] = bound
    stats["not assessed"] = [
        name for name in ("voxel size", "boundary", "sample size") if budget != "none" and name not in parts
    ]
    note = (
        f"Young's modulus by grey value: {law.young / 1e9:g} GPa times (relative density)^{law.exponent:g}, "
        f"void below grey {law.threshold:g}; {len(phases)} classes."
    )
    return replace(
        found,
        uncertainty=parts,
        stats=stats,
        bounds=bounds,
        notes=(note, *found.notes),
        derivatives={"tissue modulus": found.value / law.young},
        inputs=_inputs(image, law),
        subject=_shown(image),
    )


def _shown(image: VoxelImage) -> VoxelImage:
    """Pores and solid, for pictures: the classes would be dozens of colours."""
    names = {0: "pores", 1: "solid"}
    labels = (image.labels > 0).astype(np.uint8)
    present = {label: names[label] for label in np.unique(labels).tolist()}
    return VoxelImage(labels, image.voxel, names=present, periodic=False)


def _inputs(image: VoxelImage, law: DensityLaw) -> dict[str, dict[str, Any]]:
    """The law, as what the solid is made of."""
    pores = image.fractions.get(0, 0.0)
    told = {
        "young": {"value": law.young, "std": law.young_std, "unit": "Pa"},
        "exponent": {"value": law.exponent, "std": law.exponent_std, "unit": "1"},
        "poisson": {"value": law.poisson, "std": 0.0, "unit": "1"},
    }
    found: dict[str, dict[str, Any]] = {"phase 0": {"name": "pores", "kind": "void", "fraction": pores}}
    solid = {"name": "solid", "kind": "by density", "fraction": 1.0 - pores, **told, "law": asdict(law)}
    return (found if pores else {}) | {"phase 1": solid}


def _law_parts(
    grey: np.ndarray, law: DensityLaw, levels: int, rtol: float, value: np.ndarray
) -> dict[str, Contribution]:
    """Spread by the law's parameters, which act on all voxels at once."""
    parts = {}
    if law.young_std > 0:
        method = "the stiffness is proportional to the solid's modulus, which all voxels share"
        parts["tissue modulus"] = Contribution(np.abs(value) * law.young_std / law.young, method)
    for name, std in (("exponent", law.exponent_std), ("threshold", law.threshold_std)):
        if std > 0:
            moved = replace(law, **{name: getattr(law, name) + std})
            away = np.abs(_plain(grey, moved, levels, rtol) - value)
            parts[name] = Contribution(away, f"solved again with the {name} one standard deviation higher")
    return parts


def _coarser(grey: np.ndarray, law: DensityLaw, levels: int, rtol: float) -> list[np.ndarray]:
    """Stiffness from grey values averaged over blocks of 2 and 4 voxels, what fits."""
    found = []
    for factor in (2, 4):
        if min(grey.shape) // factor < _FEWEST:
            break
        cut = grey[tuple(slice(0, n - n % factor) for n in grey.shape)].astype(float)
        split = [number for n in cut.shape for number in (n // factor, factor)]
        averaged = cut.reshape(split).mean(axis=tuple(range(1, 2 * grey.ndim, 2)))
        found.append(_plain(averaged, law, levels, rtol))
    return found


def _plain(grey: np.ndarray, law: DensityLaw, levels: int, rtol: float) -> np.ndarray:
    image, phases = graded_phases(grey, law, levels=levels)
    job = elastic_job(image, phases, ElasticSettings(rtol=rtol, budget="none"))
    return answer_of(job.model(thermal=False), job.dim).stiffness


def _refuse(argument: str, got: Any, wanted: str) -> None:
    raise InputError(argument, got=repr(got), wanted=wanted, cure="correct the density law")
