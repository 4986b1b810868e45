"""Learning. An algorithm is a ``Plan`` (its "Input" box), a learner with ``init``, ``step``, ``sample`` and ``finish``,
and its numbered steps as functions, each imported from its module:

    tutelage.learn.algorithm_d   AlgorithmD, Plan; langevin_revision (D1), density_shifting (D2)
    tutelage.learn.algorithm_g   AlgorithmG, Plan; langevin_inference (G1), reconstruction (G2)
    tutelage.learn.coopnets      CoopNets, Plan; initial_generation (G0), and the four above
    tutelage.learn.igm           Igm, Plan; classification_step, igm_round
    tutelage.learn.synthesis     synthesis_energy, synthesis_step, initial_noise
    tutelage.learn.supervised    Supervised, Plan: a classifier with labels
    tutelage.learn.updates       Adam, Sgd: how parameters move, and rates that fall
    tutelage.learn.calibration   calibrate: batch-norm statistics that no batch decides

Learners take the reference and the kernel that their Plan describes. Others, of one's own, go into the steps by hand:
``langevin_revision(Tilt(reference, f), images, kernel, steps, rng)``.
"""
