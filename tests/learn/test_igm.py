"""Algorithm 1 of IGM, with classifiers whose answers are known."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from tutelage.checks import DivergenceError, InputError, UnfinishedError
from tutelage.data import from_uint8, to_uint8
from tutelage.gradient import frozen_copy
from tutelage.learn import igm
from tutelage.learn.negatives import InMemory
from tutelage.learn.updates import Sgd
from tutelage.rng import stream
from tutelage.sample import Ascent, CrossEntropyRule, EnoughSteps, Langevin, ProbabilityRule
from tutelage.types import Batch


class Linear(nn.Module):
    """logit = ⟨w, x⟩ + b of a patch."""

    def __init__(self, values: int) -> None:
        super().__init__()
        self.top = nn.Linear(values, 1)
        nn.init.zeros_(self.top.weight)
        nn.init.zeros_(self.top.bias)

    def forward(self, images):
        return self.top(images.flatten(1))[:, 0]


class Small(nn.Module):
    """A residual network with batch norm: no special architecture is needed (IGM §1)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.inner = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.LeakyReLU(0.2))
        self.top = nn.Linear(4, 1)

    def forward(self, images):
        x = torch.relu(self.first(images))
        return self.top((x + self.inner(x)).mean((2, 3)))[:, 0]


PLAN = igm.Plan(
    rounds=3,
    batch_size=4,
    negatives_per_round=5,
    patches=6,
    patches_per_image=2,
    update=Sgd(lr=0.3, momentum=0.5, weight_decay=0.0),
    kernel=Ascent(lr=0.05),
    stop=CrossEntropyRule(threshold=0.62),
    classified=0.3,
    classification_steps=30,
    synthesis_steps=40,
    synthesis_batch=3,
    indistinguishable=0.693,
)
SHAPE, PATCH = (1, 8, 8), (4, 4)


def observed() -> torch.Tensor:
    rows = torch.arange(8).view(1, 1, 8, 1) % 4 < 2
    return rows.expand(4, 1, 8, 8).float() * 1.6 - 0.8


def batches():
    return itertools.repeat(Batch(observed(), torch.arange(4)))


def learner(plan: igm.Plan = PLAN, **changes) -> igm.Igm:
    return igm.Igm(plan, changes.pop("classifier", Small()), SHAPE, PATCH, changes.pop("store", InMemory()), **changes)


def learned(model: igm.Igm, seed: int = 0) -> igm.State:
    rng = stream(seed, "learn")
    state, source = model.init(rng), batches()
    while state.ended is None and state.iteration < model.plan.iterations:
        state, _ = model.step(state, next(source), rng)
    return state


def test_the_classification_step_goes_down_the_gradient_of_the_cross_entropy_at_zero_weights():
    """At w = b = 0 every probability is ½, so the gradient is ½ (mean of negatives − mean of positives) / 2."""
    classifier = Linear(4)
    positives, negatives = torch.rand(3, 1, 2, 2), -torch.rand(3, 1, 2, 2)
    of_positives, of_negatives = igm.classification_step(
        classifier, torch.optim.SGD(classifier.parameters(), lr=1.0), positives, negatives
    )
    expected = 0.25 * (positives.flatten(1).mean(0) - negatives.flatten(1).mean(0))
    assert torch.allclose(classifier.top.weight[0], expected, atol=1e-7)
    assert classifier.top.bias.abs().max() < 1e-7
    assert not of_positives.any() and not of_negatives.any()
    assert float(igm.cross_entropy(of_positives, of_negatives)) == pytest.approx(math.log(2))


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_classifier_of_other_than_one_logit_for_each_patch_is_refused_at_its_first_update(outputs):
    classifier = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, outputs))
    with pytest.raises(InputError, match=rf"gave \[5, {outputs}\] for 5 patches; .* one logit for each, \[5\]"):
        igm.classification_step(
            classifier,
            torch.optim.SGD(classifier.parameters(), lr=1.0),
            torch.zeros(3, 1, 2, 2),
            torch.zeros(2, 1, 2, 2),
        )


def test_cross_entropy_punishes_the_wrong_sign():
    sure = torch.tensor([10.0])
    assert float(igm.cross_entropy(sure, -sure)) < 1e-4 < 9 < float(igm.cross_entropy(-sure, sure))


