"""Does the job fit into this machine?"""

import psutil

from scalebridge.core.errors import ResourceError


def refuse_too_large(needed: float, what: str, limit: float | None = None) -> None:
    """Refuse a job before it starts if it needs more memory than there is.

    Args:
        needed: bytes that the job will need at its peak.
        what: what needs them, for the error.
        limit: bytes allowed; None takes what the machine has available now.

    Raises:
        ResourceError: the job needs more.
    """
    available = psutil.virtual_memory().available if limit is None else limit
    if needed > available:
        raise ResourceError(
            what,
            got=f"about {needed / 2**30:.2f} GiB needed",
            wanted=f"at most {available / 2**30:.2f} GiB",
            cure="crop or coarsen the image, or use scheme='finite-volume' or dtype='float32'",
        )
