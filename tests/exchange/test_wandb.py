"""`ganlab wandb sync` finds runs that were logged offline, and sends them with `wandb sync`."""

import subprocess

import pytest

from ganlab.cli import main
from ganlab.exchange import wandb as wandb_command
from ganlab.exchange.wandb import offline_files, unsent
from ganlab.record.run import RunRecord


def logged(folder, time="20260101_000000", name="abc", sent=False):
    """Write an empty offline file of a run, marked as sent or not, and return its path."""
    file = folder / "wandb" / f"offline-run-{time}-{name}" / f"run-{name}.wandb"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    if sent:
        file.with_name(f"{file.name}.synced").touch()
    return file


@pytest.fixture
def sweep(tmp_path):
    """A sweep with a run of two sessions, a run that was sent, and a run that was logged online."""
    logged(tmp_path / "0", "20260101_000000", "a")
    logged(tmp_path / "0", "20260102_000000", "a")
    logged(tmp_path / "1", name="b", sent=True)
    online = tmp_path / "2" / "wandb" / "run-20260101_000000-c" / "run-c.wandb"
    online.parent.mkdir(parents=True)
    online.touch()
    (tmp_path / "0" / "wandb" / "latest-run").symlink_to("offline-run-20260102_000000-a")
    return tmp_path


@pytest.fixture
def commands(monkeypatch):
    """List of the commands that are called: a fake `wandb sync` that only marks files as sent.

    Files with "refused" in their path are not marked; the check of the login always succeeds.
    """
    called = []

    def run(command, **options):
        called.append(command)
        for word in command:
            if word.endswith(".wandb") and "refused" not in word:
                open(f"{word}.synced", "w").close()
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(wandb_command, "check_login", lambda: None)
    return called


def test_each_offline_file_is_listed_once_from_any_folder_above(sweep):
    files = offline_files([sweep, sweep / "0"])
    assert [file.parent.name[12:] for file in files] == [
        "20260101_000000-a",
        "20260102_000000-a",
        "20260101_000000-b",
    ]
    assert offline_files([files[0].parent]) == files[:1]


def test_unsent_run_is_sent_and_reported_once(sweep, commands, capsys):
    assert main(["wandb", "sync", str(sweep), "--entity", "team"]) == 0
    (command,) = commands
    assert command[1:5] == ["-m", "wandb", "sync", "--entity=team"]
    assert [word.split("/")[-4] for word in command[5:]] == ["0", "0"]
    printed = capsys.readouterr().out
    assert "Sending 1 run " in printed
    assert "1 sent before" in printed
    assert printed.count(": sent") == 1
    assert main(["wandb", "sync", str(sweep)]) == 0
    assert "nothing to send" in capsys.readouterr().out
    assert len(commands) == 1


def test_run_in_training_is_not_sent(tmp_path):
    file = logged(tmp_path / "run")
    record = RunRecord(tmp_path / "run")
    waiting, notes = unsent([file])
    assert waiting == []
    assert "still being trained" in notes[0]
    record.close()
    assert unsent([file]) == ([file], [])


def test_run_that_does_not_arrive_is_an_error(tmp_path, commands, capsys):
    logged(tmp_path / "good")
    logged(tmp_path / "refused")
    assert main(["wandb", "sync", str(tmp_path)]) == 1
    streams = capsys.readouterr()
    assert "1 of 2 runs were not sent" in streams.err
    assert "refused: not sent" in streams.out


def test_missing_login_gives_one_message(tmp_path, monkeypatch, capsys):
    """There is no prompt for a login, and nothing is sent."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setattr(subprocess, "run", None)
    logged(tmp_path / "run")
    assert main(["wandb", "sync", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("ganlab wandb: wandb sync: No API key configured")
    assert "`wandb login`" in error


def test_unreachable_server_gives_an_error_after_the_timeout(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef" * 3)
    monkeypatch.setattr(wandb_command, "PATIENCE", 1)
    logged(tmp_path / "run")
    assert main(["wandb", "sync", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "127.0.0.1:9" in error
    assert "Nothing was sent" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["synch"], "Did you mean 'sync'"),
        (["sync"], "give the folder of a run"),
        (["sync", "nowhere"], "folder nowhere does not exist"),
        (["sync", ".", "--entiti=x"], "Did you mean 'entity'"),
    ],
)
def test_wrong_arguments_give_a_message(arguments, message, capsys):
    assert main(["wandb", *arguments]) == 1
    assert message in capsys.readouterr().err


def test_folder_without_offline_runs_gets_advice(tmp_path, capsys):
    assert main(["wandb", "sync", str(tmp_path)]) == 0
    assert "logger=wandb" in capsys.readouterr().out
