"""OpenVINO GenAI, by PyPI's openvino-genai; logits, which its pipeline does not give, by OpenVINO on the same model."""

import os

import numpy as np
import openvino
import openvino_genai

from engine import Engine, serve


class OpenVino(Engine):
    def __init__(self, model, threads, context):
        self.path, self.threads = model, threads
        self.pipeline = openvino_genai.LLMPipeline(model, "CPU", INFERENCE_NUM_THREADS=threads)

    def generate(self, ids, count):
        config = openvino_genai.GenerationConfig(max_new_tokens=1 + count, ignore_eos=True, do_sample=False)
        ids = np.array([ids], dtype=np.int64)
        inputs = openvino_genai.TokenizedInputs(openvino.Tensor(ids), openvino.Tensor(np.ones_like(ids)))
        result = self.pipeline.generate(inputs, config)
        metrics = result.perf_metrics
        return metrics.get_ttft().mean * 1e-3, metrics.get_tpot().mean * 1e-3 * count, result.tokens[0]

    def logits(self, ids):
        core = openvino.Core()
        compiled = core.compile_model(
            os.path.join(self.path, "openvino_model.xml"), "CPU", {"INFERENCE_NUM_THREADS": self.threads}
        )
        request = compiled.create_infer_request()
        length = len(ids)
        given = {
            "input_ids": np.array([ids], dtype=np.int64),
            "attention_mask": np.ones((1, length), dtype=np.int64),
            "position_ids": np.arange(length, dtype=np.int64)[None],
            "beam_idx": np.zeros(1, dtype=np.int32),
        }
        names = {name for port in compiled.inputs for name in port.names}
        return request.infer({name: value for name, value in given.items() if name in names})["logits"][0]


if __name__ == "__main__":
    serve(OpenVino)
