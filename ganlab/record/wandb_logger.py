"""A logger for Weights & Biases (W&B): a run's numbers, pictures and checkpoints."""

from __future__ import annotations

import logging
import os
import secrets
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from ganlab.errors import ConfigError
from ganlab.files import write_json
from ganlab.reading import read_json
from ganlab.record.log import X
from ganlab.record.machine import peak_memory_mib

TAGGED = ("experiment", "model", "data", "loss", "regularizer")  # choices that become tags
TAG_LENGTH = 64  # the longest tag that W&B accepts
PATIENCE = 30  # seconds to wait for the server's answer at the start
TEAR_DOWN = 30  # seconds to wait for the end of W&B's own process
LAST_UPLOADS = 600  # seconds to wait for the last uploads; with checkpoints, no limit
# W&B derives a run's state from its exit code. Code 255 gives "killed", the state of a run that was
# stopped by Ctrl-C, which is not a failure.
EXIT_CODES = {"finished": 0, "failed": 1, "interrupted": 255, "pruned": 255}


class WandB(Logger):
    """A Weights & Biases (W&B) logger, offline by default, which needs no account.

    Nothing is logged before `start`, and only rank 0 has a W&B run. If the server refuses at the
    start, the run is logged offline. A later error of W&B is printed once and stops the logging. No
    error of W&B ends a training. `WANDB_MODE=disabled` and `WANDB_MODE=offline` are respected. In
    the run's folder, W&B's files are in `wandb/`, and `wandb.json` names the W&B run, which is
    continued when the run is resumed.

    Args:
        folder: the run's folder.
        name: the run's name at W&B; if None, it is CONFIG_NAME/FOLDER_NAME.
        project: the W&B project.
        offline: whether to keep the run on this machine until `ganlab wandb sync` sends it.
        entity: the W&B user or team; None for the account's default.
        group: name of a group of runs; a sweep sets it.
        job_type: role of the run in its group; a sweep sets it.
        tags: additional tags; the chosen model, data set, loss, … are always tags.
        log_checkpoints: whether to send `last.ckpt` and `best.ckpt` at the end, as artifacts with
            the aliases last and best.

    Raises:
        ConfigError: tags that are not a list.
    """

    def __init__(
        self,
        folder: str | Path,
        name: str | None = None,
        project: str = "ganlab",
        offline: bool = True,
        entity: str | None = None,
        group: str | None = None,
        job_type: str | None = None,
        tags: list[str] | None = None,
        log_checkpoints: bool = False,
    ) -> None:
        super().__init__()
        if isinstance(tags, str):
            raise ConfigError(f"wandb.tags: received {tags!r}; needs a list, [{tags}].")
        self.folder, self.title, self.offline = Path(folder), name, offline
        self.project, self.entity = project, entity
        self.group, self.job_type, self.tags = group, job_type, list(tags or [])
        self.log_checkpoints = log_checkpoints
        self.run: Any = None
        self._broken = False
        self._environment: dict[str, str | None] = {}

    @property
    def name(self) -> str:
        return "wandb"

    @property
    def version(self) -> str:
        return ""

    @property
    def is_live(self) -> bool:
        """Whether there is a W&B run that has had no error."""
        return self.run is not None and not self._broken

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: `start` receives the whole configuration."""

    # --- a run's life --------------------------------------------------------------------------

    @rank_zero_only
    def start(self, config: dict[str, Any]) -> str | None:
        """Begin a W&B run, or continue the W&B run that `wandb.json` names.

        Args:
            config: the resolved configuration, which becomes searchable at W&B.

        Returns:
            A message for the user: where to see the run, or why it is logged offline.
        """
        mode = os.environ.get("WANDB_MODE", "")
        if mode == "disabled":
            return "Weights & Biases is off (WANDB_MODE=disabled)."
        self.folder.mkdir(parents=True, exist_ok=True)
        self._keep_files_in_folder()
        sync_hint = f"Send it with `ganlab wandb sync {self.folder}`."
        message = f"Weights & Biases: offline in {self.folder / 'wandb'}. {sync_hint}"
        if not self.offline and mode not in ("offline", "dryrun"):
            try:
                self._open("online", config)
                return f"Weights & Biases: {self.run.url}"
            except Exception as error:
                message = f"Weights & Biases refused: {_reason(error)} The run is logged offline. "
                message += f"`wandb login` logs in. {sync_hint}"
                self._tear_down()
        try:
            self._open("offline", config)
        except Exception as error:
            self._tear_down()
            self._restore_environment()
            return f"Weights & Biases: {_reason(error)} The run continues without W&B."
        return message

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log values (numbers, pictures, tables) at `step` examples."""
        if self.is_live:
            with self.without_failing():
                self.run.log({**metrics, X: step})

    @rank_zero_only
    def summarise(self, values: Mapping[str, Any]) -> None:
        """Write values to the run's summary; they replace older values of the same name."""
        if self.is_live:
            with self.without_failing():
                for key, value in values.items():
                    self.run.summary[key] = value

    @rank_zero_only
    def finish(self, status: str, error: BaseException | None = None) -> None:
        """End the W&B run, even after an error of W&B, and W&B's own process.

        Args:
            status: "finished", "failed", "interrupted" or "pruned"; the summary's `status`.
            error: the error that ended the run; its message becomes the summary's `error`.
        """
        if self.run is None:
            return
        sync_hint = f"`wandb sync --include-online {self.folder / 'wandb'}` sends what is missing."
        try:
            with self.without_failing(sync_hint):
                self.run.summary["status"] = status
                if error is not None:
                    self.run.summary["error"] = f"{type(error).__name__}: {error}"
                self.run.summary["peak_memory_mib"] = peak_memory_mib()
                if self.log_checkpoints:
                    self._send_checkpoints()
            with self.without_failing(sync_hint):
                self.run.finish(exit_code=EXIT_CODES[status])
        finally:
            self._restore_environment()
            self._tear_down()

    @contextmanager
    def without_failing(self, then: str = "The run continues without W&B.") -> Iterator[None]:
        """Catch an error within the block and stop logging; print the error if it is the first.

        Args:
            then: the last sentence of the printed message.
        """
        try:
            yield
        except Exception as error:
            text = f"Weights & Biases: {_reason(error)} {then}"
            if not self._broken:
                print(text, file=sys.stderr, flush=True)
            logging.getLogger("ganlab").warning(text)
            self._broken = True

    # --- details -------------------------------------------------------------------------------

    def _open(self, mode: str, config: dict[str, Any]) -> None:
        import wandb

        # silent also prevents W&B from asking for a login, which nobody may answer
        wandb.setup(wandb.Settings(silent=True))
        settings = wandb.Settings(
            silent=True,
            init_timeout=float(os.environ.get("WANDB_INIT_TIMEOUT", PATIENCE)),
            finish_timeout=0 if self.log_checkpoints else LAST_UPLOADS,
            finish_timeout_raises=True,
        )
        old_identity = self._read_identity()
        title = self.title or "/".join(filter(None, (config.get("name"), self.folder.name)))
        self.run = wandb.init(
            dir=str(self.folder),
            id=old_identity.get("id") or secrets.token_hex(6),
            # works offline too: `wandb sync` then joins the parts of a resumed run
            resume="allow",
            reinit="create_new",  # never continue the run of another job in this process
            name=title,
            project=self.project,
            entity=self.entity or old_identity.get("entity"),
            group=self.group,
            job_type=self.job_type,
            tags=self._all_tags(config),
            config=config,
            mode=mode,
            settings=settings,
        )
        self._broken = False
        self.run.define_metric(X)
        self.run.define_metric("*", step_metric=X)
        identity = {"id": self.run.id, "project": self.project, "entity": self.run.entity or None}
        identity["url"] = self.run.url if mode == "online" else old_identity.get("url")
        write_json(self.folder / "wandb.json", identity)

    def _read_identity(self) -> dict[str, Any]:
        """Return the contents of `wandb.json`; {} if missing or of another project or entity."""
        try:
            identity = read_json(self.folder / "wandb.json")
            is_same = identity["project"] == self.project
            return identity if is_same and self.entity in (None, identity["entity"]) else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _all_tags(self, config: dict[str, Any]) -> list[str]:
        choices = config.get("choices") or {}
        chosen = (f"{group}={choices[group]}" for group in TAGGED if choices.get(group))
        return list(dict.fromkeys(tag[:TAG_LENGTH] for tag in (*self.tags, *chosen)))

    def _send_checkpoints(self) -> None:
        import wandb

        for alias in ("best", "last"):
            path = self.folder / "checkpoints" / f"{alias}.ckpt"
            if not path.exists():
                continue
            artifact = wandb.Artifact(f"checkpoint-{self.run.id}", type="model")
            # with config.yaml, `ganlab sample run=…` can read a downloaded artifact
            for file in (path, self.folder / "config.yaml"):
                if file.exists():
                    name = file.relative_to(self.folder).as_posix()
                    artifact.add_file(str(file), name=name, skip_cache=True)
            self.run.log_artifact(artifact, aliases=[alias])

    def _keep_files_in_folder(self) -> None:
        """Let W&B keep its cache and unsent files in the run's folder, not in the home folder."""
        for key, name in (("WANDB_DATA_DIR", "data"), ("WANDB_CACHE_DIR", "cache")):
            self._environment[key] = os.environ.get(key)
            os.environ.setdefault(key, str((self.folder / "wandb" / name).absolute()))

    def _restore_environment(self) -> None:
        for key, value in self._environment.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
        self._environment = {}

    def _tear_down(self) -> None:
        """End W&B's own process, which would pass this run's id and settings to the next run."""
        self.run = None
        if (wandb := sys.modules.get("wandb")) is None:  # wandb could not be imported
            return

        def tear_down() -> None:
            with self.without_failing():
                wandb.teardown()

        # wandb.teardown waits for W&B's process, which may never end after a server's refusal
        thread = threading.Thread(target=tear_down, daemon=True)
        thread.start()
        thread.join(TEAR_DOWN)


def _reason(error: Exception) -> str:
    """Return the first line of an error's message as a sentence."""
    line = (str(error).splitlines() or [""])[0] or type(error).__name__
    return line if line.endswith((".", "?", "!")) else f"{line}."
