"""Checks that a training used every part that its configuration names.

    acted = Acted(config, monkeypatch)  # before the training
    train(config)
    acted.check()  # after the training

The expected values are derived from the configuration, from recorded calls of the named classes,
and from the log. The run must be new, with one session and `log_every=1`.
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
    """Records what a training does, and compares it with the configuration.

    Args:
        config: the plain configuration that is passed to `train`.
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
        patch.setattr(session, "assemble", lambda *parts: assemble(*parts, self))

    def _counters(self):
        return self.module and (self.module.batches_seen, self.module.examples_seen)

    # --- while it trains -----------------------------------------------------------------------

    def on_train_start(self, trainer, pl_module):
        """Record from now on which layers run."""
        self.module, self.trainer = pl_module, trainer
        self.before = {n: p.detach().clone() for n, p in pl_module.named_parameters()}
        for name, layer in self._layers():
            layer.register_forward_hook(functools.partial(self._ran, name))

    def _layers(self):
        """Return name and layer of all layers with weights of their own."""
        return [
            (name, layer)
            for name, layer in self.module.named_modules()
            if not name.startswith("averaged") and layer._parameters
        ]

    def _ran(self, name, layer, *_):
        if layer.training:
            self.ran.add(name)

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        """Record the optimizer's options at a player's step."""
        role = pl_module.roles[[o is optimizer for o in trainer.optimizers].index(True)]
        options = {k: v for k, v in optimizer.param_groups[0].items() if k != "params"}
        options = {k: list(v) if isinstance(v, (list, tuple)) else v for k, v in options.items()}
        self.steps.append((role, *self._counters(), options))

    # --- checks after the training -------------------------------------------------------------

    def check(self):
        """Raise an AssertionError if a part of the configuration was not used as configured."""
        self.rows = read_metrics(Path(self.config["run_dir"]))
        self.batches = len(self.rows)
        assert self.batches == self.module.batches_seen > 1
        alone = self.model.get("objective") in ("l1", "l2")  # no discriminator
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
        """Check that networks have the named types, all layers ran, and all weights changed."""
        players = [(role, self.model["players"][role]) for role in self.roles]
        played = {name for role, player in players for name in player.get("modules") or [role]}
        for name, part in self.model.items():
            if name != "contrast" and isinstance(part, dict) and "_target_" in part:
                assert name in played or set(self.roles) == {"generator"}, (
                    f"no player trains {name}"
                )
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
        """Check a player's optimizer, its weights, and in which batches it took steps."""
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
        """Check that each player calls its loss in all due batches; compare results and log."""
        for role, calls in self.calls.get(("loss", "adversarial"), {}).items():
            if role not in self.roles or set(self.roles) == {"generator"}:
                continue
            assert {call.batch for call in calls} >= set(self._due(role)), role
            for batch in self._due(role):
                assert self._logged(batch, f"{role}/adversarial")
                results = [float(call.result) for call in calls if call.batch == batch]
                if self.model["_target_"] == "ganlab.families.GAN":  # others weight and add losses
                    (logged,) = self._logged(batch, f"{role}/adversarial")
                    assert pytest.approx(logged, rel=1e-5, abs=1e-7) in results
        for path in (("loss", "unrolling"), ("model", "contrast")):
            for calls in self.calls.get(path, {}).values():
                assert {call.batch for call in calls} == set(self._due("generator")), path

    def _logged(self, batch, name):
        """Return a term's logged values in a batch, one for each discriminator."""
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
        elif "forward" in methods:
            assert {call.batch for call in methods["forward"]} == set(range(self.batches))
            for call in methods["forward"] if "sigma" in part else ():
                noise = float((call.result - call.given).std())
                assert noise == pytest.approx(call.settings["sigma"], rel=0.5)
        elif "constrain" in methods:
            steps = [batch for role, batch, *_ in self.steps if role == "discriminator"]
            found = [call.batch for call in methods["constrain"]]
            assert found == [batch for batch in steps for _ in networks]
            for network in networks:
                assert all(p.abs().max() <= part["bound"] for p in network.parameters())
        else:
            assert cls.__name__ == "SpectralNorm", f"no check for a {cls.__name__}"
            for network in networks:
                layers = [m for m in network.modules() if isinstance(m, MATRICES)]
                assert layers
                assert all(hasattr(layer, "parametrizations") for layer in layers)

    def _check_penalty(self, name, part, calls, networks):
        """Check that a penalty is called in due batches only, and logged with its weight."""
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
        """Check a schedule's values at each use, at the end, and in the log."""
        where, data = ".".join(map(str, path)), self.trainer.datamodule
        per_epoch = data.batches_per_epoch * data.batch_size
        batch = self.module.examples_in_batch

        def at(examples):
            value = value_of(schedule, examples, per_epoch, self.batches * batch)
            return pytest.approx(value, rel=1e-9, abs=1e-12)

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
            assert path[:-1] in self.calls, f"no calls of {where} are recorded"
            name = ".".join(path[1:])
            calls = [call for calls in self.calls[path[:-1]].values() for call in calls]
            assert calls, f"{where} was never read"
            read = [(call.examples, call.settings[path[-1]]) for call in calls]
            if path[0] == "callbacks":  # callbacks run after the batch has been counted
                read = [(seen - batch, value) for seen, value in read]
            read.append((self.module.examples_seen - batch, vars(calls[-1].of)[path[-1]]))
        assert read[-1][1] != at(0), f"{where} does not change in this run"
        for seen, value in read:
            assert value == at(seen), f"{where} at {seen} examples"
        # the progress is that at the start of the batch
        before = batch if schedule["_target_"].endswith("ProgressRamp") else 0
        for row in self.rows:
            assert row[name] == at(row["examples_seen"] - before), f"{where} in the log"


def _is(thing, part):
    """Check that an object, and its inner network, have the named types."""
    assert type(thing) is locate(part["_target_"], "part")
    inner = part.get("network")
    if isinstance(inner, dict) and "_target_" in inner:
        _is(thing.network, inner)
