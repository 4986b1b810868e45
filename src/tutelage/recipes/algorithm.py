"""What the algorithm of a recipe is called."""

from __future__ import annotations

from ..baselines import adversarial, deep_directed, flow_matching, texture_nets, vae
from ..learn import algorithm_d, algorithm_g, coopnets, igm, supervised
from .recipe import Plan


def algorithm_of(plan: Plan) -> str:
    """How the algorithm of ``plan`` is called in results."""
    match plan:
        case coopnets.Plan():
            return "CoopNets"
        case algorithm_d.Plan():
            return "Algorithm D"
        case algorithm_g.Plan():
            return "Algorithm G"
        case igm.Plan():
            return "IGM-single" if plan.single else "IGM"
        case supervised.Plan():
            return "Supervised"
        case vae.Plan():
            return "VAE"
        case flow_matching.Plan():
            return "Flow matching"
        case deep_directed.Plan():
            return "Deep directed"
        case texture_nets.Plan():
            return "Texture net"
        case adversarial.Plan():
            return _game(plan.objective)


def _game(objective: adversarial.Objective) -> str:
    match objective:
        case adversarial.NonSaturating():
            return "DCGAN"
        case adversarial.Wasserstein():
            return "WGAN" if objective.gradient_penalty is None else "WGAN-GP"
        case adversarial.EnergyBased():
            return "EBGAN-PT" if objective.pulling_away else "EBGAN"
        case adversarial.Information():
            return "InfoGAN"
