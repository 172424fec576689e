"""Private names of other packages do what ganlab needs, and are used in one module only.

If a test fails after an update of a package, its docstring says which name has changed.
"""

import re
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from helpers.tiny import fit, tiny_gan
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from torch import nn
from torch.nn.utils.parametrizations import orthogonal, spectral_norm

import ganlab
from ganlab import private
from ganlab.callbacks import Budget
from ganlab.metrics import FrechetDistance
from ganlab.record.loggers import TensorBoard


def test_a_checkpoint_holds_all_that_a_resume_needs():
    """`Trainer._checkpoint_connector` of Lightning."""
    module = tiny_gan()
    fit(module, Budget(batches=2))
    checkpoint = private.checkpoint_of(module.trainer)
    assert checkpoint["state_dict"].keys() == module.state_dict().keys()
    assert len(checkpoint["optimizer_states"]) == 2
    assert checkpoint["ganlab"]["counters"]["batches_seen"] == 2
    assert {"callbacks", "loops", "lr_schedulers"} <= checkpoint.keys()


def test_tensorboard_hides_later_steps(tmp_path):
    """`TensorBoardLogger._kwargs` of Lightning."""
    logger = TensorBoard(tmp_path)
    private.hide_after(logger, 64)
    logger.experiment.flush()
    (path,) = (tmp_path / "tensorboard").glob("events.*")
    starts = [e.step for e in EventFileLoader(str(path)).Load() if e.HasField("session_log")]
    assert starts == [65]


@pytest.mark.parametrize("dimensions", [2, 3, 4, 5])
def test_a_batch_norm_takes_any_rank(dimensions):
    """`_BatchNorm` of torch, and its `_check_input_dim`."""
    kinds = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
    layer, reference = private.BatchNormOfAnyRank(3), kinds[dimensions](3)
    x = torch.randn(4, 3, *[2] * (dimensions - 2))
    assert torch.equal(layer(x), reference(x))
    assert isinstance(reference, private.BatchNorm)
    with pytest.raises(ValueError, match="received 1 dimensions"):
        layer(torch.zeros(3))


def test_a_spectral_norm_is_recognised():
    """`_SpectralNorm` of torch."""
    normalised, other = spectral_norm(nn.Linear(2, 2)), orthogonal(nn.Linear(2, 2))
    assert private.is_spectral_norm(normalised.parametrizations["weight"][0])
    assert not private.is_spectral_norm(other.parametrizations["weight"][0])


def test_a_running_trial_can_be_continued():
    """`FrozenTrial._trial_id` of Optuna."""
    optuna = pytest.importorskip("optuna")
    study = optuna.create_study()
    study.ask(), study.ask()
    trial = private.continue_trial(study, study.get_trials()[1])
    assert trial.number == 1
    assert study.tell(trial, 0.5).value == 0.5
    assert [t.state.is_finished() for t in study.get_trials()] == [False, True]


def test_hydra_reads_the_given_arguments(monkeypatch):
    """`sys.argv` is restored afterwards, also after an error."""
    monkeypatch.setattr(sys, "argv", ["mine"])
    seen = []
    private.run_hydra(lambda: seen.append(sys.argv), ["program", "-m", "job=1"])
    assert seen == [["program", "-m", "job=1"]]
    with pytest.raises(ZeroDivisionError):
        private.run_hydra(lambda: 1 / 0, [])
    assert sys.argv == ["mine"]


def test_all_private_names_are_used_in_one_module():
    """The pattern finds private names of other objects; `os._exit` is documented, so allowed."""
    used = re.compile(
        r"(?<!self)(?<!cls)(?<!os)\._(?!target_)[a-z]\w*|import .*\b_[A-Za-z]\w*|\b_internal\b"
    )
    found = {
        f"{path.name}: {match}"
        for path in Path(ganlab.__file__).parent.rglob("*.py")
        if path.name != "private.py"
        for match in used.findall(path.read_text(encoding="utf-8"))
    }
    assert found == set()


def test_the_initial_zeros_of_a_state_take_no_memory():
    """`Metric._defaults` of torchmetrics."""
    metric = FrechetDistance(100)
    features = torch.randn(8, 100)
    metric.update(features, real=True)
    first = metric.real_outer
    for copied in (metric, deepcopy(metric)):
        assert copied._defaults["real_outer"].untyped_storage().nbytes() == 8
        copied.reset()
        assert torch.equal(copied.real_outer, torch.zeros(100, 100))
        assert copied.real_outer.is_contiguous()
        copied.update(features, real=True)
        assert torch.equal(copied.real_outer, first)
