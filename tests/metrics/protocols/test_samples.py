"""A protocol over samples: what it records, what it refuses, and that scores are repeatable."""

import functools

import pytest
import torch
from helpers.tiny import Given, tiny_gan, tiny_images, tiny_labelled, tiny_ring

from ganlab.data import FolderData
from ganlab.errors import ConfigError, DataError
from ganlab.metrics import (
    PSNR,
    ClassFrechetDistance,
    Extractor,
    FolderSamples,
    FrechetDistance,
    LinearProbe,
    ModeCoverage,
    ModelSamples,
    NearestNeighbours,
    PerceptualPathLength,
    PrecisionRecall,
    SampleProtocol,
)
from ganlab.modalities.grid import save_png
from ganlab.modalities.pixels import denormalise


class Corner(Extractor):
    """An extractor whose features are the sixteen pixels of a corner."""

    name, title, hash, resizer, width = "corner", "corner pixels", "0" * 16, "none", 16
    seen = 0

    def forward(self, images):
        type(self).seen += len(images)
        assert images.dtype == torch.uint8
        return images[:, 0, :4, :4].flatten(1).float() / 255, None


@pytest.fixture(autouse=True)
def _cache_in_tmp_path(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def module():
    return tiny_labelled().eval()


def make(metrics=None, **options):
    metrics = metrics or {"frechet_distance": FrechetDistance()}
    settings = {"features": Corner, "samples": 60, "split": "train"}
    return SampleProtocol("test", metrics, **settings | options)


def value(protocol, module, data=None):
    scores = protocol.evaluate(module, data or tiny_images())
    return scores["frechet_distance_corner"].value


def test_a_score_carries_its_protocol(module):
    data = tiny_images()
    score = make(seed=3).evaluate(module, data)["frechet_distance_corner"]
    assert score.protocol == {
        "protocol": "test",
        "metric": "Fréchet distance",
        "extractor": "corner pixels",
        "weights_hash": "0" * 16,
        "resizer": "none",
        "generated_samples": 60,
        "real_samples": 40,
        "split": "train",
        "data_hash": data.content_hash("train"),
        "weights": "raw",
        "batch_norm": "running statistics",
        "truncation": None,
        "seed": 3,
    }


def test_it_equals_the_metric_by_hand(module):
    """The score equals the metric of the features of real and generated images of 8 bits."""
    data, metric, corner = tiny_images(), FrechetDistance(16), Corner()
    latents, labels = module.draw_inputs(60, seed=0)
    fake = denormalise(module.sample(latents=latents, labels=labels))
    metric.update(corner(data.reference("train"))[0], real=True)
    metric.update(corner(fake)[0], real=False)
    assert value(make(), module, data) == pytest.approx(float(metric.compute()), rel=1e-9)


def test_a_second_evaluation_gives_the_same(module):
    """Real examples are added once, and samples do not accumulate over evaluations."""
    protocol, data = make(), tiny_images()
    first = value(protocol, module, data)
    Corner.seen = 0
    assert value(protocol, module, data) == first
    assert Corner.seen == 60  # only the generated samples
    assert value(make(seed=1), module) != first
    Corner.seen = 0
    assert value(make(), module) == first
    assert Corner.seen == 60  # real features come from the cache


def test_settings_change_the_samples(module):
    """Each setting of the recorded protocol must affect the samples."""
    plain = value(make(), module)
    module.generator.network.train()
    with torch.no_grad():  # make running statistics differ from those of a batch
        module.generator(torch.randn(50, 4) * 3, torch.randint(3, (50,)))
    module.eval()
    values = {
        name: value(make(**options), module)
        for name, options in {
            "running": {},
            "batch": {"batch_norm": "batch"},
            "standing": {"batch_norm": "standing"},
            "truncation": {"truncation": 0.3},
            "samples": {"samples": 50},
            "real_samples": {"real_samples": 30},
        }.items()
    }
    assert len({plain, *values.values()}) == 7
    module.start_averaging()
    for parameter in module.averaged.parameters():
        parameter.data.mul_(0.5)
    assert value(make(ema=True), module) != value(make(ema=False), module)


def test_settings_reach_model_metrics(module):
    """Path length uses the truncation and the standing statistics of its protocol."""
    values = set()
    for options in ({}, {"batch_norm": "standing"}, {"truncation": 0.3}):
        metrics = {"path": PerceptualPathLength(pairs=100)}
        protocol = make(metrics, features=None, **options)
        score = protocol.evaluate(module, tiny_images())["path_length_pixels"]
        assert score.protocol["truncation"] == options.get("truncation")
        values.add(score.value)
    assert len(values) == 3


def test_metrics_of_the_training_set_see_all_of_it(module):
    """The protocol's subset does not apply: copies of any training image must be found."""
    protocol = make(
        {"nearest": NearestNeighbours(on="samples")}, features=None, samples=120, real_samples=110
    )
    score = protocol.evaluate(module, tiny_images(samples=150))["nearest_ratio"]
    assert score.protocol["real_samples"] == 150


def test_nearest_training_images_of_copies_are_themselves(module):
    data = tiny_images(samples=150)
    copies = data.train["example"].flip(0)
    for on in ("samples", "features"):
        protocol = make({"nearest": NearestNeighbours(on=on)}, samples=None)
        source = FolderSamples(Given(copies))
        assert protocol.nearest(source) is None  # there are no training examples yet
        assert protocol.score(source, data)[protocol.names[1]].value == 1
        neighbours = protocol.nearest(source, 5)
        assert torch.equal(neighbours.samples, copies[:5])
        assert torch.equal(neighbours.examples, neighbours.samples)
        assert not neighbours.distances.any()
        assert neighbours.usual > 0
    assert make().nearest(ModelSamples(module)) is None


def test_classes_are_distinguished_by_their_names(module, tmp_path):
    def folder(name, classes):
        for label, class_name in enumerate(classes):
            for index in range(20):
                pixels = torch.full((1, 8, 8), 10 * label + index, dtype=torch.uint8)
                save_png(pixels, tmp_path / name / class_name / f"{index}.png")
        return FolderData(str(tmp_path / name))

    real, made = folder("real", ("cat", "dog")), folder("made", ("ape", "cat"))
    metrics = {"class_frechet_distance": ClassFrechetDistance()}
    protocol = make(metrics, features=functools.partial(Corner), samples=None)
    with pytest.raises(ConfigError, match=r"ape, cat.*cat, dog"):
        protocol.score(FolderSamples(made), real)


def test_training_mode_is_restored(module):
    module.train()
    before = {key: x.clone() for key, x in module.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    value(make(batch_norm="standing"), module)
    assert torch.equal(torch.rand(1), expected)  # the global random state is unchanged
    assert module.generator.training
    assert all(torch.equal(x, before[key]) for key, x in module.state_dict().items())


def test_samples_in_a_folder_score_like_the_model(module, tmp_path):
    """Samples of the model are rounded as in a saved picture."""
    latents, labels = module.draw_inputs(60, seed=0)
    images = denormalise(module.sample(latents=latents, labels=labels))
    for index, image in enumerate(images):
        save_png(image, tmp_path / "made" / f"{index:02}.png")
    folder = FolderSamples(FolderData(str(tmp_path / "made")))
    scores = make(samples=None).score(folder, tiny_images())
    score = scores["frechet_distance_corner"]
    assert score.value == pytest.approx(value(make(), module), rel=1e-9)
    assert score.protocol["generated_samples"] == 60
    with pytest.raises(DataError, match="samples=60"):
        make(samples=61).score(folder, tiny_images())
    with pytest.raises(ConfigError, match="needs the model itself"):
        make({"probe": LinearProbe()}, samples=None).score(folder, tiny_images())


def test_names_are_known_before_anything_is_loaded():
    metrics = {"distance": FrechetDistance(), "modes": ModeCoverage(), "none": None}
    names = make(metrics).names
    assert names == ("frechet_distance_corner", "modes", "high_quality")
    named = functools.partial(Corner, name="mine")
    assert "frechet_distance_mine" in make(features=named).names


def test_metrics_of_labels_need_a_conditional_model(module):
    metrics = {"classes": ClassFrechetDistance()}
    make(metrics).check(module, tiny_images())
    with pytest.raises(ConfigError, match="conditional model"):
        make(metrics).check(tiny_gan(), tiny_images())
    with pytest.raises(ConfigError, match="modes"):
        make({"modes": ModeCoverage()}).check(module, tiny_images())


def test_unsupported_models_and_data_raise(module):
    with pytest.raises(ConfigError, match="makes no samples"):
        make().check(torch.nn.Linear(1, 1), tiny_images())
    with pytest.raises(ConfigError, match=r"protocol\.features: needs images"):
        make().check(tiny_gan(), tiny_ring())


def test_bad_settings():
    with pytest.raises(ConfigError, match="features=digits"):
        make(features=None)
    with pytest.raises(ConfigError, match=r"protocol\.samples"):
        make(samples=1)
    with pytest.raises(ConfigError, match="running, batch, standing"):
        make(batch_norm="eval")
    with pytest.raises(ConfigError, match="received none"):
        make({"distance": None})
    with pytest.raises(ConfigError, match=r"metrics\.distnce.*dict"):
        make({"distnce": {"k": 3}})
    with pytest.raises(ConfigError, match=r"metrics\.psnr"):
        make({"psnr": PSNR()})
    with pytest.raises(ConfigError, match="features=NAME"):
        make(features="digits")


def test_too_few_samples_propose_another_metric(module):
    """`prepare` raises, which is called at the start of training."""
    with pytest.raises(ConfigError, match=r"Fréchet distance: 16 .*kernel_distance"):
        make(samples=16).prepare(tiny_images())
    with pytest.raises(ConfigError, match=r"10 real"):
        make(real_samples=10).prepare(tiny_images())


def test_a_generator_that_diverged_has_no_score(module):
    module.generator.network.layers[0].weight.data.fill_(float("nan"))
    with pytest.raises(DataError, match=r"60 of 60 .*checkpoint=best"):
        value(make(), module)


def test_points_need_no_extractor():
    module = tiny_gan().eval()
    protocol = SampleProtocol("points", {"modes": ModeCoverage()}, samples=50, split="train")
    scores = protocol.evaluate(module, tiny_ring())
    assert set(scores) == {"modes", "high_quality"}
    assert "extractor" not in scores["modes"].protocol


def test_features_of_each_sample_are_computed_once(module):
    metrics = {"distance": FrechetDistance(), "manifold": PrecisionRecall()}
    Corner.seen = 0
    make(metrics).evaluate(module, tiny_images())
    assert Corner.seen == 100
