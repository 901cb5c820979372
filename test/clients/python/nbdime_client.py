"""nbdime, which merges notebooks, and the JSON that they are made of: objects by their members."""
import collections
import itertools
import logging
import random

import psycopg
from nbdime.merging.decisions import apply_decisions
from nbdime.merging.generic import decide_merge
from psycopg.types.json import Jsonb
from tap import done, ok, same

SEED, MERGES = 1, 2000
SINGLE = [None, True, False, 5, 7, 2.5, "x", "y", "z"]


# --- Random edits ---------------------------------------------------------------------------------------------------------------------------

def make(chooser, depth):
    return {name: make(chooser, depth - 1) if depth > 0 and chooser.random() < 0.4 else chooser.choice(SINGLE)
            for name in "abcd" if chooser.random() < 0.6}


def edit(value, side, chooser):
    if not isinstance(value, dict):
        return chooser.choice(SINGLE)
    value = dict(value)
    for _ in range(chooser.randrange(3)):
        name = chooser.choice([*value, "n"])
        if name not in value:
            value |= {"n": chooser.choice(SINGLE)} if chooser.random() < 0.7 else {side: make(chooser, 1)}
        elif chooser.random() < 0.15:
            del value[name]
        else:
            value[name] = chooser.choice(SINGLE) if chooser.random() < 0.05 else edit(value[name], side, chooser)
    return value


# --- Both merges: a value, or the paths where edits collide -----------------------------------------------------------------------------------

def by_docstore(base, mine, theirs):
    merged, conflicts = session.execute("SELECT * FROM docstore.merge3(%s, %s, %s)", [Jsonb(base), Jsonb(mine), Jsonb(theirs)]).fetchone()
    return [conflict["path"] for conflict in conflicts] if conflicts else merged


def by_nbdime(base, mine, theirs):
    decisions = decide_merge(base, mine, theirs)
    conflicts = [decision for decision in decisions if decision.conflict]
    if not conflicts:
        return apply_decisions(base, decisions)
    # The last name is in the two diffs. What comes after a number is in a text or an array.
    paths = [[*decision.common_path, (decision.local_diff or decision.remote_diff)[0].key] for decision in conflicts]
    return sorted("".join(f"/{name}" for name in itertools.takewhile(lambda name: isinstance(name, str), path)) for path in paths)


def agree():
    chooser, faults, seen = random.Random(SEED), [], collections.Counter()
    for _ in range(MERGES):
        base = make(chooser, 2)
        mine, theirs = edit(base, "mine", chooser), edit(base, "theirs", chooser)
        ours, other = by_docstore(base, mine, theirs), by_nbdime(base, mine, theirs)
        if ours == other:
            seen[type(ours)] += 1
        else:
            faults.append((base, mine, theirs, ours, other))
    same(faults[:3], [], f"agree: {MERGES} merges of seed {SEED} are as the other one has them")
    ok(seen[dict] > MERGES / 10, f"agree: {seen[dict]} of them have one value")
    ok(seen[list] > MERGES / 20, f"agree: in {seen[list]} of them edits collide, at the same paths")


def differ():
    for name, base, mine, theirs, ours, other in (
            ("two objects that both have added are merged, and there they collide",
             {}, {"o": {"a": 5}}, {"o": {"b": 7}}, {"o": {"a": 5, "b": 7}}, ["/o"]),
            ("an array is merged as a whole, and there by what is in it",
             {"l": [5, 6, 7]}, {"l": [4, 5, 6, 7]}, {"l": [5, 6, 7, 8]}, ["/l"], {"l": [4, 5, 6, 7, 8]}),
            ("a string that one has emptied collides with another edit, and there the other edit is taken",
             {"s": "x"}, {"s": ""}, {"s": "y"}, ["/s"], {"s": "y"}),
            ("true is not 1, and there it is",
             {"t": 1}, {"t": True}, {"t": 1}, {"t": True}, {"t": 1})):
        found = by_docstore(base, mine, theirs), by_nbdime(base, mine, theirs)
        same(repr(found), repr((ours, other)), f"differ: {name}")


# It says there what it decides.
logging.disable()
with psycopg.connect(autocommit=True) as session:
    session.execute("CREATE EXTENSION IF NOT EXISTS docstore")
    agree()
    differ()
done()
