"""A checkpoint whose tensors are plain, but not those of the model, gives a message."""

import zipfile

import pytest
import torch
from helpers.tiny import ARGUMENTS

from ganlab.cli import main

pytestmark = pytest.mark.usefixtures("no_curves")


@pytest.fixture(scope="module")
def run(tmp_path_factory, no_curves):
    """A finished run, and the contents of its newest checkpoint."""
    folder = tmp_path_factory.mktemp("changed") / "run"
    assert main(["train", *ARGUMENTS, "budget.batches=4", f"run_dir={folder}"]) == 0
    return folder, (folder / "checkpoints" / "last.ckpt").read_bytes()


def states(contents, **values):
    """Replace entries in the optimizers' state of every parameter."""
    for optimizer in contents["optimizer_states"]:
        for state in optimizer["state"].values():
            state |= {name: value(state[name]) for name, value in values.items()}


def shared():
    """Return a list that is small in memory, and has 2 ** 45 entries."""
    entries = []
    for _ in range(45):
        entries = [entries, entries]
    return entries


CHANGES = {
    "version": lambda c: c.update({"pytorch-lightning_version": "x.y"}),
    "no optimizers": lambda c: c.pop("optimizer_states"),
    "groups": lambda c: [o["param_groups"].clear() for o in c["optimizer_states"]],
    "loops": lambda c: c.update(loops={}),
    "callbacks": lambda c: c.update(callbacks=7),
    # a fused kernel would write beyond the end of these
    "moments": lambda c: states(c, exp_avg=lambda _: torch.zeros(3)),
    "step": lambda c: states(c, step=lambda _: torch.zeros(0)),
    "gradient": lambda c: c["ganlab"]["pending_gradients"].update(
        discriminator={next(iter(c["state_dict"])): torch.zeros(0)}
    ),
}
UNREADABLE = {
    "shared lists": lambda c: c.update(more=shared()),
    "numbers in one place": lambda c: c.update(more=torch.zeros(()).expand(10**9)),
    "one tensor often": lambda c: c.update(more=[*torch.zeros(9000).expand(9, 9000)]),
    "buffer": lambda c: c.update(more=bytearray(9)),
    "ganlab": lambda c: c.update(ganlab=7),
    "counters": lambda c: c["ganlab"].update(counters={}),
    "weights": lambda c: c.update(state_dict=7),
    "no weights": lambda c: c.update(state_dict={}),
}


def change(run, how):
    folder, original = run
    last = folder / "checkpoints" / "last.ckpt"
    last.write_bytes(original)
    contents = torch.load(last, weights_only=True)
    how(contents)
    torch.save(contents, last)
    return folder


def refused(capsys, *command):
    assert main(list(command)) == 1
    printed = capsys.readouterr().err
    assert "checkpoint: " in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("how", [*CHANGES, *UNREADABLE])
def test_a_resume_says_what_does_not_fit(how, run, capsys):
    folder = change(run, (CHANGES | UNREADABLE)[how])
    refused(capsys, "train", f"run={folder}", "resume=true", "budget.batches=6")


@pytest.mark.parametrize("how", UNREADABLE)
def test_sampling_says_what_does_not_fit(how, run, capsys):
    refused(capsys, "sample", f"run={change(run, UNREADABLE[how])}", "n=1")


def test_a_compressed_checkpoint_is_refused(run, capsys):
    """A small file could hold large tensors."""
    last = change(run, lambda _: None) / "checkpoints" / "last.ckpt"
    with zipfile.ZipFile(last) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(last, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    refused(capsys, "sample", f"run={run[0]}", "n=1", f"checkpoint={last}")
