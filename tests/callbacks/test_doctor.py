"""`Doctor`: the values that it logs, and that it does not change training."""

import pytest
import torch
from helpers.tiny import adam, fit, sgd, tiny_gan, tiny_images, tiny_labelled, tiny_ring

from ganlab.callbacks import Checkpoints, Tracking
from ganlab.callbacks.doctor import Doctor, SampleDistances, boundary_of, separation
from ganlab.core import Player
from ganlab.errors import ConfigError
from ganlab.families import GAN
from ganlab.losses import Hinge, LeastSquares, Minimax, RelativisticPairing, Wasserstein
from ganlab.record.log import read_metrics
from ganlab.record.loggers import CSVLogger
from ganlab.record.run import RunRecord

pytestmark = pytest.mark.usefixtures("no_curves")


def pair(discriminator=None, generator=None):
    """Return two players with SGD, changed by the given arguments."""
    return {
        "discriminator": Player(**{"optimizer": sgd(), **(discriminator or {})}),
        "generator": Player(**{"optimizer": sgd(), **(generator or {})}),
    }


def rows(folder, module, batches, *callbacks, data=None, **options):
    """Train with a row of the log every 5 batches, and return the rows."""
    module.log_every = 5
    logger = CSVLogger(folder)
    fit(module, *callbacks, batches=batches, data=data, logger=[logger], **options)
    logger.save()
    return read_metrics(folder)


def test_separation_is_the_area_under_the_roc_curve():
    """For two unit normal distributions with means 1 apart, the area is Φ(1 / √2)."""
    rng = torch.Generator().manual_seed(0)
    fake = torch.randn(1000, generator=rng)
    real = torch.randn(1000, generator=rng) + 1
    expected = float(torch.special.ndtr(torch.tensor(0.5).sqrt()))
    assert float(separation(real, fake)) == pytest.approx(expected, abs=0.03)
    assert float(separation(real, fake) + separation(fake, real)) == pytest.approx(1)
    assert separation(torch.ones(3, 4), torch.zeros(5)) == 1
    assert separation(torch.zeros(3), torch.zeros(5)) == 0.5


def test_boundaries_of_losses():
    assert boundary_of(Minimax()) == boundary_of(Hinge()) == 0
    assert boundary_of(LeastSquares(a=0, b=1)) == 0.5
    assert boundary_of(LeastSquares(a=-1, b=1, c=0)) == 0
    assert boundary_of(Wasserstein()) is None
    assert boundary_of(RelativisticPairing()) is None
    assert boundary_of(None) is None


def test_gradient_and_change_of_plain_descent(tmp_path):
    """With SGD without momentum the change of the weights is rate · gradient."""
    seen = {}

    class Recorded(Doctor):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            super().on_before_optimizer_step(trainer, pl_module, optimizer)
            role = pl_module.roles[[o is optimizer for o in trainer.optimizers].index(True)]
            weights = pl_module.parameters_of[role]
            for name, values in (("gradient", [p.grad for p in weights]), ("weights", weights)):
                joined = torch.cat([v.detach().flatten() for v in values])
                seen[f"{name}/{role}"] = float(joined.norm())

    players = pair({"optimizer": sgd(0.5)}, {"optimizer": sgd(0.1)})
    row = rows(tmp_path, tiny_gan(players=players), 5, Recorded())[0]
    for role, rate in (("discriminator", 0.5), ("generator", 0.1)):
        gradient = seen[f"gradient/{role}"]
        assert row[f"doctor/gradient/{role}"] == pytest.approx(gradient, rel=1e-5)
        expected = rate * gradient / seen[f"weights/{role}"]
        assert row[f"doctor/change/{role}"] == pytest.approx(expected, rel=1e-3)


def test_gradient_is_measured_before_clipping(tmp_path):
    clipped = rows(tmp_path / "a", tiny_gan(players=pair({"gradient_clip": 1e-6})), 5, Doctor())[0]
    assert clipped["doctor/gradient/discriminator"] > 1e-3
    assert clipped["doctor/change/discriminator"] < 1e-5


def test_rows_without_a_step_of_the_generator_log_no_change_of_it(tmp_path):
    """The discriminator has learning rate 0; the generator steps in batches 8 and 16 only."""
    players = pair({"optimizer": sgd(0.0)}, {"every": 8})
    logged = rows(tmp_path, tiny_gan(players=players), 20, Doctor())
    assert all(row["doctor/change/discriminator"] == 0 for row in logged)
    assert all(row["doctor/gradient/discriminator"] > 0 for row in logged)
    changes = [row.get("doctor/change/generator") for row in logged]
    assert [c is not None and c > 0 for c in changes] == [False, True, False, True]


class Scored(GAN):
    """GAN that passes fixed scores to `watch`."""

    def watch(self, **scores):
        real, fake = torch.tensor([1.0, 2.0, -1.0, 3.0]), torch.tensor([-1.0, 1.0, 0.5, -2.0])
        super().watch(real_scores=real, fake_scores=fake)


