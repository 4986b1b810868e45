"""The rules of the house, checked on the sources: who imports whom, and what nobody does.

Every rule is a function from ``{module name: source}`` to a list of complaints. It runs on the package,
and on a tiny example that breaks it, so that a rule which has stopped working is noticed.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import tutelage

PACKAGE = "tutelage"
ROOT = Path(tutelage.__file__).parent
TESTS = Path(__file__).parent

LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"types", "checks", "rng", "gradient", "plain_pickle", "atomic", "tf32", "terminal", "parts"}),
    frozenset({"energy", "sample", "nets", "data", "metrics"}),
    frozenset({"learn"}),
    frozenset({"baselines"}),
    frozenset({"apps"}),
    frozenset({"recipes"}),
    frozenset({"run"}),
    frozenset({"reproduce"}),
    frozenset({"cli", "web"}),
    frozenset({"__main__"}),
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
BOTTOM = 0
"""The only layer whose modules may import each other."""
NEVER = {("learn", "nets"): "networks arrive as arguments"}


def read_package(root: Path = ROOT, package: str = PACKAGE) -> dict[str, str]:
    """``{module name: source}``; a package's own module is named ``room.__init__``."""
    return {
        ".".join((package, *path.relative_to(root).with_suffix("").parts)): path.read_text(encoding="utf-8")
        for path in sorted(root.rglob("*.py"))
    }


# --- reading imports


