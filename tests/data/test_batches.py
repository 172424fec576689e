"""Batches: their order, parts per rank, resume and value ranges; and Lightning's use of them."""

import itertools
import types
import warnings

import lightning.pytorch as pl
import pytest
import torch
from torch import nn

from ganlab.data import Ring, Synthetic, TensorBatches, TensorDataModule
from ganlab.errors import ConfigError, DataError
from ganlab.modalities.pixels import denormalise, normalise


class Numbers(TensorDataModule):
    """Example i is the point (i, i) with label i, so that batches show which rows were visited."""

    def __init__(self, n=20, **options):
        super().__init__(**options)
        self.n = n
        self.loads = 0

    @property
    def shape(self):
        return (2,)

    @property
    def classes(self):
        return self.n

    def load(self, split):
        self.loads += 1
        label = torch.arange(self.n)
        return {"example": label.float().repeat(2, 1).T.contiguous(), "label": label}


def visited(batches, count):
    """Return the labels of the first `count` batches, and check that rows stay together."""
    first = list(itertools.islice(iter(batches), count))
    for batch in first:
        assert torch.equal(batch["example"][:, 0].long(), batch["label"]), "rows must stay together"
    return [batch["label"].tolist() for batch in first]


def attach(data, **trainer):
    """Give a data module a stand-in trainer with these attributes."""
    data.trainer = types.SimpleNamespace(
        **{"global_rank": 0, "world_size": 1, "lightning_module": None, "overfit_batches": 0}
        | trainer
    )
    if data.trainer.lightning_module is None:
        data.trainer.lightning_module = types.SimpleNamespace(examples_seen=0)
    return data


@pytest.mark.parametrize("shape", [(), (2,), (3,), (1, 5, 5), (3, 4, 4)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.int64])
def test_batches_are_the_rows_of_the_order(shape, dtype):
    """For every row size: rows whose bytes are a multiple of 8 are copied as int64."""
    tensor = torch.randint(0, 200, (30, *shape)).to(dtype)
    batches = TensorBatches({"example": tensor}, batch_size=7, seed=3)
    batch = next(iter(batches))["example"]
    assert batch.dtype == dtype
    assert torch.equal(batch, tensor[batches.order(0)[:7]])


def test_an_epoch_is_a_permutation_without_its_incomplete_batch():
    data = Numbers(20, batch_size=6)
    assert data.batches_per_epoch == 3
    labels = visited(data.train_dataloader(), 9)
    for epoch in range(3):
        seen = list(itertools.chain(*labels[3 * epoch : 3 * epoch + 3]))
        assert len(set(seen)) == 18
        assert seen == data.train_dataloader().order(epoch)[:18].tolist()
    assert sorted(data.train_dataloader().order(5).tolist()) == list(range(20))


def test_epochs_and_seeds_differ_and_equal_seeds_agree():
    """Seed 1 in epoch 0 and seed 0 in epoch 1 differ; a sum of seed and epoch would be equal."""
    orders = {
        (seed, epoch): tuple(Numbers(50, seed=seed, batch_size=5).train_dataloader().order(epoch))
        for seed in range(4)
        for epoch in range(4)
    }
    assert len({tuple(map(int, order)) for order in orders.values()}) == 16
    assert visited(Numbers(seed=7, batch_size=5).train_dataloader(), 12) == visited(
        Numbers(seed=7, batch_size=5).train_dataloader(), 12
    )


def test_the_order_ignores_the_global_generator():
    torch.manual_seed(1)
    first = visited(Numbers(batch_size=5).train_dataloader(), 8)
    torch.manual_seed(2)
    assert visited(Numbers(batch_size=5).train_dataloader(), 8) == first


@pytest.mark.parametrize("start", [0, 1, 2, 3, 4, 10])
def test_starting_at_a_batch_equals_skipping_to_it(start):
    """3 batches an epoch: starts within, at the end of and beyond an epoch."""
    straight = visited(Numbers(20, batch_size=6).train_dataloader(), 15)
    resumed = Numbers(20, batch_size=6)
    resumed.load_state_dict({"batches_seen": start})
    assert resumed.start_batch == start
    assert visited(resumed.train_dataloader(), 15 - start) == straight[start:]


