"""Import a large library without Python's garbage collector, which looks through all that its modules make.

They make nothing that goes before the end of the process. To look through it, again and again and once more at the end,
takes a third of the time of a short task.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector(library: str) -> Iterator[None]:
    """Pause the collector while a library is imported, unless that has happened; afterwards it looks at new objects.

    Args:
        library: The name of its first module, for example `mlflow`.
    """
    if library in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
