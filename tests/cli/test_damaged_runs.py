"""A run's folder may come from anyone: every command that reads it says what is wrong with it.

No command prints a stack trace, waits for ever, or sends control characters to the terminal. A
damaged run does not keep the runs beside it from being shown.
"""

import json
import os
import shutil

import pytest
import yaml
from helpers.tiny import ARGUMENTS
from PIL import Image

from ganlab.cli import main
from ganlab.printable import printable

pytestmark = [pytest.mark.usefixtures("no_curves"), pytest.mark.timeout(120)]

LIGHT = {
    "compare": ["compare", "sweep"],
    "page": [
        "compare",
        "sweep",
        "--group-by",
        "seed",
        "--html",
        "page.html",
        "--json",
        "page.json",
    ],
    "doctor": ["doctor", "run=sweep/0"],
    "status": ["sweep", "status", "sweep"],
    "sync": ["wandb", "sync", "sweep"],
}
HEAVY = {
    "sample": ["sample", "run=sweep/0", "n=2"],
    "evaluate": ["evaluate", "run=sweep/0"],
    "export": ["export", "run=sweep/0", "format=safetensors"],
    "translate": ["translate", "run=sweep/0", "input=sweep/0/samples", "output=translated"],
    "resume": ["train", "run=sweep/0", "resume=true", "budget.batches=8"],
    "estimate": ["train", "run=sweep/0", "resume=true", "budget.batches=8", "dry_run=true"],
    "sweep": ["sweep", "resume", "sweep"],
    "report": ["report", "run=sweep/0"],
}
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join(9 * [f'*a{n - 1}'])}]\n" for n in range(1, 12)
)
DAMAGES = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "binary": lambda content: bytes(range(256)),
    "number": lambda content: b"5\n",
    "list": lambda content: b"[1, 2]\n",
    "deep": lambda content: b"[" * 100_000,
    "closed": lambda content: b'{"a": ' * 300 + b"1" + b"}" * 300,
    "bomb": lambda content: BOMB.encode(),
    "constants": lambda content: b'{"counters": NaN, "scores": Infinity, "jobs": -Infinity}',
    "huge": lambda content: b'{"seconds": 1e999, "seed": %s}' % (b"9" * 4000),
    "status": lambda content: b'{"status": "weird"}',
    "cell": lambda content: content + b"9" * 200_000 + b"\n",
}
FILES = (
    "sweep.json",
    "0/run.json",
    "0/config.yaml",
    "0/metrics.csv",
    "0/scores.json",
    "0/timing.csv",
    "0/wandb.json",
    "0/checkpoints/last.ckpt",
    "0/samples/000000000048.png",
)
WRONG = (None, -1, float("nan"), 10**30, True, "x\x1b[2J\u202e", [1], {"a": 1})


@pytest.fixture(scope="module")
def trained(tmp_path_factory, no_curves):
    """Folder with a sweep of two runs that were scored and evaluated."""
    folder = tmp_path_factory.mktemp("trained")
    scored = [text for text in ARGUMENTS if not text.startswith("protocol")]
    scored += ["protocol=modes10k", "protocol.samples=20", "budget.batches=6", "seed=1,2"]
    assert main(["train", "-m", *scored, f"run_dir={folder / 'sweep'}"]) == 0
    assert main(["evaluate", f"run={folder / 'sweep' / '0'}"]) == 0
    return folder / "sweep"


@pytest.fixture
def sweep(trained, tmp_path, monkeypatch):
    """Copy of the sweep in the working directory, which a test may damage."""
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(trained, tmp_path / "sweep")


def run(command, capsys):
    """Run a command; return its exit code and all that it printed."""
    capsys.readouterr()
    code = main(command)
    printed = "".join(capsys.readouterr())
    assert "Traceback" not in printed
    assert printed == printable(printed)
    return code, printed


