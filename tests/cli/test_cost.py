"""`mudra cost`: the counts, as text and as JSON."""

from __future__ import annotations

import json

from tests.cli.conftest import Mudra


def test_json_has_the_promised_keys(mudra: Mudra) -> None:
    outcome = mudra("cost", "zhang2018/table1/variant_a", "--json")
    assert outcome.code == 0
    found = json.loads(outcome.out)
    assert found["parameters"]["total"] == 12_287_323
    assert sum(found["parameters"]["by_part"].values()) == found["parameters"]["total"]
    assert {"backbone", "cells", "top", "head"} <= found["parameters"]["by_part"].keys()
    assert found["macs_per_clip"] == sum(found["macs_by_part"].values())
    assert (found["num_frames"], found["size"], found["num_classes"]) == (16, [112, 112], 27)


def test_settings_change_the_counts(mudra: Mudra) -> None:
    whole, half = (
        json.loads(mudra("cost", "zhang2018/table1/variant_a", *words, "--json").out)
        for words in ((), ("clip.num_frames=8",))
    )
    assert half["parameters"] == whole["parameters"]
    assert half["macs_per_clip"] < 0.6 * whole["macs_per_clip"]
    depth = json.loads(mudra("cost", "ours/small", "clip.streams=[depth]", "data=synthetic", "--json").out)
    assert depth["num_classes"] == 12


def test_text_has_a_row_for_every_part(mudra: Mudra) -> None:
    outcome = mudra("cost", "zhang2018/table1/variant_a")
    assert outcome.out.startswith("zhang2018/table1/variant_a: 16 frames of 112x112, 27 classes")
    rows = {line.split()[0]: line.split()[1:] for line in outcome.out.splitlines()[2:]}
    assert {"backbone", "cells", "top", "head", "total", "per"} == set(rows)
    assert rows["total"][0] == "12,287,323"


def test_an_unknown_recipe_is_refused(mudra: Mudra) -> None:
    outcome = mudra("cost", "zhang2018/table1/variant_c1")
    assert outcome.code == 2
    assert "did you mean" in outcome.err
