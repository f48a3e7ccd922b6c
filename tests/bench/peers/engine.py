"""What an engine must do to be compared, and the process it does it in: settings in as JSON, measurements out as JSON."""

import json
import resource
import sys
import time

import numpy as np


class Engine:
    """One model loaded by one engine. Subclasses load in `__init__(model, threads, context)`."""

    def generate(self, ids, count):
        """Prefills `ids`, then decodes greedily, whatever the tokens are: (seconds to the first token, seconds of the
        `count` tokens after it, those 1 + count ids)."""
        raise NotImplementedError

    def logits(self, ids):
        """f32 [T, V]"""
        raise NotImplementedError


def timed(call):
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def serve(create):
    """`create(model, threads, context)` makes the engine; the last line of standard output is the answer."""
    settings = json.loads(sys.argv[1])
    load, engine = timed(lambda: create(settings["model"], settings["threads"], settings["context"]))
    answer = {"load_s": load, "contexts": {}}
    if "logits" in settings:
        np.save(settings["logits"], engine.logits(settings["ids"]).astype(np.float32))
    else:
        # Once unmeasured: what happens only once is no part of a speed.
        first, _, _ = engine.generate(settings["warm"], 1)
        answer["first_token_s"] = load + first
        for ids in settings["prompts"]:
            prefill, decode, tokens = engine.generate(ids, settings["generate"])
            answer["contexts"][len(ids)] = {
                "prefill_tok_s": len(ids) / prefill,
                "decode_tok_s": settings["generate"] / decode,
                "tokens": [int(token) for token in tokens],
            }
    answer["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024e-6
    print("\n" + json.dumps(answer))
