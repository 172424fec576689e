"""Configurations of the catalogue made small enough to train two batches, without files."""

from functools import cache

from helpers.experiments.formulas import hastened

from ganlab.config.compose import compose, to_plain
from ganlab.config.targets import locate

# sets that are drawn or installed, in place of those whose files are elsewhere
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
    "shape_segments": "it is for experiment=segmenter_shapes",
    "digit_classifier": "it is trained by experiment=features_mnist",
    "shape_segmenter": "it is trained by experiment=segmenter_shapes",
}


def plain(*overrides):
    """A whole configuration, with a folder where a data set asks for one of the user's own."""
    config = to_plain(compose(list(overrides)))
    if config["data"].get("root", "") is None:
        config["data"]["root"] = "unused"
    return config


@cache
def data_for(model):
    """A set that a model can be trained on, without files."""
    target = locate(compose([f"model={model}"]).model._target_, "model")
    if "source" in target.needs:
        return "shapes"
    if "a" in target.needs:
        return "shapes_unpaired"
    return "ring" if model in POINTS else "cifar10" if "32" in model else "mnist"


def shrunk(config):
    """A few samples of the same shape and classes in place of the data, and narrow networks.

    Every schedule is over within the run.
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
