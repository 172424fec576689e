"""Scores of translators: which pictures are compared, in each direction."""

import functools
import math

import pytest
import torch
from helpers.tiny import tiny_gan, tiny_ring
from helpers.tiny_translation import TinyDomains, TinyPairs, tiny_cyclegan, tiny_pix2pix
from torch import nn

from ganlab.errors import ConfigError, DataError
from ganlab.metrics import PSNR, SSIM, FrechetDistance, ModuleFeatures, TranslationProtocol
from ganlab.metrics.protocols.samples import SampleProtocol
from ganlab.modalities.pixels import denormalise, normalise


class Same(nn.Module):
    """A generator that returns its input unchanged."""

    def forward(self, x):
        return x


# the features of a picture are the means of its quarters
QUARTERS = nn.Sequential(nn.AvgPool2d(8), nn.Flatten())
pooled = functools.partial(ModuleFeatures, QUARTERS, size=16, name="pooled")


def psnr(source, target):
    errors = (source.double() - target.double()).square().flatten(1).mean(1)
    return float((10 * torch.log10(255**2 / errors)).mean())


def everything():
    return {
        "psnr": PSNR(),
        "source_psnr": PSNR("sources", "targets"),
        "cycle_psnr": PSNR("reconstructions", "sources"),
    }


def test_each_metric_compares_the_right_pictures():
    module, data = tiny_cyclegan().eval(), TinyDomains()
    scores = TranslationProtocol("tiny", everything()).evaluate(module, data)
    a, b = data.test["a"], data.test["b"]
    for name, source, target, back in (("a_to_b", a, b, "b_to_a"), ("b_to_a", b, a, "a_to_b")):
        made = module.translate(normalise(source), name)
        returned = denormalise(module.translate(made, back))
        expected = {
            "psnr": psnr(denormalise(made), target),
            "source_psnr": psnr(source, target),
            "cycle_psnr": psnr(returned, source),
        }
        for score, value in expected.items():
            result = scores[f"{score}/{name}"]
            assert result.value == pytest.approx(value, abs=1e-4)
            assert result.protocol["direction"] == name
            assert result.protocol["generated_samples"] == 16
    assert len(scores) == 6


def test_the_identity_has_a_perfect_cycle_score():
    module = tiny_cyclegan()
    module.generator_ab = module.generator_ba = Same()
    scores = TranslationProtocol("tiny", everything()).evaluate(module.eval(), TinyDomains())
    assert math.isinf(scores["cycle_psnr/a_to_b"].value)
    assert scores["psnr/a_to_b"].value == scores["source_psnr/a_to_b"].value


def test_one_direction_has_no_suffix_and_dropout_is_seeded():
    module, data = tiny_pix2pix().eval(), TinyPairs()
    protocol = TranslationProtocol("tiny", {"psnr": PSNR(), "ssim": SSIM()})
    protocol.check(module, data)
    assert protocol.names == ("psnr", "ssim")
    first = protocol.evaluate(module, data)["psnr"].value
    made = module.translate(normalise(data.test["source"]), seed=0)
    assert first == pytest.approx(psnr(denormalise(made), data.test["target"]), abs=1e-4)
    assert protocol.evaluate(module, data)["psnr"].value == first
    protocol.seed = 1
    assert protocol.evaluate(module, data)["psnr"].value != first


def test_distances_are_to_the_real_pictures_of_the_domain():
    """If domain b equals the translations of a, only b to a has a distance above 0."""
    data = TinyDomains()
    data.split("test")["b"] = data.test["a"].clone()
    module = tiny_cyclegan().eval()
    module.generator_ab = Same()
    protocol = TranslationProtocol("tiny", {"frechet": FrechetDistance()}, pooled)
    protocol.check(module, data)
    names = [f"frechet_distance_pooled/{way}" for way in ("a_to_b", "b_to_a")]
    assert list(protocol.names) == names
    scores = protocol.evaluate(module, data)
    assert scores[names[0]].value == pytest.approx(0, abs=1e-3)
    assert scores[names[1]].value > 0.01


def test_a_subset_keeps_pairs_together():
    data = TinyDomains()
    scores = TranslationProtocol("tiny", everything(), samples=4).evaluate(
        tiny_cyclegan().eval(), data
    )
    rows = data.reference_rows("test", 4)
    result = scores["source_psnr/a_to_b"]
    assert result.value == pytest.approx(psnr(rows["a"], rows["b"]), abs=1e-4)
    assert result.protocol["generated_samples"] == 4


def test_metrics_that_model_or_data_do_not_support_raise():
    cyclegan, pix2pix = tiny_cyclegan(), tiny_pix2pix()
    with pytest.raises(ConfigError, match="a GAN translates no pictures"):
        TranslationProtocol("tiny", {"psnr": PSNR()}).check(tiny_gan(), tiny_ring())
    cycle = {"cycle": PSNR("reconstructions", "sources")}
    with pytest.raises(ConfigError, match="a Pix2Pix does not translate back"):
        TranslationProtocol("tiny", cycle).check(pix2pix, TinyPairs())
    with pytest.raises(ConfigError, match="has no pairs in its train split"):
        TranslationProtocol("tiny", {"psnr": PSNR()}, split="train").check(cyclegan, TinyDomains())
    with pytest.raises(ConfigError, match="targets, which only translations"):
        SampleProtocol("tiny", {"psnr": PSNR()})
    with pytest.raises(ConfigError, match="allowed samples against targets"):
        PSNR("sources", "sources")
    with pytest.raises(ConfigError, match=r"protocol.samples: received 17.* has 16 pictures"):
        TranslationProtocol("tiny", {"psnr": PSNR()}, samples=17).prepare(TinyDomains())
    with torch.no_grad():
        for parameter in cyclegan.generator_ab.parameters():
            parameter.fill_(float("nan"))
    with pytest.raises(DataError, match="not finite"):
        TranslationProtocol("tiny", {"psnr": PSNR()}).evaluate(cyclegan.eval(), TinyDomains())


def test_features_are_named_and_built_once():
    built = []

    def features():
        built.append(1)
        return pooled()

    protocol = TranslationProtocol("tiny", {"frechet": FrechetDistance()}, features)
    scores = protocol.evaluate(tiny_cyclegan().eval(), TinyDomains())
    assert built == [1]
    names = {f"frechet_distance_pooled/{way}" for way in ("a_to_b", "b_to_a")}
    assert set(scores) == names