def test_accuracies_are_logged_except_for_critics(tmp_path):
    row = rows(tmp_path / "a", tiny_gan(Scored), 5, Doctor())[0]
    assert row["doctor/real_accuracy"] == 3 / 4
    assert row["doctor/fake_accuracy"] == 2 / 4
    assert row["doctor/separation"] == (3.5 + 4 + 1.5 + 4) / 16  # a tie is half a pair
    critic = rows(tmp_path / "b", tiny_gan(adversarial=Wasserstein()), 5, Doctor())[0]
    assert "doctor/separation" in critic
    assert "doctor/real_accuracy" not in critic


def test_distances_are_in_the_first_row_after_the_cadence_and_in_the_last(tmp_path):
    """Rows are at 20, 40, … examples; multiples of 30 are reached with the rows at 40 and 60."""
    logged = rows(tmp_path, tiny_gan(), 22, Doctor(every_examples=30))
    sampled = [row["examples_seen"] for row in logged if "doctor/pairwise_distance" in row]
    assert sampled == [40, 60, 88]  # 88 is the end
    assert logged[-1]["doctor/training_examples"] == 40
    with pytest.raises(ConfigError, match=r"doctor\.every_examples"):
        Doctor(every_examples=0)


def test_distances_of_new_data_of_copies_and_of_a_single_point():
    """New data gives about 1; copies are at distance 0 from training examples; equal samples are
    at distance 0 from each other."""
    data = tiny_ring(samples=4000)
    data.setup()
    distances, fresh = SampleDistances(data), tiny_ring(samples=4000, seed=1)
    fresh.setup()
    values = distances(fresh.reference("train")[: distances.n])
    assert values["pairwise_distance"] == pytest.approx(1, abs=0.1)
    assert values["nearest_generated"] == pytest.approx(1, abs=0.35)
    assert values["nearest_training"] == pytest.approx(1, abs=0.35)
    assert distances(data.reference("train")[: distances.n])["nearest_training"] < 1e-3
    equal = distances(torch.zeros(distances.n, 2))
    assert equal["pairwise_distance"] == equal["nearest_generated"] == 0
    assert distances(fresh.reference("train")[: distances.n] * 3)["pairwise_distance"] > 2.5


def test_copies_of_images_are_recognized_at_any_size():
    """Training examples are stored as bytes, shrunk to at most 32 × 32 pixels."""
    for size in (8, 64):
        data = tiny_images(size=size, samples=30)
        data.setup()
        distances = SampleDistances(data)
        copies = data.train["example"][: distances.n].float() / 127.5 - 1
        values = distances(copies)
        assert values["nearest_training"] < 0.05
        assert values["pairwise_distance"] == pytest.approx(1, abs=0.15)
        assert values["compared_examples"] == values["training_examples"] == 30


def test_doctor_does_not_change_training(tmp_path):
    """Weights, running statistics and the random numbers of dropout stay the same."""
    states = []
    for callbacks in ([], [Doctor(every_examples=8)]):
        module = tiny_labelled(players=pair({"optimizer": adam()}, {"optimizer": adam()}))
        rows(tmp_path / str(len(callbacks)), module, 12, *callbacks, data=tiny_images())
        states.append(module.state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.parametrize("stop", [7, 8, 9, 11])
def test_resumed_run_logs_the_same_rows(stop, tmp_path):
    """The rows are the same even if the generator took its step before the interruption."""

    def session(folder, batches, resume=False):
        module = tiny_gan(players=pair({"optimizer": adam()}, {"optimizer": adam(), "every": 3}))
        module.log_every = 5
        record = RunRecord(folder)
        record.start("test", 0)
        callbacks = [Doctor(every_examples=24), Checkpoints(folder), Tracking(record, seconds=0)]
        checkpoint = folder / "checkpoints" / "last.ckpt" if resume else None
        logger = CSVLogger(folder)
        fit(module, *callbacks, batches=batches, ckpt_path=checkpoint, logger=[logger])
        record.end("finished")
        return {row["examples_seen"]: row for row in read_metrics(folder)}

    uninterrupted = session(tmp_path / "uninterrupted", 17)
    session(tmp_path / "resumed", stop)
    resumed = session(tmp_path / "resumed", 17, resume=True)
    resumed.pop(4 * stop)  # the row with distances at the end of the first session
    assert resumed == uninterrupted
    assert "doctor/gradient/generator" in uninterrupted[60]


def test_data_of_one_example_has_no_distances(tmp_path):
    logged = rows(tmp_path, tiny_gan(), 5, Doctor(), data=tiny_ring(batch_size=1, samples=1))
    assert "doctor/separation" in logged[-1]
    assert "doctor/pairwise_distance" not in logged[-1]
