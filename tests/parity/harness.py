"""Runs the programs under test; those of $QWENC_BIN_DIR, else of build/bin."""

import os
import pathlib
import subprocess

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("QWENC_BIN_DIR", ROOT / "build/bin"))
GOLDENS = ROOT / "tests/parity/goldens"
QWENC = BIN / "qwenc"

# |our logit - HF's| <= kBound * max |HF's logit| where both compute in f32.
BOUND = 2e-5
F32 = ("--format", "f32", "--activations", "f32")


def execute(*command, timeout=600, **options):
    """The finished process, its output as text."""
    return subprocess.run(
        [str(c) for c in command], capture_output=True, text=True, errors="replace", timeout=timeout, **options
    )


def succeed(*command, **options):
    """Standard output of a command that must exit with 0."""
    done = execute(*command, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def write_ids(path, ids):
    path.write_text(" ".join(str(int(i)) for i in ids) + "\n")
    return path


class App:
    """A compiled model."""

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def logits(self, ids, *options):
        """f32 [T, V]; buffers and caches start as NaN."""
        folder = self.path.parent
        ids_path, out = folder / f"{self.path.name}.ids", folder / f"{self.path.name}.npy"
        write_ids(ids_path, ids)
        succeed(self.path, "logits", "--ids", ids_path, "-o", out, "--poison", *options)
        logits = np.load(out)
        assert logits.dtype == np.float32 and logits.shape[0] == len(ids)
        return logits

    def greedy(self, ids, count, *options):
        """Ids that greedy decoding gives, stop tokens ignored."""
        return self.generate(ids, count, "--temperature", 0, *options)

    def generate(self, ids, count, *options):
        """Ids that follow, stop tokens ignored."""
        path = write_ids(self.path.parent / f"{self.path.name}.ids", ids)
        text = succeed(
            self.path, "run", "--ids", path, "--output-ids", "-n", count, "--ignore-stop", "--poison", *options,
        )
        return [int(word) for word in text.split()]


def compile_model(model, output, *options, **keywords):
    succeed(QWENC, "compile", model, "-o", output, *options, **keywords)
    return App(output)


def same_bits(a, b):
    return a.shape == b.shape and bool((a.view(np.uint32) == b.view(np.uint32)).all())


def golden(kind, name):
    """(ids i32 [T], logits f32 [T, V])"""
    with np.load(GOLDENS / f"{kind}_{name}.npz") as file:
        return file["ids"], file["logits"]


def worst(ours, reference):
    """Largest |ours - reference| in units of the bound; at most 1 where the models agree."""
    assert ours.shape == reference.shape
    assert np.isfinite(ours).all()
    return float(np.abs(ours.astype(np.float64) - reference).max() / (BOUND * np.abs(reference).max()))


def log_softmax(logits):
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=-1, keepdims=True)
    return wide - np.log(np.exp(wide).sum(axis=-1, keepdims=True))


def divergence(reference, logits):
    """Mean over positions of KL(reference || logits), in nats."""
    p, q = log_softmax(reference), log_softmax(logits)
    return float((np.exp(p) * (p - q)).sum(axis=-1).mean())
