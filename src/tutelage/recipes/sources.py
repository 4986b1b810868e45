"""Where the numbers come from that several recipes share."""

from __future__ import annotations

COMMON = {
    "precision": "ours: layers compute in bfloat16; weights, images and chains stay float32",
    "plan.noise_until": "§2.1: the noise stays on (§4.5 switches it off for CelebA alone)",
    "plan.metropolis": "§2.1: may be added; the authors' code does without",
    "plan.gradient_penalty": "none in the paper, or in the authors' code",
    "plan.loss": "§2.1, eq. (8): maximum likelihood",
    "plan.noise_std": "§4.1: .3",
    "plan.inference_steps": "§4: l_q = 0",
    "plan.latent_step_size": "the paper gives none; the authors' default elsewhere: .1 with σ = .3. Learning takes no "
    "such step; `tutelage complete` takes smaller ones where images have more values than MNIST's 784",
    "plan.reconstruction_updates": "authors' code: 1 (§3.1 allows several)",
    "plan.add_noise": "authors' code: no ε on the drafts (§3.1 adds it)",
    "plan.ema_decay": "ours: samples are drawn from an average of the generator's weights",
    "plan.calibration_draws": "ours: batch-norm statistics are fixed after learning (code: the batch's, at test too)",
    "plan.descriptor_update": "authors' code: Adam, β1 .5, .007 to .01; the cosine decay to 1/20 is ours",
    "plan.generator_update": "Adam, β1 .5: authors' code; .001 (code: .0001) and the decay to 1/20 are ours",
    "descriptor.slope": "authors' code: leaky ReLU .2 (§4: ReLU)",
    "descriptor.init_std": "authors' code: .01 (§4: .001)",
    "generator.slope": "authors' code: leaky ReLU .2 (§4: ReLU)",
    "generator.init_std": "authors' code: .005 (§4: .001)",
    "generator.batch_norm": "§4; a shift but no scale, eps 1e-3: authors' code",
}

LEAKY_IN_THE_GENERATOR = (
    "Weights start from N(0, .01²) and N(0, .005²) instead of N(0, .001²), and ReLU is leaky in the generator: the "
    "authors' code."
)
HALF_OF_DCGAN = (
    "The generator has 512 maps of 4x4 pixels and half as many in each layer after it (authors' code); DCGAN, whose "
    "network §4.2 and §4.6 take, has 1 024."
)
COMMON_DEVIATIONS = (
    "Weights start from N(0, .01²) and N(0, .005²) instead of N(0, .001²), and ReLU is leaky: the authors' code.",
    "Adam (the authors' later code) instead of plain gradient descent at the printed rates.",
    "Learning rates fall along a cosine, and the generator's starts ten times higher than in the authors' code.",
    "Samples are drawn from an average of the generator's weights.",
    "No noise ε is added to the drafts (authors' code; §3.1 adds it).",
)
