"""Every option of every script, with values that nobody means: a line, and nothing is harmed."""

import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import numpy as np
import pytest
from PIL import Image

from conftest import ROOT

pytestmark = pytest.mark.slow

#: What a positional argument is, by its metavar.
POSITIONAL = {"MODEL": "{inputs}/model.npz", "FILE": "{inputs}/digit.png", "SPEC": "{inputs}/sweep.toml"}

#: What makes each script short; a script that is not here has its defaults.
SHORT = {
    "train.py": ["--epochs", "1", "--batch-size", "5000", "--data-dir", "{inputs}/data"],
    "evaluate.py": ["--data-dir", "{inputs}/data"],
    "explore.py": ["--data-dir", "{inputs}/data"],
    "export.py": ["--output", "{folder}/model.onnx"],
    "predict.py": ["--data-dir", "{inputs}/data"],
    "visualize.py": ["--data-dir", "{inputs}/data"],
    "sweep.py": ["--epochs", "1", "--seeds", "1", "--workers", "1", "--data-dir", "{inputs}/data"],
    "benchmark.py": ["--batch-sizes", "50", "--repeats", "1", "--seconds", ".01"],
}

#: Values that nobody means, of a number and of another option. {folder} is the case's own, where it
#: starts; what lies in {inputs} must stay as it is.
JUNK_NUMBERS = ["", "9" * 400, "999999999", "1e999", "-1", "nan", "{folder}", "\u00e4\u20ac\udcff"]
JUNK = [
    "",
    "9" * 400,
    "nan",
    "{folder}",
    "{folder}/text.txt",
    "{folder}/picture.png",
    "{folder}/other.npz",
    "/proc/nowhere/x",
    "/dev/full",
    "x" * 300,
    "\u00e4\u20ac\u6f22\udcff\n",
    "'",
]

#: Flags that other tests try, since they take long.
ELSEWHERE = ["--all"]

#: Flags without which an option does nothing.
WITH = {"--options": ["--whole"]}

#: What else is the input itself, where a command reads this: what lies beside it, a link to it.
THE_SAME = {
    "{inputs}/model.npz": ["{inputs}/model.csv", "{inputs}/model.checkpoint", "link.npz"],
    "{inputs}/data": ["{inputs}/data/t10k-labels-idx1-ubyte.gz"],
}

#: All values of every option take minutes: each has one in so many, and as many options in a row have all.
SHARE = 4

LIMIT = 8  # seconds; what takes longer was accepted, and is asked to end


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, training, small_mnist, mnist):
    """The files that all commands read."""
    folder = tmp_path_factory.mktemp("inputs")
    for name in ("model.npz", "model.csv", "model.checkpoint", "model.snapshots.npz"):
        shutil.copy(str(training[1].with_name(name)), str(folder))
    shutil.copytree(str(small_mnist), str(folder / "data"))
    digit = np.kron(mnist[4][0, 0], np.ones((8, 8)))
    Image.fromarray(np.uint8(255 - 230 * np.pad(digit, 60))).save(str(folder / "digit.png"))
    (folder / "sweep.toml").write_text('recipes = ["plain"]\n')
    return folder


