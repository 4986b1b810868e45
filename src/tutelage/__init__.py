"""Generative image models trained without an adversary.

A descriptor (an energy-based model) and a generator (a latent variable model) learn together: the
descriptor's Langevin chains revise what the generator draws, and the generator learns from the revision.
Import the parts by name: ``tutelage.energy``, ``tutelage.sample``, ``tutelage.learn``, …
"""

__version__ = "0.1.0"
