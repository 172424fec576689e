"""Reading of files that may come from anyone; writing, but not through links inside a run."""

import ast
import logging
import os
from pathlib import Path

import pytest

import ganlab
from ganlab.errors import ConfigError, RunError
from ganlab.files import (
    append_text,
    atomic,
    check_name,
    open_to_append,
    refuse_links_in,
    write_json,
    write_text,
)
from ganlab.reading import check_extent, read_json, read_text
from ganlab.record.lock import hold, is_held, lock_file
from ganlab.record.log import LogFile
from ganlab.record.loggers import CSVLogger
from ganlab.record.run import RunRecord

FILES = (
    ".lock",
    ".stop",
    ".study",
    "config.yaml",
    "contact_sheet.png",
    "log.txt",
    "metrics.csv",
    "run.json",
    "scores.json",
    "screen.txt",
    "study.db",
    "sweep.json",
    "timing.csv",
)
FOLDERS = ("checkpoints", "exported", "samples", "tensorboard", "wandb", "0")


@pytest.fixture
def elsewhere(tmp_path):
    """Folder outside the run, with a file."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "file").write_text("mine\n")
    (folder / ".mine.part").write_text("mine\n")
    return folder


def untouched(folder):
    return {p.name: p.read_text() for p in folder.iterdir()} == {
        "file": "mine\n",
        ".mine.part": "mine\n",
    }


@pytest.mark.parametrize("name", [*FILES, *FOLDERS])
def test_a_folder_with_a_link_in_it_is_not_opened(name, tmp_path, elsewhere):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / name).symlink_to(elsewhere / "file" if name in FILES else elsewhere)
    is_sweep = name in ("sweep.json", ".study")  # where no run is written
    for open_folder in (hold,) if is_sweep else (RunRecord, hold):
        with pytest.raises(RunError, match=f"{name}: is a symbolic link.* Delete it"):
            open_folder(folder)
    assert untouched(elsewhere)
    (folder / name).unlink()
    RunRecord(folder).close()  # the advice works


@pytest.mark.parametrize("target", ["missing", "file"])
@pytest.mark.parametrize(
    "write",
    [
        lambda path: append_text(path, "more"),
        open_to_append,
        LogFile,
        lock_file,
    ],
    ids=["append_text", "open_to_append", "LogFile", "lock_file"],
)
def test_a_link_that_appears_later_is_not_followed(write, target, tmp_path, elsewhere):
    link = tmp_path / "link"
    link.symlink_to(elsewhere / target)
    with pytest.raises(RunError, match="is a symbolic link"):
        write(link)
    assert untouched(elsewhere)


def test_the_log_of_losses_is_not_appended_to_a_link(tmp_path, elsewhere):
    logger = CSVLogger(tmp_path)
    logger.log_metrics({"loss": 1.0}, 1)
    logger.save()
    (tmp_path / "metrics.csv").rename(tmp_path / "moved.csv")
    (tmp_path / "metrics.csv").symlink_to(elsewhere / "file")
    logger.log_metrics({"loss": 1.0}, 2)
    with pytest.raises(RunError, match=r"metrics.csv: is a symbolic link"):
        logger.save()
    assert untouched(elsewhere)


def test_a_named_pipe_neither_blocks_nor_is_written(tmp_path):
    os.mkfifo(tmp_path / ".lock")
    is_held(tmp_path)
    with pytest.raises(RunError, match="special file"):
        RunRecord(tmp_path)


def test_a_linked_sub_folder_is_not_written_to(tmp_path, elsewhere):
    """Also by commands that do not open the run's record, such as export."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text("{}")
    (run / "exported").symlink_to(elsewhere)
    for path in (run / "exported" / "file", run / "exported" / "deep" / "file"):
        with pytest.raises(RunError, match="exported: is a symbolic link"):
            write_text(path, "theirs")
    assert untouched(elsewhere)


def test_a_linked_file_is_replaced(tmp_path, elsewhere):
    (tmp_path / "scores.json").symlink_to(elsewhere / "file")
    write_text(tmp_path / "scores.json", "theirs")
    assert not (tmp_path / "scores.json").is_symlink()
    assert untouched(elsewhere)


def test_links_in_sub_folders_stay_inside(tmp_path, elsewhere):
    """Except in the folder of Weights & Biases, which keeps links to its own logs there."""
    (tmp_path / "run" / "sub" / "inner").mkdir(parents=True)
    (tmp_path / "run" / "wandb").mkdir()
    (tmp_path / "run" / "wandb" / "debug.log").symlink_to(tmp_path / "elsewhere")
    link = tmp_path / "run" / "sub" / "latest"
    link.symlink_to(tmp_path / "run" / "sub" / "inner")
    refuse_links_in(tmp_path / "run")
    link.unlink()
    for name in ("sub/latest", "wandb/cache"):
        (tmp_path / "run" / name).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(RunError, match=name):
            refuse_links_in(tmp_path / "run")
        (tmp_path / "run" / name).unlink()


def test_a_run_may_be_reached_through_a_link(tmp_path):
    """Both `outputs` and the run's own folder may be links."""
    (tmp_path / "scratch" / "run").mkdir(parents=True)
    (tmp_path / "outputs").symlink_to(tmp_path / "scratch")
    (tmp_path / "linked").symlink_to(tmp_path / "scratch" / "run")
    for folder in (tmp_path / "outputs" / "run", tmp_path / "linked"):
        record = RunRecord(folder)
        record.start("name", 0)
        write_text(folder / "samples" / "0.txt", "")
        append_text(folder / "timing.csv", "1\n")
        record.end("finished")
    assert (tmp_path / "scratch" / "run" / "timing.csv").read_text() == "1\n1\n"


