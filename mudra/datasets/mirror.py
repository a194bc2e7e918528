"""Mirror partners: which class a clip shows once its picture is turned left to right.

A swipe to the left becomes one to the right; a label that is kept would be wrong. What cannot be known is not guessed:

- A name with a side (`left`, `right`, `cw`, `counterclockwise`, ...) is paired with the class that has the other side
  in the same places; without such a class its partner is unknown.
- A name made only of words known to be symmetric (`push`, `swipe up`, `thumb down`) is its own partner.
- Any other name (`hello`, `rotate`, `sign_12`) has no known partner. One such class is enough to forbid mirroring;
  whoever knows better says so in the config: `data.mirror={hello: hello}`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from mudra.errors import ConfigError, nearest_name

SIDES = {"left": "right", "right": "left", "cw": "ccw", "ccw": "cw"}

# Different spellings of one side. The two-word forms are joined before this table is used.
SPELLINGS = {
    **dict.fromkeys(("leftward", "leftwards"), "left"),
    **dict.fromkeys(("rightward", "rightwards"), "right"),
    "clockwise": "cw",
    **dict.fromkeys(("counterclockwise", "anticlockwise", "acw"), "ccw"),
}

# Words that look the same in a mirror, apart from which hand acts. Turning words (`rotate`, `circle`, `twist`) are
# missing on purpose: alone they do not tell their direction, and mirroring changes it.
DIRECTIONS = frozenset(
    "up upward upwards down downward downwards forward forwards backward backwards in out away".split()  # noqa: SIM905
)
# These travel somewhere: symmetric only beside a direction that is.
TRAVELS = frozenset("swipe swiping sweep slide sliding scroll scrolling move moving".split())  # noqa: SIM905
SYMMETRIC_WORDS = frozenset(
    # One word a line, as a list would stand, hides which ones belong together.
    """
    open opening close closing grab grabbing grasp release pinch pinching expand expanding zoom zooming
    push pushing pull pulling tap tapping click clicking press knock once twice double single
    wave waving shake shaking clap clapping applaud stop pause nod nodding
    hand hands palm fist finger fingers thumb thumbs one two three four five full
    walk walking run running jump jumping sit sitting stand standing lie lying fall falling sitdown standup
    no none nothing idle rest background motion gesture with and the to of
    """.split()  # noqa: SIM905
)


def guess_mirror_pairs(classes: Sequence[str]) -> dict[str, str | None]:
    """Return the mirror partner of each class as far as the names tell it.

    Args:
        classes: All class names of the data set.

    Returns:
        The partner's name (a symmetric class is its own); None where it is unknown, which forbids mirroring.

    Example:
        >>> guess_mirror_pairs(["swipe_left", "swipe_right", "push", "hello"])
        {'swipe_left': 'swipe_right', 'swipe_right': 'swipe_left', 'push': 'push', 'hello': None}
        >>> guess_mirror_pairs(["Turn Clockwise", "Turn Counter-Clockwise", "Thumb Left"])
        {'Turn Clockwise': 'Turn Counter-Clockwise', 'Turn Counter-Clockwise': 'Turn Clockwise', 'Thumb Left': None}
    """
    words = {name: _words(name) for name in classes}
    seen = Counter(words.values())
    # Two names that read alike ("swipe left", "Swipe_Left") cannot be told apart: neither is anyone's partner.
    by_words = {spoken: name for name, spoken in words.items() if seen[spoken] == 1}
    partners: dict[str, str | None] = {}
    for name, spoken in words.items():
        if any(word in SIDES for word in spoken):
            other = by_words.get(tuple(SIDES.get(word, word) for word in spoken))
            partners[name] = other if spoken in by_words else None
        else:
            partners[name] = name if _is_symmetric(spoken) else None
    return partners


def complete_mirror_pairs(classes: Sequence[str], said: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return the guessed partners with those that the user said in their place.

    Args:
        classes: All class names of the data set.
        said: Partners by class. One direction is enough; None declares a partner unknown.

    Raises:
        ConfigError: If a name is no class, or two classes claim the same partner.

    Example:
        >>> complete_mirror_pairs(["a", "b", "push"], {"a": "b"})
        {'a': 'b', 'b': 'a', 'push': 'push'}
    """
    pairs = guess_mirror_pairs(classes)
    for name in [*said, *(other for other in said.values() if other is not None)]:
        if name not in pairs:
            raise ConfigError(f"mirror names {name!r}, which is no class", hint=nearest_name(name, classes))
    for name, other in said.items():
        _unpair(pairs, name)
        if other is not None:
            _unpair(pairs, other)
            pairs[name], pairs[other] = other, name
    for name, other in said.items():
        if pairs[name] != other:
            raise ConfigError(
                f"mirror says {name!r} becomes {other!r}, and then {other!r} becomes {said.get(str(other))!r}",
                hint="partners are mutual: name each class once, for example {swipe_left: swipe_right}",
            )
    return pairs


def _is_symmetric(words: tuple[str, ...]) -> bool:
    rest = set(words) - SYMMETRIC_WORDS
    goes_astray = not rest.isdisjoint(TRAVELS) and rest.isdisjoint(DIRECTIONS)
    return bool(words) and rest <= DIRECTIONS | TRAVELS and not goes_astray


def _unpair(pairs: dict[str, str | None], name: str) -> None:
    other = pairs[name]
    if other is not None:
        pairs[other] = None
    pairs[name] = None


def _words(name: str) -> tuple[str, ...]:
    """Split at everything that is no letter or digit and before the capitals of CamelCase; spell sides alike."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    plain = re.sub(r"[\W_]+", " ", spaced).strip().lower()
    joined = re.sub(r"\b(counter|anti) (?=clockwise\b)", r"\1", plain)
    return tuple(_spell(joined.split()))


def _spell(words: Iterable[str]) -> Iterable[str]:
    return (SPELLINGS.get(word, word) for word in words)
