"""Translators: directions, dropout and norms after training, and checks."""

import pytest
import torch
from helpers.tiny_translation import TinyDomains, TinyPairs, tiny_cyclegan, tiny_pix2pix

from ganlab.core import Generates, Translates
from ganlab.errors import ConfigError
from ganlab.modalities.pixels import normalise
from ganlab.networks import ResNetGenerator

PICTURES = normalise(TinyPairs().test["source"])


def test_translating_is_a_function_of_the_seed_and_the_picture():
    """Pictures are translated one by one, so a part gives the same result as the whole."""
    module = tiny_pix2pix().train()
    whole = module.translate(PICTURES, seed=3)
    assert torch.equal(whole, module.translate(PICTURES, seed=3))
    assert torch.equal(whole[2:4], module.translate(PICTURES[2:4], seed=5))
    assert not torch.equal(whole, module.translate(PICTURES, seed=4))
    assert not torch.equal(module.translate(PICTURES), module.translate(PICTURES))


def test_translating_changes_neither_modes_nor_random_state():
    module = tiny_pix2pix().train()
    state = {k: v.clone() for k, v in module.state_dict().items()}
    torch.manual_seed(5)
    before = torch.get_rng_state()
    module.translate(PICTURES, seed=3)
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(v, state[k]) for k, v in module.state_dict().items())
    assert all(layer.training for layer in module.generator.modules())


@pytest.mark.parametrize("norm_at_test", ["running", "batch"])
@pytest.mark.parametrize("dropout_at_test", [False, True])
def test_dropout_and_norm_are_set_independently(norm_at_test, dropout_at_test):
    module = tiny_pix2pix(norm_at_test=norm_at_test, dropout_at_test=dropout_at_test)
    draws = [module.translate(PICTURES[:1]) for _ in range(2)]
    assert torch.equal(*draws) is not dropout_at_test
    expected = module.generator.eval()
    for layer in expected.modules():
        if isinstance(layer, torch.nn.BatchNorm2d) and norm_at_test == "batch":
            layer.train()
        if isinstance(layer, torch.nn.Dropout) and dropout_at_test:
            layer.train()
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(7)
        made = expected(PICTURES[:1])
    torch.testing.assert_close(module.translate(PICTURES[:1], seed=7), made, rtol=0, atol=1e-6)


def test_ema_weights_are_the_default():
    module = tiny_cyclegan()
    module.start_averaging()
    with torch.no_grad():
        for parameter in module.generator_ab.parameters():
            parameter.zero_()
    assert module.translate(PICTURES, "a_to_b", ema=False).abs().max() == 0
    assert module.translate(PICTURES, "a_to_b").abs().max() > 0


def test_directions():
    module = tiny_cyclegan()
    translated = module.translate(PICTURES)
    assert torch.equal(translated, module.translate(PICTURES, "a_to_b"))
    assert not torch.equal(translated, module.translate(PICTURES, "b_to_a"))
    with pytest.raises(ConfigError, match=r"received 'a_to_c'; allowed a_to_b, b_to_a.*a_to_b"):
        module.translate(PICTURES, "a_to_c")
    with pytest.raises(ConfigError, match="norm_at_test: received 'each'"):
        tiny_pix2pix(norm_at_test="each")
    assert isinstance(module, Translates)
    assert not isinstance(module, Generates)


def test_rows_of_the_sample_sheet():
    rows = tiny_cyclegan().pictures({"a": PICTURES, "b": PICTURES[:4]})
    assert list(rows) == [
        *("a", "a → b", "a → b → a", "a → a"),
        *("b", "b → a", "b → a → b", "b → b"),
    ]
    assert [len(row) for row in rows.values()] == [6] * 4 + [4] * 4
    rows = tiny_pix2pix().pictures({"source": PICTURES, "target": PICTURES})
    assert list(rows) == ["source", "generated", "target"]


def test_data_that_do_not_fit_are_refused():
    pairs, domains = TinyPairs(), TinyDomains()
    tiny_pix2pix().check_data(pairs.shapes, pairs.provides)
    tiny_cyclegan().check_data(domains.shapes, domains.provides)
    with pytest.raises(ConfigError, match="Pix2Pix needs batches with 'source'"):
        tiny_pix2pix().check_data(domains.shapes, domains.provides)
    with pytest.raises(ConfigError, match=r"model.generator: cannot take .* \(3, 20, 20\)"):
        tiny_pix2pix().check_data(dict.fromkeys(pairs.keys, (3, 20, 20)), pairs.provides)
    grey = {"source": (3, 16, 16), "target": (1, 16, 16)}
    with pytest.raises(ConfigError, match=r"makes pictures of shape \(3, 16, 16\)"):
        tiny_pix2pix().check_data(grey, pairs.provides)
    module = tiny_pix2pix()
    module.generator = ResNetGenerator(in_channels=1, features=4, blocks=1)
    with pytest.raises(ConfigError, match=r"model\.discriminator: cannot take"):
        module.check_data({"source": (1, 16, 16), "target": (3, 16, 16)}, pairs.provides)
