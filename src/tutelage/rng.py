"""One seed, many named streams of random numbers.

There is no global random state in this library: every function that needs chance takes a
``torch.Generator``, called ``rng``. A run derives all its generators from one seed and a name, so
that adding a draw to one stream never shifts another.
"""

from __future__ import annotations

import hashlib

import torch

from .checks import InputError


def stream(seed: int, *names: object, device: torch.device | str = "cpu") -> torch.Generator:
    """The generator of the stream ``names`` under ``seed``.

    The same seed and names give the same numbers, and different names give unrelated ones:
    the generator is seeded by a SHA-256 of both.

    >>> a, b = stream(0, "noise"), stream(0, "noise")
    >>> bool(torch.equal(torch.randn(3, generator=a), torch.randn(3, generator=b)))
    True
    """
    if any("/" in str(name) for name in names):
        raise InputError(f"the names of a random stream are {names}; a name cannot contain '/', give it as two")
    text = "/".join(str(part) for part in (seed, *names))
    digest = hashlib.sha256(text.encode(errors="surrogateescape")).digest()
    rng = torch.Generator(device=device)
    # 63 bits: the generator takes a signed seed
    rng.manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    return rng
