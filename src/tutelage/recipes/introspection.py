"""Introspective generative modeling (IGM §4): textures of any size, faces, digits, objects."""

from __future__ import annotations

from dataclasses import replace

from ..data import DataSpec
from ..learn import igm
from ..learn.updates import Sgd
from ..nets import presets
from ..nets.classifier import ClassifierSpec
from ..sample import Ascent, CrossEntropyRule, ProbabilityRule
from .recipe import Recipe

_COMMON = {
    "precision": "ours: layers compute in bfloat16; weights, images and chains stay float32",
    "classifier": "§4: the discriminator of DCGAN, 64, 128, 256, 512 filters of 5x5, one logit; DCGAN: sub-sampling 2",
    "classifier.slope": "§4: leaky ReLU .2",
    "classifier.batch_norm": "§4: after every convolution but the first",
    "classifier.init_std": "the paper gives none; DCGAN: .02",
    "plan.rounds": "§4.1: 70",
    "plan.negatives_per_round": "§4.1: 200",
    "plan.batch_size": "§4.1: batches of 100, half of them positive",
    "plan.patches": "§4.1: 1 000 patches in each pass of learning, half of them positive",
    "plan.patches_per_image": "§4.1: 1 000 patches of 100 images",
    "plan.update": "§4.1: gradient descent, .01",
    "plan.classified": "authors' code: until the cross-entropy is at most .005 (the paper gives no end)",
    "plan.classification_steps": "authors' code: 30 epochs of 30 batches (4 t in round t < 8; §4.1 gives no number)",
    "plan.kernel": "authors' code: Adam .01, β1 .5 (§4.1: .1)",
    "plan.clip": "authors' code: pixels are clipped to [-1, 1] after each step",
    "plan.objective": "authors' code: cross-entropy to label 1 (§3.2.2: the logit)",
    "plan.stop": "authors' code: at the first cross-entropy of .62 or less (§4.1: probability above ½ over 20 steps)",
    "plan.synthesis_steps": "authors' code: 500",
    "plan.synthesis_batch": "§4.1: 100",
    "plan.reference_std": "§4.1: .3",
    "plan.recency": "authors' code: half as likely with every round (§4.1: recent rounds with higher probability)",
    "plan.indistinguishable": "Algorithm 1: until indistinguishable; the number is ours",
    "plan.single": "§3.2: a cascade",
    "plan.exact": "§3.2.2, in practice: the newest classifier alone, from the last round's pseudo-negatives",
}

_BYTES = (
    "The first noise and all pseudo-negatives are rounded to 8 bits (and clipped), in learning and in synthesis alike."
)
_ENOUGH = "A classification step ends by the running mean of its batches' cross-entropy; the code evaluates it."
_PLACES = (
    "In synthesis images get equal numbers of patches, where the paper draws places over all images together. In "
    "learning each patch is of an image drawn anew from all rounds, where §4.1 takes those of a pass from 50 images."
)
_SUM = "A pixel follows the sum over its patches, eq. (15); §3.4 averages them (plan.kernel.average_overlaps)."
_MARGIN = (
    "What is made from noise after learning has half a patch more on each side, which is cut off, and as many patches "
    "for each place as in learning (igm/texture-paper: 384x384 by 16 for 320x320; the paper: about 10 for 256x256)."
)
_TEXTURE = (_PLACES, _MARGIN, _SUM, _ENOUGH, _BYTES)
_ONE = (
    "A round is up to 100 updates and one synthesis; in the authors' code a cascade is 100 times that, by one network "
    "throughout, and negatives are drawn from all rounds alike."
)
_CLIMB = "Synthesis climbs minus the cross-entropy to label 1 (authors' code); §3.2.2 climbs the logit."
_AT_ONCE = (
    "Synthesis steps by Adam .01 and ends a chain at the first cross-entropy of .62 or less (authors' code); §4.1 "
    "steps by .1, and waits for a mean probability above ½ over 20 steps."
)

TEXTURE_PAPER = Recipe(
    name="igm/texture-paper",
    data=DataSpec(kind="image", size=(320, 320), channels=3, enlarge=True),
    classifier=presets.IGM_CLASSIFIER_64,
    plan=igm.Plan(
        rounds=70,
        batch_size=1,
        negatives_per_round=200,
        patches=500,
        patches_per_image=10,
        update=Sgd(lr=0.01, momentum=0.0, weight_decay=0.0),
        kernel=Ascent(lr=0.1, beta1=0.5),
        stop=ProbabilityRule(window=20, probability=0.5),
        classified=0.005,
        classification_steps=900,
        synthesis_steps=500,
        synthesis_batch=100,
        objective="logit",
    ),
    checkpoint_every=100,
    picture_every=500,
    sources={
        **_COMMON,
        "data": "§4.1: one picture of 256x256, padded by 32 (authors' code: stretched to 320x320)",
        "plan.batch_size": "§4.1: one picture",
        "plan.kernel": "§4.1: Adam .1, β .5 (code: .01)",
        "plan.stop": "§4.1: mean probability above ½ over a window of 20 steps",
        "plan.objective": "§3.2.2, eq. (11): the logit",
    },
    deviations=(
        *_TEXTURE,
        "The picture is brought to 320x320 instead of padded: a square one is stretched (authors' code), another cut.",
    ),
)

