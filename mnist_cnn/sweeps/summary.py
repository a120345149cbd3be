"""The results of a sweep: a table, a comparison over the same seeds, a picture."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..drawing.palette import on_light
from ..system.errors import MnistCnnError

__all__ = ["mean_interval", "table", "comparison", "require_drawing", "plot"]


def mean_interval(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """The mean of a sample, and the half width of its 95 % confidence interval by Student's t.

    Parameters
    ----------
    values : sequence of float
        At least one.

    Returns
    -------
    mean, half_width : float
        The half width is NaN for a single value.

    Examples
    --------
    >>> from mnist_cnn.sweeps.summary import mean_interval
    >>> mean, half_width = mean_interval([99.1, 99.2, 99.3])
    >>> print("{:.2f} +- {:.2f}".format(mean, half_width))
    99.20 +- 0.25
    """
    from scipy import stats  # here: it takes .4 s to import

    sample = np.asarray(values, float)
    if len(sample) < 2:
        return sample.mean(), np.nan
    return sample.mean(), stats.t.ppf(0.975, len(sample) - 1) * stats.sem(sample)


def _by_setting(records):
    """From each setting's name to its finished records, by seed."""
    settings = {}
    for record in records:
        finished = settings.setdefault(record["setting"], {})
        if record["status"] == "ok":
            finished[record["seed"]] = record
    return settings


def _interval(mean, half, form):
    """A confidence interval, or "-" where the half width is NaN."""
    return "-" if np.isnan(half) else "{0} to {0}".format(form).format(mean - half, mean + half)


def table(records: Sequence[Mapping[str, Any]]) -> str:
    """Accuracies by setting, in Markdown.

    Parameters
    ----------
    records : list of dict
        As `mnist_cnn.sweeps.records.write_record` returns them.

    Returns
    -------
    str
        A row for each setting, in the order of the records: accuracies in percent.
    """
    lines = [
        "| setting | trainings | failed | validation | test: mean | 95 % interval | standard "
        "deviation | lowest | highest | seconds a training |",
        "| --- " * 10 + "|",
    ]
    for name, finished in _by_setting(records).items():
        failed = sum(record["setting"] == name and record["status"] == "failed" for record in records)
        if not finished:
            lines.append("| {} | 0 | {} |{}".format(name, failed, " - |" * 7))
            continue
        done = list(finished.values())
        test = 100 * np.array([record["test_accuracy"] for record in done])
        mean, half = mean_interval(test)
        lines.append(
            "| {} | {} | {} | {} | {:.3f} | {} | {} | {:.2f} | {:.2f} | {:.1f} |".format(
                name,
                len(done),
                failed,
                "trained on"
                if done[0]["config"]["all_data"]
                else "{:.3f}".format(100 * np.mean([record["validation_accuracy"] for record in done])),
                mean,
                _interval(mean, half, "{:.3f}"),
                "{:.3f}".format(test.std(ddof=1)) if len(test) > 1 else "-",
                test.min(),
                test.max(),
                np.mean([record["seconds"] for record in done]),
            )
        )
    return "\n".join(lines)


def comparison(records: Sequence[Mapping[str, Any]]) -> str:
    """Every setting against the first, over the seeds that both have, in Markdown.

    Parameters
    ----------
    records : list of dict

    Returns
    -------
    str
        Differences of the test accuracy in percentage points; empty for a single setting. Where an
        interval excludes 0, two settings differ significantly.

    Examples
    --------
    >>> from mnist_cnn.sweeps.summary import comparison
    >>> records = [{"status": "ok", "setting": setting, "seed": seed, "test_accuracy": accuracy}
    ...            for setting, seed, accuracy in (("plain", 1, .989), ("plain", 2, .990),
    ...                                            ("best", 1, .994), ("best", 2, .996))]
    >>> print(comparison(records))
    | setting, against plain | common seeds | mean difference | 95 % interval | better in |
    | --- | --- | --- | --- | --- |
    | best | 2 | +0.550 | -0.085 to +1.185 | 2 of 2 |
    """
    settings = _by_setting(records)
    if len(settings) < 2:
        return ""
    first, *others = settings
    lines = [
        "| setting, against {} | common seeds | mean difference | 95 % interval | better in |".format(first),
        "| --- " * 5 + "|",
    ]
    for name in others:
        seeds = sorted(set(settings[first]) & set(settings[name]))
        if not seeds:
            lines.append("| {} | 0 | - | - | - |".format(name))
            continue
        differences = 100 * np.array(
            [settings[name][seed]["test_accuracy"] - settings[first][seed]["test_accuracy"] for seed in seeds]
        )
        mean, half = mean_interval(differences)
        lines.append(
            "| {} | {} | {:+.3f} | {} | {} of {} |".format(
                name, len(seeds), mean, _interval(mean, half, "{:+.3f}"), (differences > 0).sum(), len(seeds)
            )
        )
    return "\n".join(lines)


def require_drawing() -> None:
    """Raise MnistCnnError where Matplotlib could not draw the picture after the trainings."""
    try:
        from ..drawing import backend  # noqa: F401
    except ImportError as error:
        raise MnistCnnError(error) from error


def plot(records: Sequence[Mapping[str, Any]]) -> bytes:
    """Draw each training as a dot, and each setting's mean with its confidence interval.

    Parameters
    ----------
    records : list of dict

    Returns
    -------
    bytes
        PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    settings = {name: finished for name, finished in _by_setting(records).items() if finished}
    figure = Figure(figsize=(8, 1.6 + 0.5 * len(settings)), layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.subplots()
    dots, dark, line = on_light("negative-mid", "text", "line")
    for row, finished in enumerate(settings.values()):
        test = [100 * record["test_accuracy"] for record in finished.values()]
        mean, half = mean_interval(test)
        # dots of equal accuracy are drawn side by side
        offsets = [test[:i].count(value) for i, value in enumerate(test)]
        ax.plot(test, row - 0.12 - 0.09 * np.array(offsets), "o", color=dots, markersize=5)
        ax.errorbar(
            mean, row + 0.14, xerr=None if np.isnan(half) else half, fmt="|", color=dark, capsize=4, markersize=9
        )
    ax.set_yticks(range(len(settings)))
    ax.set_yticklabels(settings)
    ax.set_ylim(len(settings) - 0.4, -0.6)
    ax.set_xlabel("test accuracy [%]: a dot for each seed; mean and its 95 % interval")
    ax.grid(axis="x", color=line)
    ax.set_axisbelow(True)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return file.getvalue()
