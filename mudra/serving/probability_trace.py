"""The probabilities of a stream of any length, kept for a picture: many frames share a column when there are many.

A column keeps the largest value that each class has in its frames, so that a short peak stays a peak.
"""

from __future__ import annotations

import numpy as np

from mudra.types import FloatArray

MOST_COLUMNS = 4096


class ProbabilityTrace:
    """Takes in probabilities piece by piece, and holds at most `most_columns` columns of them.

    Args:
        most_columns: Even; twice as few are left when so many are reached.

    Example:
        >>> trace = ProbabilityTrace(most_columns=4)
        >>> for step in range(6):
        ...     trace.push(np.array([[step / 10, 0.5]]), np.array([float(step)]))
        >>> trace.times_s.tolist(), trace.probability_TK[:, 0].tolist()
        ([0.0, 2.0, 4.0], [0.1, 0.3, 0.5])
    """

    def __init__(self, *, most_columns: int = MOST_COLUMNS) -> None:
        self.most_columns = most_columns
        self.frames_per_column = 1
        self._columns: list[FloatArray] = []
        self._starts_s: list[float] = []
        self._num_in_last = 0

    def push(self, probability_TK: FloatArray, times_s: FloatArray) -> None:
        """Take in the next frames."""
        for row_K, time_s in zip(probability_TK, times_s.tolist(), strict=True):
            if not self._columns or self._num_in_last == self.frames_per_column:
                if len(self._columns) == self.most_columns:
                    self._halve()
                self._columns.append(row_K.copy())
                self._starts_s.append(time_s)
                self._num_in_last = 1
            else:
                np.maximum(self._columns[-1], row_K, out=self._columns[-1])
                self._num_in_last += 1

    @property
    def probability_TK(self) -> FloatArray:
        """The largest probability of each class in each column."""
        return np.stack(self._columns) if self._columns else np.empty((0, 0))

    @property
    def times_s(self) -> FloatArray:
        """When the first frame of each column is shown."""
        return np.array(self._starts_s)

    def _halve(self) -> None:
        pairs = zip(self._columns[0::2], self._columns[1::2], strict=True)
        self._columns = [np.maximum(first, second) for first, second in pairs]
        self._starts_s = self._starts_s[0::2]
        self.frames_per_column *= 2
