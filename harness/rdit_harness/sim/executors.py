"""Where seeds run: any `concurrent.futures.Executor`, named by a text.

`--scheduler` takes `module:callable` (called without arguments, or with `max_workers` where it takes that), a Dask
scheduler's address (`tcp://host:8786`), or `dask:local` for a cluster on this machine.
"""

from __future__ import annotations

import importlib
import inspect
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any

from .run import Summary, run_seeds

_CHUNK = 25
"""Seeds of one task: long enough to hide what a task costs, short enough for the last ones not to be waited for."""


@contextmanager
def open_executor(scheduler: str | None, jobs: int) -> Iterator[Executor | None]:
    """The executor that a text names; None for this very process.

    Raises:
        ValueError: the text names none.
        ModuleNotFoundError: Dask, or the module, is not installed.
    """
    if scheduler is None:
        if jobs < 2:
            yield None
            return
        # Not fork: what has threads must not, and pytest has.
        with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as executor:
            yield executor
    elif scheduler.startswith("dask:") or "://" in scheduler:
        distributed: Any = importlib.import_module("dask.distributed")
        where = {"n_workers": jobs, "threads_per_worker": 1} if scheduler == "dask:local" else {"address": scheduler}
        with distributed.Client(**where) as client:
            yield client.get_executor()
    else:
        with _factory(scheduler)(jobs) as executor:
            yield executor


def _factory(scheduler: str) -> Callable[[int], Executor]:
    module, colon, name = scheduler.partition(":")
    if not colon or not module or not name:
        raise ValueError(f"Expected module:callable, an address or dask:local as scheduler, got {scheduler!r}")
    make = getattr(importlib.import_module(module), name, None)
    if not callable(make):
        raise ValueError(f"Expected something to call under {scheduler!r}")
    if "max_workers" in inspect.signature(make).parameters:
        return lambda jobs: make(max_workers=jobs)
    return lambda jobs: make()


def run_many(
    first: int,
    count: int,
    faults: Sequence[str],
    *,
    executor: Executor | None,
    check_determinism: bool = False,
    plant: str | None = None,
    progress: Callable[[Summary], None] | None = None,
) -> Summary:
    """Run many seeds in chunks. What comes out does not depend on who ran which.

    Args:
        first: the first seed.
        count: how many.
        faults: codes that seeds may draw from.
        executor: where; None for here.
        check_determinism: run each seed twice.
        plant: a bug to plant first.
        progress: called after each chunk with what there is so far.
    """
    total = Summary()
    chunks = [(at, min(_CHUNK, first + count - at)) for at in range(first, first + count, _CHUNK)]
    options: dict[str, Any] = {"check_determinism": check_determinism, "plant": plant}
    if executor is None:
        for at, size in chunks:
            total.add(run_seeds(at, size, tuple(faults), **options))
            if progress is not None:
                progress(total)
        return total
    futures: list[Future[Summary]] = [
        executor.submit(run_seeds, at, size, tuple(faults), **options) for at, size in chunks
    ]
    # Dask's futures are its own, and no `Future`.
    is_ours = all(isinstance(one, Future) for one in list[Any](futures))
    done: Iterator[Future[Summary]] = as_completed(futures) if is_ours else iter(futures)
    for future in done:
        total.add(future.result())
        if progress is not None:
            progress(total)
    return total
