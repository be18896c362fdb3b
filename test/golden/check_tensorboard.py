"""Reads a directory of event files with TensorBoard itself and prints {tag: [[step, value], ...]} as JSON.

Usage: python check_tensorboard.py DIRECTORY      (tensorboard 2.x)
"""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
events.Reload()
tags = events.Tags()["scalars"]
print(json.dumps({tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in tags}))
