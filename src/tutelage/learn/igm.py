r"""Introspective generative modeling: a sequence of classifiers that generate (IGM §3, Algorithm 1).

    1  classification   train C^t on S₊ ∪ S₋, from the weights of C^{t−1}                eqs. (5), (8)
    2  model update     p_t ∝ g_t · p_{t−1},  ln g_t = the logit of C^t: append it       eqs. (6), (11)
    3  synthesis        l pseudo-negatives ~ p_t, by back-propagation to the pixels      eqs. (9)-(11)

The logit is a potential, and synthesis is a kernel run on a tilted reference until a rule stops it. As practised
(§3.2.2) the chains start from the last round's pseudo-negatives, which carry p_{t−1} already, and climb the newest
logit alone, ``Tilt(Uniform, logit_t)``; the energy of eq. (9) with all logits is ``exact``. IGM-single (§3.3) keeps one
classifier, and starts its chains from p_0 in every round.

An iteration of the learner is one update of the classifier or one step of synthesis; `igm_round` folds a round of them.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checks import DivergenceError, InputError, UnfinishedError, by, check_counts
from ..data import from_uint8, to_uint8
from ..energy import Gaussian
from ..gradient import frozen_copy
from ..sample import Ascent, Chain, Clipped, CrossEntropyRule, EnoughSteps, Langevin, ProbabilityRule
from ..types import Batch, Images
from .algorithm_d import check_step_size, rms
from .negatives import Store, draw_negatives, draw_patches
from .synthesis import (
    Synthesis,
    advance_synthesis,
    chain_dict,
    chain_from,
    ends,
    finished,
    initial_noise,
    start_synthesis,
    synthesis_energy,
    synthesis_step,
)
from .updates import Update, descend, load_optimiser, set_rate

Rule: TypeAlias = ProbabilityRule | CrossEntropyRule | EnoughSteps
Objective = Literal["logit", "log-probability"]
Phase = Literal["classification", "synthesis"]

_MEMORY = 0.9  # of the running cross-entropy
_PLAIN = ("iteration", "round", "phase", "within", "running", "ended", "seed", "crossed")  # of a state, saved as it is
_SHOWN = 64  # pseudo-negatives in a picture
_CHANCE = math.log(2)  # the cross-entropy of a classifier that cannot tell
_WORSE = 2 * _CHANCE  # that of one which has gone wrong


@dataclass(frozen=True)
class Plan:
    """The "Input" box of Algorithm 1.

    ``rounds`` T; ``negatives_per_round`` l; ``batch_size`` observed images an iteration. For classification: as many
    ``patches`` of observed images as of pseudo-negatives in each update (None: whole images, ``batch_size`` of each),
    until the running cross-entropy (nats) is at most ``classified``, and ``classification_steps`` updates at most;
    ``recency`` of the pseudo-negatives, see `tutelage.learn.negatives`. For synthesis: ``kernel``, clipped to [-1, 1]
    after each step where ``clip`` says so; ``stop``, and ``synthesis_steps`` at most; ``objective`` climbed, the logit
    of eq. (11) or minus the cross-entropy to label 1 (authors' code), summed over the patches of an image;
    ``patches_per_image`` drawn afresh in each step, per observed area (None: the whole image is the patch);
    ``synthesis_batch`` images at a time; ``reference_std`` of p_0, N(0, s²). ``single``: IGM-single, §3.3.
    ``exact``: the energy of eq. (9) or (14), with every classifier and p_0, instead of the newest classifier alone;
    with patches each logit is summed over ``patches_per_image`` places, and not over all of eq. (15).

    Learning ends after ``rounds``; or before, when the classifier cannot tell any more (its running cross-entropy is
    above ``indistinguishable`` after ``classification_steps``), or when synthesis stalls (most chains have not been
    stopped by the rule within ``synthesis_steps``): such a round does not count. A classifier that is far
    worse than chance, or cannot even tell noise from the data, is a divergence. A rate that falls (``lr_final`` of
    ``update``) falls over the most ``iterations`` possible, which runs seldom reach: it is still above its end then.

    Raises ``InputError`` for values that cannot work.
    """

    rounds: int
    batch_size: int
    negatives_per_round: int
    patches: int | None
    patches_per_image: int | None
    update: Update
    kernel: Ascent | Langevin
    stop: Rule
    classified: float
    classification_steps: int
    synthesis_steps: int
    synthesis_batch: int
    objective: Objective = "log-probability"
    clip: bool = True
    reference_std: float = 0.3
    recency: float = 0.5
    indistinguishable: float = 0.6
    single: bool = False
    exact: bool = False

    def __post_init__(self) -> None:
        counts = ("batch_size", "negatives_per_round", "classification_steps", "synthesis_steps", "synthesis_batch")
        check_counts(self, at_least_one=counts, at_least_zero=("rounds",))
        if (self.patches is None) != (self.patches_per_image is None):
            raise InputError(
                f"patches is {self.patches} and patches_per_image {self.patches_per_image}; give a number for both, "
                "or none for both, and whole images are the patches"
            )
        for name in ("patches", "patches_per_image"):
            if (count := getattr(self, name)) is not None and count < 1:
                raise InputError(f"{name} is {count}; it needs to be 1 or more, or none for whole images")
        Gaussian(self.reference_std)
        if not 0 <= self.recency <= 1:
            raise InputError(f"recency is {self.recency}; it needs to lie in [0, 1]: 1 draws from all rounds alike")
        if not 0 <= self.classified < self.indistinguishable <= _CHANCE:
            raise InputError(
                f"classified is {self.classified} and indistinguishable {self.indistinguishable}; cross-entropies that "
                "end a classification step need 0 <= classified < indistinguishable <= ln 2 = .693"
            )
        if self.objective not in ("logit", "log-probability"):
            raise InputError(f"objective is {self.objective!r}; it needs to be 'logit' or 'log-probability'")
        if self.exact and self.objective != "logit":
            raise InputError(
                "the exact energy of eqs. (9) and (14) is a sum of logits; set plan.objective=logit as well"
            )
        if self.exact and isinstance(self.kernel, Langevin):
            check_step_size(self.kernel.step_size, self.reference_std)
        if self.exact and getattr(self.kernel, "average_overlaps", False):
            raise InputError(
                "average_overlaps divides by the patches of the newest classifier, and with plan.exact every one has "
                "patches of its own; set one of plan.exact and plan.kernel.average_overlaps to false"
            )
        if self.patches is None and getattr(self.kernel, "average_overlaps", False):
            raise InputError(
                "average_overlaps is about patches, and patches is none; set plan.kernel.average_overlaps=false"
            )
        if isinstance(self.stop, ProbabilityRule) and self.stop.window > self.synthesis_steps:
            raise InputError(
                f"a stop rule that looks at {self.stop.window} steps never ends a chain of {self.synthesis_steps} "
                f"synthesis_steps at most; set plan.synthesis_steps={self.stop.window} or more"
            )
        if isinstance(self.stop, EnoughSteps) and self.stop.steps >= self.synthesis_steps:
            raise InputError(
                f"a stop rule EnoughSteps of {self.stop.steps} never ends a chain of {self.synthesis_steps} "
                f"synthesis_steps at most; set plan.synthesis_steps={self.stop.steps + 1} or more"
            )
        self.stepping()
        if self.patches is not None and getattr(self.kernel, "metropolis", False):
            raise InputError(
                "a Metropolis correction needs one energy, and that of patches is drawn afresh in each step; set "
                "plan.kernel.metropolis=false, or patches=none and patches_per_image=none for whole images"
            )

    @property
    def iterations(self) -> int:
        """The most iterations that learning may take."""
        return self.rounds * (self.classification_steps + self.parts * self.synthesis_steps)

    @property
    def parts(self) -> int:
        """Batches that a round's pseudo-negatives are made in."""
        return self.batches(self.negatives_per_round)

    def batches(self, n: int) -> int:
        """How many batches of synthesis ``n`` images are."""
        return -(-n // self.synthesis_batch)

    def stepping(self) -> Ascent | Langevin | Clipped:
        """The kernel as it is run. Raises ``InputError`` for one that cannot be clipped."""
        return Clipped(self.kernel) if self.clip else self.kernel


class ClassificationRecord(NamedTuple):
    """An update of the classifier: numbers (0-dim tensors, still on the device)."""

    round: int
    classification_loss: Tensor
    """Cross-entropy of positive and negative patches together, nats, before the update."""
    running_loss: Tensor
    """Its running mean, which ends the classification step."""
    accuracy: Tensor
    logit_gap: Tensor
    """Mean logit of positives minus that of negatives."""
    classifier_lr: float


class SynthesisRecord(NamedTuple):
    """A step of synthesis of a batch of chains: numbers, the first two where the chains were before it."""

    round: int
    synthesis_loss: Tensor
    """Cross-entropy to label 1 of the chains' patches, nats."""
    probability: Tensor
    """Mean probability of being real."""
    movement: Tensor
    """rms of what these chains have moved in this round, with this step."""


@dataclass
class State:
    """What the next iteration needs. ``round`` rounds are done; ``phase`` and ``within`` tell where the next one is."""

    iteration: int
    round: int
    phase: Phase
    within: int
    running: float | None
    classifier: nn.Module
    optimiser: torch.optim.Optimizer
    ended: str | None = None
    """Why learning is over."""
    seed: int = 0
    """That of this round's synthesis, kept with the round."""
    chance: torch.Generator | None = None
    chain: Chain | None = None
    start: Images | None = None
    """Where the chains of this batch began."""
    made: list[Tensor] = field(default_factory=list)
    """Finished pseudo-negatives of this round, uint8."""
    crossed: list[bool] = field(default_factory=list)
    energy: Any = None
    """Derived from the classifier for the length of a synthesis step, and not saved."""


def classification_step(
    classifier: nn.Module, optimiser: torch.optim.Optimizer, positives: Images, negatives: Images
) -> tuple[Tensor, Tensor]:
    """One update of step 1: down the gradient of the cross-entropy of §3.2.1. Returns the logits of both, before it.

    Positives ``[n, C, *patch]`` and negatives ``[m, C, *patch]``, of logits ``[n]`` and ``[m]``, go through the
    classifier together, so batch norm sees them as one batch. Raises ``InputError`` for logits of another shape.
    """
    logits = classifier(torch.cat([positives, negatives]))
    if logits.shape != (len(positives) + len(negatives),):
        raise InputError(
            f"the classifier gave {list(logits.shape)} for {len(positives) + len(negatives)} patches; it needs to give "
            f"one logit for each, [{len(positives) + len(negatives)}]: let it end with flatten(0), or a sum"
        )
    of_positives, of_negatives = logits[: len(positives)], logits[len(positives) :]
    descend(optimiser, cross_entropy(of_positives, of_negatives))
    return of_positives.detach(), of_negatives.detach()


def cross_entropy(of_positives: Tensor, of_negatives: Tensor) -> Tensor:
    """The mean of the loss of §3.2.1 over both kinds, whose logits are ``[n]`` and ``[m]``: 0-dim, nats."""
    return torch.cat([F.softplus(-of_positives), F.softplus(of_negatives)]).mean()


@dataclass(frozen=True)
class Igm:
    """Algorithm 1 as a learner; IGM-single where the plan says so.

    Args:
        classifier: images or patches ``[B, C, *patch]`` to one logit each, ``[B]``: any module. A copy learns.
        shape: ``(C, *space)`` of the images that are learned from and made.
        patch: size of the patches the classifier takes; the images' where the plan has no patches.
        store: keeps classifiers and pseudo-negatives.
        initial: negatives of one's own, for the classifiers to learn besides noise: ``[n, C, *space]``, floats in
            [-1, 1] or uint8. In every round they are drawn with the share they have of them and the plan's
            ``negatives_per_round`` together. Chains start from noise all the same, as they will in making new images.

    Raises ``InputError`` where sizes do not fit.
    """

    plan: Plan
    classifier: nn.Module
    shape: tuple[int, ...]
    patch: tuple[int, ...]
    store: Store
    initial: Images | None = None

    def __post_init__(self) -> None:
        space = self.shape[1:]
        if len(space) != 2 or len(self.patch) != 2:
            raise InputError(
                f"introspective models are of pictures, and of patches of them; their shape is {list(self.shape)} and "
                f"the patch's size {by(self.patch)}: give (channels, height, width), and height and width"
            )
        small = any(whole < part for whole, part in zip(space, self.patch, strict=True))
        if small or (self.plan.patches is None and tuple(space) != tuple(self.patch)):
            needed = "at least as large" if self.plan.patches is not None else "of that size, or plan.patches"
            raise InputError(
                f"the classifier takes patches of {by(self.patch)} and the images are {by(space)}; images need to be "
                f"{needed}: change the size of one of them"
            )
        if self.initial is not None and (not len(self.initial) or tuple(self.initial.shape[1:]) != self.shape):
            raise InputError(
                f"initial negatives of shape {list(self.initial.shape)} are given; one or more of {list(self.shape)} "
                "are needed"
            )

    def init(self, rng: torch.Generator) -> State:
        """A copy of the classifier that has learned nothing. Nothing is kept yet."""
        classifier = copy.deepcopy(self.classifier).train()
        ended = None if self.plan.rounds else "Its plan has no rounds (plan.rounds=0)."
        return State(0, 0, "classification", 0, None, classifier, self.plan.update.init(classifier), ended)

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> tuple[State, Any]:
        """One update of the classifier, or one step of synthesis."""
        if state.iteration == 0:
            noise = initial_noise((self.plan.negatives_per_round, *self.shape), self.plan.reference_std, rng)
            own = [] if self.initial is None else [to_uint8(self.initial).to(noise.device)]
            self.store.save_negatives(0, torch.cat([to_uint8(noise), *own]))
        classify = state.phase == "classification"
        record = self._classify(state, batch.images, rng) if classify else self._synthesise(state, rng)
        state.iteration += 1
        return state, record

    def _classify(self, state: State, observed: Images, rng: torch.Generator) -> ClassificationRecord:
        plan = self.plan
        lr = set_rate(state.optimiser, plan.update.rate(state.iteration, plan.iterations))
        count = plan.patches or len(observed)
        positives = observed if plan.patches is None else draw_patches(observed, count, self.patch, rng)
        noise, given = plan.negatives_per_round, 0 if self.initial is None else len(self.initial)
        negatives = draw_negatives(self.store, state.round + 1, noise, given, count, self.patch, plan.recency, rng)
        of_positives, of_negatives = classification_step(state.classifier, state.optimiser, positives, negatives)

        loss = cross_entropy(of_positives, of_negatives)
        now = float(loss)
        state.running = now if state.running is None else _MEMORY * state.running + (1 - _MEMORY) * now
        right = torch.cat([of_positives > 0, of_negatives < 0]).double().mean()
        record = ClassificationRecord(
            state.round + 1,
            loss,
            loss.new_tensor(state.running),
            right,
            of_positives.mean() - of_negatives.mean(),
            lr,
        )
        state.within += 1
        if state.running <= plan.classified or state.within >= plan.classification_steps:
            self._append(state, rng)
        return record

    def _append(self, state: State, rng: torch.Generator) -> None:
        """Step 2 of Algorithm 1, and the beginning of step 3; or the end, where the classifier cannot tell."""
        plan, number = self.plan, state.round + 1
        assert state.running is not None
        if not math.isfinite(state.running):
            raise DivergenceError(
                f"round {number}: the classifier's cross-entropy is {state.running} after {state.within} updates. The "
                f"likely cause is a learning rate that is too large (plan.update.lr={plan.update.lr}).",
                numbers={"running_loss": state.running},
                smaller=("plan.update.lr",),
            )
        if state.running > _WORSE or (not state.round and state.running > plan.indistinguishable):
            what = "is far worse than chance" if state.running > _WORSE else "has not learned to tell noise from data"
            now = f"plan.update.lr={plan.update.lr}, plan.classification_steps={plan.classification_steps}"
            raise DivergenceError(
                f"round {number}: after {state.within} updates the classifier {what} (cross-entropy "
                f"{state.running:.2f}; chance is .69). The likely cause is a learning rate that is too "
                f"{'large' if state.running > _WORSE else 'small'} ({now}).",
                numbers={"running_loss": state.running},
                smaller=("plan.update.lr",) if state.running > _WORSE else (),
            )
        if state.running > plan.indistinguishable:
            state.ended = (
                f"In round {number} the classifier could no longer tell pseudo-negatives from the data (cross-entropy "
                f"{state.running:.2f}; chance is .69)."
            )
            return
        state.seed = int(torch.randint(2**62, (), generator=rng, device=rng.device))
        facts = {"classification_steps": state.within, "cross_entropy": state.running, "seed": state.seed}
        facts["patch"] = list(self.patch)
        self.store.save_round(number, {"classifier": state.classifier.state_dict()}, facts)
        state.phase, state.within, state.running = "synthesis", 0, None
        state.chance = torch.Generator(rng.device).manual_seed(state.seed)
        state.made, state.crossed, state.chain, state.start, state.energy = [], [], None, None, None

    def _synthesise(self, state: State, rng: torch.Generator) -> SynthesisRecord:
        plan, number = self.plan, state.round + 1
        assert state.chance is not None
        if state.chain is None or state.start is None:
            state.start = self._starts(state)
            state.chain = start_synthesis(plan, state.start)
        if state.energy is None:
            classifiers = [*self.classifiers(number - 1, rng.device), frozen_copy(state.classifier)]
            state.energy = synthesis_energy(plan, classifiers, self.patch, plan.patches_per_image)
        state.chain, info, done = advance_synthesis(plan, state.energy, state.chain, state.chance)
        logits = info.aux.scored[-1].logits
        record = SynthesisRecord(
            number,
            F.softplus(-logits).mean(),
            logits.sigmoid().mean(),
            rms(state.chain.state.position - state.start),
        )
        state.within += 1
        if done:
            made = finished(state.chain)
            state.made.append(to_uint8(made.images).cpu())
            state.crossed += made.crossed.tolist()
            state.chain = state.start = None
            if state.crossed.count(False) > plan.negatives_per_round / 2 or len(state.made) == plan.parts:
                self._close_round(state)
        return record

    def _starts(self, state: State) -> Images:
        """Where the chains of the next batch start: the last round's pseudo-negatives, or draws from p_0."""
        plan, low = self.plan, len(state.made) * self.plan.synthesis_batch
        high = min(low + plan.synthesis_batch, plan.negatives_per_round)
        assert state.chance is not None
        if plan.single:
            return initial_noise((high - low, *self.shape), plan.reference_std, state.chance)
        return from_uint8(torch.tensor(self.store.negatives(state.round)[low:high]).to(state.chance.device))

    def _close_round(self, state: State) -> None:
        plan, number = self.plan, state.round + 1
        made, crossed, parts = torch.cat(state.made), sum(state.crossed) / len(state.crossed), len(state.made)
        steps = state.within // parts
        state.phase, state.within, state.running = "classification", 0, None
        state.made, state.crossed, state.chance, state.energy = [], [], None, None
        if crossed < 0.5:
            state.ended = (
                f"In round {number} synthesis stalled: after {steps} steps only {crossed:.0%} of the "
                f"pseudo-negatives had come far enough. {_what_is_left(state.round)}"
            )
            return
        self.store.save_negatives(number, made)
        state.round = number
        if number == plan.rounds:
            state.ended = "All rounds are done."

    def classifiers(self, rounds: int, device: torch.device | str) -> list[nn.Module]:
        """The classifiers that synthesis needs besides the newest: of rounds 1 … ``rounds`` where it is exact."""
        if not self.plan.exact or self.plan.single:
            return []
        return [self.load(number, device) for number in range(1, rounds + 1)]

    def load(self, number: int, device: torch.device | str) -> nn.Module:
        """C^t of round ``number``, in evaluation mode.

        Raises ``InputError`` where it is missing, damaged, or another network's.
        """
        nested, facts = self.store.load_round(number)
        if facts["patch"] != list(self.patch):  # which the weights need not show: a fully connected layer may fit both
            raise InputError(
                f"round {number} was trained on patches of {by(facts['patch'])}, and this recipe's are "
                f"{by(self.patch)}; restore the rounds folder of this very run, or train again"
            )
        classifier = copy.deepcopy(self.classifier).to(device)
        try:
            classifier.load_state_dict(nested["classifier"])
        except (RuntimeError, KeyError, TypeError) as error:
            last = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
            raise InputError(
                f"round {number} holds another classifier than this recipe's ({last}); restore the rounds folder of "
                "this very run, or train again"
            ) from None
        return classifier.eval().requires_grad_(False)

    def numbers(self, state: State) -> range:
        """The rounds that new images go through: all, or the last alone in IGM-single."""
        return range(max(1, state.round) if self.plan.single else 1, state.round + 1)

    def rounds(
        self, state: State, images: Images, rng: torch.Generator, per_image: int | None = None
    ) -> Iterator[tuple[int, Synthesis]]:
        """New images from the cascade, round by round: yields (t, what `synthesis_step` made of the round before's).

        ``images`` are draws from p_0 of any size, ``per_image`` the patches to take of each (None: the plan's). In
        IGM-single there is one round. One classifier is in memory at a time, unless synthesis is exact.
        """
        per_image = per_image or self.plan.patches_per_image
        for number in self.numbers(state):
            classifiers = [*self.classifiers(number - 1, images.device), self.load(number, images.device)]
            energy = synthesis_energy(self.plan, classifiers, self.patch, per_image)
            made = synthesis_step(self.plan, energy, images, rng)
            images = made.images
            yield number, made

    @property
    def margin(self) -> tuple[int, int]:
        """Rows and columns made on each side of an image of patches, and cut off: half a patch (whole images: none).

        A pixel near the border lies in fewer patches than others, and keeps more of the noise (§4.1 pads for that).
        With half a patch the edge that is kept lies in half as many, each way, as the middle.
        """
        return (0, 0) if self.plan.patches is None else (self.patch[0] // 2, self.patch[1] // 2)

    def patches_for(self, size: Sequence[int]) -> int | None:
        """Patches of an image of ``size`` (without margin): as many for each place that one can have as in learning, so
        that a pixel far from the border lies in as many (None: whole images)."""
        if self.plan.patches_per_image is None:
            return None
        here, learned = (self._places(space) for space in (self._framed(size), self.shape[1:]))
        return max(1, round(self.plan.patches_per_image * here / learned))

    def _places(self, space: Sequence[int]) -> int:
        return math.prod(whole - part + 1 for whole, part in zip(space, self.patch, strict=True))

    def _framed(self, size: Sequence[int]) -> tuple[int, int]:
        return size[0] + 2 * self.margin[0], size[1] + 2 * self.margin[1]

    def from_noise(
        self, state: State, size: Sequence[int], n: int, rng: torch.Generator
    ) -> Iterator[Iterator[tuple[int, Synthesis]]]:
        """``n`` new images of ``size`` from noise, with a margin that is cut off: batch by batch, what `rounds` yields.

        As in learning, a batch is of ``synthesis_batch`` images, over which the rule takes its mean; the last may be
        smaller. Each is to be gone through before the next, for they share ``rng``.
        """
        at_once = self.plan.synthesis_batch
        return (self._batch(state, size, min(at_once, n - done), rng) for done in range(0, n, at_once))

    def _batch(
        self, state: State, size: Sequence[int], n: int, rng: torch.Generator
    ) -> Iterator[tuple[int, Synthesis]]:
        noise = initial_noise((n, self.shape[0], *self._framed(size)), self.plan.reference_std, rng)
        top, left = self.margin
        for number, made in self.rounds(state, noise, rng, self.patches_for(size)):
            yield number, made._replace(images=made.images[:, :, top : top + size[0], left : left + size[1]])

    def sample(self, state: State, n: int, rng: torch.Generator) -> dict[str, Images]:
        """``n`` images of the size learned from: noise through the saved cascade, or the one classifier.

        Raises ``UnfinishedError`` where no round is finished yet.
        """
        check_learned(state)
        return {"classifier" if self.plan.single else "cascade": ends(self.from_noise(state, self.shape[1:], n, rng))}

    def development(self, state: State, images: int, moments: int) -> Images:
        """How the first pseudo-negatives came about (Fig. 1): ``[images, moments, C, *space]``.

        From round 0 to the last, at rounds as evenly apart as ``moments`` allow (fewer where there are fewer rounds).
        """
        count = min(moments, state.round + 1)
        numbers = [round(i * state.round / max(count - 1, 1)) for i in range(count)]
        kept = [torch.tensor(self.store.negatives(number)[:images]) for number in numbers]
        return from_uint8(torch.stack([pixels[: min(map(len, kept))] for pixels in kept], dim=1))

    def pictures(self, state: State, record: Any) -> dict[str, Images]:
        """The newest pseudo-negatives."""
        return {"negatives": from_uint8(torch.tensor(self.store.negatives(state.round)[:_SHOWN]))}

    def finish(self, state: State, rng: torch.Generator) -> State:
        """Nothing to do after learning."""
        return state

    def state_dict(self, state: State) -> dict[str, Any]:
        return {
            **{name: getattr(state, name) for name in _PLAIN},
            "classifier": state.classifier.state_dict(),
            "optimiser": state.optimiser.state_dict(),
            "made": list(state.made),
            "chance": None if state.chance is None else state.chance.get_state(),
            "chain": None if state.chain is None else chain_dict(state.chain),
            "start": state.start,
        }

    def load_state_dict(self, state: State, saved: dict[str, Any]) -> State:
        for name in _PLAIN:
            setattr(state, name, saved[name])
        state.classifier.load_state_dict(saved["classifier"])
        load_optimiser(state.optimiser, saved["optimiser"])
        device = next(state.classifier.parameters()).device
        state.made = [part.cpu() for part in saved["made"]]
        state.chance = state.chain = state.energy = None
        state.start = saved["start"]
        if saved["chance"] is not None:
            state.chance = torch.Generator(device).manual_seed(state.seed)
            try:
                state.chance.set_state(saved["chance"].cpu())
            except RuntimeError:  # generators of two kinds of device have no common state
                warnings.warn(
                    "the checkpoint was written in the middle of a synthesis on another kind of device, so where "
                    "learning goes on from it the random numbers of this round are others",
                    stacklevel=2,
                )
        if saved["chain"] is not None:
            fresh = start_synthesis(self.plan, saved["chain"]["state"][0])
            state.chain = chain_from(fresh, saved["chain"])
        return state


def check_learned(state: State) -> None:
    """Refuse a state from which nothing can be made yet. Raises ``UnfinishedError``."""
    if not state.round:
        why = (
            f"{state.ended} Train again, with other settings" if state.ended else "Let it train longer, or train again"
        )
        raise UnfinishedError(f"this run has finished no round yet, so it makes nothing. {why}")


def _what_is_left(rounds: int) -> str:
    if not rounds:
        return "No round was finished, so there is no model."
    return f"The {rounds} rounds before it are the model." if rounds > 1 else "The 1 round before it is the model."


def igm_round(learner: Igm, state: State, batches: Iterator[Batch], rng: torch.Generator) -> State:
    """One pass of Algorithm 1's loop: classification, update of the model, synthesis."""
    before = state.round
    while state.round == before and state.ended is None:
        state, _ = learner.step(state, next(batches), rng)
    return state