def state(folder, with_content=False):
    """What tells whether any file of a folder was touched."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if not path.is_dir()):
        info = path.lstat()
        files[str(path.relative_to(folder))] = (
            info.st_mtime_ns,
            info.st_ino,
            info.st_size,
            with_content and hashlib.sha256(path.read_bytes()).hexdigest(),
        )
    return files


class Walker:
    """A server, and the cases that it runs one by one."""

    def __init__(self, folder, inputs):
        self.folder, self.inputs, self.count = folder, inputs, 0
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            universal_newlines=True,
            env=dict(os.environ, OMP_NUM_THREADS="1", MPLBACKEND="agg"),
        )
        self.options = json.loads(self.process.stdout.readline())

    def start(self, case):
        """The arguments of a case, and the folder that it starts in, filled anew."""
        self.count += 1
        folder = self.folder / str(self.count)
        folder.mkdir(parents=True)
        (folder / "text.txt").write_text("hello\n")
        Image.new("L", (3, 3)).save(str(folder / "picture.png"))
        np.savez(str(folder / "other.npz"), a=1)
        (folder / "link.npz").symlink_to(os.path.relpath(str(self.inputs / "model.npz"), os.path.realpath(str(folder))))
        return folder, [arg.format(folder=folder, inputs=self.inputs) for arg in case[1:]]

    def run(self, case):
        """Run a case in a child of the server; returns what is wrong with it, or nothing."""
        before = state(self.inputs)
        folder, args = self.start(case)
        print(
            json.dumps({"script": case[0], "args": args, "folder": str(folder), "limit": LIMIT}),
            file=self.process.stdin,
            flush=True,
        )
        answer = json.loads(self.process.stdout.readline())
        faults = faults_of(answer["code"], answer["out"], answer["err"], answer["stopped"])
        if not before.items() <= state(self.inputs).items():  # new ones may lie beside them
            faults.append("an input was touched")
        if list(folder.rglob("*.part")):
            faults.append("a half-written file stays")
        shutil.rmtree(str(folder))
        return [(case, fault, answer) for fault in faults]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def faults_of(code, out, err, stopped=False, lines_at_most=3):
    """What is wrong with how a command ended."""
    lines = err.splitlines()
    faults = []
    if "Traceback" in out + err:
        faults.append("a traceback")
    if code not in ((143,) if stopped else (0, 1, 2)):
        faults.append("exit code {}".format(code))
    if len(lines) > lines_at_most:
        faults.append("{} lines on stderr".format(len(lines)))
    if code and not lines:
        faults.append("no word of why")
    return faults


def all_cases(options):
    """Each flag of each script, and each option with one value in `SHARE`: [script, arguments...]."""
    cases, turn = [], itertools.count()
    for script, actions in options.items():
        needed = [POSITIONAL[action["metavar"]] for action in actions if action["needed"]]
        short = SHORT.get(script, [])
        cases.append([script, *needed, *short])
        for action in actions:
            if action["flag"] in ELSEWHERE:
                continue
            if not action["value"]:
                cases.append([script, *needed, *short, action["flag"]])
                continue
            read = [word for word in needed + short if word.startswith("{inputs}")]
            read += [path for word in read for path in THE_SAME.get(word, ())]
            values = JUNK_NUMBERS if action["number"] else JUNK + read
            for value in values[next(turn) % SHARE :: SHARE]:
                if action["flag"]:
                    cases.append([script, *needed, *short, *WITH.get(action["flag"], ()), action["flag"] + "=" + value])
                else:
                    words = [
                        POSITIONAL[other["metavar"]] for other in actions if other["needed"] and other is not action
                    ]
                    cases.append([script, *words, *short, "--", value])
    return cases


@pytest.fixture(scope="module")
def walkers(tmp_path_factory, inputs):
    walkers = [Walker(tmp_path_factory.mktemp("walk"), inputs) for _ in range(2)]
    yield walkers
    for walker in walkers:
        walker.close()


def test_every_option_of_every_script(walkers, inputs):
    """In forked children: hundreds of them in the time of a few starts."""
    assert set(walkers[0].options) == {path.name for path in (ROOT / "scripts").glob("[!_]*.py")}
    cases = all_cases(walkers[0].options)
    assert len(cases) > 200
    before = state(inputs, with_content=True)
    free = Queue()
    for walker in walkers:
        free.put(walker)

    def run(case):
        walker = free.get()
        try:
            return walker.run(case)
        finally:
            free.put(walker)

    with ThreadPoolExecutor(len(walkers)) as pool:
        faults = [fault for faults in pool.map(run, cases) for fault in faults]
    assert not faults, "\n".join(
        "{}: {}\n{}".format(" ".join(map(ascii, case)), fault, answer["err"][-2000:]) for case, fault, answer in faults
    )
    assert before.items() <= state(inputs, with_content=True).items()


def test_a_sample_of_them_as_a_user_starts_them(walkers, inputs, tmp_path):
    """In processes of their own, with all that happens while the package is imported."""
    cases = all_cases(walkers[0].options)
    for case in cases[7 :: len(cases) // 8]:
        folder, args = walkers[0].start(case)
        before = state(inputs)
        process = subprocess.Popen(
            [
                sys.executable,
                str(ROOT / "scripts" / case[0]),
                *[arg.encode("utf-8", "surrogateescape") for arg in args],
            ],
            cwd=str(folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            errors="replace",
        )
        try:
            out, err, stopped = *process.communicate(timeout=30), False
        except subprocess.TimeoutExpired:
            process.terminate()
            out, err, stopped = *process.communicate(), True
        assert not faults_of(process.returncode, out, err, stopped), (case, err)
        assert before.items() <= state(inputs).items()
