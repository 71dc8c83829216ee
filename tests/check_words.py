"""Home-made words, counted against a maximum that may only go down: `python tests/check_words.py [--update]`.

A word is counted wherever it stands in the code, also as a part of a name. `--update` writes the present counts where
they are lower than the maxima.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

TOP = Path(__file__).parents[1]
LIST = Path(__file__).with_name("words.toml")


def count(pattern: str, paths: list[str]) -> int:
    """How often a word stands in the files of git that match some patterns."""
    names = subprocess.run(["git", "ls-files", "-z", "--", *paths], cwd=TOP, check=True, capture_output=True, text=True)
    word = re.compile(rf"(?<![a-z]){pattern}(?![a-z])", re.IGNORECASE)
    files = [TOP / name for name in names.stdout.split("\0") if name]
    return sum(len(word.findall(file.read_text("utf-8"))) for file in files if file.exists())


def main() -> int:
    text = LIST.read_text("utf-8")
    failed = False
    for part, table in tomllib.loads(text).items():
        for word, (maximum, instead) in table["words"].items():
            number = count(word.replace(" ", r"\s+"), table["paths"])
            if number > maximum:
                print(f"{part}: {number} times {word!r}, at most {maximum} are allowed. Say instead: {instead}.")
                failed = True
            elif number < maximum and "--update" in sys.argv:
                begin = text.index(f"[{part}.words]")
                old = re.compile(rf'^("?{re.escape(word)}"? = \[){maximum},', re.MULTILINE)
                text = text[:begin] + old.sub(rf"\g<1>{number},", text[begin:], count=1)
            elif number < maximum:
                print(f"{part}: {word!r} stands {number} times, {maximum} are allowed. Lower it with --update.")
    if "--update" in sys.argv:
        LIST.write_text(text, "utf-8")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