def test_initial_noise_is_gaussian_clipped_and_made_of_bytes():
    noise = igm.initial_noise((4, 1, 100, 100), 0.3, stream(0, "noise"))
    assert abs(float(noise.std()) - 0.3) < 0.005 and abs(float(noise.mean())) < 0.005
    assert torch.equal(from_uint8(to_uint8(noise)), noise)
    assert float(igm.initial_noise((1, 1, 100, 100), 3.0, stream(0, "noise")).abs().max()) == 1.0


def test_synthesis_climbs_the_logit_and_stops_where_the_rule_says():
    classifier = Linear(64).requires_grad_(False)
    classifier.top.weight.fill_(0.02)
    classifier.top.bias.fill_(-1.0)
    plan = replace(PLAN, patches=None, patches_per_image=None, synthesis_steps=200)
    energy = igm.synthesis_energy(plan, [classifier], (8, 8), None)
    start = igm.initial_noise((3, *SHAPE), 0.1, stream(0, "noise"))
    made = igm.synthesis_step(plan, energy, start, stream(0, "chain"))
    loss = torch.nn.functional.softplus(-classifier(made.images)).mean()
    assert made.crossed.all() and made.steps < 200
    assert 0.55 < float(loss) <= 0.63  # across the threshold by one step at most
    assert float(torch.nn.functional.softplus(-classifier(start)).mean()) > 1


def test_chains_that_are_across_already_stay_where_they_are():
    classifier = Linear(64).requires_grad_(False)
    classifier.top.bias.fill_(5.0)
    plan = replace(PLAN, patches=None, patches_per_image=None)
    energy = igm.synthesis_energy(plan, [classifier], (8, 8), None)
    start = igm.initial_noise((3, *SHAPE), 0.3, stream(0, "noise"))
    assert torch.equal(igm.synthesis_step(plan, energy, start, stream(0, "chain")).images, start)


def test_synthesis_that_is_not_finite_is_no_picture():
    classifier = Linear(64).requires_grad_(False)
    plan = replace(PLAN, patches=None, patches_per_image=None)
    start = igm.initial_noise((3, *SHAPE), 0.3, stream(0, "noise"))
    classifier.top.weight.fill_(math.nan)
    energy = igm.synthesis_energy(plan, [classifier], (8, 8), None)
    with pytest.raises(DivergenceError, match=r"left the finite numbers within 40 steps, in 3 of 3 images\.") as it:
        igm.synthesis_step(plan, energy, start, stream(0, "chain"))
    assert it.value.smaller == ("plan.update.lr",)


EXACT = {"exact": True, "objective": "logit", "stop": ProbabilityRule(window=3, probability=0.01)}
CASCADES = pytest.mark.parametrize("changes", [{}, EXACT], ids=["newest", "exact"])


def classifiers_of(model: igm.Igm, number: int) -> list[nn.Module]:
    """Those that a round is synthesised by: with the exact energy of eq. (9) all so far, else the newest."""
    return [model.load(k, "cpu") for k in range(1 if model.plan.exact else number, number + 1)]


@CASCADES
def test_the_training_trajectory_is_that_of_synthesis_from_the_same_noise_and_seeds(changes):
    """Training and synthesis are one function: the saved cascade makes the pseudo-negatives that were learned from."""
    model = learner(replace(PLAN, **changes))
    state = learned(model)
    assert state.round == 3 and state.ended == "All rounds are done."
    for low in (0, 3):
        images = from_uint8(torch.tensor(model.store.negatives(0)[low : low + 3]))
        seen = 0
        for number in range(1, state.round + 1):
            # the batches of a round share its random stream, one after the other
            _, facts = model.store.load_round(number)
            rng = torch.Generator().manual_seed(facts["seed"])
            energy = igm.synthesis_energy(model.plan, classifiers_of(model, number), PATCH, 2)
            if low:
                before = from_uint8(torch.tensor(model.store.negatives(number - 1)[:3]))
                igm.synthesis_step(model.plan, energy, before, rng)
            images = igm.synthesis_step(model.plan, energy, images, rng).images
            assert torch.equal(to_uint8(images), torch.tensor(model.store.negatives(number)[low : low + 3]))
            seen += 1
        assert seen == 3


