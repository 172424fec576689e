"""Shrinks configurations, so that they train two batches in a moment and without data files."""

from functools import cache

from helpers.experiments.formulas import hastened

from ganlab.config.compose import compose, to_plain
from ganlab.config.targets import locate

# data set that needs files, to a generated data set that replaces it
DRAWN = {
    "ganlab.data.PairedImages": "ganlab.data.Shapes",
    "ganlab.data.UnpairedImages": "ganlab.data.ShapesUnpaired",
}
TRANSLATED = {
    *DRAWN,
    *DRAWN.values(),
    "ganlab.data.ShapeSegments",
    "ganlab.data.Edges2Digits",
    "ganlab.data.DigitsUnpaired",
}
POINTS = {"mlp"}
ELSEWHERE = {
    "shape_segments": "it is used by experiment=segmenter_shapes",
    "digit_classifier": "it is trained by experiment=features_mnist",
    "shape_segmenter": "it is trained by experiment=segmenter_shapes",
}


def plain(*overrides):
    """Return a plain configuration; a data set that needs a user's folder gets the name of one."""
    config = to_plain(compose(list(overrides)))
    if config["data"].get("root", "") is None:
        config["data"]["root"] = "unused"
    return config


@cache
def data_for(model):
    """Return the name of a data set that a model can be trained on."""
    target = locate(compose([f"model={model}"]).model._target_, "model")
    if "source" in target.needs:
        return "shapes"
    if "a" in target.needs:
        return "shapes_unpaired"
    return "ring" if model in POINTS else "cifar10" if "32" in model else "mnist"


def shrunk(config):
    """Return a configuration with few examples of the same shape, and with narrow networks.

    Every schedule changes within the run.
    """
    data = config["data"]
    if data["_target_"] in DRAWN:
        kept = {key: data[key] for key in ("size", "channels", "seed")}
        config["data"] = {**kept, "_target_": DRAWN[data["_target_"]]}
        config["callbacks"]["evaluation"] = None
    if data["_target_"] in TRANSLATED:
        counts = {"samples": 8, "test_samples": 4} if "hapes" in config["data"]["_target_"] else {}
        config["data"] |= {**counts, "batch_size": 2}
        if counts and (evaluation := config["callbacks"]["evaluation"]):
            evaluation["protocol"]["samples"] = 4
    elif "size" in data:
        shape = {key: data[key] for key in ("size", "channels")}
        config["data"] = {
            "_target_": "ganlab.data.Synthetic",
            "classes": data["classes"] or 10,
            "samples": 16,
            "batch_size": 4,
            "seed": 0,
            **shape,
        }
        config["callbacks"]["evaluation"] = None
        config["callbacks"]["checkpoints"]["monitor"] = None
    else:
        config["data"] |= {"samples": 64, "batch_size": 8}
        config["callbacks"]["evaluation"]["protocol"]["samples"] = 100
    for role, network in config["model"].items():
        if isinstance(network, dict) and "_target_" in network:
            if role in ("generator_ab", "generator_ba") and "blocks" in network:
                network["blocks"] = 1
            inner = network.get("network", network)
            if "features" in inner:
                inner["features"] = 8
    batches = 2 * max(player.get("every", 1) for player in config["model"]["players"].values())
    config["budget"] = {"_target_": "ganlab.callbacks.Budget", "batches": batches}
    config["log_every"] = 1
    return hastened(config, batches * config["data"]["batch_size"])
