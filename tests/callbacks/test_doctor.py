"""What the doctor logs, and that it changes nothing."""

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


def two(discriminator=None, generator=None):
    return {
        "discriminator": Player(**{"optimizer": sgd(), **(discriminator or {})}),
        "generator": Player(**{"optimizer": sgd(), **(generator or {})}),
    }


def rows(folder, module, batches, *callbacks, data=None, **options):
    module.log_every = 5
    logger = CSVLogger(folder)
    fit(module, *callbacks, batches=batches, data=data, logger=[logger], **options)
    logger.save()
    return read_metrics(folder)


def test_separation_is_the_area_under_the_roc_curve():
    """Of two normal distributions one standard deviation apart it is Φ(1 / √2)."""
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
    """Of SGD without momentum the change is rate · gradient, whatever was clipped afterwards."""
    seen = {}

    class Recorded(Doctor):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            super().on_before_optimizer_step(trainer, pl_module, optimizer)
            role = pl_module.roles[[o is optimizer for o in trainer.optimizers].index(True)]
            own = pl_module.parameters_of[role]
            for name, values in (("gradient", [p.grad for p in own]), ("weights", own)):
                joined = torch.cat([v.detach().flatten() for v in values])
                seen[f"{name}/{role}"] = float(joined.norm())

    players = two({"optimizer": sgd(0.5)}, {"optimizer": sgd(0.1)})
    row = rows(tmp_path, tiny_gan(players=players), 5, Recorded())[0]
    for role, rate in (("discriminator", 0.5), ("generator", 0.1)):
        gradient = seen[f"gradient/{role}"]
        assert row[f"doctor/gradient/{role}"] == pytest.approx(gradient, rel=1e-5)
        expected = rate * gradient / seen[f"weights/{role}"]
        assert row[f"doctor/change/{role}"] == pytest.approx(expected, rel=1e-3)


def test_the_gradient_is_taken_before_clipping(tmp_path):
    clipped = rows(tmp_path / "a", tiny_gan(players=two({"gradient_clip": 1e-6})), 5, Doctor())[0]
    assert clipped["doctor/gradient/discriminator"] > 1e-3
    assert clipped["doctor/change/discriminator"] < 1e-5


def test_a_player_at_rest_and_one_that_moves_now_and_then(tmp_path):
    """Its last step before each row is measured; in a window without one there is nothing."""
    players = two({"optimizer": sgd(0.0)}, {"every": 8})
    found = rows(tmp_path, tiny_gan(players=players), 20, Doctor())
    assert all(row["doctor/change/discriminator"] == 0 for row in found)
    assert all(row["doctor/gradient/discriminator"] > 0 for row in found)
    moved = [row.get("doctor/change/generator") for row in found]
    assert [m is not None and m > 0 for m in moved] == [False, True, False, True]  # batches 8, 16


class Scored(GAN):
    """Lets be watched what it is said to have scored."""

    def watch(self, **scores):
        real, fake = torch.tensor([1.0, 2.0, -1.0, 3.0]), torch.tensor([-1.0, 1.0, 0.5, -2.0])
        super().watch(real_scores=real, fake_scores=fake)


def test_accuracy_and_critics(tmp_path):
    row = rows(tmp_path / "a", tiny_gan(Scored), 5, Doctor())[0]
    assert row["doctor/real_accuracy"] == 3 / 4
    assert row["doctor/fake_accuracy"] == 2 / 4
    assert row["doctor/separation"] == (3.5 + 4 + 1.5 + 4) / 16  # a tie is half a pair
    critic = rows(tmp_path / "b", tiny_gan(adversarial=Wasserstein()), 5, Doctor())[0]
    assert "doctor/separation" in critic
    assert "doctor/real_accuracy" not in critic


def test_samples_come_with_the_first_row_after_the_cadence_and_at_the_end(tmp_path):
    """Batches of 4, rows at 20, 40, …; 30 is crossed in the second row, 60 in the third, ….."""
    found = rows(tmp_path, tiny_gan(), 22, Doctor(every_examples=30))
    looked = [row["examples_seen"] for row in found if "doctor/pairwise_distance" in row]
    assert looked == [40, 60, 88]  # the last row of the window is at 80, the end at 88
    assert found[-1]["doctor/training_examples"] == 40
    with pytest.raises(ConfigError, match=r"doctor\.every_examples"):
        Doctor(every_examples=0)


def test_distances_of_the_data_itself_of_copies_and_of_one_point():
    """Fresh samples give about 1 for all; copies 0 to training examples; one point 0 to itself."""
    data = tiny_ring(samples=4000)
    data.setup()
    look, fresh = SampleDistances(data), tiny_ring(samples=4000, seed=1)
    fresh.setup()
    values = look(fresh.reference("train")[: look.n])
    assert values["pairwise_distance"] == pytest.approx(1, abs=0.1)
    assert values["nearest_generated"] == pytest.approx(1, abs=0.35)
    assert values["nearest_training"] == pytest.approx(1, abs=0.35)
    assert look(data.reference("train")[: look.n])["nearest_training"] < 1e-3
    one = look(torch.zeros(look.n, 2))
    assert one["pairwise_distance"] == one["nearest_generated"] == 0
    assert look(fresh.reference("train")[: look.n] * 3)["pairwise_distance"] > 2.5


def test_copies_of_images_are_found_at_any_size():
    """The training examples are kept as bytes, at most 32 pixels large."""
    for size in (8, 64):
        data = tiny_images(size=size, samples=30)
        data.setup()
        look = SampleDistances(data)
        copies = data.train["example"][: look.n].float() / 127.5 - 1
        values = look(copies)
        assert values["nearest_training"] < 0.05
        assert values["pairwise_distance"] == pytest.approx(1, abs=0.15)
        assert values["compared_examples"] == values["training_examples"] == 30


def test_training_is_the_same_with_it(tmp_path):
    """Weights, running statistics of batch norm and dropout's random numbers."""
    states = []
    for callbacks in ([], [Doctor(every_examples=8)]):
        module = tiny_labelled(players=two({"optimizer": adam()}, {"optimizer": adam()}))
        rows(tmp_path / str(len(callbacks)), module, 12, *callbacks, data=tiny_images())
        states.append(module.state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.parametrize("stop", [7, 8, 9, 11])
def test_resumed_rows_are_the_same(stop, tmp_path):
    """Also where the generator's step that a row shows was made before the interruption."""

    def session(folder, batches, resume=False):
        module = tiny_gan(players=two({"optimizer": adam()}, {"optimizer": adam(), "every": 3}))
        module.log_every = 5
        record = RunRecord(folder)
        record.start("test", 0)
        callbacks = [Doctor(every_examples=24), Checkpoints(folder), Tracking(record, seconds=0)]
        checkpoint = folder / "checkpoints" / "last.ckpt" if resume else None
        logger = CSVLogger(folder)
        fit(module, *callbacks, batches=batches, ckpt_path=checkpoint, logger=[logger])
        record.end("finished")
        return {row["examples_seen"]: row for row in read_metrics(folder)}

    straight = session(tmp_path / "straight", 17)
    session(tmp_path / "resumed", stop)
    resumed = session(tmp_path / "resumed", 17, resume=True)
    resumed.pop(4 * stop)  # the end of the first session has a row of samples of its own
    assert resumed == straight
    assert "doctor/gradient/generator" in straight[60]


def test_a_set_of_one_image_is_not_compared(tmp_path):
    found = rows(tmp_path, tiny_gan(), 5, Doctor(), data=tiny_ring(batch_size=1, samples=1))
    assert "doctor/separation" in found[-1]
    assert "doctor/pairwise_distance" not in found[-1]
