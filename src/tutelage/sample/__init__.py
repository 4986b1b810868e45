"""How it is sampled."""

from .chain import Kernel, run
from .langevin import Langevin, LangevinInfo, LangevinState

__all__ = ["Kernel", "Langevin", "LangevinInfo", "LangevinState", "run"]
