"""EDGE: onnxruntime, loaded where a model is first run: only in a worker process, which can be killed.

onnxruntime gets the bytes that were checked, never a path, and one thread. Its exceptions mean that this model cannot
be run, so every failure becomes a PictureError with the reason MODEL.
"""

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import blake3
import numpy as np
from numpy.typing import NDArray

from index.errors import PictureError
from index.imaging.embedding.cosine_limits import CosineLimits
from index.imaging.embedding.model_input import ModelInput, ModelOptions, limits_of, resolve
from index.imaging.embedding.onnx_file import MAX_BYTES, MODEL, read_structure
from index.messages import of_os_error
from index.operating_system import processor_flags

# The execution provider of onnxruntime for each accepted name.
PROVIDERS: Final = {
    "cpu": "CPUExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cuda": "CUDAExecutionProvider",
}
# Processor flags without which onnxruntime adds products of 8 bits in 16.
SUM_EXACTLY: Final = frozenset(("avx_vnni", "avx512_vnni"))
QUIET: Final = 4
# What onnxruntime says if memory cannot be allocated.
NO_MEMORY: Final = ("Failed to allocate memory", "bad_alloc")
MESSAGE_LENGTH: Final = 200
# Before what is wrong, onnxruntime names the place in its source where it was noticed, sometimes with a signature of
# several hundred characters, and repeats the kind of the error.
PLACES: Final = re.compile(
    r"\[ONNXRuntimeError\] : \d+ : \w+ : |/\S+\.(?:cc|h):\d+ .*?\) (?:const )?|\b\w+\.cc:\d+ \w+ "
    r"|status\.IsOK\(\) was false\. "
)


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is ready to run: the digest of its file, its input, the limits of its cosines, and onnxruntime's
    session."""

    digest: bytes
    input: ModelInput
    limits: CosineLimits
    session: Any

    def run(self, values: NDArray[Any]) -> NDArray[Any]:
        """The output for one input. Raises PictureError (reason MODEL)."""
        try:
            output: Any = self.session.run([self.input.output], {self.input.name: values})[0]
        except MemoryError:
            raise
        except Exception as error:  # onnxruntime's errors have no common class
            raise _failure("model.not_run", error) from error
        if not isinstance(output, np.ndarray) or output.dtype.kind not in "fiu":
            raise PictureError(MODEL, "model.no_output")
        return output


def read_file(path: str) -> bytes:
    """The bytes of a model. Raises PictureError (reason MODEL)."""
    try:
        # Without blocking on a pipe that has no writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise PictureError(MODEL, "model.no_file")
            if status.st_size > MAX_BYTES:
                raise PictureError(MODEL, "model.too_large", megabytes=-(-status.st_size >> 20), limit=MAX_BYTES >> 20)
            return file.read(status.st_size)
    except OSError as error:
        raise PictureError(MODEL, "model.unreadable", error=of_os_error(error)) from error


def load(path: str, options: ModelOptions, provider: str) -> Model:
    """The model in a file, its structure checked first. Raises PictureError (reason MODEL)."""
    data = read_file(path)
    file = read_structure(data)
    resolved, limits = resolve(file, options), limits_of(file, options)
    return Model(blake3.blake3(data).digest(), resolved, limits, _session(data, [provider]))


def _session(data: bytes, providers: Sequence[str]) -> Any:
    try:
        import onnxruntime  # noqa: PLC0415 - a quarter of a second, and only where a model is run
    except (ImportError, OSError) as error:
        raise PictureError(MODEL, "model.no_runtime", problem=_shortened(error)) from error
    chosen = [PROVIDERS[name] for name in providers]
    absent = set(chosen) - set(onnxruntime.get_available_providers())
    if absent:
        raise PictureError(MODEL, "model.no_provider", provider=min(absent))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = QUIET
    # Otherwise a file may begin like one in onnxruntime's own format, which was not checked.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # Processors with AVX2 but without VNNI otherwise add products of 8 bits in 16, which overflow: the cosine of the
    # vectors of the included model to those of other processors was 0.96, at worst 0.80. With VNNI the sums are correct
    # without this, in half the time.
    if not SUM_EXACTLY & processor_flags():
        options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        return onnxruntime.InferenceSession(data, options, providers=[*chosen, *_fallback(chosen)])
    except MemoryError:
        raise
    except Exception as error:  # onnxruntime's errors have no common class
        raise _failure("model.not_loaded", error) from error


def _fallback(chosen: Sequence[str]) -> list[str]:
    """The processor runs what another provider cannot run."""
    return [] if PROVIDERS["cpu"] in chosen else [PROVIDERS["cpu"]]


def _failure(code: str, error: Exception) -> PictureError:
    """What an exception of onnxruntime means. It has no class of its own for memory that cannot be allocated."""
    if any(words in str(error) for words in NO_MEMORY):
        return PictureError(MODEL, "model.out_of_memory")
    return PictureError(MODEL, code, problem=_shortened(error))


def _shortened(error: Exception) -> str:
    return " ".join(PLACES.sub("", str(error)).split())[:MESSAGE_LENGTH] or type(error).__name__
