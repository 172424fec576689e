"""Reads back what Weights & Biases has written for an offline run."""

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path

from wandb.proto import wandb_internal_pb2


@dataclass
class Logged:
    """The contents of one `.wandb` file."""

    run: object = None
    config: dict = field(default_factory=dict)
    summary: dict = field(default_factory=dict)
    history: list = field(default_factory=list)
    artifacts: list = field(default_factory=list)
    metrics: dict = field(default_factory=dict)
    exit_codes: list = field(default_factory=list)

    def rows(self, key):
        """Return the pairs (examples_seen, value) of a quantity."""
        return [(row["examples_seen"], row[key]) for row in self.history if key in row]


def offline_runs(folder):
    """Return the contents of the W&B files in a run's folder, oldest first."""
    files = Path(folder).glob("wandb/offline-run-*/run-*.wandb")
    return [read(path) for path in sorted(files, key=lambda path: path.stat().st_mtime_ns)]


def read(path):
    logged = Logged()
    for record in _records(path):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            logged.run = record.run
            _update(logged.config, record.run.config.update)
        elif kind == "config":
            _update(logged.config, record.config.update)
        elif kind == "summary":
            _update(logged.summary, record.summary.update)
        elif kind == "history":
            row = {}
            _update(row, record.history.item)
            logged.history.append(row)
        elif kind == "artifact":
            logged.artifacts.append(record.artifact)
        elif kind == "metric":
            name = record.metric.name or record.metric.glob_name
            logged.metrics[name] = record.metric.step_metric
        elif kind == "exit":
            logged.exit_codes.append(record.exit.exit_code)
    return logged


def _update(values, items):
    for item in items:
        *outer, last = list(item.nested_key) or [item.key]
        inside = values
        for key in outer:
            inside = inside.setdefault(key, {})
        inside[last] = json.loads(item.value_json)


def _records(path):
    """Yield the records of a file in LevelDB's log format, after a header of seven bytes."""
    content, at, parts = Path(path).read_bytes(), 7, b""
    while at + 7 <= len(content):
        if 32768 - at % 32768 < 7:  # no header fits in what is left of the block
            at += 32768 - at % 32768
            continue
        length, kind = struct.unpack("<HB", content[at + 4 : at + 7])
        parts += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a complete record, or the last part of a record
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            parts = b""
            yield record
