"""docstore.merge3() beside an oracle, which is written from the rules in docs/merging.md and knows nothing of the code.

Random values are edited twice at random, and merged by random rules, by both. Merged the other way round the result is the same but for
the names of the sides; merged with mine once more it is the same again, unless there are sums.
"""
import json

MISSING = object()
OTHER = {'edit/delete': 'delete/edit', 'delete/edit': 'edit/delete'}


# --- The oracle ---------------------------------------------------------------------------------------------------------------------

def canon(value):
    """What jsonb's = goes by: True is not 1, and members have no order."""
    if value is MISSING:
        return 'missing',
    if isinstance(value, dict):
        return 'object', tuple(sorted((key, canon(member)) for key, member in value.items()))
    if isinstance(value, list):
        return 'array', tuple(canon(element) for element in value)
    return {type(None): 'null', bool: 'boolean', str: 'string', int: 'number', float: 'number'}[type(value)], value


def same(left, right):
    return canon(left) == canon(right)


def rank(value):
    """The order of single values."""
    kind, plain = canon(value)
    return ['null', 'string', 'number', 'boolean'].index(kind), plain.encode() if kind == 'string' else plain or 0


def shape(value):
    return {dict: 'object', list: 'array'}.get(type(value), 'single')


def is_number(value):
    return type(value) in (int, float)


def step(key):
    return '/' + key.replace('~', '~0').replace('/', '~1')


class Merge:
    """One merge: its rules, and the collisions found."""

    def __init__(self, rules):
        self.rules, self.found = rules, []

    def collide(self, path, kind, *sides):
        self.found.append((path, kind, *sides))
        return None

    def merge(self, base, mine, theirs, path='', rule_path=''):
        sides = base, mine, theirs
        if same(mine, base):
            return theirs
        if same(theirs, base):
            return mine
        rule = self.rules.get(rule_path)
        if rule == 'sum' and all(map(is_number, sides)):
            return theirs + (mine - base)
        shapes = {shape(side) for side in (mine, theirs)} | ({shape(base)} if base is not MISSING else set())
        if rule is None and shapes == {'object'}:
            return self.objects({} if base is MISSING else base, mine, theirs, path, rule_path)
        if isinstance(rule, dict) and shapes == {'array'}:
            return self.keyed([] if base is MISSING else base, mine, theirs, path, rule_path, rule['key'], sides)
        if same(mine, theirs):
            return theirs
        if rule == 'set' and shapes == {'array'}:
            return self.sets([] if base is MISSING else base, mine, theirs)
        if mine is MISSING:
            return self.collide(path, 'delete/edit', *sides)
        if theirs is MISSING:
            return self.collide(path, 'edit/delete', *sides)
        if base is MISSING:
            return self.collide(path, 'add/add', *sides)
        return self.collide(path, 'edit/edit' if len(shapes) == 1 else 'type', *sides)

    def objects(self, base, mine, theirs, path, rule_path):
        result = {}
        for key in {**mine, **theirs}:
            value = self.merge(*(side.get(key, MISSING) for side in (base, mine, theirs)), path + step(key), rule_path + step(key))
            if value is not MISSING:
                result[key] = value
        return result

    @staticmethod
    def by_key(array, name):
        """The elements by their keys, in order; None when an element has none, or that of another."""
        elements = {}
        for element in array:
            key = element.get(name) if isinstance(element, dict) else None
            if not isinstance(key, (str, int, float)) or isinstance(key, bool) or key in elements:
                return None
            elements[key] = element
        return elements

    def keyed(self, base, mine, theirs, path, rule_path, name, sides):
        base, mine, theirs = (self.by_key(array, name) for array in (base, mine, theirs))
        if base is None or mine is None or theirs is None:
            return sides[2] if same(sides[1], sides[2]) else self.collide(path, 'key', *sides)

        # What both have: in the order that both have, or of the one that has moved what all three have.
        shared = {id(side): [key for key in side if key in mine and key in theirs] for side in (mine, theirs)}
        old = [key for key in base if key in mine and key in theirs]
        moved = {id(side): [key for key in side if key in old] != old for side in (mine, theirs)}
        if shared[id(mine)] == shared[id(theirs)] or moved[id(mine)] and not moved[id(theirs)]:
            order = shared[id(mine)]
        elif moved[id(theirs)] and not moved[id(mine)]:
            order = shared[id(theirs)]
        else:
            self.collide(path, 'order', *sides)
            order = shared[id(mine)]

        # What one has inserted follows what it follows there, of what both have.
        runs = {}
        for side, other in ((mine, theirs), (theirs, mine)):
            anchor = MISSING
            for key in side:
                if key in other:
                    anchor = key
                elif key not in base:
                    runs.setdefault(anchor, {}).setdefault(id(side), []).append(key)
        places = []
        for anchor in [MISSING, *order]:
            places += [] if anchor is MISSING else [anchor]
            for run in sorted(runs.get(anchor, {}).values(), key=lambda run: rank(run[0])):
                places += run

        result = []
        indexes = list(base)
        for key in places + [key for key in base if key not in places]:
            where = path + '/' + (str(indexes.index(key)) if key in base else '-')
            before = len(self.found)
            element = self.merge(*(side.get(key, MISSING) for side in (base, mine, theirs)), where, rule_path + '/*')
            if key not in base and len(self.found) > before:
                del self.found[before:]
                self.collide(where, 'add/add', MISSING, mine[key], theirs[key])
            if element is not MISSING and key in places:
                result.append(element)
        return result

    @staticmethod
    def sets(base, mine, theirs):
        base_set, my_set, their_set = ({canon(value): value for value in reversed(side)} for side in (base, mine, theirs))
        kept = base_set.keys() & my_set.keys() & their_set.keys()
        added = (my_set.keys() | their_set.keys()) - base_set.keys()
        whole = [side for side, values in ((mine, my_set), (theirs, their_set)) if values.keys() == kept | added]
        if whole:
            return min(whole, key=lambda side: (len(side), [rank(value) for value in side]))
        return [value for value in {canon(value): value for value in base if canon(value) in kept}.values()] + sorted(({**my_set, **their_set}[value] for value in added), key=rank)


