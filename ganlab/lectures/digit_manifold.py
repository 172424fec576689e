"""The manifold of digits: hardly any image is one, and a generator moves among those that are."""

from __future__ import annotations

from collections.abc import Callable

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ganlab.core import AdversarialModule, Ramp
from ganlab.data import MNIST5k
from ganlab.errors import ConfigError
from ganlab.families import GAN
from ganlab.lectures.lesson import Lesson, adam, new_figure, play, require_counts
from ganlab.losses import NonSaturating
from ganlab.metrics import DigitFeatures
from ganlab.modalities.pixels import denormalise
from ganlab.networks import DCGANDiscriminator, DCGANGenerator
from ganlab.networks.checks import check_count
from ganlab.regularizers import R1

KINDS = {
    "uniform_noise": "random pixels",
    "pixel_statistics": "random pixels, each\nfrom a real digit",
    "real": "real digits",
    "samples": "samples of G",
    "latent_midpoints": "halfway in z",
    "pixel_midpoints": "halfway in pixels",
}
SURE = 0.9  # of the digit classifier, which never is above .98: its labels were smoothed
USUAL = 0.95  # share of the real digits that lie as near to another one


def lesson(
    images: int = 200_000,
    batch_size: int = 64,
    features: int = 16,
    latent: int = 64,
    judged: int = 2000,
    steps: int = 16,
    run: str | None = None,
    seed: int = 0,
) -> Lesson:
    """Train a small DCGAN on digits, or take a run's, and compare ways to make an image.

    Args:
        images: that the training sees.
        batch_size: of the training.
        features: channels of the networks' largest maps.
        latent: numbers in z.
        judged: images of each kind that the digit classifier sees, up to 2,500.
        steps: of an interpolation.
        run: a run's folder, whose model of 28-pixel grey digits is taken in place of a training.
        seed: of everything random.

    Raises:
        ConfigError: a setting outside its range, or the run's model makes other samples.
    """
    require_counts(batch_size=batch_size, features=features, latent=latent, steps=steps)
    check_count("lesson.images", images, least=batch_size)
    check_count("lesson.judged", judged, most=2500)
    data = MNIST5k(batch_size=batch_size, seed=seed)
    if run:
        from ganlab.core.load import load_module

        module = load_module(run)
        if (shape := getattr(getattr(module, "generator", None), "shape", None)) != (1, 28, 28):
            raise ConfigError(
                f"lesson.run: the model of {run} has samples of shape {shape}; needs (1, 28, 28). "
                "Take a run on digits of 28 pixels, or lesson.run=null to train one here."
            )
    else:
        module = train(data, images, features, latent, seed)

    rng = torch.Generator().manual_seed(seed)
    real = data.train["example"]  # uint8
    pairs = torch.randn(2, judged, module.generator.latent, generator=rng)
    ends = [_generate(module, z) for z in pairs]
    half = spherical(pairs[0], pairs[1], torch.tensor(0.5))
    kinds = {
        "uniform_noise": torch.randint(0, 256, ends[0].shape, generator=rng, dtype=torch.uint8),
        "pixel_statistics": shuffle_pixels(real, judged, rng),
        "real": real[torch.randperm(len(real), generator=rng)[:judged]],
        "samples": ends[0],
        "latent_midpoints": _generate(module, half),
        "pixel_midpoints": blend(*ends, torch.tensor(0.5)),
    }
    classifier = DigitFeatures()
    looks = {name: classifier(kinds[name]) for name in KINDS}
    known = classifier(real)[0]
    near = distance_to(known, known, itself=True).quantile(USUAL)
    numbers = {}
    for name, (found, logits) in looks.items():
        sure = logits.softmax(1).amax(1) >= SURE
        close = distance_to(found, known, itself=name == "real") <= near
        numbers[f"sure/{name}"] = float(sure.double().mean())
        numbers[f"recognised/{name}"] = float((sure & close).double().mean())
    ratios = [
        step_ratio(_path(module, *pairs[:, i], steps, spherical)) for i in range(min(judged, 20))
    ]
    numbers["largest_to_mean_step"] = max(ratios)
    walk = f"Over {len(ratios)} walks of {steps} steps through z"
    if max(ratios) < 3 and numbers["recognised/samples"] > 0:
        walk = f"A walk through z is even: over {len(ratios)} walks of {steps} steps"
    sentences = [
        f"An image counts as a digit where the classifier is at least {SURE:.0%} sure and its "
        f"features lie as near to a real digit as those of {USUAL:.0%} of the real ones: so do "
        f"{numbers['recognised/real']:.0%} of the real digits, {numbers['recognised/samples']:.0%} "
        f"of the samples and {numbers['recognised/uniform_noise']:.0%} of images with random "
        f"pixels ({numbers['recognised/pixel_statistics']:.0%} where each pixel is that of some "
        "real digit).",
        f"Being sure is not enough: the classifier, which knows nothing but digits, is sure of "
        f"{numbers['sure/uniform_noise']:.0%} of the random images.",
        f"Halfway between two samples in z, {numbers['recognised/latent_midpoints']:.0%} are "
        "digits; halfway in pixels, where the two shine through each other, "
        f"{numbers['recognised/pixel_midpoints']:.0%}.",
        f"{walk} the largest step is {max(ratios):.1f} times the mean one.",
    ]
    walks = [
        [_path(module, *pairs[:, i], 8, spherical), _path_of_pixels(*(e[i] for e in ends), 8)]
        for i in different(classifier, *ends)[:2]
    ]
    return Lesson(_draw(kinds, walks, numbers), numbers, sentences)


