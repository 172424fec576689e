"""A run that is stopped and resumed equals an uninterrupted run, bit for bit."""

import functools

import pytest
import torch
from helpers.games.players import Pretrained, Simultaneous, infogan, vaegan
from helpers.games.sequences import seqgan
from helpers.games.several import growing, madgan
from helpers.games.terms import LazyPaths, began, pair_critic
from helpers.processes.families import adaptive, lazy
from helpers.tiny import adam, fit, sgd, tiny_gan, tiny_images, tiny_labelled, tiny_ring
from helpers.tiny_translation import TinyDomains, TinyPairs, tiny_cyclegan, tiny_pix2pix

from ganlab.augment import InstanceNoise
from ganlab.callbacks import EMA, Checkpoints, Tracking
from ganlab.core import Player, Ramp, Steps
from ganlab.core.load import read_checkpoint
from ganlab.families import Classifier
from ganlab.losses import Wasserstein
from ganlab.record.log import read_metrics
from ganlab.record.loggers import CSVLogger
from ganlab.record.run import RunRecord
from ganlab.regularizers import GradientPenalty, LeCam, WeightClipping

pytestmark = pytest.mark.usefixtures("no_curves")


def both(discriminator=None, generator=None):
    return {"discriminator": Player(**discriminator), "generator": Player(**generator)}


def same(**options):
    return both({"optimizer": adam(), **options}, {"optimizer": adam(), **options})


def classifier():
    torch.manual_seed(1234)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.2), torch.nn.Linear(64, 3))
    return Classifier(network, shift=1).bind({"network": Player(adam())})


def clipped(critic_steps):
    return tiny_gan(
        players=both({"optimizer": adam()}, {"optimizer": adam(), "every": critic_steps}),
        adversarial=Wasserstein(),
        regularizers={"clip": WeightClipping(0.05), "penalty": GradientPenalty(every=4)},
    )


ramp = functools.partial(Ramp, examples=100)
GAMES = {
    "unconditional": lambda: tiny_gan(players=same()),
    "conditional": lambda: tiny_labelled(players=same()),
    "classifier": classifier,
    "every_5": lambda: clipped(5),
    "learning_rate_ramp": lambda: tiny_gan(players=same(optimizer=adam(lr=ramp(1e-2, 1e-4)))),
    "beta_ramp": lambda: tiny_gan(
        players=same(optimizer=adam(betas=[Steps([0.0, 0.5], [80]), ramp(0.9, 0.999)]))
    ),
    "instance_noise_ramp": lambda: tiny_gan(
        players=same(), regularizers={"noise": InstanceNoise(ramp(1.0, 0.0, shape="cosine"))}
    ),
    "accumulation": lambda: tiny_gan(players=same(accumulate=4)),
    "pix2pix": tiny_pix2pix,
    "cyclegan": lambda: tiny_cyclegan(pool_size=6),
    "cyclegan_of_uneven_players": lambda: tiny_cyclegan(
        pool_size=6, generator={"every": 2}, discriminator={"every": 3}
    ),
    "several_players": lambda: vaegan(adam, accumulate=4),
    "simultaneous": lambda: tiny_gan(Simultaneous, same()),
    "two_windows_of_a_player": lazy,
    "a_phase_that_ends": lambda: tiny_gan(Pretrained, same(), {"likelihood": {"until": 68}}),
    "a_border_of_phases": lambda: tiny_gan(
        Pretrained,
        same(accumulate=2),
        {"likelihood": {"until": 60}, "discriminator": {"start": 60}, "generator": {"start": 60}},
    ),
    "infogan": infogan,
    "likelihood_then_adversarial": lambda: seqgan(until=60),
    "several_generators": madgan,
    "growing": lambda: growing(length=48),
    "pairs": pair_critic,
    "path_length": lambda: tiny_gan(LazyPaths, same()),
    "began": began,
    "ada": adaptive,
    "lecam": lambda: tiny_gan(players=same(), regularizers={"lecam": LeCam(every=2)}),
    "momentum": lambda: tiny_gan(players=same(optimizer=sgd(momentum=0.9), gradient_clip=0.1)),
}
# without -m contract, only one game is tested
EACH = [pytest.param(n, marks=[] if n == "conditional" else pytest.mark.contract) for n in GAMES]
DATA = {
    ("example", "label"): tiny_images,
    ("source", "target"): lambda: TinyPairs(batch_size=4),
    ("a", "b"): lambda: TinyDomains(batch_size=4),
}


