"""The configured model: checked in a worker when it is first needed and when its file changes.

A failing model does not fail a job: detection falls back to the hashes, and the reason is stored in the index, for the
page and the doctor. Used in the runner's thread.
"""

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import msgspec

from daemon.configuration.config import DEFAULT_MODEL, ModelSection
from daemon.processes.model_task import SHIPPED, ModelReport, ModelTask, check_model
from daemon.processes.worker_pool import WorkerPool, WorkersUnavailable
from index.database.records import vectors
from index.database.store import Store
from index.errors import PictureError
from index.imaging.embedding.model_input import ModelOptions
from index.imaging.embedding.onnx_file import MODEL
from index.messages import Message
from index.model import Method

log = logging.getLogger(__name__)

# Failures in a row, without a success between them, before the model is considered to fail.
FAILURES_IN_A_ROW: Final = 3


def task_for(section: ModelSection, file: str, changes: Mapping[str, str]) -> ModelTask:
    """The task for a file, with the settings of the configuration if it names this file."""
    path = _path(file)
    named = path == _path(section.file)
    said: Mapping[str, str] = msgspec.structs.asdict(section) if named else {}
    values = {name: changes.get(name, said.get(name, "")) for name in ModelOptions.__slots__}
    return ModelTask(path, ModelOptions(**values), changes.get("provider", section.provider))


def failure_of(error: PictureError) -> Message:
    """Why the model fails: the reasons that workers give for pictures are not suitable."""
    match error.reason:
        case "timed_out":
            return Message("model.timed_out")
        case "out_of_memory":
            return Message("model.out_of_memory")
        case "crashed":
            return Message("model.crashed", problem=error.message.params.get("cause", error.message))
    return error.message


class EmbeddingModel:
    """One model, its state kept in the index."""

    def __init__(self, store: Store, pool: WorkerPool, section: ModelSection) -> None:
        self.pool = pool
        self._store = store
        self._task = task_for(section, section.file, {})
        self._shipped = section.file == DEFAULT_MODEL
        self._seen: tuple[int, ...] | None = None
        self._report: ModelReport | None = None

    def decide(self, asked: Method) -> tuple[Method, str]:
        """The method to use if one is requested, and the key of the model that it uses, "" for none."""
        if asked is Method.HASH:
            return Method.HASH, ""
        report = self._checked()
        if report is None:
            return Method.HASH, ""
        if asked is not Method.AUTO:
            return asked, report.key
        return self._automatic(report)

    def report(self) -> ModelReport:
        """The findings about the model that `decide` chose."""
        assert self._report is not None
        return self._report

    @property
    def task(self) -> ModelTask:
        """What a worker needs to run the model that `decide` chose."""
        report = self.report()
        return replace(self._task, digest=report.digest, dimensions=report.dimensions)

    def fail(self, error: PictureError) -> None:
        """Do not use the model until its file changes or the service is restarted."""
        self._report = None
        self._note(failure_of(error), None)

    def _automatic(self, report: ModelReport) -> tuple[Method, str]:
        with self._store.read() as database:
            state = vectors.model_state(database)
        # The time as first measured: the choice must not depend on what else the machine does.
        milliseconds = report.milliseconds if state is None else state.milliseconds
        if milliseconds > vectors.MOST_MILLISECONDS:
            log.info("the model takes %.0f ms a picture: candidates are found by their hashes alone", milliseconds)
            return Method.HASH, ""
        return Method.HASH_AND_MODEL, report.key

    def _checked(self) -> ModelReport | None:
        """The report on the file as it is now; None if it cannot be used."""
        seen = _identity(self._task.path)
        if seen == self._seen:
            return self._report
        self._seen, self._report = seen, None
        if not seen and self._shipped:
            # In a build without a model this is no failure, but the method of the hashes.
            self._store.write(vectors.clear_model_state)
            return None
        try:
            self._report = self.pool.call(check_model, self._task)
        except PictureError as error:
            self._note(failure_of(error), None)
            return None
        except WorkersUnavailable as error:
            if error.message.code == "workers.stopped":
                raise
            self._note(error.message, None)
            return None
        self._note(None, self._report)
        return self._report

    def _note(self, failure: Message | None, report: ModelReport | None) -> None:
        path = self._task.path
        if failure is not None:
            log.warning("the model %s is not used: %s", path, failure)
        state = vectors.ModelState(
            path="" if self._shipped else path,
            key="" if report is None else report.key,
            dimensions=0 if report is None else report.dimensions,
            milliseconds=0.0 if report is None else report.milliseconds,
            failure=failure,
            checked_ns=time.time_ns(),
        )
        self._store.write(lambda database: vectors.store_model_state(database, state))


def is_failure_of_model(error: PictureError) -> bool:
    """Whether a task may have failed because of the model, not because of the picture."""
    return error.reason in (MODEL, "timed_out", "crashed", "out_of_memory")


def _path(file: str) -> str:
    return str(SHIPPED) if file == DEFAULT_MODEL else os.path.abspath(os.path.expanduser(file))


def _identity(path: str) -> tuple[int, ...]:
    """The identity of a file, which changes with it; () if there is no file."""
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