def imported(module: str, source: str) -> Iterator[tuple[str, int]]:
    """Full dotted names that ``module`` imports, anywhere in its source, with line numbers.

    ``from a import b`` yields ``a.b``: b may be a module.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # one dot is the module's own package, which is its name without the last part
            base = module.split(".")[: -node.level] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((f"{prefix}.{alias.name}", node.lineno) for alias in node.names)


def room_of(name: str, rooms: set[str]) -> str | None:
    """The room of ours that a dotted name lies in; None for other packages and for the package itself."""
    head, *rest = name.split(".")
    return rest[0] if head == PACKAGE and rest and rest[0] in rooms else None


def import_complaints(sources: Mapping[str, str]) -> list[str]:
    """Each room imports from strictly lower layers; the exceptions are ``BOTTOM`` and ``NEVER``."""
    own = {name.split(".")[1] for name in sources} - {"__init__"}
    complaints = [f"room {room!r} has no layer: add it to LAYERS" for room in sorted(own - LEVEL.keys())]
    for module, source in sources.items():
        here = module.split(".")[1]
        for name, line in imported(module, source):
            there = room_of(name, own | LEVEL.keys())
            if there is None or there == here or there not in LEVEL:
                continue
            where = f"{module}:{line}: {here} imports {there}"
            if here == "__init__":
                complaints.append(f"{where}: the package itself imports nothing")
            elif here not in LEVEL:
                continue
            elif (here, there) in NEVER:
                complaints.append(f"{where}: {NEVER[here, there]}")
            elif LEVEL[there] > LEVEL[here]:
                complaints.append(f"{where}: upwards")
            elif LEVEL[there] == LEVEL[here] != BOTTOM:
                complaints.append(f"{where}: sideways")
    return complaints


OUTSIDE = {"torchvision": "must not be needed", "bench": "is for us only", "tests": "are for us only"}


def outside_complaints(sources: Mapping[str, str]) -> list[str]:
    """Nothing in the package imports torchvision, the benchmarks or the tests."""
    return [
        f"{module}:{line}: imports {name}, which {OUTSIDE[head]}"
        for module, source in sources.items()
        for name, line in imported(module, source)
        if (head := name.split(".")[0]) in OUTSIDE
    ]


# --- no global random state, no pickles

PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
PICKLES |= {"torch.load", "torch.save", "torch.serialization.load", "torch.serialization.save"}

GLOBAL_STATE = {
    *("torch.manual_seed", "torch.seed", "torch.initial_seed", "torch.set_rng_state", "torch.get_rng_state"),
    *("torch.random", "torch.cuda.manual_seed", "torch.cuda.manual_seed_all", "torch.default_generator"),
    *("torch.nn.functional.dropout", "torch.nn.Dropout", "torch.nn.Dropout2d"),
    "random",
}
NUMPY_FINE = {"default_rng", "Generator", "SeedSequence", "BitGenerator", "PCG64", "Philox"}

DRAWS = {f"torch.{name}" for name in ("rand", "randn", "randint", "randperm", "normal", "bernoulli")}
DRAWS |= {f"torch.{name}" for name in ("multinomial", "poisson", "rand_like", "randn_like", "randint_like")}
DRAWS_IN_PLACE = {"normal_", "uniform_", "bernoulli_", "exponential_", "random_", "geometric_", "log_normal_"}
DRAWS_IN_PLACE |= {"cauchy_", "trunc_normal_", "orthogonal_", "multinomial"}
DRAWS_IN_PLACE |= {f"{law}_{kind}_" for law in ("xavier", "kaiming") for kind in ("normal", "uniform")}


def aliases(tree: ast.AST) -> dict[str, str]:
    """What the module's names stand for: ``{"np": "numpy", "randn": "torch.randn"}``."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                head = alias.name.split(".")[0]
                found[alias.asname or head] = alias.name if alias.asname else head
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def dotted(node: ast.expr, names: Mapping[str, str]) -> str | None:
    """``np.random.seed`` → ``numpy.random.seed``; None for anything that does not start at an import."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not (isinstance(node, ast.Name) and node.id in names):
        return None
    return ".".join([names[node.id], *reversed(parts)])


def within(name: str, forbidden: set[str]) -> bool:
    """Is ``name`` one of the forbidden names, or something inside one?"""
    parts = name.split(".")
    return any(".".join(parts[:end]) in forbidden for end in range(1, len(parts) + 1))


def uses(source: str) -> Iterator[tuple[str, int]]:
    """Full names of everything imported or reached through an import, with line numbers."""
    tree = ast.parse(source)
    names = aliases(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Attribute) and (name := dotted(node, names)):
            yield name, node.lineno


def restricted_loads(source: str) -> set[tuple[str, int]]:
    """Where ``torch.load`` is called by its full name, and with ``weights_only=True``."""
    tree = ast.parse(source)
    names = aliases(tree)
    return {
        ("torch.load", node.func.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and dotted(node.func, names) == "torch.load"
        for keyword in node.keywords
        if keyword.arg == "weights_only" and isinstance(keyword.value, ast.Constant) and keyword.value.value is True
    }


def pickle_complaints(sources: Mapping[str, str]) -> list[str]:
    """Nothing writes or reads pickles: loading one runs code and breaks at the first rename.

    ``torch.load(..., weights_only=True)`` is no such reader: it builds tensors, and published weights come so.
    """
    complaints = []
    for module, source in sources.items():
        restricted = restricted_loads(source)
        complaints += [
            f"{module}:{line}: {name}"
            for name, line in uses(source)
            if within(name, PICKLES) and (name, line) not in restricted
        ]
        complaints += [
            f"{module}:{node.lineno}: allow_pickle"
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Call)
            for keyword in node.keywords
            if keyword.arg == "allow_pickle"
            and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
        ]
    return complaints


def random_complaints(sources: Mapping[str, str]) -> list[str]:
    """Everything random comes from a generator that was handed in: ``generator=rng``."""
    complaints = []
    for module, source in sources.items():
        tree = ast.parse(source)
        names = aliases(tree)
        for name, line in uses(source):
            numpy_global = name.startswith("numpy.random.") and name.split(".")[2] not in NUMPY_FINE
            if numpy_global or within(name, GLOBAL_STATE):
                complaints.append(f"{module}:{line}: {name} touches the global random state")
        for node in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = dotted(node.func, names)
            method = node.func.attr if isinstance(node.func, ast.Attribute) else (name or "").split(".")[-1]
            if name in DRAWS or method in DRAWS_IN_PLACE:
                keywords = {keyword.arg for keyword in node.keywords}
                if not keywords & {"generator", None}:  # None is **arguments
                    complaints.append(f"{module}:{node.lineno}: {name or method} without generator=")
            elif name == "numpy.random.default_rng" and not (node.args or node.keywords):
                complaints.append(f"{module}:{node.lineno}: {name} without a seed")
    return sorted(set(complaints))


# --- the rules on the package

RULES = [import_complaints, outside_complaints, pickle_complaints, random_complaints]


@pytest.mark.parametrize("rule", RULES)
def test_the_package_keeps(rule):
    assert rule(read_package()) == []


def test_the_package_was_read():
    assert {"tutelage.__init__", "tutelage.types", "tutelage.energy.__init__"} <= read_package().keys()


# --- each rule can fail


@pytest.mark.parametrize(
    ("module", "source", "says"),
    [
        ("tutelage.energy.compose", "from tutelage.sample import run", "energy imports sample: sideways"),
        ("tutelage.energy.compose", "from ..sample.chain import run", "energy imports sample: sideways"),
        ("tutelage.energy.__init__", "from .. import nets", "energy imports nets: sideways"),
        ("tutelage.metrics.pixel", "import tutelage.data.images as i", "metrics imports data: sideways"),
        ("tutelage.learn.coopnets", "from ..nets import Generator", "learn imports nets: networks arrive"),
        ("tutelage.learn.coopnets", "def f():\n    from ..run import loop", "learn imports run: upwards"),
        ("tutelage.learn.coopnets", "from ..baselines import gan", "learn imports baselines: upwards"),
        ("tutelage.gradient", "from .energy import Tilt", "gradient imports energy: upwards"),
        ("tutelage.recipes.mnist", "from .. import cli", "recipes imports cli: upwards"),
        ("tutelage.cli", "from . import web", "cli imports web: sideways"),
        ("tutelage.__init__", "from .energy import Tilt", "the package itself imports nothing"),
        ("tutelage.attic.old", "x = 1", "'attic' has no layer"),
    ],
)
def test_wrong_direction_is_seen(module, source, says):
    (complaint,) = import_complaints({module: source})
    assert says in complaint


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("tutelage.energy.compose", "from ..types import Images\nfrom .reference import Gaussian"),
        ("tutelage.gradient", "from .types import Energy"),
        ("tutelage.baselines.gan", "from tutelage.nets import Generator\nfrom ..learn.updates import Adam"),
        (
            "tutelage.recipes.mnist",
            "from ..nets import Spec\nfrom ..learn import Plan\nfrom ..data import mnist",
        ),
        ("tutelage.cli", "from . import __version__\nfrom .run import loop\nimport torch, numpy as np"),
        ("tutelage.__main__", "from tutelage.cli import main"),
    ],
)
def test_right_direction_is_allowed(module, source):
    assert import_complaints({module: source}) == []


@pytest.mark.parametrize("source", ["import torchvision.transforms", "from bench import sampling"])
def test_import_from_outside_is_seen(source):
    assert len(outside_complaints({"tutelage.nets.blocks": source})) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import torch\ntorch.load('weights')",
        "import torch as t\nt.save({}, 'weights')",
        "from torch import load",
        "import torch\ntorch.load('weights', weights_only=False)",
        "import torch\ntorch.load('weights', weights_only=trusted)",
        "import torch\nread = torch.load\nread('weights', weights_only=True)",
        "import numpy as np\nnp.load('a.npy', allow_pickle=True)",
    ],
)
def test_pickle_is_seen(source):
    assert pickle_complaints({"tutelage.run.checkpoint": source})


def test_loading_without_pickle_is_allowed():
    source = """
        import numpy as np, torch
        from safetensors.torch import load, save_file
        np.load("a.npy", allow_pickle=False, mmap_mode="r")
        load(b"")
        torch.load("weights", weights_only=True)
    """
    assert pickle_complaints({"tutelage.run.checkpoint": textwrap.dedent(source)}) == []


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.manual_seed(0)",
        "import torch\ntorch.cuda.manual_seed_all(0)",
        "from torch import manual_seed",
        "import torch\nwith torch.random.fork_rng(): pass",
        "import numpy as np\nnp.random.seed(0)",
        "from numpy.random import rand",
        "import numpy as np\nnp.random.default_rng()",
        "import random",
        "import torch\ntorch.randn(3)",
        "import torch\nx = torch.randn_like(y)",
        "x.normal_()",
        "from torch import nn\nnn.init.normal_(weight, std=0.01)",
        "from torch.nn.init import normal_\nnormal_(weight, std=0.01)",
    ],
)
def test_global_random_state_is_seen(source):
    assert random_complaints({"tutelage.learn.coopnets": source})


def test_a_generator_handed_in_is_allowed():
    source = """
        import numpy as np, torch
        from torch import nn
        rng = torch.Generator()
        rng.manual_seed(0)
        torch.randn(3, generator=rng)
        x.normal_(0, 1, generator=rng)
        nn.init.normal_(weight, std=0.01, generator=rng)
        np.random.default_rng(0).normal()
    """
    assert random_complaints({"tutelage.learn.coopnets": textwrap.dedent(source)}) == []


# --- importing the whole package

IMPORT_ALL = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    importlib.import_module(name)
print(json.dumps([name for name in ("torch", "torchvision") if name in sys.modules]))
"""


