"""What the algorithm of a recipe is called, and what it makes images by."""

from __future__ import annotations

from ..baselines import adversarial, deep_directed, flow_matching, texture_nets, vae
from ..learn import algorithm_d, algorithm_g, coopnets, igm, supervised
from .recipe import Plan


def algorithm_of(plan: Plan) -> str:
    """How the algorithm of ``plan`` is called in results."""
    match plan:
        case coopnets.Plan():
            return "CoopNets" if plan.loss == "likelihood" else "Logistic CoopNets"
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


def models_of(plan: Plan) -> tuple[str, ...]:
    """What a run of ``plan`` draws images by, as its learner's ``sample`` names it; none where it makes no images."""
    match plan:
        case coopnets.Plan():
            return "generator", "descriptor"
        case algorithm_d.Plan():
            return ("descriptor",)
        case igm.Plan():
            return ("classifier" if plan.single else "cascade",)
        case flow_matching.Plan():
            return ("flow",)
        case supervised.Plan():
            return ()
        case algorithm_g.Plan() | vae.Plan() | deep_directed.Plan() | texture_nets.Plan() | adversarial.Plan():
            return ("generator",)


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
