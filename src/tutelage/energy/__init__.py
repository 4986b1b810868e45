"""What is sampled."""

from .compose import RandomTilt, Tilt, TiltTerms
from .content import Content, Mix, MixTerms, RandomMix
from .patches import AllPatches, LogProbability, Patches, RandomPatches
from .posterior import Posterior
from .reference import Gaussian, Uniform

__all__ = [
    "AllPatches",
    "Content",
    "Gaussian",
    "LogProbability",
    "Mix",
    "MixTerms",
    "Patches",
    "Posterior",
    "RandomMix",
    "RandomPatches",
    "RandomTilt",
    "Tilt",
    "TiltTerms",
    "Uniform",
]
