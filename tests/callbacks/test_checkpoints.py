"""Which checkpoints are written and kept, and that a failure leaves a valid checkpoint."""

import errno
import itertools
import math
import os
import signal
import struct
import zipfile

import pytest
import torch
from helpers.tiny import fit, sgd, tiny_gan, tiny_images, tiny_labelled
from lightning.pytorch import Callback
from PIL import Image

from ganlab.callbacks import EMA, Checkpoints, Samples
from ganlab.core import Player
from ganlab.core.load import newest_checkpoint, read_checkpoint
from ganlab.errors import CheckpointError, ConfigError, NonFiniteLossError, RunError
from ganlab.families import GAN


def batches_in(path):
    return read_checkpoint(path)["ganlab"]["counters"]["batches_seen"]


class Saves(Checkpoints):
    """Checkpoints that record the batch number of each save in `batches`."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.batches = []

    def save(self, trainer, module):
        super().save(trainer, module)
        self.batches.append(module.batches_seen)


@pytest.mark.parametrize("every", [1, 5])
def test_cadence_counts_examples_for_any_period_of_the_generator(tmp_path, every):
    players = {"discriminator": Player(sgd()), "generator": Player(sgd(), every=every)}
    saves = Saves(tmp_path, every_examples=10, keep_every=20)
    fit(tiny_gan(players=players), Samples(tmp_path, every_examples=16), saves, batches=11)
    # multiples of 10 examples are reached in batches 3 (12), 5 (20), 8 (32) and 10 (40)
    assert saves.batches == [3, 5, 8, 10, 11]
    folder = tmp_path / "checkpoints"
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["000000000020.ckpt", "000000000040.ckpt", "last.ckpt", "previous.ckpt"]
    assert batches_in(folder / "last.ckpt") == 11
    assert batches_in(folder / "previous.ckpt") == 10
    assert batches_in(folder / "000000000020.ckpt") == 5
    pictures = sorted(int(path.stem) for path in (tmp_path / "samples").glob("*.png"))
    assert pictures == [0, 16, 32, 44]
    assert (tmp_path / "contact_sheet.png").exists()


def test_pictures_from_after_the_checkpoint_are_dropped(tmp_path):
    """As rows of the log are, since another training may follow the checkpoint."""
    samples = Samples(tmp_path, every_examples=4)
    fit(tiny_gan(), samples, Checkpoints(tmp_path, every_examples=8), batches=5)
    last = tmp_path / "checkpoints" / "previous.ckpt"
    fit(tiny_gan(), Samples(tmp_path, None), batches=4, ckpt_path=last)
    pictures = sorted(int(path.stem) for path in (tmp_path / "samples").glob("*.png"))
    assert pictures == [0, 4, 8, 12, 16]


def test_kept_checkpoints_have_their_own_cadence(tmp_path):
    saves = Saves(tmp_path, every_examples=None, keep_every=12)
    fit(tiny_gan(), saves, batches=10)
    assert saves.batches == [3, 6, 9, 10]
    kept = sorted(p.stem for p in (tmp_path / "checkpoints").glob("0*.ckpt"))
    assert kept == ["000000000012", "000000000024", "000000000036"]


def test_best_by_a_monitored_score(tmp_path):
    """A score of NaN never counts as the best."""
    values = iter([math.nan, 3.0, 1.0, 2.0])

    class Score(Callback):
        def on_train_batch_end(self, trainer, module, *args):
            module.scored_at = module.examples_seen
            module.log_values({"score": next(values)})

    fit(tiny_gan(), Score(), Checkpoints(tmp_path, monitor="score"), batches=4)
    assert batches_in(tmp_path / "checkpoints" / "best.ckpt") == 3
    callbacks = read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["callbacks"]
    assert {"best": 1.0, "best_examples": 12} in callbacks.values()


def test_monitoring_what_is_not_logged(tmp_path):
    class Score(Callback):
        def on_train_batch_end(self, trainer, module, *args):
            module.scored_at = module.examples_seen
            module.log_values({"frechet": 1.0})

    with pytest.raises(ConfigError, match="'fid' is not logged; allowed frechet"):
        fit(tiny_gan(), Score(), Checkpoints(tmp_path, monitor="fid"), batches=3)


class Poisoned(GAN):
    """GAN whose discriminator loss is NaN in batch 7."""

    def discriminator_loss(self, batch):
        terms = super().discriminator_loss(batch)
        return {k: v * float("nan") if self.batches_seen == 6 else v for k, v in terms.items()}


def test_non_finite_loss_leaves_checkpoints_and_a_picture(tmp_path):
    callbacks = [Samples(tmp_path, 10**6), Checkpoints(tmp_path, every_examples=8)]
    with pytest.raises(NonFiniteLossError, match="batch 7"):
        fit(tiny_gan(Poisoned), *callbacks, batches=20)
    folder = tmp_path / "checkpoints"
    assert batches_in(folder / "last.ckpt") == 6
    assert batches_in(folder / "failed.ckpt") == 6
    assert all(
        v.isfinite().all() for v in read_checkpoint(folder / "last.ckpt")["state_dict"].values()
    )
    pictures = sorted(path.stem for path in (tmp_path / "samples").iterdir())
    assert pictures == ["000000000000", "000000000024"]  # at the start and at the failure


def test_nothing_is_saved_while_a_term_is_not_finite(tmp_path):
    """The check for finite terms does not run in every batch, but always before a checkpoint."""
    module = tiny_gan()

    class Late(Callback):
        def on_train_batch_end(self, trainer, module, *args):
            if module.batches_seen == 3:
                module._window.add("generator/late", torch.tensor(float("inf")), 3)

    with pytest.raises(NonFiniteLossError, match="'late'"):
        fit(module, Late(), Checkpoints(tmp_path, every_examples=4), batches=9)
    assert batches_in(tmp_path / "checkpoints" / "last.ckpt") == 2


class Signals(Callback):
    """Sends the given signals to this process in batch 3."""

    def __init__(self, *numbers):
        self.numbers = numbers

    def on_train_batch_start(self, trainer, module, *args):
        if module.batches_seen == 2:
            for number in self.numbers:
                os.kill(os.getpid(), number)


ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.mark.parametrize("number", ENDING)
def test_signal_ends_the_run_with_a_checkpoint_and_restores_handlers(tmp_path, number):
    before = [signal.getsignal(n) for n in ENDING]
    module, checkpoints = tiny_gan(), Checkpoints(tmp_path)
    fit(module, Signals(number), checkpoints, batches=50)
    assert checkpoints.interrupted_by == signal.Signals(number).name
    assert module.batches_seen == batches_in(tmp_path / "checkpoints" / "last.ckpt") == 3
    assert [signal.getsignal(n) for n in ENDING] == before


@pytest.mark.parametrize(
    "numbers",
    [(signal.SIGTERM, signal.SIGHUP, signal.SIGHUP), (signal.SIGHUP, signal.SIGTERM)],
)
def test_closed_terminal_that_sends_two_signals_ends_the_run_with_a_checkpoint(tmp_path, numbers):
    """The shell and the system may both send SIGHUP; systemd sends SIGHUP after SIGTERM."""
    fit(tiny_gan(), Signals(*numbers), Checkpoints(tmp_path), batches=50)
    assert batches_in(tmp_path / "checkpoints" / "last.ckpt") == 3


def test_closed_terminal_is_ignored_under_nohup(tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        fit(tiny_gan(), Signals(signal.SIGHUP), Checkpoints(tmp_path), batches=5)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert batches_in(tmp_path / "checkpoints" / "last.ckpt") == 5


def test_second_signal_ends_the_run_at_once_and_restores_handlers(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    module = tiny_gan()
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        fit(module, Signals(signal.SIGINT, signal.SIGINT), Checkpoints(tmp_path), batches=50)
    assert module.batches_seen == 2
    assert signal.getsignal(signal.SIGINT) == before


def test_first_signal_is_no_second_one_after_the_signal_of_another_rank(tmp_path):
    """A launcher signals all ranks; this one learns it from another rank, then by its signal."""

    class Signalled(Checkpoints):
        def save(self, trainer, module):
            os.kill(os.getpid(), signal.SIGTERM)
            super().save(trainer, module)

    checkpoints = Signalled(tmp_path)
    checkpoints.interrupted_by = "another rank"
    fit(tiny_gan(), checkpoints, batches=50)
    assert batches_in(tmp_path / "checkpoints" / "last.ckpt") == 1


def test_exception_restores_signal_handlers(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(NonFiniteLossError):
        fit(tiny_gan(Poisoned), Checkpoints(tmp_path), batches=20)
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_wrong_byte_in_the_weights_is_noticed(tmp_path):
    fit(tiny_gan(), Checkpoints(tmp_path), batches=1)
    last = tmp_path / "checkpoints" / "last.ckpt"
    read_checkpoint(last)
    contents = bytearray(last.read_bytes())
    with zipfile.ZipFile(last) as archive:
        tensor = next(entry for entry in archive.infolist() if "/data/" in entry.filename)
    lengths = struct.unpack_from("<HH", contents, tensor.header_offset + 26)  # of name and padding
    contents[tensor.header_offset + 30 + sum(lengths)] ^= 1
    last.write_bytes(contents)
    with pytest.raises(CheckpointError, match=r"checksum of .*data/\d+ in it is wrong\. Put back"):
        read_checkpoint(last)


def test_cut_short_checkpoint_falls_back_with_a_warning(tmp_path):
    fit(tiny_gan(), Checkpoints(tmp_path, every_examples=8), batches=5)
    last = tmp_path / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    with pytest.warns(UserWarning, match=r"last\.ckpt is damaged or cut short"):
        path, contents = newest_checkpoint(tmp_path)
    assert path.name == "previous.ckpt"
    assert contents["ganlab"]["counters"]["batches_seen"] == 4
    (tmp_path / "checkpoints" / "previous.ckpt").write_bytes(b"")
    with pytest.raises(CheckpointError), pytest.warns(UserWarning, match="cut short"):
        newest_checkpoint(tmp_path)


def killed_at(call, folder):
    """Train in a child process that dies right before a system call; return whether it did.

    Args:
        call: which of the calls, counted from 0.
        folder: the run's folder.
    """
    calls = itertools.count()

    def dying(function):
        def wrapped(*args, **options):
            if next(calls) == call:
                os._exit(9)
            return function(*args, **options)

        return wrapped

    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    try:
        for name in ("fsync", "link", "replace", "unlink"):
            setattr(os, name, dying(getattr(os, name)))
        fit(tiny_gan(), Checkpoints(folder, every_examples=4), batches=3)
    finally:
        os._exit(0)


def test_a_kill_at_any_moment_of_a_save_leaves_last_and_previous(tmp_path):
    """Once a checkpoint is written there is always one; once two are, there are always two."""
    for call in itertools.count():
        folder = tmp_path / str(call) / "checkpoints"
        was_killed = killed_at(call, folder.parent)
        paths = [folder / "last.ckpt", folder / "previous.ckpt"]
        found = [batches_in(path) if path.exists() else None for path in paths]
        assert found in ([None, None], [1, None], [1, 1], [2, 1], [2, 2], [3, 2])
        if not was_killed:
            break
    assert found == [3, 2]
    assert call > 15


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_checkpoint_that_does_not_reach_the_disk_replaces_no_other(tmp_path, monkeypatch, error):
    class Failing(Callback):
        def on_train_batch_start(self, trainer, module, *args):
            if module.batches_seen == 3:

                def fsync(handle):
                    raise OSError(error, os.strerror(error))

                monkeypatch.setattr(os, "fsync", fsync)

    checkpoints = Checkpoints(tmp_path, every_examples=4)
    with pytest.raises(RunError, match=rf"last\.ckpt: cannot be written: {os.strerror(error)}"):
        fit(tiny_gan(), Failing(), checkpoints, batches=9)
    folder = tmp_path / "checkpoints"
    assert sorted(path.name for path in folder.iterdir()) == ["last.ckpt", "previous.ckpt"]
    assert [batches_in(folder / f"{name}.ckpt") for name in ("last", "previous")] == [3, 2]


def test_disk_without_links_keeps_copies(tmp_path, monkeypatch):
    def link(*args):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    fit(tiny_gan(), Checkpoints(tmp_path, every_examples=4, keep_every=4), batches=3)
    folder = tmp_path / "checkpoints"
    assert [batches_in(folder / f"{name}.ckpt") for name in ("last", "previous")] == [3, 2]
    assert [batches_in(path) for path in sorted(folder.glob("0*.ckpt"))] == [1, 2, 3]


def test_previous_checkpoint_is_used_if_last_is_missing(tmp_path):
    fit(tiny_gan(), Checkpoints(tmp_path, every_examples=8), batches=5)
    (tmp_path / "checkpoints" / "last.ckpt").unlink()
    assert newest_checkpoint(tmp_path)[0].name == "previous.ckpt"
    assert newest_checkpoint(tmp_path / "elsewhere") is None


def test_checkpoint_of_another_model(tmp_path):
    fit(tiny_gan(), EMA(), Checkpoints(tmp_path), batches=2)
    other = tiny_gan()
    other.generator.layers[0] = torch.nn.Linear(4, 16)
    path = tmp_path / "checkpoints" / "last.ckpt"
    with pytest.raises(
        CheckpointError, match=r"another model.*\n.*generator\.layers\.0\.bias.*8.*16"
    ):
        fit(other, EMA(), batches=4, ckpt_path=path)


def test_checkpoint_of_another_program_is_refused(tmp_path):
    torch.save({"state_dict": {}, "pytorch-lightning_version": "2.6.0"}, tmp_path / "other.ckpt")
    with pytest.raises(CheckpointError, match="not written by ganlab"):
        read_checkpoint(tmp_path / "other.ckpt")
    with pytest.raises(CheckpointError, match="there is no"):
        read_checkpoint(tmp_path / "none.ckpt")


def test_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    module = tiny_gan()

    class Full(Callback):
        def on_train_batch_start(self, trainer, module, *args):
            if module.batches_seen == 3:

                def save(checkpoint, path):
                    path.write_bytes(b"half")
                    raise OSError(28, "No space left on device")

                monkeypatch.setattr(trainer.strategy.checkpoint_io, "save_checkpoint", save)

    with pytest.raises(RunError, match="No space left on device"):
        fit(module, Full(), Checkpoints(tmp_path, every_examples=4), batches=9)
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["last.ckpt", "previous.ckpt"]
    assert batches_in(tmp_path / "checkpoints" / "last.ckpt") == 3


def test_picture_of_a_conditional_model_has_a_column_per_class(tmp_path):
    fit(tiny_labelled(), Samples(tmp_path, None, n=7), batches=1, data=tiny_images())
    with Image.open(tmp_path / "samples" / "000000000004.png") as picture:
        # 3 rows of 3 classes; pictures of 8 pixels are enlarged to 56, with borders of 2
        assert picture.size == (3 * 58 + 2, 3 * 58 + 2)
        assert picture.info["row_height"] == "58"


@pytest.mark.parametrize("options", [{"every_examples": 0}, {"keep_every": -1}, {"mode": "least"}])
def test_wrong_arguments_are_refused(options):
    with pytest.raises(ConfigError, match=r"checkpoints\."):
        Checkpoints("x", **options)
