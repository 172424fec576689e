"""Watches a training for what its configuration names: whether each part is there and has acted.

    acted = Acted(config, monkeypatch)  # before the training
    train(config)
    acted.check()  # after it

It knows the configuration, the classes that it names, and what is logged; that the game hands its
parts on as it should is what it looks for. For one session from the start, with a row a batch.
"""

import functools
from pathlib import Path

import pytest
import torch
from helpers.experiments.formulas import scheduled, value_of
from helpers.experiments.spies import spy
from lightning.pytorch import Callback

from ganlab.config.targets import locate
from ganlab.record.log import read_metrics
from ganlab.regularizers.base import Penalty
from ganlab.runs import session

MATRICES = (torch.nn.Linear, torch.nn.Conv2d, torch.nn.Embedding)


class Acted(Callback):
    """See the module.

    Args:
        config: plain and resolved, as `train` gets it.
        patch: pytest's monkeypatch.
    """

    def __init__(self, config, patch):
        self.config, self.model = config, config["model"]
        self.module = self.trainer = None
        self.ran, self.steps = set(), []
        loss = config.get("loss") or {}
        self.regularizers = {k: r for k, r in (loss.get("regularizers") or {}).items() if r}
        parts = {("loss", name): loss.get(name) for name in ("adversarial", "unrolling")}
        parts |= {("loss", "regularizers", k): r for k, r in self.regularizers.items()}
        parts |= {("model", "contrast"): self.model.get("contrast")}
        parts |= {("callbacks", "ema"): (config["callbacks"] or {}).get("ema")}
        self.calls = {
            path: spy(patch, part, self._counters) for path, part in parts.items() if part
        }
        assemble = session.assemble
        patch.setattr(session, "assemble", lambda config, *more: assemble(config, *more, self))

    def _counters(self):
        return self.module and (self.module.batches_seen, self.module.examples_seen)

    # --- while it trains -----------------------------------------------------------------------

    def on_train_start(self, trainer, pl_module):
        """From now on note which layers run."""
        self.module, self.trainer = pl_module, trainer
        self.before = {n: p.detach().clone() for n, p in pl_module.named_parameters()}
        for name, layer in self._layers():
            layer.register_forward_hook(functools.partial(self._ran, name))

    def _layers(self):
        """All that have weights of their own."""
        return [
            (name, layer)
            for name, layer in self.module.named_modules()
            if not name.startswith("averaged") and layer._parameters
        ]

    def _ran(self, name, layer, *_):
        if layer.training:
            self.ran.add(name)

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        """Note the options that a player steps with."""
        role = pl_module.roles[[o is optimizer for o in trainer.optimizers].index(True)]
        options = {k: v for k, v in optimizer.param_groups[0].items() if k != "params"}
        options = {k: list(v) if isinstance(v, (list, tuple)) else v for k, v in options.items()}
        self.steps.append((role, *self._counters(), options))

    # --- what must have been -------------------------------------------------------------------

    def check(self):
        """Raise an AssertionError for whatever the configuration names and did not act."""
        self.rows = read_metrics(Path(self.config["run_dir"]))
        self.batches = len(self.rows)
        assert self.batches == self.module.batches_seen > 1
        alone = self.model.get("objective") in ("l1", "l2")  # then nobody discriminates
        self.roles = [r for r in self.model["players"] if r != "discriminator" or not alone]
        assert set(self.module.roles) == set(self.roles)
        _is(self.module, self.model)
        _is(self.trainer.datamodule, self.config["data"])
        made = {type(callback) for callback in self.trainer.callbacks}
        for name, part in self.config["callbacks"].items():
            assert not (part and "_target_" in part) or locate(part["_target_"], name) in made
        self._check_networks()
        for role in self.roles:
            self._check_player(role)
        self._check_losses()
        for name, part in self.regularizers.items():
            self._check_regularizer(name, part)
        for path, schedule in scheduled(self.config):
            self._check_schedule(path, schedule)

    def _due(self, role):
        every = self.model["players"][role].get("every", 1)
        return [batch for batch in range(self.batches) if (batch + 1) % every == 0]

    def _check_networks(self):
        """Of the type that is named; every layer ran in training, and every network has moved."""
        players = [(role, self.model["players"][role]) for role in self.roles]
        played = {name for role, player in players for name in player.get("modules") or [role]}
        for name, part in self.model.items():
            if name != "contrast" and isinstance(part, dict) and "_target_" in part:
                assert name in played or set(self.roles) == {"generator"}, f"nobody plays {name}"
                if name in played:
                    _is(getattr(self.module, name), part)
        asleep = {name for name, _ in self._layers()} - self.ran
        assert not asleep, f"no forward pass in training: {sorted(asleep)}"
        now = dict(self.module.named_parameters())
        moved = {n.partition(".")[0] for n, p in self.before.items() if not torch.equal(p, now[n])}
        ema = self.config["callbacks"].get("ema")
        assert moved == played | ({"averaged"} if ema else set())

    def _optimizer(self, role):
        return self.trainer.optimizers[list(self.module.roles).index(role)]

    def _check_player(self, role):
        """Its optimizer, what it trains, and when it moved."""
        part, optimizer = self.model["players"][role], self._optimizer(role)
        assert type(optimizer) is locate(part["optimizer"]["_target_"], role)
        names = part.get("modules") or [role]
        own = [p for name in names for p in getattr(self.module, name).parameters()]
        (group,) = optimizer.param_groups
        assert {id(p) for p in group["params"]} == {id(p) for p in own}
        often = part.get("accumulate", 1)
        made = [step for step in self.steps if step[0] == role]
        assert [batch for _, batch, _, _ in made] == self._due(role)[often - 1 :: often]
        assert self.rows[-1][f"{role}/steps"] == self.module.steps[role] == len(made)
        for key, value in part["optimizer"].items():
            if not key.startswith("_") and value is not None and not scheduled({key: value}):
                assert all(options[key] == value for *_, options in made), key

    def _check_losses(self):
        """Asked by each player whenever it moves, and what it says is what is logged."""
        for role, calls in self.calls.get(("loss", "adversarial"), {}).items():
            if role not in self.roles or set(self.roles) == {"generator"}:
                continue
            assert {call.batch for call in calls} >= set(self._due(role)), role
            for batch in self._due(role):
                assert self._logged(batch, f"{role}/adversarial")
                said = [float(call.result) for call in calls if call.batch == batch]
                if self.model["_target_"] == "ganlab.families.GAN":  # the others weigh and add
                    (logged,) = self._logged(batch, f"{role}/adversarial")
                    assert pytest.approx(logged, rel=1e-5, abs=1e-7) in said
        for path in (("loss", "unrolling"), ("model", "contrast")):
            for calls in self.calls.get(path, {}).values():
                assert {call.batch for call in calls} == set(self._due("generator")), path

    def _logged(self, batch, name):
        """A term's values in a batch: one, or one for each of several discriminators."""
        row = self.rows[batch]
        return [v for k, v in row.items() if k == name or k.startswith(f"{name}_")]

    def _check_regularizer(self, name, part):
        cls, methods = locate(part["_target_"], name), self.calls["loss", "regularizers", name]
        networks = [n for n, _ in self.module.named_children() if n.startswith("discriminator")]
        networks = [getattr(self.module, name) for name in networks]
        assert networks
        if issubclass(cls, Penalty):
            ((_, calls),) = methods.items()
            self._check_penalty(name, part, calls, len(networks))
        elif "perturb" in methods:
            assert {call.batch for call in methods["perturb"]} == set(range(self.batches))
            for call in methods["perturb"]:
                noise = float((call.result - call.given).std())
                assert noise == pytest.approx(call.settings["sigma"], rel=0.5)
        elif "constrain" in methods:
            steps = [batch for role, batch, *_ in self.steps if role == "discriminator"]
            found = [call.batch for call in methods["constrain"]]
            assert found == [batch for batch in steps for _ in networks]
            for network in networks:
                assert all(p.abs().max() <= part["bound"] for p in network.parameters())
        else:
            assert cls.__name__ == "SpectralNorm", f"nobody watches a {cls.__name__}"
            for network in networks:
                layers = [m for m in network.modules() if isinstance(m, MATRICES)]
                assert layers
                assert all(hasattr(layer, "parametrizations") for layer in layers)

    def _check_penalty(self, name, part, calls, networks):
        """Asked in the steps that it is due in, and logged as it weighs there."""
        step, due = 0, []
        often = self.model["players"]["discriminator"].get("accumulate", 1)
        for moves, batch in enumerate(self._due("discriminator"), 1):
            due += [batch] if step % part.get("every", 1) == 0 else []
            step = moves // often
        assert [call.batch for call in calls] == [batch for batch in due for _ in range(networks)]
        factor = self.model.get("discriminator_weight", 1.0)
        for batch in range(self.batches):
            expected = [
                factor * call.settings["weight"] * call.settings["every"] * float(call.result)
                for call in calls
                if call.batch == batch
            ]
            found = self._logged(batch, f"discriminator/{name}")
            assert sorted(found) == pytest.approx(sorted(expected), rel=1e-5, abs=1e-12), name

    def _check_schedule(self, path, schedule):
        """In effect whenever it was read, in the end, and in the log."""
        where, data = ".".join(map(str, path)), self.trainer.datamodule
        per_epoch = data.batches_per_epoch * data.batch_size
        batch = self.module.examples_in_batch

        def at(examples):
            return pytest.approx(value_of(schedule, examples, per_epoch), rel=1e-9, abs=1e-12)

        if path[:2] == ("model", "players"):
            _, _, role, _, key, *place = path
            if role not in self.roles:
                return
            name = ".".join(map(str, (role, key, *place)))
            read = [(seen, options[key]) for r, _, seen, options in self.steps if r == role]
            read.append(
                (self.module.examples_seen - batch, self._optimizer(role).param_groups[0][key])
            )
            read = [(seen, value[place[0]] if place else value) for seen, value in read]
        else:
            assert path[:-1] in self.calls, f"nobody watches {where}"
            name = ".".join(path[1:])
            calls = [call for calls in self.calls[path[:-1]].values() for call in calls]
            assert calls, f"{where} was never read"
            read = [(call.examples, call.settings[path[-1]]) for call in calls]
            if path[0] == "callbacks":  # they read it when the batch has been counted
                read = [(seen - batch, value) for seen, value in read]
            read.append((self.module.examples_seen - batch, vars(calls[-1].of)[path[-1]]))
        assert read[-1][1] != at(0), f"{where} does not change in this run"
        for seen, value in read:
            assert value == at(seen), f"{where} at {seen} examples"
        for row in self.rows:
            assert row[name] == at(row["examples_seen"]), f"{where} in the log"


def _is(thing, part):
    """Of the type that is named, inside too."""
    assert type(thing) is locate(part["_target_"], "part")
    inner = part.get("network")
    if isinstance(inner, dict) and "_target_" in inner:
        _is(thing.network, inner)
