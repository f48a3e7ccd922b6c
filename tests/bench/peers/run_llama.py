"""llama.cpp, by PyPI's llama-cpp-python."""

import llama_cpp
import numpy as np

from engine import Engine, serve, timed


class Llama(Engine):
    def __init__(self, model, threads, context):
        self.model = llama_cpp.Llama(
            model_path=model, n_ctx=context, n_threads=threads, n_threads_batch=threads, n_batch=512, logits_all=False,
            verbose=False,
        )

    def start(self, ids):
        self.model.reset()
        self.model.eval(ids)
        return self.next_id()

    def next_id(self):
        logits = llama_cpp.llama_get_logits_ith(self.model.ctx, -1)
        return int(np.argmax(np.ctypeslib.as_array(logits, (self.model.n_vocab(),))))

    def step(self, id):
        self.model.eval([id])
        return self.next_id()

    def generate(self, ids, count):
        prefill, id = timed(lambda: self.start(ids))
        tokens = [id]

        def decode():
            for _ in range(count):
                tokens.append(self.step(tokens[-1]))

        seconds, _ = timed(decode)
        return prefill, seconds, tokens

    def logits(self, ids):
        self.model.reset()
        rows = []
        for id in ids:
            self.model.eval([id])
            logits = llama_cpp.llama_get_logits_ith(self.model.ctx, -1)
            rows.append(np.ctypeslib.as_array(logits, (self.model.n_vocab(),)).copy())
        return np.stack(rows)


if __name__ == "__main__":
    serve(Llama)
