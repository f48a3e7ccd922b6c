"""ONNX Runtime GenAI, by PyPI's onnxruntime-genai."""

import json

import numpy as np
import onnxruntime_genai

from engine import Engine, serve, timed


class OnnxRuntime(Engine):
    def __init__(self, model, threads, context):
        config = onnxruntime_genai.Config(model)
        config.overlay(json.dumps({"model": {"decoder": {"session_options": {"intra_op_num_threads": threads}}}}))
        self.model, self.context = onnxruntime_genai.Model(config), context

    def generator(self):
        options = onnxruntime_genai.GeneratorParams(self.model)
        options.set_search_options(max_length=self.context, min_length=self.context, do_sample=False)
        return onnxruntime_genai.Generator(self.model, options)

    def generate(self, ids, count):
        generator = self.generator()

        def step():
            generator.generate_next_token()
            return int(generator.get_next_tokens()[0])

        def start():
            generator.append_tokens(np.array(ids, dtype=np.int32))
            return step()

        prefill, id = timed(start)
        seconds, rest = timed(lambda: [step() for _ in range(count)])
        return prefill, seconds, [id, *rest]

    def logits(self, ids):
        generator = self.generator()
        generator.append_tokens(np.array(ids, dtype=np.int32))
        return np.asarray(generator.get_output("logits"))[0]


if __name__ == "__main__":
    serve(OnnxRuntime)
