"""One cooperative iteration, step by step: Algorithm 3 of the CoopNets paper, laid over its equations."""

from __future__ import annotations

from tutelage import data
from tutelage.energy import Gaussian, Tilt
from tutelage.learn.algorithm_d import density_shifting, langevin_revision
from tutelage.learn.algorithm_g import langevin_inference, reconstruction
from tutelage.learn.coopnets import initial_generation
from tutelage.learn.updates import Adam
from tutelage.nets import Descriptor, Generator
from tutelage.recipes.demo import DEMO
from tutelage.rng import stream
from tutelage.sample import Langevin


def main(iterations: int = 3, chains: int = 16) -> None:
    digits = data.load(DEMO.data).train
    rng = stream(0, "by hand")
    assert DEMO.descriptor and DEMO.generator
    descriptor, generator = Descriptor(DEMO.descriptor, rng), Generator(DEMO.generator, rng)
    of_descriptor = Adam(lr=0.007).init(descriptor)
    of_generator = Adam(lr=0.001).init(generator)
    energy = Tilt(Gaussian(0.016), descriptor)  # eq. (4)

    for t in range(iterations):
        observed = digits.batch(slice(t * chains, (t + 1) * chains))
        latents, initial = initial_generation(generator, chains, (50,), 0.0, rng)  # G0: S1
        revised, _ = langevin_revision(energy, initial, Langevin(0.002), 10, rng)  # D1: S2, eq. (7)
        latents = langevin_inference(generator, revised, latents, 0.3, 0.1, 0, rng)  # G1, eq. (15), l_q = 0
        value, _ = density_shifting(energy, of_descriptor, observed, revised)  # D2, eqs. (8), (9)
        loss, _ = reconstruction(generator, of_generator, latents, revised, 0.3)  # G2: S3, eq. (16)
        print(f"iteration {t + 1}: V = {value:.3g}, reconstruction = {loss:.3g}")


if __name__ == "__main__":
    main()