def test_all_appending_goes_through_one_function():
    """No other code opens a file to append or to change it in place, which would follow a link."""
    package = Path(ganlab.__file__).parent
    found = []
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            modes = [a.value for a in node.args if isinstance(a, ast.Constant)]
            modes += [ast.unparse(k.value).strip("'") for k in node.keywords if k.arg == "mode"]
            appends = name == "open" and any(m in ("a", "ab", "a+", "r+", "r+b") for m in modes)
            if appends or name in ("FileHandler", "FileLock"):
                found.append(f"{path.relative_to(package)}: {name}")
    assert sorted(found) == [
        "data/readers/picture_cache.py: FileLock",
        "files.py: open",
        "record/lock.py: FileLock",
    ]


def test_the_log_shows_control_characters_as_signs(tmp_path):
    handler = LogFile(tmp_path / "log.txt")
    handler.emit(logging.LogRecord("x", logging.INFO, "", 0, "a\x1b[2J\u202eb\n\udce9", (), None))
    handler.close()
    assert (tmp_path / "log.txt").read_text() == "a␛[2J�b\n�\n"


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "/a", "a/", "a//b", "a/../b", "../a", "a\\b", "a\x1b", "a\nb", "a\u202e"],
)
def test_names_that_could_lead_elsewhere_are_refused(name):
    with pytest.raises(ConfigError, match=r"name: received .* run_dir=DIR"):
        check_name("name", name)


@pytest.mark.parametrize("name", ["first", "a/b", "a..b", ".a", "Größe 2", "漢", "lr=0.1,x"])
def test_plain_names_are_kept(name):
    assert check_name("name", name) == name


def nested(levels):
    content = 1
    for _ in range(levels):
        content = [content]
    return content


def test_extent_counts_shared_containers_in_each_place():
    shared = list(range(10))
    check_extent([shared] * 9, 100)  # 1 and 9 times 1 + 10
    with pytest.raises(ValueError, match="more than 99 entries"):
        check_extent([shared] * 9, 99)
    bomb = shared
    for _ in range(40):
        bomb = [bomb] * 9
    with pytest.raises(ValueError, match="entries"):
        check_extent(bomb, 10**6)
    cycle = []
    cycle += [(cycle, cycle), [cycle, cycle]]
    with pytest.raises(ValueError, match="levels deep"):
        check_extent(cycle, 10**6)
    check_extent(nested(50), 10**6)
    for content in (nested(51), [shared, nested(51)]):
        with pytest.raises(ValueError, match="levels deep"):
            check_extent(content, 10**6)


@pytest.mark.parametrize(
    "text", ["", "[" * 100_000, "[" * 51 + "]" * 51, "{'a': 1}", '"\xff"', "nul", "1" * 5]
)
def test_json_is_read_or_refused_with_a_value_error(text, tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(text.encode("latin-1"))
    if text.isdigit():
        assert read_json(path) == int(text)
    else:
        with pytest.raises(ValueError, match=r"."):
            read_json(path)


def test_huge_whole_numbers_become_floats(tmp_path):
    (tmp_path / "x.json").write_text(f"[{10**17}, {'9' * 400}, -{'9' * 6000}]")
    assert read_json(tmp_path / "x.json") == [10**17, float("inf"), -float("inf")]


def test_large_and_special_files_are_not_read(tmp_path):
    (tmp_path / "large").write_text("x" * 11)
    with pytest.raises(ValueError, match="11 bytes, more than 10"):
        read_text(tmp_path / "large", most=10)
    with pytest.raises(OSError, match="not a regular file"):
        read_text(tmp_path)
    with open(tmp_path / "large", "w") as file:
        file.truncate(2**24 + 1)
    with pytest.raises(ValueError, match="bytes, more than"):
        read_json(tmp_path / "large")


def test_the_record_of_ten_thousand_jobs_is_read(tmp_path):
    overrides = [f"model.generator.features={n}" for n in range(15)]
    jobs = [{"job": n, "folder": f"{n}", "overrides": overrides} for n in range(10_000)]
    write_json(tmp_path / "sweep.json", {"name": "many", "jobs": jobs})
    assert read_json(tmp_path / "sweep.json")["jobs"] == jobs


def test_a_log_on_a_full_disk_ends_nothing(capsys):
    """Messages that cannot be written are dropped, without a trace on the screen."""
    log = LogFile("/dev/full")
    logger = logging.Logger("full")
    logger.addHandler(log)
    for _ in range(3):
        logger.warning("x" * 100_000)
    log.close()
    assert capsys.readouterr().err == ""


def test_new_files_follow_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        write_text(tmp_path / "a.txt", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o600


def test_only_files_are_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(RunError, match=r"pipe: cannot be written: it exists and is no file"):
        write_text(pipe, "text")
    assert pipe.is_fifo()
    assert [*tmp_path.iterdir()] == [pipe]


def test_other_users_may_read_files_that_another_library_replaces(tmp_path):
    usual = tmp_path / "usual"
    usual.touch()
    with atomic(tmp_path / "file") as temporary:
        temporary.unlink()
        os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
    assert (tmp_path / "file").stat().st_mode == usual.stat().st_mode
