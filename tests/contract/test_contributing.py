"""The examples of CONTRIBUTING.md work in a folder of a user's own."""

import re
import subprocess

import pytest
from helpers.tiny import REPOSITORY, start_python

pytestmark = pytest.mark.contract

BLOCK = re.compile(r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILES = dict(BLOCK.findall((REPOSITORY / ".github" / "CONTRIBUTING.md").read_text()))
SHORT = ["data=ring", "trainer=cpu", "budget.batches=6", "log_every=2", "protocol=none"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mine")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def run(folder, *arguments):
    process = start_python(arguments, folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 0, output[-2000:]
    return output


@pytest.mark.parametrize(
    ("chosen", "logged"),
    [
        ("model=mlp loss=lsgan_r1", "discriminator/r1"),
        ("model=radial", "generator/adversarial"),
        ("model=infogan", "generator/information"),
        ("model=bigan loss=none", "encoder/adversarial"),
    ],
)
def test_each_kind_trains_and_samples(chosen, logged, folder):
    name = chosen.partition("=")[2].replace(" ", "_").replace("=", "_")
    own = f"hydra.searchpath=[file://{folder}/conf]"
    run(folder, "-m", "ganlab", "train", own, *chosen.split(), *SHORT, f"run_dir={name}")
    assert logged in (folder / name / "metrics.csv").read_text().partition("\n")[0]
    run(folder, "-m", "ganlab", "sample", "trust=true", f"run={name}", "n=4", "out=points.npz")


def test_the_family_is_short_and_its_test_passes(folder):
    lines = [FILES[name].splitlines() for name in ("bigan.py", "conf/model/bigan.yaml")]
    assert sum(map(len, lines)) <= 60
    assert sum(map(len, lines)) + len(FILES["test_bigan.py"].splitlines()) <= 70
    run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_bigan.py")


def test_every_example_is_found():
    assert {*FILES} >= {"conf/loss/lsgan_r1.yaml", "radial.py", "infogan.py", "bigan.py"}
