"""Use a run: files and arrays into named gestures, labelled recordings into a report.

To add a way of using runs: give it a file here; it takes a `Predictor` and knows no data set.
"""

from mudra.serving.evaluation import Evaluation as Evaluation
from mudra.serving.evaluation import evaluate as evaluate
from mudra.serving.evaluation import write_evaluation as write_evaluation
from mudra.serving.figure import GridRow as GridRow
from mudra.serving.figure import image_grid as image_grid
from mudra.serving.figure import write_png as write_png
from mudra.serving.predictor import Predictor as Predictor
from mudra.serving.predictor import load as load
from mudra.serving.predictor import read_card as read_card
