"""Plain sentences about a result, for readers who do not read tensors."""

import numpy as np

from scalebridge.core.results import Outcome
from scalebridge.core.upscaled import Upscaled
from scalebridge.report.looks import Look, subject_name
from scalebridge.report.tensors import (
    AXES,
    anisotropy,
    formation,
    is_space_tensor,
    mean_of,
    mean_value,
    principal_values,
    relative_sensitivities,
)
from scalebridge.report.typeset import count, typeset_estimate, typeset_number, typeset_unit

_BRACKETS = ("Hashin-Shtrikman", "Voigt-Reuss")  # the tightest first
_FACTOR = 1.5  # of principal values from which their ratio says more than their difference
_ISOTROPIC = 1e-6  # relative difference of principal values below which none is worth a word


def answer_sentences(result: Upscaled, looks: dict[str, Look]) -> list[str]:
    """Return the answer in words: mean, directions, what matters most, where it lies, whether it holds."""
    said = [
        _first(result),
        _formation(result),
        _directions(result),
        _lever(result, looks),
        _between(result),
        verdict_sentence(result),
    ]
    return [unbroken(sentence) for sentence in said if sentence]


def headline(result: Upscaled) -> tuple[str, str, str]:
    """Return number, unit and meaning of the number that stands for the answer; empty if there is none.

    A tensor is stood for by the mean of its principal values.
    """
    single = np.ndim(result.value) == 0
    if not (single or is_space_tensor(result.value)) or not np.all(np.isfinite(np.asarray(result.value))):
        return "", "", ""
    value, std = mean_value(result)
    meaning = "" if single else "mean of the principal values"
    return typeset_estimate(value, std, 4), typeset_unit(result.unit), meaning


def outcome_of(result: Upscaled) -> bool | None:
    """Return whether everything passed; None when nothing was checked."""
    if not result.checks and result.outcome is Outcome.converged:
        return None
    return result.passed


def verdict_sentence(result: Upscaled) -> str:
    """Return whether the method ended well and which checks failed."""
    ending = "" if result.outcome is Outcome.converged else f" {result.outcome.sentence}"
    failed = [check.name for check in result.checks if not check.passed]
    total = len(result.checks)
    if not total:
        return f"Nothing was checked.{ending}"
    if not failed:
        return ("The one check passed." if total == 1 else f"All {total} checks passed.") + ending
    listed = ", ".join(failed)
    return f"{len(failed)} of {count(total, 'check')} failed: {listed}.{ending}"


def _first(result: Upscaled) -> str:
    number, unit, meaning = headline(result)
    what = f"the {result.spec.name} of {subject_name(result)}"
    if not number:
        found = np.all(np.isfinite(np.asarray(result.value)))
        shape = " × ".join(map(str, np.shape(result.value)))
        return _capital(f"{what} has {shape} components, given below." if found else f"{what} was not found.")
    where = "on average over directions, " if meaning else ""
    return _capital(f"{where}{what} is {number}{' ' * bool(unit)}{unit}.")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _formation(result: Upscaled) -> str:
    found = formation(result)
    if found is None:
        return ""
    std = None if found.stds is None else float(found.stds[-1])
    return f"That is a formation factor of {typeset_estimate(float(found.factors[-1]), std, 4)}."


def _directions(result: Upscaled) -> str:
    if not is_space_tensor(result.value):
        return ""
    principals = principal_values(result)
    share = anisotropy(principals)
    blocked = [a for a, open_ in zip(AXES, result.stats.get("percolating", ()), strict=False) if not open_]
    if blocked:
        return f"Nothing passes along {' and '.join(blocked)}: the conducting phases do not connect there."
    if share < _ISOTROPIC:
        return "It is the same in all directions."
    high, low = principals[0], principals[-1]
    apart = f"{typeset_number(100 * share, 2)} % apart"
    if low.value > 0 and high.value > _FACTOR * low.value:
        apart = f"a factor of {typeset_number(high.value / low.value, 2)} apart"
    return (
        f"It is largest {_near(high.nearest, high.angle)} ({typeset_number(high.value, 4)}) and smallest "
        f"{_near(low.nearest, low.angle)} ({typeset_number(low.value, 4)}), {apart}."
    )


def unbroken(sentence: str) -> str:
    """Keep numbers and what belongs to them on one line."""
    for loose in (" %", " ± ", " W/", " S/", " m²", " mD", " GPa", " MPa", " 10⁻⁶/K"):
        sentence = sentence.replace(loose, loose.replace(" ", "\u00a0"))
    return sentence


def _near(axis: str, angle: float) -> str:
    return f"along {axis}" if angle < 0.5 else f"{angle:.0f}° off {axis}"


def _lever(result: Upscaled, looks: dict[str, Look]) -> str:
    shares = {key: float(np.mean(row)) for key, row in relative_sensitivities(result).items()}
    shares = {key: share for key, share in shares.items() if np.isfinite(share)}
    if len(shares) < 2:
        return ""
    key = max(shares, key=lambda name: shares[name])
    name = looks[key].name if key in looks else key
    return (
        f"It depends most on {name}: one percent more there raises it by {typeset_number(shares[key], 2)} %."
    )


def _between(result: Upscaled) -> str:
    for name in _BRACKETS:
        bound = result.bounds.get(name)
        if bound is None:
            continue
        low, high = mean_of(bound.lower), mean_of(bound.upper)
        if high > low:
            share = (mean_value(result)[0] - low) / (high - low)
            outside = "" if -1e-6 <= share <= 1 + 1e-6 else ", outside them"
            return (
                f"It lies {100 * share:.0f} % of the way from the lower to the upper {name} bound{outside}."
            )
    return ""