def expected(base, mine, theirs, rules):
    """What is merged, or MISSING, and the conflicts as the function returns them."""
    merge = Merge(rules)
    merged = merge.merge(base, mine, theirs)
    conflicts = [{'path': path, 'kind': kind, **{name: side for name, side in zip(('base', 'mine', 'theirs'), sides) if side is not MISSING}}
                 for path, kind, *sides in merge.found]
    return (MISSING, conflicts) if conflicts else (merged, [])


# --- Random values ------------------------------------------------------------------------------------------------------------------

KEYS = ['a', 'b', '~/', '', '*', 'list', 'set', 'count']


def single(random):
    return random.choice([None, True, False, 0, 1, 2, 7, 'x', 'y', '', '1'])


def members(random, depth):
    return {name: value_of(name, random, depth - 1) for name in random.sample(KEYS, random.randrange(6))}


def element(random, depth):
    """Of a keyed array, most often."""
    if random.random() < 0.04:
        return random.choice([7, {}, {'k': None}, {'k': [1]}])
    return {'k': random.choice([1, 2, 3, 4, 5, '1', 'x']), **members(random, depth - 1)}


def elements(random, depth):
    made = {}
    for one in (element(random, depth) for _ in range(random.randrange(6))):
        made[str(one.get('k')) + str(type(one.get('k'))) if isinstance(one, dict) and random.random() < 0.97 else len(made)] = one
    return list(made.values())


def value_of(key, random, depth):
    if depth <= 0 or random.random() < 0.1:
        return single(random)
    if key == 'list':
        return elements(random, depth)
    if key == 'set':
        return [single(random) for _ in range(random.randrange(4))]
    if key == 'count':
        return random.randrange(10)
    if key == 'object' or random.random() < 0.3:
        return members(random, depth)
    return single(random)


def edited(value, key, random, depth=4):
    """The value with a change, or some, or none."""
    if random.random() < 0.03:
        return value_of(key, random, depth)
    if isinstance(value, dict) and value:
        result = dict(value)
        for _ in range(random.choice([0, 1, 1, 2, 3])):
            name = random.choice([*value, *value, *value, *KEYS])
            if name in result and random.random() < 0.1:
                del result[name]
            elif name != 'k' or random.random() < 0.1:
                result[name] = edited(result[name], name, random, depth - 1) if name in result else value_of(name, random, depth - 1)
        return result
    if isinstance(value, list):
        result = list(value)
        if result and random.random() < 0.5:
            place = random.randrange(len(result))
            result[place] = edited(result[place], 'object', random, depth - 1)
        if result and random.random() < 0.3:
            del result[random.randrange(len(result))]
        if len(result) > 1 and random.random() < 0.5:
            result.insert(random.randrange(len(result)), result.pop(random.randrange(len(result))))
        if random.random() < 0.4:
            made = single(random) if key == 'set' else element(random, depth)
            if made not in result and not any(isinstance(other, dict) and isinstance(made, dict) and other.get('k') == made.get('k') for other in result):
                result.insert(random.randint(0, len(result)), made)
        return result
    if is_number(value) and random.random() < 0.7:
        return value + random.choice([-1, 1, 2])
    return value_of(key, random, depth)


def paths_in(value, path=''):
    """The paths that rules can have, with what is there."""
    yield path, value
    if isinstance(value, dict):
        for key, member in value.items():
            yield from paths_in(member, path + step(key))
    elif isinstance(value, list):
        for one in value:
            yield from paths_in(one, path + '/*')


