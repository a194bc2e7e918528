"""What is told of weights that were taken over: counts always, names in part or all of them."""

from __future__ import annotations

from pathlib import Path

import torch

from mudra.backbones.taken_weights import TakenWeights, compare_weights


def test_what_was_taken_new_and_left_over_is_told_by_name_and_shape() -> None:
    ours = {"stem": torch.zeros(4), "head": torch.zeros(3, 4), "count": torch.tensor(0)}
    theirs = {"stem": torch.zeros(4), "head": torch.zeros(7, 4), "old": torch.zeros(2, 2)}
    found = compare_weights("init_from x", ["stem"], ours, theirs)
    assert found.explain() == [
        "init_from x: 1 of 3 tensors taken, 2 new, 1 not used; 23.5% of all numbers",
        "new: head 3x4, there 7x4",
        "new: count number, not there",
        "not used: old 2x2",
    ]


def test_all_of_nothing_is_no_division_by_zero() -> None:
    assert compare_weights("init_from x", [], {}, {}).share == 0.0


def test_long_lists_are_cut_only_where_a_file_has_them_all() -> None:
    many, few = tuple(f"layer{number}.weight 3" for number in range(9)), tuple(f"old{number} 2" for number in range(6))
    taken = TakenWeights(source="x", taken=(), fresh=many, unused=few, share=0.0)
    told = taken.explain(listed_in=Path("run/list.txt"))
    assert told[0] == "x: 0 of 9 tensors taken, 9 new, 6 not used; 0.0% of all numbers"
    assert told[1:8] == [*(f"new: {line}" for line in many[:6]), "new: ... and 3 more, all in run/list.txt"]
    assert told[8:] == [f"not used: {line}" for line in few]
    assert taken.explain()[1:] == [*(f"new: {line}" for line in many), *(f"not used: {line}" for line in few)]