def damage(sweep, name, kind):
    content = (sweep / name).read_bytes() if (sweep / name).exists() else b"{}"
    (sweep / name).write_bytes(DAMAGES[kind](content))


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_damaged_file(name, kind, sweep, capsys):
    damage(sweep, name, kind)
    for command in LIGHT.values():
        run(command, capsys)
    assert "sweep/1 " in run(["compare", "sweep", "--group-by", "seed"], capsys)[1]


@pytest.mark.contract
@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("command", HEAVY.values(), ids=HEAVY)
def test_damaged_file_of_a_run_that_is_used(command, name, kind, sweep, capsys):
    damage(sweep, name, kind)
    run(command, capsys)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("0/run.json", "cut", "run.json is damaged"),
        ("0/run.json", "deep", "run.json is damaged: it is nested too deeply"),
        ("0/run.json", "constants", "run.json is damaged: counters is nan"),
        ("0/run.json", "status", "run.json is damaged: status: received 'weird'; allowed planned"),
        ("0/config.yaml", "bomb", "config.yaml is damaged: it has more than 100,000 entries"),
        ("0/config.yaml", "closed", "config.yaml is damaged: it is nested more than 50 levels"),
    ],
)
def test_the_reason_is_said_and_the_other_run_is_shown(name, kind, words, sweep, capsys):
    damage(sweep, name, kind)
    code, printed = run(LIGHT["page"], capsys)
    assert code == 0
    assert words in " ".join(printed.split())
    assert "sweep/1 " in printed


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("run.json", "cut", "run.json is damaged"),
        ("config.yaml", "bomb", "config.yaml is damaged: it has more than 100,000 entries"),
        ("metrics.csv", "cell", "metrics.csv is damaged"),
        ("scores.json", "deep", "scores.json is damaged"),
    ],
)
def test_the_page_of_a_damaged_run_says_what_is_missing(name, kind, words, sweep, capsys):
    damage(sweep, f"0/{name}", kind)
    code, printed = run(HEAVY["report"], capsys)
    assert words in printed
    assert code == (1 if name == "run.json" else 0)


