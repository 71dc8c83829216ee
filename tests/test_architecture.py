"""The architecture, checked by the code's own imports: layers, pure modules, import cycles, length of files."""

import ast
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
# Each folder, and those of ours it may import from.
KNOWS = {"index": {"index"}, "webui": {"webui", "index"}, "daemon": {"daemon", "webui", "index"}}
# The programs that measure, of which the installed one knows nothing.
MEASURING = {
    "samples": {"samples", "index"},
    "fitting": {"fitting", "samples", "index", "daemon"},
    "bench": {"bench", "samples", "index", "webui", "daemon"},
}
MODULES = sorted(path for folder in KNOWS for path in (TOP / folder).rglob("*.py"))
EVERY_FILE = sorted([*MODULES, *(path for folder in ("tests", *MEASURING) for path in (TOP / folder).rglob("*.py"))])
# A limit against files of several duties, and no reason to cut one of a single duty.
MOST_LINES = 600

# A module whose docstring begins with PURE imports of ours only what is PURE, and these vocabularies.
VOCABULARY = {"index.errors", "index.messages", "index.model", "webui.http_errors"}
# Modules that must stay pure, whatever their docstrings say.
PROMISED_PURE = {
    "index.imaging.candidates.perceptual_hash",
    "index.imaging.grouping.groups",
    "index.imaging.discovery.reconcile",
    "daemon.watching.debounce",
}
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
    """The dotted name of a module: database.store, and index for its __init__."""
    parts = path.relative_to(TOP).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def docstring(path: Path) -> str:
    return ast.get_docstring(parse(path)) or ""


def imports(path: Path) -> set[str]:
    """The dotted names of the modules a file imports, wherever in it. Of `from a import b`, a.b where that is ours."""
    modules = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & NAMES
            modules |= inner or {node.module}
    return modules


PATHS = {name_of(path): path for path in MODULES}
NAMES = set(PATHS)


@cache
def pure() -> list[Path]:
    return [path for path in MODULES if docstring(path).startswith("PURE")]


@pytest.fixture(scope="module", autouse=True)
def _trees_are_forgotten() -> Iterator[None]:
    """They are large, and the collector of garbage would walk them during all tests that follow."""
    yield
    parse.cache_clear()


def ours(path: Path) -> set[str]:
    return {name for name in imports(path) if name.partition(".")[0] in {*KNOWS, *MEASURING, "tests"}}


def offenders(paths: Iterable[Path], check: Callable[[Path], object]) -> dict[str, object]:
    """What a check finds, by file; files with no finding are left out."""
    return {str(path.relative_to(TOP)): finding for path in paths if (finding := check(path))}


def test_a_module_imports_only_what_its_folder_may_know() -> None:
    may_import = KNOWS | MEASURING

    def forbidden(path: Path) -> set[str]:
        allowed = may_import[path.relative_to(TOP).parts[0]]
        return {name for name in ours(path) if name.partition(".")[0] not in allowed}

    measuring = [path for folder in MEASURING for path in (TOP / folder).rglob("*.py")]
    assert offenders([*MODULES, *measuring], forbidden) == {}


def test_messages_errors_and_model_can_be_imported_by_all() -> None:
    """They import nothing that might need them in turn."""
    for name, may in (("messages", set()), ("errors", {"index.messages"}), ("model", {"index.messages"})):
        others = imports(TOP / "index" / f"{name}.py") - may
        assert {other.partition(".")[0] for other in others} <= set(sys.stdlib_module_names)


def test_a_pure_module_imports_nothing_that_touches_the_world() -> None:
    may = {name_of(path) for path in pure()} | VOCABULARY | set(KNOWS)

    def forbidden(path: Path) -> set[str]:
        return {name for name in imports(path) if name.partition(".")[0] in IMPURE} | (ours(path) - may)

    assert offenders(pure(), forbidden) == {}


def test_a_pure_module_calls_nothing_that_touches_the_world() -> None:
    def forbidden(path: Path) -> set[str]:
        calls = [node.func for node in ast.walk(parse(path)) if isinstance(node, ast.Call)]
        plain = {call.id for call in calls if isinstance(call, ast.Name)} & IMPURE_CALLS
        return plain | ({call.attr for call in calls if isinstance(call, ast.Attribute)} & IMPURE_METHODS)

    assert offenders(pure(), forbidden) == {}


def test_what_was_promised_to_be_pure_says_so() -> None:
    assert {name_of(path) for path in pure()} >= PROMISED_PURE & NAMES


def test_no_file_is_too_long() -> None:
    def too_many(path: Path) -> int:
        return max(0, len(path.read_text("utf-8").splitlines()) - MOST_LINES)

    assert offenders(EVERY_FILE, too_many) == {}


def test_every_file_has_a_docstring() -> None:
    assert offenders(EVERY_FILE, lambda path: not docstring(path)) == {}


def test_the_first_line_of_a_docstring_stands_alone() -> None:
    assert offenders(MODULES, lambda path: docstring(path).splitlines()[1:2] not in ([], [""])) == {}


def test_imports_are_absolute() -> None:
    def relative(path: Path) -> list[int]:
        return [node.lineno for node in ast.walk(parse(path)) if isinstance(node, ast.ImportFrom) and node.level]

    assert offenders(EVERY_FILE, relative) == {}


def package_of(name: str) -> str:
    """The package whose imports are checked for cycles: index.database.records, daemon.jobs; else the module itself."""
    parts = name.split(".")
    return ".".join(parts[:3] if parts[:2] in (["index", "imaging"], ["index", "database"]) else parts[:2])


def circle(needs: dict[str, set[str]]) -> dict[str, set[str]]:
    """The modules left over when those that no longer need another are taken away, again and again."""
    left = dict(needs)
    while free := {name for name, needed in left.items() if not needed & set(left)}:
        for name in free:
            del left[name]
    return left


def test_no_two_modules_need_each_other() -> None:
    assert circle({name_of(path): imports(path) & NAMES - {name_of(path)} for path in MODULES}) == {}


def test_no_two_packages_need_each_other() -> None:
    needs: dict[str, set[str]] = {}
    for path in MODULES:
        package = package_of(name_of(path))
        needs.setdefault(package, set()).update({package_of(name) for name in imports(path) & NAMES} - {package})
    assert circle(needs) == {}


def test_image_science_knows_no_database() -> None:
    """index.imaging imports neither the SQLite side nor what talks to SQLite, nor a module of ours that does."""

    def reached(name: str) -> set[str]:
        """Every module that is loaded with this one."""
        seen, todo = set(), {name}
        while todo:
            seen |= todo
            todo = {other for one in todo & NAMES for other in imports(PATHS[one])} - seen
        return seen

    def forbidden(path: Path) -> set[str]:
        return {
            name
            for name in reached(name_of(path))
            if name.startswith("index.database") or name.partition(".")[0] in {"peewee", "playhouse", "sqlite3"}
        }

    assert offenders((path for path in MODULES if name_of(path).startswith("index.imaging")), forbidden) == {}


def test_index_holds_two_halves_and_what_both_use() -> None:
    common = {name for name in NAMES if name.startswith("index.")} - {
        name for name in NAMES if name.startswith(("index.imaging", "index.database"))
    }
    assert common == {
        "index.errors",
        "index.messages",
        "index.model",
        "index.operating_system",
        "index.paths",
        "index.posix_on_windows",
        "index.settings",
        "index.triggers",
        "index.validation",
        "index.windows_handles",
    }


def test_tests_are_no_package() -> None:
    assert list((TOP / "tests").rglob("__init__.py")) == []
