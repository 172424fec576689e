"""Expected values of scheduled settings, computed independently of ganlab's schedules."""

import math

SCHEDULES = {f"ganlab.core.{name}" for name in ("Ramp", "ProgressRamp", "Steps", "LinearDecay")}


def scheduled(node, path=()):
    """Return path and configuration of every schedule in plain containers."""
    if isinstance(node, dict) and node.get("_target_") in SCHEDULES:
        return [(path, node)]
    items = node.items() if isinstance(node, dict) else enumerate(node)
    inside = [(key, value) for key, value in items if isinstance(value, (dict, list))]
    return [found for key, value in inside for found in scheduled(value, (*path, key))]


def value_of(schedule, examples, examples_per_epoch, length):
    """Return the expected value of a schedule after `examples` examples of a run of a length."""
    kind = schedule["_target_"].rpartition(".")[2]
    if kind == "Steps":
        return schedule["values"][len([at for at in schedule["at"] if examples >= at])]
    start = schedule["start"]
    if kind == "LinearDecay":
        past = examples / examples_per_epoch - schedule.get("epochs", 100)
        return start - start * min(max(past / schedule.get("decay_epochs", 100), 0), 1)
    end = schedule["end"]
    if kind == "ProgressRamp":
        begin, finish = (schedule.get(key, n) * length for key, n in (("begin", 0), ("finish", 1)))
    else:
        begin = schedule.get("delay", 0)
        finish = begin + schedule["examples"]
    share = min(max((examples - begin) / (finish - begin), 0), 1)
    shape = schedule.get("shape", "linear")
    if shape == "exponential":
        return math.exp(math.log(start) * (1 - share) + math.log(end) * share)
    if shape == "cosine":
        share = math.sin(math.pi / 2 * share) ** 2
    return start * (1 - share) + end * share


def hastened(node, examples):
    """Shorten all schedules in `node`, so that they change within a run of `examples` examples."""
    for _, schedule in scheduled(node):
        kind = schedule["_target_"].rpartition(".")[2]
        if kind == "LinearDecay":  # this many examples may be a small part of an epoch
            schedule |= {"epochs": 0, "decay_epochs": 1}
        elif kind == "Steps":
            schedule["at"] = [examples / 2 * at / schedule["at"][-1] for at in schedule["at"]]
        elif kind == "ProgressRamp":  # the second of two batches has progress 0.5
            schedule["begin"] = schedule.get("begin", 0) / 2
        else:
            faster = 0.9 * examples / (schedule["examples"] + schedule.get("delay", 0))
            for key in ("examples", "delay"):
                if key in schedule:
                    schedule[key] *= faster
    return node
