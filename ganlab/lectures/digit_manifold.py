"""Lecture on the manifold of digits: few images are digits, and a generator samples among them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ganlab.core import AdversarialModule, Ramp
from ganlab.data import MNIST5k
from ganlab.errors import ConfigError, RunError
from ganlab.families import GAN
from ganlab.lectures.lesson import Lesson, adam, new_figure, play, require_counts
from ganlab.losses import NonSaturating
from ganlab.metrics import DigitFeatures
from ganlab.modalities.pixels import denormalise
from ganlab.networks import DCGANDiscriminator, DCGANGenerator, to_channels_last
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
SURE = 0.9  # minimum confidence at which the classifier is sure; label smoothing limits it to 0.98
NEAR = 0.95  # this fraction of the real digits counts as near to another real digit


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
    """Train a small DCGAN on digits, or load the model of a run, and compare ways to make images.

    Args:
        images: length of the training in examples.
        batch_size: batch size of the training.
        features: channels of the networks' largest feature maps.
        latent: dimension of z.
        judged: number of images of each kind that the digit classifier judges, up to 2,500.
        steps: steps of an interpolation.
        run: folder of a run whose model samples grey digits of 28 × 28; None to train a DCGAN.
        seed: seed of all random numbers.

    Raises:
        ConfigError: a setting is outside its range, or the run's samples have another shape.
    """
    require_counts(batch_size=batch_size, features=features, latent=latent, steps=steps)
    check_count("lesson.images", images, least=batch_size)
    check_count("lesson.judged", judged, most=2500)
    data = MNIST5k(batch_size=batch_size, seed=seed)
    if run:
        from ganlab.core.load import load_module
        from ganlab.record.stored import TRUST_HINT

        try:
            module = load_module(run)
        except RunError as error:
            reason = str(error).replace(TRUST_HINT, "A lesson uses only models of ganlab itself.")
            raise ConfigError(f"lesson.run: {reason}") from None
        if (shape := getattr(getattr(module, "generator", None), "shape", None)) != (1, 28, 28):
            raise ConfigError(
                f"lesson.run: the model of {run} has samples of shape {shape}; needs (1, 28, 28). "
                "Choose a run on digits of 28 pixels, or lesson.run=null to train a model here."
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
    outputs = {name: classifier(kinds[name]) for name in KINDS}
    known = classifier(real)[0]
    near = distance_to(known, known, itself=True).quantile(NEAR)
    numbers = {}
    for name, (embedding, logits) in outputs.items():
        sure = logits.softmax(1).amax(1) >= SURE
        close = distance_to(embedding, known, itself=name == "real") <= near
        numbers[f"sure/{name}"] = float(sure.double().mean())
        numbers[f"recognised/{name}"] = float((sure & close).double().mean())
    ratios = [
        step_ratio(_path(module, *pairs[:, i], steps, spherical)) for i in range(min(judged, 20))
    ]
    numbers["largest_to_mean_step"] = max(ratios)
    is_even = max(ratios) < 3 and numbers["recognised/samples"] > 0
    evenly = "Steps in z change the image evenly. " if is_even else ""
    sentences = [
        f"An image counts as a digit if the classifier is at least {SURE:.0%} sure, and if its "
        f"features are as near to a real digit as those of {NEAR:.0%} of the real digits.",
        f"By this rule {numbers['recognised/real']:.0%} of the real digits are digits, "
        f"{numbers['recognised/samples']:.0%} of the samples, "
        f"{numbers['recognised/uniform_noise']:.0%} of images of uniform noise, and "
        f"{numbers['recognised/pixel_statistics']:.0%} of images whose pixels each come from "
        "another real digit.",
        "A sure classifier is not enough: it was trained on digits only, and is sure of "
        f"{numbers['sure/uniform_noise']:.0%} of the images of uniform noise.",
        f"Of the midpoints of two samples in z, {numbers['recognised/latent_midpoints']:.0%} are "
        "digits; of the midpoints in pixels, which overlay both digits, "
        f"{numbers['recognised/pixel_midpoints']:.0%} are.",
        f"{evenly}Over {len(ratios)} interpolations of {steps} steps in z, the largest step in "
        f"pixels is {max(ratios):.1f} times the mean step.",
    ]
    walks = [
        [_path(module, *pairs[:, i], 8, spherical), _path_of_pixels(*(e[i] for e in ends), 8)]
        for i in rank_different_pairs(classifier, *ends)[:2]
    ]
    return Lesson(_draw(kinds, walks, numbers), numbers, sentences)


def train(data: MNIST5k, images: int, features: int, latent: int, seed: int) -> GAN:
    """Train the DCGAN of `conf/model/dcgan_fast.yaml` with fewer features, and return it."""

    def rate(start: float) -> Ramp:
        return Ramp(start, 0.0, examples=0.6 * images, delay=0.4 * images)

    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        game = GAN(
            DCGANGenerator(28, 1, latent, features),
            DCGANDiscriminator(28, 1, features, norm="none", init="he"),
            NonSaturating(),
            {"r1": R1(weight=1.0, every=16)},
        )
    rates = {"discriminator": rate(2e-3), "generator": rate(4e-3)}
    module = game.bind({role: adam(lr, (0.0, 0.99)) for role, lr in rates.items()})
    to_channels_last(module)
    play(module, data, images // data.batch_size, seed)
    return module


def spherical(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    """Interpolate from a to b (…, D) along the great circle; `share` runs from 0 to 1.

    Unlike linear interpolation, it keeps the norm of latents, and so their density. Shoemake 1985;
    for latents White 2016 (arXiv:1609.04468).
    """
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=-1)
    angle = cosine.clamp(-0.9999, 0.9999).arccos()[..., None]
    return (((1 - share) * angle).sin() * a + (share * angle).sin() * b) / angle.sin()


def blend(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    """Interpolate linearly from a to b, uint8 images; `share` runs from 0 to 1."""
    return torch.lerp(a.float(), b.float(), share).round().to(torch.uint8)


def shuffle_pixels(images: Tensor, n: int, rng: torch.Generator) -> Tensor:
    """Return `n` images; each pixel is copied from the same position of another random image.

    Each pixel thus has the right distribution, but the pixels of an image are independent.
    """
    flat = images.flatten(1)
    chosen = torch.randint(0, len(flat), (n, flat.shape[1]), generator=rng)
    return flat.gather(0, chosen).view(n, *images.shape[1:])


def distance_to(features: Tensor, known: Tensor, itself: bool = False) -> Tensor:
    """Return the distances (N,) of features (N, D) to the nearest of known features (M, D).

    Args:
        features: the features (N, D).
        known: the known features (M, D).
        itself: True if `features` are among `known`: each feature's distance to itself is skipped.
    """
    nearest = [
        torch.cdist(part, known).topk(2, largest=False).values for part in features.split(500)
    ]
    return torch.cat(nearest)[:, int(itself)]


def rank_different_pairs(
    classifier: Callable[..., tuple[Tensor, Tensor]], a: Tensor, b: Tensor
) -> list[int]:
    """Return the indices i of pairs a[i], b[i]: first those that show two different, clear digits.

    Only the first 200 pairs are ranked, by the lower of the classifier's two confidences; pairs
    of equal digits come last.
    """
    (sure_a, digit_a), (sure_b, digit_b) = (
        classifier(x[:200])[1].softmax(1).max(1) for x in (a, b)
    )
    keys = torch.minimum(sure_a, sure_b) * (digit_a != digit_b)
    return keys.argsort(descending=True).tolist()


def step_ratio(images: Tensor) -> float:
    """Return the largest step of an interpolation divided by the mean step, in L2 of pixels."""
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
    for number, (latent, pixels) in enumerate(walks, start=1):
        rows += [(f"walk {number} in z", latent), (f"walk {number} in pixels", pixels)]
    for panel, (label, images) in zip(left.subplots(len(rows), 1), rows, strict=True):
        strip = torch.nn.functional.pad(images[:, 0], (1, 1, 1, 1), value=255)
        panel.imshow(torch.cat([*strip], dim=1), cmap="gray", vmin=0, vmax=255)
        panel.set(xticks=[], yticks=[])
        panel.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=10)
    axes = right.subplots()
    positions = torch.arange(len(KINDS))
    for shift, measure, colour in ((-0.2, "recognised", "tab:blue"), (0.2, "sure", "lightgrey")):
        shares = [numbers[f"{measure}/{name}"] for name in KINDS]
        bars = axes.barh(positions + shift, shares, 0.38, color=colour)
        axes.bar_label(bars, [f"{share:.0%}" for share in shares], padding=3, fontsize=9)
    labels = ["sure and near a real digit", f"classifier ≥ {SURE:.0%} sure"]
    axes.legend(labels, loc="lower left")
    axes.set_yticks(positions, KINDS.values())
    axes.set(xlim=(0, 1.18), ylim=(len(KINDS) + 0.2, -0.6), xlabel="fraction of the images")
    axes.set_title("Is it a digit?")
    return figure
