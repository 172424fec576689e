"""A run's stored configuration, as far as ganlab may build it: a folder may come from anyone.

What a configuration names is imported and called. So a stored configuration may name only the
targets listed here, unless the user trusts the run. What a user types is the user's own, and is
not checked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ganlab.errors import RunError
from ganlab.record.run import read_config

# What a stored configuration may name, by module: all targets of conf/, and further parts of games.
# None of them executes or imports what its arguments name, or writes outside the given folders.
ALLOWED = {
    "ganlab.augment": "ADA DiffAugment InstanceNoise",
    "ganlab.callbacks": "Budget Checkpoints Doctor EMA Evaluation ExportWeights Progress Samples",
    "ganlab.core": "LinearDecay Player ProgressRamp Ramp Steps",
    "ganlab.core.sync_batch_norm": "BatchNormSync",
    "ganlab.data": "CIFAR10 CartoonFaces CelebA DigitsUnpaired Edges2Digits FashionMNIST "
    "FolderData Grid ImageFolder MNIST MNIST5k PairedImages Ring ShapeSegments Shapes "
    "ShapesUnpaired SwissRoll Synthetic TwoMoons UnpairedImages",
    "ganlab.families": "BicycleGAN CUT Classifier CycleGAN GAN MUNIT Pix2Pix",
    "ganlab.lectures.convolution": "lesson",
    "ganlab.lectures.density_estimation": "lesson",
    "ganlab.lectures.digit_manifold": "lesson",
    "ganlab.lectures.dirac": "lesson",
    "ganlab.lectures.divergences": "lesson",
    "ganlab.lectures.mode_collapse": "lesson",
    "ganlab.lectures.optimal_discriminator": "lesson",
    "ganlab.lectures.vanishing_gradients": "lesson",
    "ganlab.losses": "Hinge LeastSquares Minimax NonSaturating PatchNCE RelativisticAverage "
    "RelativisticPairing Unrolling Wasserstein",
    "ganlab.metrics": "AccuracyProtocol BinnedProportions ClassFrechetDistance ClassShares "
    "DensityCoverage DigitFeatures EdgeSharpness FIDInception FrechetDistance InceptionScore "
    "KernelDistance LPIPS LabelConsistency LinearProbe MSSSIMDiversity "
    "MemorizationInformedFrechetDistance ModeCoverage ModuleFeatures NearestNeighbours PSNR "
    "PairwiseDistance PaletteSegmenter PerceptualPathLength PictureSegmenter "
    "PointSlicedWasserstein PrecisionRecall SSIM SampleProtocol SegmentationAccuracy "
    "ShapeSegmenter SlicedWasserstein StackedModes TorchvisionClassifier TrainOnSynthetic "
    "TranslationProtocol",
    "ganlab.networks": "ConditionalBatchNorm2d DCGANDiscriminator DCGANGenerator DigitClassifier "
    "GlobalGenerator ImageGAN LabelledDiscriminator LabelledGenerator LatentUNet MLPDiscriminator "
    "MLPGenerator Maxout MinibatchStd MultiScale PatchGAN PatchHeads PixelGAN "
    "ProjectionDiscriminator ResNetDiscriminator32 ResNetGenerator ResNetGenerator32 "
    "ResidualEncoder Segmenter StyledResNet UNetGenerator",
    "ganlab.ranks": "cluster_environment",
    "ganlab.record.loggers": "CSVLogger TensorBoard",
    "ganlab.record.wandb_logger": "WandB",
    "ganlab.regularizers": "GradientPenalty LeCam LocalPenalty R1 R2 SpectralNorm WeightClipping "
    "WeightDecay",
    "lightning.pytorch": "Trainer",
    "lightning.pytorch.profilers": "PyTorchProfiler SimpleProfiler",
    "lightning.pytorch.strategies": "DDPStrategy SingleDeviceStrategy",
    "torch.profiler": "schedule",
}
_ALLOWED = frozenset(f"{module}.{name}" for module in ALLOWED for name in ALLOWED[module].split())

TRUST_HINT = "If you trust this folder, add trust=true."
# Arguments that name where files are written: folders, and names of files in them. A constructor
# may check such a name itself, as that of ExportWeights does.
WRITTEN = ("run_dir", "folder", "dirpath", "default_root_dir", "filename")
# arguments that name what is read and never executed: pictures (a public set is downloaded to the
# same folder), weights and runs
SOURCES = ("root", "weights", "run")


def stored_config(folder: Path, trust: bool = False) -> dict[str, Any]:
    """Return the configuration of a run, with which objects may be built.

    Paths in the run's folder are those of the folder's present place.

    Args:
        folder: the run's folder.
        trust: whether the configuration may name any function or class, and any folder to write to.

    Raises:
        RunError: the folder holds no readable configuration; or the configuration names something
            that is not in `ALLOWED`, has an interpolation, or writes outside the run's folder.
    """
    config = placed(read_config(folder), folder)
    if not trust:
        check_stored(config, f"run: {folder / 'config.yaml'}", folder)
    return config


def check_stored(config: Any, source: str, folder: Path) -> None:
    """Raise if a stored configuration could run code, or could write outside the run's folder.

    Args:
        config: the plain configuration.
        source: what the configuration was read from, for messages.
        folder: the run's folder.
    """
    for path, key, value, node in _entries(config):
        if not isinstance(value, (dict, list, str, int, float, type(None))):
            reason = f"is a {type(value).__name__}, not a plain value"
        elif isinstance(value, str) and "${" in value:
            reason = f"holds {value!r}, which would read other settings or the environment"
        elif key == "_target_" and not may_build(value):
            reason = f"names {value}, which is not in ganlab's list: building it would run its code"
        elif key == "_args_" and not str(node.get("_target_")).startswith("torch.nn."):
            reason = "gives arguments without names, which cannot be checked"
        elif key == "root" and node.get("_target_") == "ganlab.data.CartoonFaces" and value:
            reason = f"would write pictures to {value}"
        elif key in WRITTEN and value is not None and not _is_inside(key, value, folder):
            reason = f"would write to {value}, outside the run's folder"
        else:
            continue
        raise RunError(f"{source}: {path} {reason}. {TRUST_HINT}")


def check_overrides(overrides: list[str], source: str, folder: Path) -> None:
    """Raise if stored overrides could run code, or read the environment, when they are composed.

    Args:
        overrides: key=value texts.
        source: what they were read from, for messages.
        folder: the folder that they belong to.
    """
    for text in overrides:
        if re.match(r"[+~]*hydra\b", text):
            raise RunError(f"{source}: the override {text} changes Hydra itself. {TRUST_HINT}")
        if sum(map(text.count, "[{(")) > 50:
            raise RunError(f"{source}: the override {text[:80]}… is nested too deeply.")
        if "$" in text:  # also as \\{ and the like, which Hydra reads as an interpolation
            raise RunError(f"{source}: the override {text} would read other settings. {TRUST_HINT}")
    check_stored({"overrides": overrides}, source, folder)


def needs_trust(config: Any, folder: Path) -> bool:
    """Whether `check_stored` refuses a configuration."""
    try:
        check_stored(config, "", folder)
    except RunError:
        return True
    return False


def is_typed(folder: Path, config: dict[str, Any]) -> bool:
    """Whether a run's stored configuration is one that the user has typed.

    Such a run may be built, whatever it names. Folders are not compared, nor keys that say how a
    run is shown or resumed.

    Args:
        folder: the run's folder.
        config: the plain configuration that was composed from what the user has typed.

    Raises:
        RunError: the folder holds no readable configuration.
    """
    different = differences(stored_config(folder, trust=True), placed(config, folder))
    shown = ("run", "run_dir", "resume", "dry_run", "metrics_memory")
    return all(key in shown for key, _ in different)


def may_build(target: Any) -> bool:
    """Whether a stored configuration may name this target."""
    if not isinstance(target, str):
        return False
    module, _, name = target.rpartition(".")
    if module == "torch.nn":
        from torch import nn

        return _is_subclass(getattr(nn, name, None), nn.Module)
    if module == "torch.optim":
        from torch import optim

        return _is_subclass(getattr(optim, name, None), optim.Optimizer)
    if module.startswith("torchvision.models"):
        from torchvision import models

        builders = (models.get_model_builder(model) for model in models.list_models())
        # a builder of torchvision.models.resnet is also exported by torchvision.models
        return any(
            builder.__name__ == name and f"{builder.__module__}.".startswith(f"{module}.")
            for builder in builders
        )
    return target in _ALLOWED


def absolute(config: dict[str, Any], base: Path) -> dict[str, Any]:
    """Return a plain configuration with absolute paths of what is read, see `SOURCES`.

    Names of weights, such as DEFAULT, stay as they are: the file of weights has a suffix.

    Args:
        config: the configuration.
        base: the folder that relative paths begin in.
    """

    def convert(key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return absolute(value, base)
        if isinstance(value, list):
            return [convert("", item) for item in value]
        is_path = isinstance(value, str) and value and key in SOURCES
        if is_path and (key != "weights" or Path(value).suffix):
            return os.path.abspath(base / os.path.expanduser(value))
        return value

    return {key: convert(str(key), value) for key, value in config.items()}


def placed(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a run's configuration with absolute paths, those in its run_dir moved to `folder`."""
    config = absolute(config, Path.cwd())
    old = config.get("run_dir")
    if not isinstance(old, str) or not old:
        return config
    return relocated(config, old, os.path.abspath(folder))


