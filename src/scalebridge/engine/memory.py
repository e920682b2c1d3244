"""Does the job fit into this machine?"""

import psutil

from scalebridge.core.errors import InputError, ResourceError


def refuse_too_large(needed: float, what: str, limit: float | None = None) -> None:
    """Refuse a job before it starts if it needs more memory than there is.

    Args:
        needed: bytes that the job will need at its peak.
        what: what needs them, for the error.
        limit: bytes allowed; None takes what the machine has available now.

    Raises:
        ResourceError: the job needs more.
        InputError: the limit is no number of bytes.
    """
    if limit is not None and (not isinstance(limit, int | float) or not limit > 0):
        raise InputError(
            "memory_limit", got=repr(limit), wanted="a positive number of bytes", cure="pass 8e9 for 8 GB"
        )
    available = psutil.virtual_memory().available if limit is None else limit
    if needed > available:
        raise ResourceError(
            what,
            got=f"about {needed / 2**30:.3g} GiB needed",
            wanted=f"at most {available / 2**30:.3g} GiB",
            cure="crop or coarsen the image, or use scheme='finite-volume' or dtype='float32'",
        )