TEXTURE_MEDIUM = replace(
    TEXTURE_PAPER,
    name="igm/texture-medium",
    data=replace(TEXTURE_PAPER.data, size=(256, 256)),
    classifier=replace(presets.IGM_CLASSIFIER_64, shape=(3, 96, 96), channels=(32, 64, 128, 256)),
    plan=replace(
        TEXTURE_PAPER.plan,
        rounds=200,
        negatives_per_round=12,
        patches=128,
        patches_per_image=12,
        update=Sgd(lr=0.01, momentum=0.9, weight_decay=0.0),
        kernel=Ascent(lr=0.01, beta1=0.5),
        stop=CrossEntropyRule(threshold=0.62),
        classified=0.01,
        classification_steps=300,
        synthesis_steps=300,
        synthesis_batch=12,
        objective="log-probability",
    ),
    sources={
        **_COMMON,
        "data": "ours: one picture of 256x256",
        "classifier": "ours: half the filters of §4, on patches of 96x96, larger than the elements of most textures",
        "plan.rounds": "ours: more than half an hour on two cores allows; `--minutes` ends it",
        "plan.negatives_per_round": "ours",
        "plan.batch_size": "§4.1: one picture",
        "plan.patches": "ours",
        "plan.patches_per_image": "ours: a pixel lies in one patch or two, far from the border in four (4.3)",
        "plan.update": "ours: gradient descent, .01 as in §4.1, with momentum .9",
        "plan.classified": "ours: .01 (code: .005); with .02 and half the patches noise stays longer",
        "plan.classification_steps": "ours",
        "plan.synthesis_steps": "ours: 300 (code: 500)",
        "plan.synthesis_batch": "ours: all at once",
    },
    deviations=(
        *_TEXTURE,
        _CLIMB,
        _AT_ONCE,
        "Fewer filters, patches and pseudo-negatives, and momentum, for two cores and an hour.",
    ),
)

TEXTURE = replace(
    TEXTURE_MEDIUM,
    name="igm/texture",
    data=replace(TEXTURE_PAPER.data, size=(160, 160)),
    classifier=ClassifierSpec(shape=(3, 56, 56), channels=(32, 64, 128)),
    picture_every=250,
    sources={
        **TEXTURE_MEDIUM.sources,
        "data": "ours: one picture of 160x160",
        "classifier": "ours: three layers, on patches of 56x56, larger than the elements of most textures",
        "plan.patches_per_image": "ours: a pixel lies in one patch or two, far from the border in three or four (3.4)",
        "plan.rounds": "ours: more than five minutes on two cores allow (50 to 120); `--minutes 5` ends it",
    },
    deviations=(
        *_TEXTURE,
        _CLIMB,
        _AT_ONCE,
        "A quick variant: a smaller picture, fewer layers, patches and pseudo-negatives, and momentum.",
    ),
)

_WHOLE = {
    **_COMMON,
    "plan.rounds": "ours: 100 (code: 100 cascades, each of 100 iterations of learning and synthesis)",
    "plan.batch_size": "§4.3: 50 positives and 50 negatives",
    "plan.negatives_per_round": "ours: 1 000 (the paper gives none)",
    "plan.patches": "§4.3: whole images",
    "plan.patches_per_image": "§4.3: whole images",
    "plan.update": "§4.3: gradient descent, .01",
    "plan.classified": "ours: .005, as for textures (code: no such end)",
    "plan.classification_steps": "ours: 100 (code: 20 to 100 in each of a cascade's 100 iterations)",
    "plan.synthesis_steps": "ours: 500, as for textures (code: 2 000)",
    "plan.recency": "ours: as for textures (code: all rounds alike; §4.1: recent rounds with higher probability)",
    "plan.kernel": "§4.3: Adam .01, β .5 (code: .02)",
    "plan.stop": "§4.3: when the pseudo-negatives cross the decision boundary (code: cross-entropy ln 2)",
}