def heavy_after_importing(*modules: str, path: Path) -> list[str]:
    """Which of torch and torchvision a fresh interpreter has loaded after importing ``modules``."""
    command = [sys.executable, "-c", IMPORT_ALL, str(path), *modules]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 0, done.stderr
    return ast.literal_eval(done.stdout.splitlines()[-1])


def test_no_module_loads_torchvision():
    modules = [name.removesuffix(".__init__") for name in read_package() if not name.endswith("__main__")]
    assert heavy_after_importing(*modules, path=ROOT.parent) == ["torch"]


def test_the_package_alone_loads_nothing_heavy():
    assert heavy_after_importing(PACKAGE, path=ROOT.parent) == []


def test_torchvision_would_be_noticed(tmp_path):
    (tmp_path / "torchvision.py").touch()
    (tmp_path / "sinner.py").write_text("import torchvision\n")
    assert heavy_after_importing("sinner", path=tmp_path) == ["torchvision"]


def test_the_package_is_typed_and_versioned():
    assert (ROOT / "py.typed").is_file()
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", tutelage.__version__)


# --- tests run on a machine that has nothing but this repository


def readers_of_outside_data(sources: Mapping[str, str]) -> list[str]:
    """Test modules that look for a data folder by themselves, past the fixture that skips where there is none."""
    return [module for module, source in sources.items() if re.search(r"environ[^\n]*TUTELAGE_DATA", source)]


