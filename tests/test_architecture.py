"""The shape of the house, read from the code's own imports: who may know whom, what is pure, how long a file may be."""

import ast
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

TOP = Path(__file__).parents[1]
# Each folder, and those of ours it may import from.
KNOWS = {"index": {"index"}, "webui": {"webui", "index"}, "daemon": {"daemon", "webui", "index"}}
MODULES = sorted(path for folder in KNOWS for path in (TOP / folder).rglob("*.py"))
EVERY_FILE = sorted([*MODULES, *(path for folder in ("tests", "bench") for path in (TOP / folder).rglob("*.py"))])
MOST_LINES = 500

# A module whose docstring begins with PURE imports of ours only what is PURE, and these vocabularies.
VOCABULARY = {"index.errors", "index.model", "webui.refusals"}
# Those that the plan of the house promises, whatever their docstrings come to say.
PROMISED_PURE = {
    "index.candidates.fingerprint", "index.grouping.groups", "index.images.reconcile", "daemon.watching.settle",
}  # fmt: skip
# What touches files, processes, threads, the clock, chance, the network or a database.
IMPURE = {
    "asyncio", "bottle", "builtins", "concurrent", "ctypes", "fcntl", "glob", "http", "importlib", "io",
    "logging", "mmap", "multiprocessing", "os", "pathlib", "peewee", "PIL", "playhouse", "queue", "random",
    "requests", "sched", "secrets", "select", "selectors", "shutil", "signal", "socket", "socketserver",
    "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "tqdm", "urllib", "uuid",
    "waitress", "watchdog",
}  # fmt: skip
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "__import__"}
IMPURE_METHODS = {"fromfile", "imread", "imwrite", "now", "default_rng", "tofile", "today", "utcnow"}


def name_of(path: Path) -> str:
    """The dotted name of a module: index.store, and index for its __init__."""
    parts = path.relative_to(TOP).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def docstring(path: Path) -> str:
    return ast.get_docstring(parse(path)) or ""


def imports(path: Path) -> set[str]:
    """The dotted names of the modules a file imports, wherever in it. Of `from a import b`, a.b where that is ours."""
    found = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & NAMES
            found |= inner or {node.module}
    return found


NAMES = {name_of(path) for path in MODULES}
PURE = [path for path in MODULES if docstring(path).startswith("PURE")]


def ours(path: Path) -> set[str]:
    return {name for name in imports(path) if name.partition(".")[0] in {*KNOWS, "tests", "bench"}}


def offenders(paths: Iterable[Path], told: Callable[[Path], object]) -> dict[str, object]:
    """What there is to tell of each file, of those that have something."""
    return {str(path.relative_to(TOP)): found for path in paths if (found := told(path))}


def test_a_module_imports_only_what_its_folder_may_know() -> None:
    def forbidden(path: Path) -> set[str]:
        return {name for name in ours(path) if name.partition(".")[0] not in KNOWS[path.relative_to(TOP).parts[0]]}

    assert offenders(MODULES, forbidden) == {}


def test_the_words_of_the_house_import_nothing_of_ours() -> None:
    assert imports(TOP / "index" / "errors.py") == set()
    assert {name.partition(".")[0] for name in imports(TOP / "index" / "model.py")} <= set(sys.stdlib_module_names)


def test_a_pure_module_imports_nothing_that_touches_the_world() -> None:
    pure = {name_of(path) for path in PURE} | VOCABULARY | set(KNOWS)

    def forbidden(path: Path) -> set[str]:
        return {name for name in imports(path) if name.partition(".")[0] in IMPURE} | (ours(path) - pure)

    assert offenders(PURE, forbidden) == {}


def test_a_pure_module_calls_nothing_that_touches_the_world() -> None:
    def forbidden(path: Path) -> set[str]:
        calls = [node.func for node in ast.walk(parse(path)) if isinstance(node, ast.Call)]
        plain = {call.id for call in calls if isinstance(call, ast.Name)} & IMPURE_CALLS
        return plain | ({call.attr for call in calls if isinstance(call, ast.Attribute)} & IMPURE_METHODS)

    assert offenders(PURE, forbidden) == {}


def test_what_was_promised_to_be_pure_says_so() -> None:
    assert {name_of(path) for path in PURE} >= PROMISED_PURE & NAMES


def test_every_file_can_be_read_at_one_sitting() -> None:
    def too_many(path: Path) -> int:
        return max(0, len(path.read_text("utf-8").splitlines()) - MOST_LINES)

    assert offenders(EVERY_FILE, too_many) == {}


def test_every_file_begins_by_telling_its_duty() -> None:
    assert offenders(EVERY_FILE, lambda path: not docstring(path)) == {}


def test_the_first_line_of_a_module_tells_its_duty_by_itself() -> None:
    assert offenders(MODULES, lambda path: docstring(path).splitlines()[1:2] not in ([], [""])) == {}


def test_imports_are_absolute() -> None:
    def relative(path: Path) -> list[int]:
        return [node.lineno for node in ast.walk(parse(path)) if isinstance(node, ast.ImportFrom) and node.level]

    assert offenders(EVERY_FILE, relative) == {}


def room_of(name: str) -> str:
    """The folder a module stands in: index.records. Of one that stands in none, the module itself."""
    return ".".join(name.split(".")[:2])


def circle(needs: dict[str, set[str]]) -> dict[str, set[str]]:
    """Of who needs whom, those left over when whoever needs nobody any more is taken away, again and again."""
    left = dict(needs)
    while free := {name for name, needed in left.items() if not needed & set(left)}:
        for name in free:
            del left[name]
    return left


def test_no_two_modules_need_each_other() -> None:
    assert circle({name_of(path): imports(path) & NAMES - {name_of(path)} for path in MODULES}) == {}


def test_no_two_rooms_need_each_other() -> None:
    needs: dict[str, set[str]] = {}
    for path in MODULES:
        room = room_of(name_of(path))
        needs.setdefault(room, set()).update({room_of(name) for name in imports(path) & NAMES} - {room})
    assert circle(needs) == {}


def test_tests_are_no_package() -> None:
    assert list((TOP / "tests").rglob("__init__.py")) == []
