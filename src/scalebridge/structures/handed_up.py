"""What a cell hands up as the linear law of a coarse model: a result, a tensor, or its own model."""

from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.core.model import HostLinearModel, LinearModel
from scalebridge.core.results import Outcome, require_converged
from scalebridge.core.upscaled import Upscaled
from scalebridge.upscaling.tangent import watched_tangent


def stiffness_of(material: Any) -> np.ndarray:
    """Return the stiffness that an elastic result, array or model of a cell stands for, (6, 6), Mandel, Pa.

    Args:
        material: what `effective_stiffness` returned; an array; or a linear model that answers a mean strain.

    Raises:
        InputError: it is in another unit, answers another question, or is not positive definite.

    Example:
        >>> stiffness_of(2 * np.eye(6))[0, 0].item()
        2.0
    """
    if isinstance(material, LinearModel | HostLinearModel):
        found = _asked(material, "mean strain", "mean stress")[:6, :6]  # a seventh load is a temperature
        return definite(found, 6, f"a {type(material).__name__}")
    if isinstance(material, Upscaled):
        if material.unit != "Pa":
            raise InputError(
                "material",
                got=f"an Upscaled {material.spec.name} in {material.unit}",
                wanted="a stiffness in Pa, because lengths are in m",
                cure="give the phases' moduli with their units",
            )
        return definite(np.asarray(material.value, float), 6, f"the Upscaled {material.spec.name}")
    return definite(np.asarray(material, float), 6, "an array")


def conductivity_of(material: Any, dim: int) -> tuple[np.ndarray, str | None]:
    """Return the conductivity that a result, number, array or model of a cell stands for, and its unit.

    Args:
        material: what `effective_conductivity` returned; a number; an array; or a linear model that answers a
            mean gradient.
        dim: of the coarse model. Of a tensor in space a plane takes the part in x and y: nothing varies
            along z.

    Raises:
        InputError: it answers another question, has fewer axes, or is not positive definite.

    Example:
        >>> conductivity_of(3.0, 2)[0].tolist()
        [[3.0, 0.0], [0.0, 3.0]]
    """
    unit, what = None, "an array"
    if isinstance(material, LinearModel | HostLinearModel):
        tensor, what = _asked(material, "mean gradient", "mean flux"), f"a {type(material).__name__}"
    elif isinstance(material, Upscaled):
        tensor, unit, what = np.asarray(material.value, float), material.unit, f"the {material.spec.name}"
    elif isinstance(material, bool | str) or not np.issubdtype(np.asarray(material).dtype, np.number):
        raise InputError(
            "material",
            got=f"a {type(material).__name__}",
            wanted="a conductivity: an Upscaled one, a cell of conduction, a number, or a tensor",
            cure="pass what effective_conductivity returned",
        )
    else:
        tensor = np.asarray(material, float)
    if tensor.ndim == 0:
        tensor = float(tensor) * np.eye(dim)
    wide = tensor.shape == (3, 3) and dim == 2
    return definite(tensor[:2, :2] if wide else tensor, dim, what), unit


def definite(tensor: np.ndarray, size: int, what: str) -> np.ndarray:
    """Refuse a tensor of another shape, or one that is not positive definite."""
    shaped = tensor.shape == (size, size) and bool(np.isfinite(tensor).all())
    if shaped and np.linalg.eigvalsh((tensor + tensor.T) / 2)[0] > 0:
        return tensor
    kind = "stiffness (6, 6) in Mandel notation" if size == 6 else f"conductivity ({size}, {size})"
    raise InputError(
        "material",
        got=f"{what} of shape {tensor.shape}" + (" that is not positive definite" if shaped else ""),
        wanted=f"a positive definite {kind}",
        cure="check the phases: a void that percolates leaves a direction without stiffness or conduction",
    )


def _asked(model: LinearModel | HostLinearModel, load: str, answer: str) -> np.ndarray:
    """Ask a model all its unit loads."""
    if not model.asks.name.startswith(load) or not model.answers.name.startswith(answer):
        raise InputError(
            "material",
            got=f"a {type(model).__name__}, which answers a {model.asks.name} with a {model.answers.name}",
            wanted=f"a model that answers a {load} with a {answer}",
            cure="pass the cell of the other physics, or another kind of boundary",
        )
    found = watched_tangent(model)
    for response in found.responses:
        if response is not None:
            require_converged(Outcome(int(response.result)), "the cell that stands for the material")
    return np.asarray(found.value, float)
