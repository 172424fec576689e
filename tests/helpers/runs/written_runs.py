"""Writes run folders like those of a training, without training."""

import copy
import json

import yaml

from ganlab.record.old_names import SEEN

PROTOCOL = {
    "protocol": "modes10k",
    "metric": "mode coverage",
    "modes": 8,
    "generated_samples": 10000,
    "weights": "ema",
    "truncation": None,
    "seed": 0,
}
CONFIG = {
    "name": "ring_losses",
    "lesson": None,
    "log_every": 50,
    "budget": {"_target_": "ganlab.callbacks.Budget", "batches": 200, "minutes": None},
    "model": {
        "latents": "normal",
        "players": {
            "generator": {"every": 1, "optimizer": {"lr": 0.001}},
            "discriminator": {"every": 1, "optimizer": {"lr": 0.001}},
        },
    },
    "data": {"_target_": "ganlab.data.Ring", "batch_size": 256},
    "callbacks": {"evaluation": {"protocol": {"samples": 10000}}},
    "logger": {"csv": {"_target_": "ganlab.record.loggers.CSVLogger"}},
}


def score(value, better=True, **protocol):
    """Return an entry of `scores` in run.json."""
    return {
        "value": value,
        "protocol": PROTOCOL | protocol,
        "words": "",
        "higher_is_better": better,
    }


def write_run(folder, *, seed=0, loss="hinge", scores=None, settings=None, choices=None, **record):
    """Write the folder of a finished run, and return the folder.

    Args:
        scores: the scores in run.json; a number is the value of `high_quality`.
        settings: maps dotted keys of the configuration to values.
        choices: added to model=mlp, data=ring and the loss.
        **record: entries that replace those of run.json.
    """
    folder.mkdir(parents=True)
    if isinstance(scores, (int, float)):
        scores = {"high_quality": score(float(scores))}
    config = copy.deepcopy(CONFIG)
    config["loss"] = {"adversarial": {"_target_": f"ganlab.losses.{loss}"}}
    config |= {"seed": seed, "run_dir": str(folder)}
    config["data"]["seed"] = seed
    config["callbacks"]["samples"] = {"folder": str(folder)}
    for key, value in (settings or {}).items():
        *path, last = key.split(".")
        place = config
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    chosen = {"model": "mlp", "loss": loss, "data": "ring", "logger": "csv", "debug": None}
    chosen |= choices or {}
    config["choices"] = chosen
    run = {
        "status": "finished",
        "error": None,
        "name": config["name"],
        "seed": seed,
        "started": "2026-11-22T12:00:00+0000",
        "choices": chosen,
        "baseline": None,
        "command": ["ganlab", "train", f"loss={loss}", f"seed={seed}"],
        "counters": {"examples_seen": 51200, "batches_seen": 200, "steps": {}},
        "scores": scores or {},
        "seconds": 60.0,
        "peak_memory_mib": 800.0,
    } | record
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (folder / "run.json").write_text(json.dumps(run))
    return folder


def write_evaluations(folder, *entries):
    """Write scores.json; each entry is a pair of the scores and a dict of the other keys."""
    evaluations = [
        {"protocol": "modes10k", "checkpoint": "last", SEEN: 51200, "scores": scores} | more
        for scores, more in entries
    ]
    (folder / "scores.json").write_text(json.dumps({"evaluations": evaluations}))