@CASCADES
def test_rounds_are_synthesised_by_the_same_step(changes):
    model = learner(replace(PLAN, **changes))
    state = learned(model)
    noise = igm.initial_noise((2, *SHAPE), 0.3, stream(5, "noise"))
    images = list(model.rounds(state, noise, stream(5, "chain")))
    assert [number for number, _ in images] == [1, 2, 3]
    rng, by_hand = stream(5, "chain"), noise
    for number in (1, 2, 3):
        energy = igm.synthesis_energy(model.plan, classifiers_of(model, number), PATCH, 2)
        by_hand = igm.synthesis_step(model.plan, energy, by_hand, rng).images
    assert torch.equal(images[-1][1].images, by_hand)


def test_single_starts_from_the_reference_in_every_round_and_uses_one_classifier():
    model = learner(replace(PLAN, single=True))
    state, starts = model.init(stream(0, "learn")), []
    rng, source = stream(0, "learn"), batches()
    while state.ended is None:
        state, _ = model.step(state, next(source), rng)
        if state.start is not None and not any(torch.equal(state.start, other) for other in starts):
            starts.append(state.start)
    assert [len(start) for start in starts] == [3, 2] * 3  # fresh draws for every batch of every round
    assert all(0.2 < float(start.std()) < 0.4 and torch.equal(from_uint8(to_uint8(start)), start) for start in starts)
    noise = igm.initial_noise((2, *SHAPE), 0.3, stream(5, "noise"))
    assert [number for number, _ in model.rounds(state, noise, stream(5, "chain"))] == [3]


@pytest.mark.parametrize("single", [False, True])
def test_a_cascade_of_one_is_single_under_the_exact_energy(single):
    """Eq. (9) with T = 1 is eq. (14): both learners follow the same energy, with both terms."""
    plan = replace(PLAN, rounds=1, exact=True, objective="logit", single=single, patches=None, patches_per_image=None)
    model = igm.Igm(plan, Small(), SHAPE, SHAPE[1:], InMemory())
    rng, source = stream(0, "learn"), batches()
    state = model.init(rng)
    while state.energy is None:
        state, _ = model.step(state, next(source), rng)
    position = torch.rand(2, *SHAPE) * 2 - 1
    logit = frozen_copy(state.classifier)
    expected = position.flatten(1).square().sum(1) / (2 * 0.3**2) - logit(position)
    assert torch.allclose(state.energy.prepare()(position).value, expected, atol=1e-4)


def test_the_exact_energy_has_every_logit_and_the_reference():
    classifiers = [Small().eval(), Linear(64).eval()]
    nn.init.normal_(classifiers[1].top.weight, generator=stream(0, "w"))
    plan = replace(PLAN, patches=None, patches_per_image=None, exact=True, objective="logit")
    position = torch.randn(2, *SHAPE)
    value = igm.synthesis_energy(plan, classifiers, SHAPE[1:], None).prepare()(position).value
    expected = position.flatten(1).square().sum(1) / (2 * 0.3**2) - sum(f(position) for f in classifiers)
    assert torch.allclose(value, expected, atol=1e-4)
    newest = igm.synthesis_energy(replace(plan, exact=False), classifiers, SHAPE[1:], None).prepare()(position).value
    assert torch.allclose(newest, -classifiers[1](position), atol=1e-5)


def test_a_single_model_has_no_older_classifiers_under_the_exact_energy():
    """Eq. (14) holds one classifier, in every round."""
    for single, older in ((True, 0), (False, 2)):
        model = learner(replace(PLAN, single=single, **EXACT))
        assert learned(model).round >= 2 and len(model.classifiers(2, "cpu")) == older


