"""A run-time type checker that looks at array shapes and dtypes only.

Plain annotations are pyright's business; holding them at run time as well would turn each refusal of a bad
input into a type error before the library can say what is wrong with it.
"""

from typing import Any, get_args

from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray


def shapes_only(function: Any) -> Any:
    """Apply beartype to the annotations that mention a jaxtyping array."""
    kept = {name: hint for name, hint in function.__annotations__.items() if _mentions_array(hint)}
    function.__annotations__ = kept
    return beartype(conf=BeartypeConf(is_pep484_tower=True))(function)


def _mentions_array(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return True
    return any(_mentions_array(part) for part in get_args(hint))