def test_only_the_fixture_looks_for_outside_data():
    # the suite's coverage is measured without outside data, so what remains covers the code
    others = {"tests.conftest", f"tests.{Path(__file__).stem}"}
    sources = {name: text for name, text in read_package(TESTS, "tests").items() if name not in others}
    assert readers_of_outside_data(sources) == []
    assert readers_of_outside_data({"tests.test_x": 'Path(os.environ["TUTELAGE_DATA"])'}) == ["tests.test_x"]


def test_the_fixture_finds_or_skips(tmp_path):
    spec = importlib.util.spec_from_file_location("conftest_alone", TESTS / "conftest.py")
    assert spec and spec.loader
    conftest = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conftest)

    with pytest.raises(pytest.skip.Exception, match="TUTELAGE_DATA"):
        conftest.mnist_or_skip({})
    with pytest.raises(pytest.skip.Exception, match="TUTELAGE_DATA"):
        conftest.mnist_or_skip({"TUTELAGE_DATA": str(tmp_path)})
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train-images-idx3-ubyte.gz").touch()
    assert conftest.mnist_or_skip({"TUTELAGE_DATA": str(tmp_path)}) == tmp_path / "mnist"
    assert conftest.mnist_or_skip({"TUTELAGE_DATA": str(tmp_path / "mnist")}) == tmp_path / "mnist"