def test_synthesis_climbs_the_summed_log_probability_of_its_patches():
    """Eqs. (11) and (15), with patches that are not square."""
    f, images = Linear(12).eval(), torch.randn(2, *SHAPE, generator=stream(0))
    nn.init.normal_(f.top.weight, generator=stream(0, "w"))
    drawn = igm.synthesis_energy(PLAN, [f], (4, 3), 2).draw(images, stream(1))
    sums = [
        sum(nn.functional.logsigmoid(f(images[i : i + 1, :, row : row + 4, at : at + 3]))[0] for row, at in corners)
        for i, corners in enumerate(drawn.potentials[0].corners.tolist())
    ]
    torch.testing.assert_close(drawn(images), -torch.stack(sums))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"single": True},
        {"kernel": Langevin(0.05)},
        {"kernel": Langevin(0.05), "exact": True, "objective": "logit"},
        {"exact": True, "objective": "logit", "single": True},
    ],
)
def test_stopping_anywhere_and_going_on_equals_never_stopping(changes):
    """Bit for bit, in the middle of a classification step, of a synthesis step and between rounds."""
    plan = replace(PLAN, stop=ProbabilityRule(window=3, probability=0.01), **changes)
    whole = learner(plan)
    expected = learned(whole)
    model, rng, source = learner(plan), stream(0, "learn"), batches()
    state, phases = model.init(rng), set()
    while state.ended is None and state.iteration < plan.iterations:
        if state.iteration % 3 == 1:
            phases.add((state.phase, state.chain is None))
            saved, words = model.state_dict(state), rng.get_state()
            saved = {key: value for key, value in saved.items()}
            state = model.load_state_dict(model.init(stream(9, "other")), saved)
            rng = torch.Generator()
            rng.set_state(words)
        state, _ = model.step(state, next(source), rng)
    assert ("synthesis", False) in phases and ("classification", True) in phases
    assert (state.round, state.iteration, state.ended) == (expected.round, expected.iteration, expected.ended)
    assert state.round
    for number in range(state.round + 1):
        assert (model.store.negatives(number) == whole.store.negatives(number)).all()
    for mine, theirs in zip(state.classifier.parameters(), expected.classifier.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_learning_ends_when_the_classifier_cannot_tell():
    """In round 2 the newest pseudo-negatives are the data themselves."""
    plan = replace(PLAN, recency=0.0, indistinguishable=0.6, update=Sgd(lr=0.05, momentum=0.0, weight_decay=0.0))
    model, rng = learner(replace(plan, classification_steps=60)), stream(0, "learn")
    state = igm.igm_round(model, model.init(rng), batches(), rng)
    model.store.save_negatives(1, to_uint8(observed()[:1].repeat(5, 1, 1, 1)))
    state = igm.igm_round(model, state, batches(), rng)
    assert state.round == 1 and state.ended is not None
    assert "In round 2 the classifier could no longer tell" in state.ended


def test_a_classifier_that_learns_nothing_or_runs_away_is_a_divergence(monkeypatch):
    slow = learner(replace(PLAN, update=Sgd(lr=1e-7, momentum=0.0, weight_decay=0.0), indistinguishable=0.6))
    with pytest.raises(
        DivergenceError, match=r"has not learned to tell noise from data .* learning rate that is too small"
    ) as it:
        learned(slow)
    assert it.value.smaller == ()
    nothing = torch.full((6,), float("nan"))
    with monkeypatch.context() as patched, pytest.raises(DivergenceError, match="cross-entropy is nan") as it:
        patched.setattr(igm, "classification_step", lambda *_: (nothing, nothing))
        learned(learner(replace(PLAN, classification_steps=1)))
    assert it.value.smaller == ("plan.update.lr",)
    wrong = torch.full((6,), -3.0)
    monkeypatch.setattr(igm, "classification_step", lambda *_: (wrong, -wrong))
    with pytest.raises(DivergenceError, match=r"is far worse than chance .* learning rate that is too large") as it:
        learned(learner())
    assert it.value.smaller == ("plan.update.lr",)


def test_the_classifiers_rate_follows_the_iteration_synthesis_included():
    plan = replace(PLAN, update=Sgd(lr=0.3, lr_final=0.003))
    assert plan.iterations == 330
    model, rng, source, seen = learner(plan), stream(0, "learn"), batches(), []
    state = model.init(rng)
    while (state.round, state.within) != (1, 1):  # to the first update of round 2
        k = state.iteration
        state, record = model.step(state, next(source), rng)
        if isinstance(record, igm.ClassificationRecord):
            seen.append(k)
            assert record.classifier_lr == pytest.approx(0.3 * 0.01 ** (k / 330))
            assert [group["lr"] for group in state.optimiser.param_groups] == [record.classifier_lr]
    assert seen[0] == 0 and seen[-1] > seen[-2] + 1


def test_a_classification_step_says_how_well_it_tells(monkeypatch):
    model, rng = learner(), stream(0, "learn")
    logits = iter(
        [
            (torch.tensor([2.0, -1.0, 3.0]), torch.tensor([-2.0, -1.0, 1.0])),
            (torch.tensor([1.0, 1.0, 1.0]), torch.tensor([-3.0, -3.0, 3.0])),
        ]
    )
    monkeypatch.setattr(igm, "classification_step", lambda *_: next(logits))
    state, first = model.step(model.init(rng), next(batches()), rng)
    assert isinstance(first, igm.ClassificationRecord)
    assert first.accuracy == pytest.approx(4 / 6) and first.logit_gap == pytest.approx(4 / 3 + 2 / 3)
    assert first.running_loss == pytest.approx(first.classification_loss.item())
    _, second = model.step(state, next(batches()), rng)
    assert isinstance(second, igm.ClassificationRecord) and second.accuracy == pytest.approx(5 / 6)
    expected = 0.9 * first.classification_loss + 0.1 * second.classification_loss
    assert second.running_loss == pytest.approx(expected.item())


def test_nothing_is_made_before_a_round_is_finished():
    model = learner()
    with pytest.raises(UnfinishedError, match="has finished no round"):
        model.sample(model.init(stream(0, "learn")), 2, stream(0, "s"))
    state = model.init(stream(0, "learn"))
    state.ended = "In round 1 synthesis stalled."
    with pytest.raises(
        UnfinishedError, match=r"makes nothing\. In round 1 synthesis stalled\. Train again, with other"
    ):
        model.sample(state, 2, stream(0, "s"))
    none = learner(replace(PLAN, rounds=0))
    with pytest.raises(UnfinishedError, match=r"Its plan has no rounds \(plan\.rounds=0\)\. Train again, with other"):
        none.sample(none.init(stream(0, "learn")), 2, stream(0, "s"))


def test_a_chain_saved_on_another_kind_of_device_goes_on_in_a_stream_of_its_own():
    """A generator there has another kind of state; everything else is loaded."""
    model, rng, source = learner(), stream(0, "learn"), batches()
    state = model.init(rng)
    while state.chain is None:
        state, _ = model.step(state, next(source), rng)
    saved = model.state_dict(state) | {"chance": torch.zeros(16, dtype=torch.uint8)}
    with pytest.warns(UserWarning, match="another kind of device, .* random numbers of this round are others"):
        loaded = model.load_state_dict(model.init(stream(1, "x")), saved)
    assert loaded.chance is not None and loaded.seed == state.seed
    assert model.step(loaded, next(source), rng)[0].iteration == state.iteration + 1


@pytest.mark.parametrize(("across", "stalled"), [(2, True), (3, False)])
def test_a_round_is_kept_where_half_of_its_chains_came_across(across, stalled):
    model = learner()
    state = model.init(stream(0))
    state.phase, state.within, state.crossed = "synthesis", 8, [True] * across + [False] * (5 - across)
    state.made = [torch.zeros(5, *SHAPE, dtype=torch.uint8)]
    model._close_round(state)
    assert state.round == 1 - stalled and ("only 40%" in (state.ended or "")) == stalled


def test_the_record_of_synthesis_says_how_probable_the_chains_are():
    model, rng, source = learner(classifier=Linear(16)), stream(0), batches()
    state = model.init(rng)
    while state.phase != "synthesis":
        state, _ = model.step(state, next(source), rng)
    with torch.no_grad():
        state.classifier.top.weight.zero_()
        state.classifier.top.bias.fill_(2.0)
    _, record = model.step(state, next(source), rng)
    assert record.synthesis_loss.item() == pytest.approx(math.log1p(math.exp(-2)), rel=1e-4)
    assert record.probability.item() == pytest.approx(1 / (1 + math.exp(-2)), rel=1e-4)


def test_learning_ends_when_synthesis_stalls_and_the_stalled_round_is_not_kept():
    model = learner(replace(PLAN, kernel=Ascent(lr=1e-6)))
    state = learned(model)
    assert state.round == 0 and state.ended is not None
    assert "stalled" in state.ended and "after 40 steps" in state.ended
    assert state.ended.endswith("No round was finished, so there is no model.")


@pytest.mark.parametrize(
    ("before", "words"), [(1, "The 1 round before it is the model."), (2, "The 2 rounds before it are the model.")]
)
def test_a_stalled_round_says_what_is_left(before, words):
    model = learner()
    state = model.init(stream(0))
    state.round, state.phase, state.crossed = before, "synthesis", [False] * 5
    state.made = [torch.zeros(5, *SHAPE, dtype=torch.uint8)]
    model._close_round(state)
    assert state.round == before and state.ended is not None and state.ended.endswith(f"far enough. {words}")


def test_initial_negatives_of_ones_own_are_learned_besides_noise():
    initial = torch.full((6, *SHAPE), 0.2)
    model, plain = learner(initial=initial), learner()
    for one in (model, plain):
        one.step(one.init(stream(0, "learn")), next(batches()), stream(0, "learn"))
    first = model.store.negatives(0)
    assert (first[5:] == 153).all() and len(first) == 11
    assert (first[:5] == plain.store.negatives(0)).all()  # chains start from noise all the same


def test_development_shows_rounds_from_the_first_to_the_last():
    model = learner()
    state = learned(model)
    shown = model.development(state, images=2, moments=3)
    assert shown.shape == (2, 3, *SHAPE)
    assert torch.equal(shown[:, 0], from_uint8(torch.tensor(model.store.negatives(0)[:2])))
    assert torch.equal(shown[:, -1], from_uint8(torch.tensor(model.store.negatives(3)[:2])))


def test_a_round_folds_the_steps():
    model, rng = learner(), stream(0, "learn")
    state = igm.igm_round(model, model.init(rng), batches(), rng)
    assert state.round == 1 and state.phase == "classification" and state.within == 0
    assert (model.store.negatives(1) != model.store.negatives(0)).any()


def test_samples_are_bytes_and_as_many_as_asked_for():
    model = learner()
    state = learned(model)
    drawn = model.sample(state, 7, stream(1, "sample"))["cascade"]
    assert drawn.shape == (7, *SHAPE)
    assert torch.equal(from_uint8(to_uint8(drawn)), drawn)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"patches": None}, "give a number for both"),
        ({"patches": 0}, "patches is 0; it needs to be 1 or more"),
        ({"recency": 1.5}, r"recency is 1.5; it needs to lie in \[0, 1\]"),
        ({"classified": 0.65, "indistinguishable": 0.6}, "0 <= classified < indistinguishable <= ln 2"),
        ({"synthesis_steps": 0}, "synthesis_steps is 0; it needs to be a whole number of 1 or more"),
        ({"reference_std": 0.0}, "standard deviation above 0"),
        ({"kernel": Langevin(0.1, metropolis=True)}, "give Langevin with metropolis=False, or do not clip"),
        ({"kernel": Langevin(0.1, metropolis=True), "clip": False}, "needs one energy, and that of patches is drawn"),
        (
            {"exact": True, "objective": "logit", "kernel": Ascent(lr=0.1, average_overlaps=True)},
            "every one has patches of its own; set one of plan.exact and",
        ),
        ({"stop": ProbabilityRule(window=41)}, "looks at 41 steps never ends a chain of 40 .*=41 or more"),
        ({"exact": True}, "set plan.objective=logit"),
        ({"exact": True, "objective": "logit", "kernel": Langevin(0.7)}, "diverges on the reference"),
        ({"objective": "logits"}, "objective is 'logits'; it needs to be 'logit'"),
        (
            {"patches": None, "patches_per_image": None, "kernel": Ascent(lr=0.1, average_overlaps=True)},
            "average_overlaps is about patches",
        ),
        ({"stop": EnoughSteps(40)}, "EnoughSteps of 40 never ends a chain of 40 synthesis_steps"),
    ],
)
def test_plans_that_cannot_work_are_refused(changes, words):
    with pytest.raises(InputError, match=words):
        replace(PLAN, **changes)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="patches of 9 x 9 and the images are 8 x 8"):
        igm.Igm(PLAN, Small(), SHAPE, (9, 9), InMemory())
    with pytest.raises(InputError, match=r"of that size, or plan\.patches"):
        igm.Igm(replace(PLAN, patches=None, patches_per_image=None), Small(), SHAPE, PATCH, InMemory())
    with pytest.raises(InputError, match="one or more of"):
        learner(initial=torch.zeros(4, 1, 8, 9))
    with pytest.raises(InputError, match=r"shape is \[1, 4, 8, 8\] .* give \(channels, height, width\)"):
        igm.Igm(PLAN, Small(), (1, 4, 8, 8), PATCH, InMemory())


def test_a_rule_may_look_at_as_many_steps_as_a_chain_has():
    assert replace(PLAN, stop=ProbabilityRule(window=40)).synthesis_steps == 40


def test_a_round_of_another_classifier_is_refused():
    model = learner()
    state = learned(model)
    other = igm.Igm(PLAN, Linear(16), SHAPE, PATCH, model.store)
    with pytest.raises(InputError, match="round 1 holds another classifier"):
        list(other.rounds(state, torch.zeros(1, *SHAPE), stream(0, "chain")))
