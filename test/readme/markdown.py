"""What the tests of the documentation share: the documents, their blocks, and TAP."""
import glob
import os
import re
import subprocess
import textwrap
from collections import namedtuple

top = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

# kind: what stands behind the fence. source, part: the file that a comment above the block names, and the part of it, "README" when it
# names none. answer: the ```text block directly below.
Block = namedtuple("Block", "kind code line source part answer")

_fence = re.compile(r"^(?:<!-- (?P<source>\S+)(?: (?P<part>\w+))? -->\n)?```(?P<kind>\w*)\n(?P<code>.*?)^```$"
                    r"(?:\n\n```text\n(?P<answer>.*?)^```$)?", re.MULTILINE | re.DOTALL)


def documents():
    """The names of the documents, from the top of the project."""
    pages = glob.glob(os.path.join(top, "docs", "**", "*.md"), recursive=True)
    return ["README.md"] + sorted(os.path.relpath(path, top) for path in pages)


def read(name):
    """The text of a file of the project."""
    with open(os.path.join(top, name), encoding="utf-8") as file:
        return file.read()


def blocks(text):
    """The fenced blocks of a document, in order."""
    return [Block(match["kind"], match["code"], text.count("\n", 0, match.start("kind")) + 1, match["source"],
                  match["part"] or "README", match["answer"])
            for match in _fence.finditer(text)]


def parts(text):
    """What a program shows the reader, by name: all between the lines "begin NAME" and "end NAME"; a name can come twice."""
    found = {}
    for name, code in re.findall(r"^[^\n]*\bbegin (\w+)[^\n\w]*\n(.*?)^[^\n]*\bend \1\b[^\n]*$", text, re.MULTILINE | re.DOTALL):
        found[name] = found.get(name, "") + textwrap.dedent(code).strip("\n") + "\n"
    return found


def with_parts(text):
    """A document with the blocks that name a file filled anew."""
    def fill(match):
        block = match[0]
        if not match["source"]:
            return block
        code = parts(read(match["source"])).get(match["part"] or "README", "")
        return block[:match.start("code") - match.start()] + code + block[match.end("code") - match.start():]
    return _fence.sub(fill, text)


def with_answers(text, answer):
    """A document with the answers to its SQL filled anew, by what answer(code) says."""
    def fill(match):
        if match["kind"] != "sql" or match["source"]:
            return match[0]
        said = answer(match["code"])
        question = match[0][:match.end("code") - match.start()] + "```"
        return question + (f"\n\n```text\n{said}\n```" if said else "")
    return _fence.sub(fill, text)


def psql(sql, database=None):
    """What psql shows for some SQL: messages and answers, without the number of rows and without blanks at the end of lines."""
    run = subprocess.run(["psql", "-X", "--quiet", "--pset=footer=off", "--dbname", database or os.environ["PGDATABASE"]],
                         input=sql, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return "\n".join(line.rstrip() for line in run.stdout.splitlines()).strip("\n")


def rows(sql, database=None):
    """The rows of a query, as lists of strings."""
    run = subprocess.run(["psql", "-XAtqF\t", "-v", "ON_ERROR_STOP=1", "--dbname", database or os.environ["PGDATABASE"]],
                         input=sql, text=True, stdout=subprocess.PIPE, check=True)
    return [line.split("\t") for line in run.stdout.splitlines()]


class FreshDatabase:
    """A database for the time of a with statement."""

    def __init__(self, name):
        self.name = re.sub(r"\W", "_", "readme_" + name.lower())

    def __enter__(self):
        rows(f"SET client_min_messages = warning;\nDROP DATABASE IF EXISTS {self.name};\nCREATE DATABASE {self.name};")
        return self.name

    def __exit__(self, *_):
        rows(f"DROP DATABASE {self.name};")


class Tap:
    """Counts tests and says how they went."""

    def __init__(self):
        self.count = 0

    def ok(self, good, name, said=""):
        self.count += 1
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}")
        if not good:
            print("".join(f"# {line}\n" for line in str(said).splitlines()), end="")

    def same(self, found, wanted, name):
        self.ok(found == wanted, name, f"found:\n{found}\nwanted:\n{wanted}")

    def done(self):
        print(f"1..{self.count}", flush=True)