def test_iterating_again_begins_at_the_same_batch():
    loader = Numbers(20, batch_size=6).train_dataloader()
    assert visited(loader, 4) == visited(loader, 4)


@pytest.mark.parametrize("ranks", [2, 3])
def test_all_ranks_together_see_what_one_process_sees(ranks):
    joint = visited(Numbers(40, batch_size=4 * ranks).train_dataloader(), 12)
    apart = [
        visited(
            attach(Numbers(40, batch_size=4), global_rank=r, world_size=ranks).train_dataloader(),
            12,
        )
        for r in range(ranks)
    ]
    assert [list(itertools.chain(*parts)) for parts in zip(*apart, strict=True)] == joint


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (2, 3)])
def test_other_ranks_continue_after_the_examples_that_were_seen(before, after):
    """5 batches of each of `before` ranks; an epoch has 240 examples for any number of ranks."""
    first = attach(Numbers(240, batch_size=4), world_size=before)
    seen = 5 * 4 * before
    first.trainer.lightning_module.examples_seen = seen
    second = attach(Numbers(240, batch_size=4), world_size=after)
    second.trainer.lightning_module.examples_seen = seen
    second.load_state_dict(first.state_dict())
    order = second.train_dataloader().order(0)
    position = seen // (4 * after) * 4 * after  # of the last whole batch of all ranks
    assert visited(second.train_dataloader(), 1) == [order[position : position + 4].tolist()]


def test_the_error_for_a_batch_larger_than_the_set_names_both_sizes():
    with pytest.raises(DataError, match=r"data\.batch_size: received 21.*20 examples.*at most 20"):
        Numbers(20, batch_size=21).setup("fit")
    Numbers(20, batch_size=20).setup("fit")


def test_a_joint_batch_larger_than_the_set_counts_the_ranks():
    data = attach(Numbers(20, batch_size=11), world_size=2)
    with pytest.raises(
        DataError, match=r"received 11 in each of 2 processes.*20 examples.*at most 10"
    ):
        data.setup("fit")


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"batch_size": 2.0}, {"seed": -1}])
def test_bad_options_are_named(options):
    with pytest.raises(ConfigError, match=rf"data\.{next(iter(options))}: received"):
        Numbers(**options)


def test_setup_loads_once():
    data = Numbers(batch_size=5)
    data.setup("fit")
    data.setup("fit")
    data.train_dataloader()
    assert data.loads == 1


def test_normalise_is_invertible_and_exact_at_0_and_255():
    """Denormalising returns each of the 256 values; 0 becomes exactly -1 and 255 exactly 1."""
    values = torch.arange(256, dtype=torch.uint8)
    floats = normalise(values)
    assert floats.dtype == torch.float32
    assert floats[0] == -1.0
    assert floats[255] == 1.0
    assert torch.equal(denormalise(floats), values)
    assert torch.equal(denormalise(torch.tensor([-3.0, 3.0])), torch.tensor([0, 255]).byte())
    assert values[7] == 7, "the set itself must not change"


def test_images_are_normalised_after_transfer_and_points_are_not():
    images = Synthetic(size=8, samples=8, batch_size=4)
    batch = next(iter(images.train_dataloader()))
    raw = batch["example"]
    assert raw.dtype == torch.uint8
    assert torch.equal(images.on_after_batch_transfer(batch, 0)["example"], normalise(raw))
    points = Ring(samples=8, batch_size=4)
    batch = next(iter(points.train_dataloader()))
    raw = batch["example"].clone()
    assert torch.equal(points.on_after_batch_transfer(batch, 0)["example"], raw)


def test_reference_subsets_do_not_depend_on_the_runs_seed():
    one, two = Numbers(40, seed=1), Numbers(40, seed=2)
    assert torch.equal(one.reference("train", 10), two.reference("train", 10))
    assert len(one.reference("train", 10)[:, 0].unique()) == 10
    assert torch.equal(one.reference("test"), one.test["example"])


