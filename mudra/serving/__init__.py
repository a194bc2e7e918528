"""Use a run: files and arrays into named gestures, labelled recordings into a report.

To add a way of using runs: give it a file here; it takes a `Predictor` and knows no data set.
"""

from mudra.serving.clip_windows import Judged as Judged
from mudra.serving.comparison import Comparison as Comparison
from mudra.serving.comparison import compare as compare
from mudra.serving.comparison import write_comparison as write_comparison
from mudra.serving.decoder_weights import find_decoder as find_decoder
from mudra.serving.decoder_weights import is_without_decoder as is_without_decoder
from mudra.serving.decoder_weights import read_decoder as read_decoder
from mudra.serving.evaluation import Evaluation as Evaluation
from mudra.serving.evaluation import evaluate as evaluate
from mudra.serving.evaluation import write_evaluation as write_evaluation
from mudra.serving.event_decoder import EventDecoder as EventDecoder
from mudra.serving.event_decoder import EventDecoderConfig as EventDecoderConfig
from mudra.serving.event_tuning import Tuned as Tuned
from mudra.serving.event_tuning import TuningStream as TuningStream
from mudra.serving.event_tuning import decode_stream as decode_stream
from mudra.serving.event_tuning import tune as tune
from mudra.serving.event_video import write_event_video as write_event_video
from mudra.serving.event_writer import event_to_json as event_to_json
from mudra.serving.event_writer import refuse_unwritable as refuse_unwritable
from mudra.serving.event_writer import write_events_csv as write_events_csv
from mudra.serving.event_writer import write_srt as write_srt
from mudra.serving.explanation import Explanation as Explanation
from mudra.serving.explanation import examine as examine
from mudra.serving.explanation_writer import Explained as Explained
from mudra.serving.explanation_writer import explain as explain
from mudra.serving.figure import GridRow as GridRow
from mudra.serving.figure import image_grid as image_grid
from mudra.serving.figure import write_png as write_png
from mudra.serving.fusion import Fusion as Fusion
from mudra.serving.fusion import Member as Member
from mudra.serving.fusion import fuse as fuse
from mudra.serving.fusion import tune_weights as tune_weights
from mudra.serving.fusion import write_fusion as write_fusion
from mudra.serving.future import FuturePredictor as FuturePredictor
from mudra.serving.future import FutureScores as FutureScores
from mudra.serving.future import KnownFuture as KnownFuture
from mudra.serving.future import SpeedScore as SpeedScore
from mudra.serving.future import draw_futures as draw_futures
from mudra.serving.future import judge_future as judge_future
from mudra.serving.future import load_future as load_future
from mudra.serving.predictor import Predictor as Predictor
from mudra.serving.predictor import load as load
from mudra.serving.predictor import read_card as read_card
from mudra.serving.predictor import read_run as read_run
from mudra.serving.segmenter import Segmented as Segmented
from mudra.serving.segmenter import Segmenter as Segmenter
from mudra.serving.segmenter import load_segmenter as load_segmenter
from mudra.serving.stream_evaluation import StreamEvaluation as StreamEvaluation
from mudra.serving.stream_evaluation import evaluate_streams as evaluate_streams
from mudra.serving.stream_evaluation import judge_streams as judge_streams
from mudra.serving.stream_report import write_stream_evaluation as write_stream_evaluation
from mudra.serving.timeline import Timeline as Timeline
from mudra.serving.timeline import write_timeline as write_timeline