FACES64 = Recipe(
    name="igm/faces64",
    data=DataSpec(kind="folder", size=(64, 64), channels=3),
    classifier=presets.IGM_CLASSIFIER_64,
    plan=replace(
        TEXTURE_PAPER.plan,
        rounds=100,
        batch_size=50,
        negatives_per_round=1_000,
        patches=None,
        patches_per_image=None,
        kernel=Ascent(lr=0.01, beta1=0.5),
        stop=CrossEntropyRule(threshold=0.693),
        classification_steps=100,
        objective="log-probability",
    ),
    checkpoint_every=200,
    picture_every=500,
    sources={**_WHOLE, "data": "§4.3: the centre of faces, 64x64; a folder or a zip of pictures"},
    deviations=(
        "1 000 pseudo-negatives a round; the paper gives no number.",
        _ONE,
        _ENOUGH,
        _BYTES,
        _CLIMB,
        "The whole picture is brought to 64x64; the paper cuts out the centre (authors' code: 108x108 of CelebA; "
        "--set data.centre=108).",
    ),
)

SVHN32 = replace(
    FACES64,
    name="igm/svhn32",
    data=DataSpec(kind="svhn", size=(32, 32), channels=3),
    classifier=presets.IGM_CLASSIFIER_32,
    sources={**_WHOLE, "data": "§4.4: SVHN, 32x32"},
    deviations=(
        *FACES64.deviations[:5],
        "Learns from the training set alone; the paper adds the extra set (--set data.extra=true).",
    ),
)

CIFAR32 = replace(
    SVHN32,
    name="igm/cifar32",
    data=DataSpec(kind="cifar10", size=(32, 32), channels=3),
    sources={**_WHOLE, "data": "ours: CIFAR-10 (the paper has none), as §4.4"},
    deviations=FACES64.deviations[:5],
)

MNIST28 = replace(
    CIFAR32,
    name="igm/mnist28",
    data=DataSpec(kind="mnist", size=(28, 28), channels=1),
    classifier=presets.IGM_CLASSIFIER_28,
    sources={**_WHOLE, "data": "ours: MNIST (the paper has none), as §4.4"},
)


def quick(recipe: Recipe) -> Recipe:
    """A smaller variant of a recipe of whole images, for two cores: half the filters, momentum, fewer negatives."""
    assert recipe.classifier is not None and isinstance(recipe.plan, igm.Plan)
    return replace(
        recipe,
        name=f"{recipe.name}-quick",
        classifier=replace(recipe.classifier, channels=tuple(n // 2 for n in recipe.classifier.channels)),
        plan=replace(
            recipe.plan,
            rounds=500,
            negatives_per_round=400,
            update=Sgd(lr=0.01, momentum=0.9, weight_decay=0.0),
            classified=0.01,
            synthesis_steps=200,
        ),
        sources={
            **recipe.sources,
            "classifier": "ours: half the filters of §4",
            "plan.rounds": "ours: more than half an hour on two cores allows; `--minutes` ends it",
            "plan.negatives_per_round": "ours",
            "plan.update": "ours: gradient descent, .01 as in §4.3, with momentum .9",
            "plan.classified": "ours: .01 (code: .005)",
            "plan.synthesis_steps": "ours",
        },
        deviations=(*recipe.deviations[1:], "Half the filters, 400 pseudo-negatives a round, and momentum."),
    )


def single(recipe: Recipe) -> Recipe:
    """IGM-single of a recipe: one classifier, and synthesis from noise in every round (IGM §3.3)."""
    assert isinstance(recipe.plan, igm.Plan)
    return replace(
        recipe,
        name=f"{recipe.name}-single",
        plan=replace(recipe.plan, single=True, synthesis_steps=1_000),
        sources={
            **recipe.sources,
            "plan.single": "§3.3",
            "plan.exact": "ours: the classifier's term alone, from draws of p_0 (plan.exact keeps p_0 in the energy)",
            "plan.synthesis_steps": "ours: the way from noise is longer than from the last round's pseudo-negatives",
        },
        deviations=(
            *recipe.deviations,
            "Chains climb the classifier's term alone; eqs. (13) and (14) have p_0 as a factor.",
        ),
    )


WHOLE = (FACES64, SVHN32, CIFAR32, MNIST28)
QUICK = tuple(quick(recipe) for recipe in WHOLE)

INTROSPECTION: tuple[Recipe, ...] = (
    TEXTURE,
    TEXTURE_MEDIUM,
    TEXTURE_PAPER,
    single(TEXTURE),
    *WHOLE,
    *QUICK,
    *(single(recipe) for recipe in (*WHOLE, *QUICK)),
)
"""Every recipe of this kind."""