def relocated(config: Any, old: str, new: str) -> Any:
    """Return a plain configuration with folder `old` replaced by `new` in all paths."""
    if isinstance(config, dict):
        return {key: relocated(value, old, new) for key, value in config.items()}
    if isinstance(config, list):
        return [relocated(value, old, new) for value in config]
    if isinstance(config, str) and (config == old or config.startswith(f"{old}/")):
        return new + config[len(old) :]
    return config


def differences(old: Any, new: Any, path: str = "") -> list[tuple[str, str]]:
    """Return a pair of a dotted key and a text "key: old → new" for each difference.

    Args:
        old: a plain configuration.
        new: another plain configuration.
        path: the dotted key of both in the whole configurations.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = []
        for key in [*old, *(k for k in new if k not in old)]:
            inner = f"{path}.{key}" if path else str(key)
            pairs += differences(old.get(key), new.get(key), inner)
        return pairs
    return [] if old == new else [(path, f"{path}: {old!r} → {new!r}")]


def _entries(node: Any, path: str = "") -> Iterator[tuple[str, str, Any, dict[Any, Any]]]:
    """Yield path, key, value and mapping of all entries, and also of keys and of items in lists."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in pairs:
        inner = f"{path}.{key}" if path else str(key)
        mapping = node if isinstance(node, dict) else {}
        yield inner, str(key), value, mapping
        yield inner, "", str(key), mapping
        if isinstance(value, (dict, list)):
            yield from _entries(value, inner)


def _is_subclass(found: Any, base: type) -> bool:
    return isinstance(found, type) and issubclass(found, base)


def _is_inside(key: str, path: Any, folder: Path) -> bool:
    """Whether an argument of `WRITTEN` names a place in a folder."""
    if not isinstance(path, str) or "\0" in path:
        return False
    if key == "filename":
        return Path(path).name == path
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