def places(node, path=()):
    """Return the paths of all entries of plain containers; of long lists, of two."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node[:2])
    found = []
    for key, value in pairs:
        found.append((*path, key))
        if isinstance(value, (dict, list)):
            found += places(value, (*path, key))
    return found


def write_wrong(path, content, place, value, dump):
    """Write a file with one entry replaced."""
    content = json.loads(json.dumps(content))
    node = content
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    path.write_text(dump(content))


@pytest.mark.parametrize("name", ["sweep.json", "0/run.json", "0/scores.json"])
def test_entry_of_the_wrong_type(name, sweep, capsys):
    """Each value in turn at each place: every place gets one, and every value many places."""
    content = json.loads((sweep / name).read_text())
    for number, place in enumerate(places(content)):
        value = WRONG[number % len(WRONG)]
        write_wrong(sweep / name, content, place, value, json.dumps)
        for command in ("compare", "status", "doctor"):
            run(LIGHT[command], capsys)


@pytest.mark.contract
@pytest.mark.timeout(900)
@pytest.mark.parametrize("command", [*LIGHT, "evaluate", "resume", "estimate"])
@pytest.mark.parametrize("offset", range(2))
def test_setting_of_the_wrong_type(command, offset, sweep, capsys):
    content = yaml.safe_load((sweep / "0" / "config.yaml").read_text())
    run_json = (sweep / "0" / "run.json").read_bytes()
    for number, place in enumerate(places(content)):
        value = WRONG[(number + offset) % len(WRONG)]
        write_wrong(sweep / "0" / "config.yaml", content, place, value, yaml.safe_dump)
        run((LIGHT | HEAVY)[command], capsys)
        (sweep / "0" / "run.json").write_bytes(run_json)


@pytest.mark.parametrize("command", [*LIGHT.values(), ["doctor", "run=sweep/1"]], ids=str)
def test_no_control_characters_reach_the_terminal(command, sweep, capsys):
    """In names, errors, choices, protocols, scores and overrides, also as keys."""
    evil = "evil\x1b]0;title\x07\x9b2J\u202e\u2066\r\ud800"
    for name in ("0/run.json", "1/run.json", "sweep.json", "0/scores.json"):
        content = json.loads((sweep / name).read_text())
        if "jobs" in content:
            content["name"] += evil
            content["jobs"][0]["overrides"] += [f"+x={evil}"]
        elif "evaluations" in content:
            scores = content["evaluations"][0]["scores"]
            scores[f"high_quality{evil}"] = scores["high_quality"] | {"protocol": {evil: evil}}
        else:
            failed = {"status": "failed", "error": f"Error: {evil}"} if name[0] == "0" else {}
            content |= {"name": content["name"] + evil, **failed}
            content["choices"] = {
                key: f"{value}{evil}" for key, value in content["choices"].items()
            }
        (sweep / name).write_text(json.dumps(content))
    code, printed = run(command, capsys)
    if "doctor" not in command or "run=sweep/1" in command:
        assert code == 0
    if "sync" not in command:
        assert "evil␛]0;title␇�2J��" in printed
    if "--html" in command:
        page = (sweep.parent / "page.html").read_text(encoding="utf-8")
        assert "evil" in page
        assert not {"\u202e", "\u2066", "\ud800", r"\u202e"} & {*page}
        assert "\\u202e" not in page


@pytest.mark.parametrize("folder", ["../0", "/0", "a/../../0", ""])
def test_jobs_outside_the_sweep_are_refused(folder, sweep, capsys):
    content = json.loads((sweep / "sweep.json").read_text())
    content["jobs"][0]["folder"] = folder
    (sweep / "sweep.json").write_text(json.dumps(content))
    for command in ("status", "resume"):
        code, printed = run(["sweep", command, "sweep"], capsys)
        assert code == 1
        assert f"sweep.json is damaged: folder: received {folder!r}" in printed


@pytest.mark.parametrize("linked", ["samples", "samples/*.png"])
def test_pictures_behind_links_are_not_written_into_a_page(linked, sweep, capsys):
    """The page of a run from someone else may be passed on."""
    private = sweep.parent / "private"
    private.mkdir()
    for number, path in enumerate([*sweep.glob(f"0/{linked}"), *sweep.glob(f"1/{linked}")]):
        path.rename(private / str(number))
        path.symlink_to(private / str(number))
    assert run(LIGHT["page"], capsys)[0] == 0
    assert "data:image" not in (sweep.parent / "page.html").read_text(encoding="utf-8")


def test_names_of_files_and_classes_are_made_printable(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("a\x1b[31m", "b\u202etxt", "c\udce9"):
        (tmp_path / "data" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "data" / name / f"{name}.png")
    _, printed = run(["data", "check", "data"], capsys)
    assert all(name in printed for name in ("a␛[31m", "b�txt", "c�"))


def test_recorded_reproductions_are_made_printable(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    record = {"at": "2026\x1b[2J", "scale": 1.0, "values": [1.0], "changed": ["x\u202e"]}
    for number, missing in enumerate(([], ["y\x9b"], 5, [10**400])):
        folder = tmp_path / "outputs" / "reproduce" / "ring_hinge" / str(number)
        folder.mkdir(parents=True)
        (folder / "verdict.json").write_text(json.dumps(record | {"missing": missing}))
    assert run(["reproduce", "list"], capsys)[0] == 0


def test_named_pipes_do_not_block(sweep, capsys):
    for name in ("run.json", "config.yaml", "metrics.csv", "scores.json"):
        (sweep / "0" / name).unlink()
        os.mkfifo(sweep / "0" / name)
        for command in ("page", "doctor", "status", "report"):
            run((LIGHT | HEAVY)[command], capsys)
