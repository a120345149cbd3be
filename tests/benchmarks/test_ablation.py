"""The table of what each ingredient is worth, and starts that go on."""

import statistics

import pytest
from conftest import run_script

from mnist_cnn.benchmarks import ablation
from mnist_cnn.support.errors import MnistCnnError


def test_table():
    accuracies = [.9951, .9960, .9957]
    records = [
        dict(zip(ablation.FIELDS, ("plain", seed, 5, .99 + seed / 1000, accuracy, 10 * seed)))
        for seed, accuracy in enumerate(accuracies, 1)]
    records.append(dict(zip(ablation.FIELDS, ("best", 1, 5, .997, .998, 20))))
    rows = [[cell.strip() for cell in line.split("|")[1:-1]]
            for line in ablation.table(records).splitlines()]
    assert len(rows) == 4 and len({len(row) for row in rows}) == 1
    percents = [100 * accuracy for accuracy in accuracies]
    assert rows[2] == ["plain", "5", "1, 2, 3", "99.200",
                       "{:.3f}".format(statistics.mean(percents)),
                       "{:.3f}".format(statistics.stdev(percents)), "99.51", "99.60", "4.0"]
    assert rows[3] == ["best", "5", "1", "99.700", "99.800", "-", "99.80", "99.80", "4.0"]


def test_a_second_start_goes_on(small_mnist, tmp_path):
    """Nothing is trained twice, and what the files say is in the table."""
    args = ["ablation.py", "--epochs", 1, "--output", tmp_path / "out", "--data-dir", small_mnist,
            "--only", "plain", "schedule, average", "--seeds"]
    first = run_script(*args, 1)
    assert first.returncode == 0, first.stderr
    assert "plain, seed 1\n" in first.stdout and "schedule, average, seed 1\n" in first.stdout
    results = (tmp_path / "out" / "results.csv").read_text()
    again = run_script(*args, 1)
    assert "seed 1\n" not in again.stdout and "Final" not in again.stdout
    assert again.stdout == first.stdout[first.stdout.index("| recipe"):]
    assert (tmp_path / "out" / "results.csv").read_text() == results


@pytest.mark.parametrize("options, message", [
    (dict(num_epochs=0), "at least 1"),
    (dict(only=["none"]), "no variant 'none'; there are: plain")])
def test_bad_values(options, message, tmp_path):
    with pytest.raises(MnistCnnError, match=message):
        ablation.main(output=tmp_path / "out", **options)


def test_results_of_something_else(tmp_path):
    (tmp_path / "results.csv").write_text("variant,seed\nplain,x\n")
    with pytest.raises(MnistCnnError, match="no list of results"):
        ablation.main(num_epochs=1, output=tmp_path)
