"""What is sampled."""

from .compose import Tilt, TiltTerms
from .posterior import Posterior
from .reference import Gaussian, Uniform

__all__ = ["Gaussian", "Posterior", "Tilt", "TiltTerms", "Uniform"]