@pytest.mark.parametrize("n", [41, 0, -1, 2.5])
def test_reference_refuses_a_number_of_examples_out_of_range(n):
    with pytest.raises(DataError, match=r"train split of Numbers has 40.*Set it to 1 to 40"):
        Numbers(40).reference("train", n)


def test_an_unknown_split_is_named():
    with pytest.raises(ConfigError, match=r"received 'valid'.*train, test"):
        Numbers().reference("valid")


def test_content_hash_differs_if_contents_or_shapes_differ():
    hashes = {
        Synthetic(size=8, samples=8).content_hash("train"),
        Synthetic(size=8, samples=8).content_hash("test"),
        Synthetic(size=8, samples=8, seed=1).content_hash("train"),
        Synthetic(size=8, samples=8, channels=1).content_hash("train"),
        Numbers(8).content_hash("train"),
    }
    assert len(hashes) == 5
    assert all(len(text) == 16 for text in hashes)
    again = Synthetic(size=8, samples=8).content_hash("train")
    assert again == Synthetic(size=8, samples=8, batch_size=3).content_hash("train")


class Recorder(pl.LightningModule):
    """A module that trains nothing and records the labels it sees.

    With `counts` it has a counter `batches_seen`, as the game has; without, Lightning's is used.
    """

    def __init__(self, counts):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.automatic_optimization = False
        self.counts = counts
        self.seen = []
        if counts:
            self.batches_seen = 0

    def training_step(self, batch, batch_idx):
        self.seen.append(batch["label"].tolist())
        if self.counts:
            self.batches_seen += 1

    def on_save_checkpoint(self, checkpoint):
        if self.counts:
            checkpoint["counter"] = self.batches_seen

    def on_load_checkpoint(self, checkpoint):
        if self.counts:
            self.batches_seen = checkpoint["counter"]

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class StopAt(pl.Callback):
    """Stop a run after a number of batches, in the middle of an epoch, and save a checkpoint."""

    def __init__(self, batches, path=None):
        self.batches = batches
        self.path = path

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if len(pl_module.seen) >= self.batches:
            if self.path:
                trainer.save_checkpoint(self.path)
            trainer.should_stop = True


def fit(module, data, batches, path=None, resume=None, **options):
    trainer = pl.Trainer(
        max_epochs=-1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[StopAt(batches, path)],
        **options,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)
    assert not [w for w in caught if "worker" in str(w.message) or "iterable" in str(w.message)]
    return module.seen


@pytest.mark.parametrize("counts", [True, False])
def test_lightning_resumes_in_the_middle_of_an_epoch(tmp_path, counts):
    """8 batches without a stop equal 5 batches, a checkpoint and 3 more; an epoch has 3 batches."""
    straight = fit(Recorder(counts), Numbers(20, batch_size=6), 8)
    first = fit(Recorder(counts), Numbers(20, batch_size=6), 5, tmp_path / "a.ckpt")
    rest = fit(Recorder(counts), Numbers(20, batch_size=6), 3, resume=tmp_path / "a.ckpt")
    assert first + rest == straight
    assert straight == visited(Numbers(20, batch_size=6).train_dataloader(), 8)


def test_the_order_continues_after_a_shortened_lightning_epoch():
    """Lightning epochs of 2 batches do not restart the set's epochs of 3 batches."""
    seen = fit(Recorder(True), Numbers(20, batch_size=6), 7, limit_train_batches=2)
    assert seen == visited(Numbers(20, batch_size=6).train_dataloader(), 7)


def test_a_barebones_trainer_accepts_the_batches():
    module, data = Recorder(False), Numbers(20, batch_size=6)
    pl.Trainer(barebones=True, max_epochs=1, limit_train_batches=4, accelerator="cpu").fit(
        module, datamodule=data
    )
    assert module.seen == visited(Numbers(20, batch_size=6).train_dataloader(), 4)
