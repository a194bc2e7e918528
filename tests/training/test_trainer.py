"""The trainer computes as the run asks: in which precision, with which bound on the gradients."""

from __future__ import annotations

from pathlib import Path

import pytest

from mudra.datasets import Dataset
from mudra.training import trainer
from mudra.training.trainer import choose_precision
from tests.fixtures.trained import run, same


def test_precision_is_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_precision("float32") == "32-true"
    assert choose_precision("bf16") == "bf16-mixed"
    for has, expected in ((True, "bf16-mixed"), (False, "32-true")):
        monkeypatch.setattr(trainer, "_has_fast_bf16", lambda accelerator, has=has: has)
        assert choose_precision("auto") == expected


@pytest.mark.parametrize("precision", ["bf16", "float32"])
def test_gradients_are_clipped_in_every_precision(tmp_path: Path, drawn: Dataset, precision: str) -> None:
    changes = {"fitting.precision": precision, "fitting.epochs": 1}
    plain = run(tmp_path / "plain", drawn, changes)
    assert not same(plain, run(tmp_path / "clipped", drawn, {**changes, "fitting.gradient_clip_norm": 1e-12}))
