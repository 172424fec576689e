"""Running, batch and standing statistics of a generator's batch normalisation."""

import pytest
import torch
from torch import nn

from ganlab.core.batch_norm import batch_norm_statistics
from ganlab.errors import ConfigError


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2))
    network(torch.randn(64, 3) * 3 + 1)  # so that the running averages differ from their defaults
    return network.eval()


def _state(network):
    return {key: value.clone() for key, value in network.state_dict().items()}


@pytest.mark.parametrize("mode", ["running", "batch", "standing"])
def test_the_network_is_unchanged_afterwards(network, mode):
    """Averages, counters and modes do not change, also after an error."""
    before, x = _state(network), torch.randn(8, 3)
    with batch_norm_statistics(network, mode, lambda: network(x)):
        network(x)
    with pytest.raises(RuntimeError), batch_norm_statistics(network, mode, lambda: network(x)):
        raise RuntimeError
    after = _state(network)
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert not any(layer.training for layer in network.modules())


def test_running_statistics_change_nothing(network):
    x = torch.randn(8, 3)
    expected = network(x)
    with batch_norm_statistics(network, "running", lambda: None):
        assert torch.equal(network(x), expected)


def test_batch_mode_normalises_as_in_training(network):
    """A network in training mode uses the statistics of its batch."""
    x = torch.randn(8, 3)
    with batch_norm_statistics(network, "batch", lambda: None):
        normalised = network(x)
    assert torch.allclose(normalised, network.train()(x), atol=1e-6)


def test_standing_statistics_are_the_means_over_batches(network):
    """For two batches, they are the averages of both means and of both unbiased variances."""
    batches = [torch.randn(16, 3), torch.randn(16, 3) + 2]
    hidden = [network[0](x) for x in batches]
    mean = sum(h.mean(0) for h in hidden) / 2
    variance = sum(h.var(0) for h in hidden) / 2

    def run():
        for x in batches:
            network(x)

    with batch_norm_statistics(network, "standing", run):
        assert torch.allclose(network[1].running_mean, mean, atol=1e-6)
        assert torch.allclose(network[1].running_var, variance, atol=1e-6)
        single = network(batches[0][:1])  # a sample's output does not depend on its batch
        assert torch.allclose(single, network(batches[0])[:1], atol=1e-6)


def test_standing_statistics_of_a_deeper_layer():
    """While these statistics are taken, the first layer normalises with batch statistics."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    x = torch.randn(8, 3, 6, 6) * 5 + 3
    with batch_norm_statistics(network, "standing", lambda: network(x)):
        out = network(x)
    assert out.mean((0, 2, 3)).abs().max() < 1e-2
    assert (out.var((0, 2, 3)) - 1).abs().max() < 1e-2


def test_an_unknown_mode_is_refused(network):
    with (
        pytest.raises(ConfigError, match="running, batch, standing"),
        batch_norm_statistics(network, "eval", lambda: None),
    ):
        pass