def random_rules(random, *values):
    there = dict(pair for value in values for pair in paths_in(value))
    rules = {}
    for path in sorted(there, key=len):
        outer = [other for other in rules if path.startswith(other + '/')]
        if any(not isinstance(rules[other], dict) or path[len(other):].split('/')[1] != '*' for other in outer):
            continue
        value, chance = there[path], random.random()
        if chance < 0.01:
            rules[path] = random.choice(['sum', 'atomic', 'set', {'key': 'k'}])
        elif isinstance(value, list) and chance < 0.8:
            rules[path] = 'set' if path.endswith('set') else {'key': 'k'}
        elif is_number(value) and chance < 0.3:
            rules[path] = 'sum'
        elif isinstance(value, dict) and path and chance < 0.05:
            rules[path] = 'atomic'
        # Elements are reached by the rule of their array only.
        parent = path.rpartition('/')[0]
        if path.endswith('/*') and not isinstance(rules.get(parent), dict):
            rules.pop(path, None)
    # A set of arrays and objects has an order of the server's own, which is not the oracle's business.
    return {path: rule for path, rule in rules.items()
            if rule != 'set' or not any(isinstance(one, (dict, list)) for value in values for where, array in paths_in(value)
                                        if where == path and isinstance(array, list) for one in array)}


def random_case(random):
    """Base, mine, theirs and rules; both edits go where rules are more often than they would by chance."""
    base = members(random, 4)
    for key in ('list', 'set'):
        if random.random() < 0.6:
            base[key] = value_of(key, random, 4)
    mine, theirs = edited(base, 'object', random), edited(base, 'object', random)
    for side in (mine, theirs):
        for key in ('list', 'set', 'count'):
            if isinstance(side, dict) and key in side and random.random() < 0.5:
                side[key] = edited(side[key], key, random)
    if random.random() < 0.05:
        theirs = edited(mine, 'object', random)
    return base if random.random() < 0.97 else MISSING, mine, theirs, random_rules(random, base, mine, theirs)


# --- The comparison -----------------------------------------------------------------------------------------------------------------

STATEMENT = '''
SELECT m.merged::text, m.conflicts::text, o.merged = m.merged OR (o.merged IS NULL AND m.merged IS NULL), o.conflicts::text,
    CASE WHEN m.conflicts IS NULL THEN a.conflicts IS NULL AND a.merged::text IS NOT DISTINCT FROM m.merged::text END
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) WITH ORDINALITY AS c(base, mine, theirs, rules, n),
    docstore.merge3(base::jsonb, mine::jsonb, theirs::jsonb, rules::jsonb) AS m,
    docstore.merge3(base::jsonb, theirs::jsonb, mine::jsonb, rules::jsonb) AS o,
    docstore.merge3(base::jsonb, mine::jsonb, m.merged, rules::jsonb) AS a
ORDER BY n'''


def text(value):
    return None if value is MISSING else json.dumps(value)


def listed(conflicts):
    """As a multiset for each path; that they come by path is looked at elsewhere."""
    return sorted(json.dumps(conflict, sort_keys=True) for conflict in conflicts)


def turned(conflicts):
    names = {'mine': 'theirs', 'theirs': 'mine'}
    return [{names.get(key, key): OTHER.get(value, value) if key == 'kind' else value for key, value in conflict.items()} for conflict in conflicts]


def fault(case, row):
    """What is wrong with an answer, or None."""
    merged, conflicts, is_other_way, other_conflicts, is_again = row
    merged = MISSING if merged is None else json.loads(merged)
    conflicts, other_conflicts = json.loads(conflicts or '[]'), json.loads(other_conflicts or '[]')
    due, due_conflicts = expected(*case)
    if not same(merged, due) or listed(conflicts) != listed(due_conflicts):
        return f'not as the oracle says: {text(due)}, {due_conflicts}'
    if [conflict['path'].encode() for conflict in conflicts] != sorted(conflict['path'].encode() for conflict in conflicts):
        return 'not by path'
    if not is_other_way or listed(turned(other_conflicts)) != listed(conflicts):
        return 'another result the other way round'
    if is_again is False and 'sum' not in case[3].values():
        return 'another result when mine is merged again'
    return None


def compare(query, cases):
    """Merges all, and returns what is wrong with them, and which kinds of conflicts there were, None for two different edits that were merged."""
    rows = query(STATEMENT, *([text(case[place]) for case in cases] for place in range(4)))
    faults = [f'{case} is {row[:2]}: {wrong}' for case, row in zip(cases, rows) if (wrong := fault(case, row))]
    kinds = [conflict['kind'] for row in rows for conflict in json.loads(row[1] or '[]')]
    kinds += [None for (base, mine, theirs, _), row in zip(cases, rows)
              if row[1] is None and not same(mine, base) and not same(theirs, base) and not same(mine, theirs)]
    return faults, kinds