def train(folder, make, batches, resume=False):
    """Train one session with a row every 4 batches; return the last checkpoint."""
    module = make()
    module.log_every = 4
    record = RunRecord(folder)
    record.start("test", 0)
    callbacks = [
        EMA(half_life=Ramp(20, 200, 100), ramp_up=None),
        Checkpoints(folder, every_examples=20),
        Tracking(record, seconds=0),
    ]
    checkpoint = folder / "checkpoints" / "last.ckpt" if resume else None
    data = DATA.get(module.needs, tiny_images if make is adaptive else tiny_ring)()
    logger = CSVLogger(folder)
    fit(module, *callbacks, batches=batches, data=data, ckpt_path=checkpoint, logger=[logger])
    record.end("finished")
    return read_checkpoint(folder / "checkpoints" / "last.ckpt")


def assert_equal(one, two, path=""):
    """Check that nested containers and tensors are equal to the last bit."""
    assert type(one) is type(two), path
    if isinstance(one, dict):
        assert list(one) == list(two), path
        for key in one:
            assert_equal(one[key], two[key], f"{path}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(two), path
        for index, (a, b) in enumerate(zip(one, two, strict=True)):
            assert_equal(a, b, f"{path}[{index}]")
    elif isinstance(one, torch.Tensor):
        assert one.dtype == two.dtype, path
        assert torch.equal(one, two), path
    else:
        assert one == two, path


def assert_same_run(straight, resumed):
    for key in ("state_dict", "optimizer_states", "ganlab"):
        assert_equal(straight[key], resumed[key], key)
    callbacks = [
        {name: state for name, state in c["callbacks"].items() if "Budget" not in name}
        for c in (straight, resumed)
    ]
    assert_equal(*callbacks, "callbacks")  # only the budget's seconds may differ


@pytest.mark.parametrize("name", EACH)
def test_stopped_and_resumed_equals_straight(name, tmp_path):
    make = GAMES[name]
    straight = train(tmp_path / "straight", make, 30)
    train(tmp_path / "resumed", make, 15)
    resumed = train(tmp_path / "resumed", make, 30, resume=True)
    assert_same_run(straight, resumed)
    assert straight["ganlab"]["counters"]["batches_seen"] == 30
    texts = [(tmp_path / run / "metrics.csv").read_text() for run in ("straight", "resumed")]
    assert texts[0] == texts[1]
    rows = read_metrics(tmp_path / "straight")
    assert [row["examples_seen"] for row in rows] == [16, 32, 48, 64, 80, 96, 112]


@pytest.mark.contract
def test_stopped_before_the_first_row_of_the_log(tmp_path):
    """The row that is written at the end of the first session is removed by the resume."""
    straight = train(tmp_path / "straight", GAMES["unconditional"], 10)
    train(tmp_path / "resumed", GAMES["unconditional"], 3)
    assert [row["examples_seen"] for row in read_metrics(tmp_path / "resumed")] == [12]
    resumed = train(tmp_path / "resumed", GAMES["unconditional"], 10, resume=True)
    assert_same_run(straight, resumed)
    assert [row["examples_seen"] for row in read_metrics(tmp_path / "resumed")] == [16, 32]


@pytest.mark.contract
def test_resuming_at_every_single_batch(tmp_path):
    """Five sessions of one batch, across the end of an epoch of ten batches."""
    straight = train(tmp_path / "straight", lambda: clipped(2), 13)
    train(tmp_path / "resumed", lambda: clipped(2), 8)
    for batches in range(9, 14):
        resumed = train(tmp_path / "resumed", lambda: clipped(2), batches, resume=True)
    assert_same_run(straight, resumed)
    assert read_metrics(tmp_path / "straight") == read_metrics(tmp_path / "resumed")


def test_schedules_continue_after_a_resume(tmp_path):
    """Loading a checkpoint replaces the optimizer's groups; the ramp must drive the new ones."""
    contents = train(tmp_path, GAMES["learning_rate_ramp"], 5)
    rates = [s["param_groups"][0]["lr"] for s in contents["optimizer_states"]]
    assert rates == [ramp(1e-2, 1e-4)(16)] * 2  # the fifth batch began at 16 examples
    contents = train(tmp_path, GAMES["learning_rate_ramp"], 20, resume=True)
    rates = [s["param_groups"][0]["lr"] for s in contents["optimizer_states"]]
    assert rates == [ramp(1e-2, 1e-4)(76)] * 2


def test_unfinished_accumulation_is_in_the_checkpoint(tmp_path):
    pending = train(tmp_path, GAMES["accumulation"], 6)["ganlab"]["pending_gradients"]
    assert set(pending) == {"discriminator", "generator"}
    assert all(name.startswith("generator.") for name in pending["generator"])
    assert any(float(gradient.abs().sum()) > 0 for gradient in pending["generator"].values())
    assert not train(tmp_path, GAMES["accumulation"], 8, resume=True)["ganlab"]["pending_gradients"]
