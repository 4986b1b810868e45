"""`tutelage.__main__`: what happens before the command line has been imported."""

import os
import subprocess
import sys

import pytest

from commands import child_environment

INTERRUPTED = """
import sys
import tutelage.__main__

class Interrupts:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "tutelage.cli":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupts)
tutelage.__main__.main()
"""


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(words, env=child_environment(), capture_output=True, text=True, check=False)


def test_ctrl_c_while_torch_is_imported_is_one_line() -> None:
    said = run(sys.executable, "-c", INTERRUPTED)
    assert (said.returncode, said.stdout, said.stderr) == (130, "", "tutelage: interrupted\n")


@pytest.mark.skipif(os.name == "nt", reason="needs a shell's >&-")
def test_ctrl_c_with_stderr_closed_says_nothing() -> None:
    said = run("sh", "-c", f"'{sys.executable}' -c '{INTERRUPTED}' 2>&-")
    assert (said.returncode, said.stdout, said.stderr) == (130, "", "")


def test_nothing_heavy_is_imported_before_it_can_be_interrupted() -> None:
    said = run(sys.executable, "-c", "import sys, tutelage.__main__; print('torch' in sys.modules)")
    assert said.stdout == "False\n"


def test_the_module_is_the_command() -> None:
    said = run(sys.executable, "-m", "tutelage", "list")
    assert said.returncode == 0 and "coopnets/mnist" in said.stdout
