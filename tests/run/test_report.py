"""The report is one page that needs nothing else, and says what the folder holds, no more."""

import base64
import itertools
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch

from tutelage.checks import InputError
from tutelage.run import curves, page, pictures
from tutelage.run.journal import Journal
from tutelage.run.report import write_report

VOID = {"meta", "img", "br", "hr"}


class Reader(HTMLParser):
    """Collects what a person sees, and checks that every tag is closed in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.headings: list[str] = []
        self.text = ""
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)
        self.text += data


def read_page(path: Path) -> tuple[str, Reader]:
    content = path.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(content)
    reader.close()
    assert reader.open == []
    assert not re.search(r"https?://|<script|<link|<iframe|@import|url\(", content)
    assert all(image["src"] and image["src"].startswith("data:image/png;base64,") for image in reader.images)
    assert all(image["alt"] for image in reader.images)
    return content, reader


def cooperative_run(run: Path, iterations: int = 600) -> None:
    """A run folder as the cooperative recipe leaves it."""
    rng = torch.Generator().manual_seed(0)
    folder = run / "pictures"
    folder.mkdir(parents=True)
    recipe = {
        "name": "coopnets/digits <small>",
        "plan": {
            "kind": "coopnets",
            "revision_steps": 10,
            "step_size": 0.002,
            "descriptor_update": {"lr": 0.007},
        },
        "networks": [{"channels": [64, 128, 256]}, {"channels": [512]}],
        "sources": {"plan.step_size": "§4.4", "revision_steps": '§4.4, "l_p"', "elsewhere": "authors' code"},
        "deviations": ["Adam instead of <plain> gradient steps"],
    }
    (run / "recipe.json").write_text(json.dumps(recipe))
    with Journal(run / "journal.jsonl") as diary:
        diary.write("start", seed=7, device="cpu", threads=2, parameters={"descriptor": 1234567, "generator": 89})
        for i in range(1, iterations + 1):
            diary.write(
                "iteration",
                iteration=i,
                seconds=0.5 * i,
                epoch=i / 100,
                value=1e5 * math.sin(i),
                reconstruction=400 * math.exp(-i / 100) + 30,
                movement=0.3 / i,
                drift_ratio=math.nan if i == 1 else 1 + 0.2 * math.sin(i / 9),
                descriptor_lr=0.007,
                generator_lr=1e-4,
                strange_new_number=float(i),
            )
        diary.write("stop", iteration=iterations, message="All iterations are done.")
        for i in (600, 300):
            diary.write("evaluation", iteration=i, name="generator parzen", value=200.0 + i / 20, stderr=2.1)
    for i in range(50, iterations + 1, 50):
        for kind in ("initial", "revised", "reconstructed"):
            images = torch.randn(20, 1, 28, 28, generator=rng).clamp(-1, 1)
            pictures.save(pictures.grid(images), folder / f"{kind}_{i:07d}.png")
    for name in ("real", "final_generator", "interpolation"):
        pictures.save(pictures.grid(torch.rand(20, 1, 28, 28, generator=rng)), folder / f"{name}.png")
    result = {
        "name": "CoopNets generator parzen",
        "value": 230.123,
        "stderr": 2.09,
        "n": 10000,
        "seed": 7,
        "command": "tutelage evaluate RUN --metric parzen",
        "wall_seconds": 3725.0,
        "threads": 2,
        "device": "cpu",
        "data_sha256": "0123456789abcdef" * 4,
        "version": "0.1.0",
    }
    earlier = {**result, "value": 200.5, "iteration": 300}
    (run / "results.json").write_text(json.dumps([earlier, {**result, "iteration": 600}]))


def test_a_cooperative_run_shows_everything_in_order(tmp_path: Path) -> None:
    cooperative_run(tmp_path)
    path = write_report(tmp_path)
    assert path == tmp_path / "report.html"
    content, reader = read_page(path)
    assert reader.headings == [
        "At a glance",
        "Pictures",
        "Over time",
        "Curves",
        "Other curves",
        "Evaluations",
        "Results",
        "Recipe",
    ]
    for text in (
        "coopnets/digits <small>",
        "S1 · drafts, iteration 600",
        "S2 · revised, iteration 600",
        "S3 · reconstructed, iteration 600",
        "All iterations are done.",
        "1\u2009234\u2009567",
        "5 min 00 s",
        "Adversarial value V, eq. (9)",
        "strange new number",
        "230.123 ± 2.1",
        "1 h 02 min",
        "tutelage evaluate RUN --metric parzen",
        "networks.0.channels",
        '§4.4, "l_p"',
        "authors' code",
        "Adam instead of <plain> gradient steps",
    ):
        assert text in reader.text, text
    assert "<dt>Iterations</dt><dd>600</dd>" in content and "<dt>Time per iteration</dt><dd>0.5 s</dd>" in content
    for value, iteration in (("200.5 ± 2.1", 300), ("230.123 ± 2.1", 600)):  # of which checkpoint
        assert re.search(rf"<td[^>]*>{re.escape(value)}</td><td[^>]*>{iteration}</td>", content)
    strips = re.findall(r"<figcaption>iteration (\d+)", content)
    assert len(strips) == 3 * 8 and strips[::8] == ["50"] * 3 and strips[7::8] == ["600"] * 3
    assert "<small>" not in content
    assert "<plain>" not in content
    order = [image["alt"] or "" for image in reader.images]
    assert [alt.split(".")[0].split(",")[0] for alt in order[:4]] == [
        "Real images",
        "S1 · drafts",
        "S2 · revised",
        "S3 · reconstructed",
    ]
    assert len(order) == 1 + 3 + 2 + 3 * 8
    newest = (tmp_path / "pictures" / "revised_0000600.png").read_bytes()
    assert base64.b64encode(newest).decode() in content


def test_rates_are_drawn_together_and_acceptance_where_something_is_refused() -> None:
    events = [{"iteration": i, "lr": 0.1, "descriptor_lr": 0.01, "acceptance": 1.0} for i in (1, 2)]
    known, other = curves.learning_charts(events)
    assert len(known) == 1 and "Learning rates" in known[0][0] and other == []
    known, other = curves.learning_charts([*events, {"iteration": 3, "acceptance": 0.5}])
    assert ["Acceptance" in chart for chart, _ in known] == [True, False] and other == []


def test_evaluations_are_drawn_by_measure_in_order_and_once() -> None:
    """A later evaluation of everything follows an earlier one of the end."""
    events = [{"iteration": 600, "name": "generator parzen", "value": 200.0, "stderr": 1.0}]
    for at in (100, 300, 600):
        events.append({"iteration": at, "name": "generator parzen", "value": at / 3, "stderr": 1.0})
        events.append({"iteration": at, "name": "descriptor parzen", "value": at / 2, "stderr": 1.0})
        events.append({"iteration": at, "name": "generator precision-x", "value": 0.5, "stderr": None})
    charts = curves.evaluation_charts([*events, {"iteration": 600, "name": "real images parzen", "value": 240.0}])
    assert len(charts) == 2
    assert "generator parzen" in charts[0] and "descriptor parzen" in charts[0] and "real images" not in charts[0]
    assert "precision" in charts[1] and "parzen" not in charts[1]
    assert charts == curves.evaluation_charts(sorted(events[1:], key=lambda event: -event["iteration"]))
    assert curves.evaluation_charts(events[:1]) == []
    sizes = ("320 x 512", "640 x 512")
    of = [{"iteration": at, "name": f"a patch-SWD at {size}", "value": at / 3} for at in (1, 2) for size in sizes]
    charts = curves.evaluation_charts(of)
    assert len(charts) == 2 and all(f"patch-SWD at {size}" in chart for size, chart in zip(sizes, charts, strict=True))


def test_a_generator_alone_is_not_said_to_learn_from_a_revision(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "recipe.json").write_text('{"name": "generator/mnist"}')
    for kind, at in itertools.product(("observed", "reconstructed", "revised"), (5, 10)):
        pictures.save(pictures.grid(torch.zeros(4, 1, 8, 8)), tmp_path / "pictures" / f"{kind}_{at:07d}.png")
    with Journal(tmp_path / "journal.jsonl") as diary:
        diary.write("start")
        for at in (5, 10):
            diary.write("iteration", iteration=at, reconstruction=1.0, drift_ratio=math.nan)
    _, reader = read_page(write_report(tmp_path))
    assert "Reconstructed, iteration 10. What the generator makes of the latents" in reader.text
    assert "Revised, iteration 10" in reader.text and "drafts" not in reader.text
    assert "revision" not in reader.text and "S2" not in reader.text and "S3" not in reader.text
    assert "Drift ratio" not in reader.text, "a uniform reference has no pull, and the chart would be empty"


def test_a_descriptor_alone_leaves_out_what_it_has_not(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "recipe.json").write_text('{"name": "descriptor/mnist"}')
    pictures.save(pictures.grid(torch.zeros(4, 3, 8, 8)), tmp_path / "pictures" / "chains_0000010.png")
    with Journal(tmp_path / "journal.jsonl") as diary:
        diary.write("start")
        diary.write("iteration", iteration=10, value=1.0)
        diary.write("divergence", iteration=11, message="The energy is NaN & the last good checkpoint is 10.")
    _, reader = read_page(write_report(tmp_path))
    assert reader.headings == ["At a glance", "Pictures", "Curves", "Recipe"]
    assert "Chains, iteration 10" in reader.text
    assert "diverged at iteration 11" in reader.text
    assert "NaN & the last" in reader.text
    assert "S1" not in reader.text


def test_a_picture_that_cannot_be_read_does_not_stop_the_page(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "recipe.json").write_text('{"name": "descriptor/mnist"}')
    large = pictures.png_bytes(pictures.grid(torch.rand(1, 3, 410, 410), scale=1))
    (tmp_path / "pictures" / "chains_0000005.png").write_bytes(large[: len(large) // 2])
    (tmp_path / "pictures" / "chains_0000010.png").write_bytes(b"")
    _, reader = read_page(write_report(tmp_path))
    assert reader.headings == ["Pictures", "Over time", "Recipe"]
    assert [image["alt"] for image in reader.images][1:] == ["Chains, iteration 5", "Chains, iteration 10"]


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (["stop"], "The run ended at iteration 5"),
        (["interrupt"], "interrupted at iteration 5. It can be continued"),
        (["interrupt", "resume", "iteration"], "without saying how the run ended"),
        (["checkpoint", "picture"], "without saying how the run ended"),
        (["divergence", "picture"], "diverged at iteration 5"),
    ],
)
def test_the_page_says_how_the_run_ended(tmp_path: Path, events: list[str], words: str) -> None:
    with Journal(tmp_path / "journal.jsonl") as diary:
        diary.write("start")
        diary.write("iteration", iteration=5)
        for event in events:
            diary.write(event, iteration=5)
    assert words in read_page(write_report(tmp_path))[1].text


def test_an_empty_journal_or_a_recipe_alone_make_a_page(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text("")
    assert tmp_path.name in read_page(write_report(tmp_path))[1].text
    (tmp_path / "journal.jsonl").unlink()
    (tmp_path / "recipe.json").write_text("{}")
    read_page(write_report(tmp_path))


def test_what_is_no_run_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a run folder is needed"):
        write_report(tmp_path)
    (tmp_path / "recipe.json").write_text('{"name": ')
    with pytest.raises(InputError, match=r"recipe\.json.*valid JSON is needed"):
        write_report(tmp_path)
    (tmp_path / "recipe.json").write_text("[]")
    with pytest.raises(InputError, match="a JSON list is given, a dict is needed"):
        write_report(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.json"]


def test_values_are_written_for_people() -> None:
    assert page.show(1234567) == "1\u2009234\u2009567"
    assert page.show([True, None, 0.00012344]) == "yes, –, 0.0001234"
    assert [page.duration(seconds) for seconds in (0.1234, 59.6, 245, 4980)] == [
        "0.123 s",
        "59.6 s",
        "4 min 05 s",
        "1 h 23 min",
    ]
    assert page.table(["a"], []) == ""
    assert "&lt;b&gt;" in page.table(["a"], [["<b>"]])
