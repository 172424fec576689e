"""`ganlab wandb sync` finds what was logged offline, and hands it to W&B's own command."""

import subprocess

import pytest

from ganlab.cli import main
from ganlab.exchange import wandb as wandb_command
from ganlab.exchange.wandb import offline_files, unsent
from ganlab.record.run import RunRecord


def logged(folder, time="20260101_000000", name="abc", sent=False):
    file = folder / "wandb" / f"offline-run-{time}-{name}" / f"run-{name}.wandb"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    if sent:
        file.with_name(f"{file.name}.synced").touch()
    return file


@pytest.fixture
def sweep(tmp_path):
    """A sweep: a run in two parts, a run that was sent, and one that was logged online."""
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
    """`wandb sync` in name only: it marks what it is given as sent, and the login is there."""
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


def test_each_offline_file_is_found_once_from_any_folder_above(sweep):
    files = offline_files([sweep, sweep / "0"])
    assert [file.parent.name[12:] for file in files] == [
        "20260101_000000-a",
        "20260102_000000-a",
        "20260101_000000-b",
    ]
    assert offline_files([files[0].parent]) == files[:1]


def test_what_is_waiting_is_sent_and_said_once(sweep, commands, capsys):
    assert main(["wandb", "sync", str(sweep), "--entity", "team"]) == 0
    (command,) = commands
    assert command[1:5] == ["-m", "wandb", "sync", "--entity=team"]
    assert [word.split("/")[-4] for word in command[5:]] == ["0", "0"]
    said = capsys.readouterr().out
    assert "Sending 1 run " in said
    assert "1 sent before" in said
    assert said.count(": sent") == 1
    assert main(["wandb", "sync", str(sweep)]) == 0
    assert "nothing to send" in capsys.readouterr().out
    assert len(commands) == 1


def test_a_run_that_is_being_trained_is_left_for_later(tmp_path):
    file = logged(tmp_path / "run")
    record = RunRecord(tmp_path / "run")
    waiting, notes = unsent([file])
    assert waiting == []
    assert "still being trained" in notes[0]
    record.close()
    assert unsent([file]) == ([file], [])


def test_what_did_not_arrive_is_an_error(tmp_path, commands, capsys):
    logged(tmp_path / "good")
    logged(tmp_path / "refused")
    assert main(["wandb", "sync", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "1 of 2 runs were not sent" in said.err
    assert "refused: not sent" in said.out


def test_without_a_login_there_is_one_clear_message(tmp_path, monkeypatch, capsys):
    """Even at a terminal nobody is asked, and nothing is sent."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setattr(subprocess, "run", None)
    logged(tmp_path / "run")
    assert main(["wandb", "sync", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("ganlab wandb: wandb sync: No API key configured")
    assert "`wandb login`" in said


def test_a_server_that_is_not_there_is_said_at_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef" * 3)
    monkeypatch.setattr(wandb_command, "PATIENCE", 1)
    logged(tmp_path / "run")
    assert main(["wandb", "sync", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "127.0.0.1:9" in said
    assert "Nothing was sent" in said


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["synch"], "Did you mean 'sync'"),
        (["sync"], "give the folder of a run"),
        (["sync", "nowhere"], "no folder nowhere"),
        (["sync", ".", "--entiti=x"], "Did you mean 'entity'"),
    ],
)
def test_bad_arguments_are_named(arguments, named, capsys):
    assert main(["wandb", *arguments]) == 1
    assert named in capsys.readouterr().err


def test_a_folder_without_runs_says_how_they_are_made(tmp_path, capsys):
    assert main(["wandb", "sync", str(tmp_path)]) == 0
    assert "logger=wandb" in capsys.readouterr().out