def train(data: MNIST5k, images: int, features: int, latent: int, seed: int) -> GAN:
    """The quick DCGAN of `conf/model/dcgan_fast.yaml`, narrower."""

    def rate(start: float) -> Ramp:
        return Ramp(start, 0.0, examples=0.6 * images, delay=0.4 * images)

    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        module = GAN(
            DCGANGenerator(28, 1, latent, features),
            DCGANDiscriminator(28, 1, features, norm="none", init="he"),
            {
                "discriminator": adam(rate(2e-3), (0.0, 0.99)),
                "generator": adam(rate(4e-3), (0.0, 0.99)),
            },
            NonSaturating(),
            {"r1": R1(weight=1.0, every=16)},
        )
    play(module.to(memory_format=torch.channels_last), data, images // data.batch_size, seed)
    return module


def spherical(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    """From a to b (…, D) along the great circle, whose points are as likely as its ends.

    Shoemake 1985; for latents White 2016 (arXiv:1609.04468).
    """
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=-1)
    angle = cosine.clamp(-0.9999, 0.9999).arccos()[..., None]
    return (((1 - share) * angle).sin() * a + (share * angle).sin() * b) / angle.sin()


def blend(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    """From a to b, uint8 images, pixel by pixel."""
    return torch.lerp(a.float(), b.float(), share).round().to(torch.uint8)


def shuffle_pixels(images: Tensor, n: int, rng: torch.Generator) -> Tensor:
    """`n` images, each pixel of which is that of a digit drawn for it: right one by one."""
    flat = images.flatten(1)
    chosen = torch.randint(0, len(flat), (n, flat.shape[1]), generator=rng)
    return flat.gather(0, chosen).view(n, *images.shape[1:])


def distance_to(features: Tensor, known: Tensor, itself: bool = False) -> Tensor:
    """Distance (N,) of features (N, D) to the nearest of (M, D), or to the nearest but itself."""
    nearest = [
        torch.cdist(part, known).topk(2, largest=False).values for part in features.split(500)
    ]
    return torch.cat(nearest)[:, int(itself)]


def different(classifier: Callable[..., tuple[Tensor, Tensor]], a: Tensor, b: Tensor) -> list[int]:
    """The pairs of unlike digits, the classifier surest of both first."""
    (sure_a, digit_a), (sure_b, digit_b) = (
        classifier(x[:200])[1].softmax(1).max(1) for x in (a, b)
    )
    both = torch.minimum(sure_a, sure_b) * (digit_a != digit_b)
    return both.argsort(descending=True).tolist()


def step_ratio(images: Tensor) -> float:
    """The largest step of a walk, in pixels' L2, over the mean one."""
    lengths = images.float().flatten(1).diff(dim=0).norm(dim=1)
    return float(lengths.max() / lengths.mean())


def _generate(module: AdversarialModule, z: Tensor) -> Tensor:
    return denormalise(module.sample(latents=z, batch_size=500))


def _path(
    module: AdversarialModule, a: Tensor, b: Tensor, steps: int, way: Callable[..., Tensor]
) -> Tensor:
    return _generate(module, way(a[None], b[None], torch.linspace(0, 1, steps + 1)[:, None]))


def _path_of_pixels(a: Tensor, b: Tensor, steps: int) -> Tensor:
    return torch.stack([blend(a, b, share) for share in torch.linspace(0, 1, steps + 1)])


def _draw(kinds: dict[str, Tensor], walks: list[list[Tensor]], numbers: dict[str, float]) -> Figure:
    figure = new_figure(14, 8.6, "Digits lie on a thin surface in the space of all images")
    left, right = figure.subfigures(1, 2, width_ratios=[3, 1.35])
    rows = [(KINDS[name], kinds[name][:9]) for name in KINDS if "midpoints" not in name]
    for place, (latent, pixels) in enumerate(walks, start=1):
        rows += [(f"walk {place} in z", latent), (f"walk {place} in pixels", pixels)]
    for place, (label, images) in zip(left.subplots(len(rows), 1), rows, strict=True):
        strip = torch.nn.functional.pad(images[:, 0], (1, 1, 1, 1), value=255)
        place.imshow(torch.cat([*strip], dim=1), cmap="gray", vmin=0, vmax=255)
        place.set(xticks=[], yticks=[])
        place.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=10)
    axes = right.subplots()
    places = torch.arange(len(KINDS))
    for shift, measure, colour in ((-0.2, "recognised", "tab:blue"), (0.2, "sure", "lightgrey")):
        shares = [numbers[f"{measure}/{name}"] for name in KINDS]
        bars = axes.barh(places + shift, shares, 0.38, color=colour)
        axes.bar_label(bars, [f"{share:.0%}" for share in shares], padding=3, fontsize=9)
    axes.legend(["sure, and near real digits", f"classifier ≥ {SURE:.0%} sure"], loc="lower left")
    axes.set_yticks(places, KINDS.values())
    axes.set(xlim=(0, 1.18), ylim=(len(KINDS) + 0.2, -0.6), xlabel="share of the images")
    axes.set_title("Is it a digit?")
    return figure
