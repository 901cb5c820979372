"""Whether decisions by marks can have missed an event.

An append that decided by what it had read carries that in its first event: its scopes, and the numbers of the events that the statement which took
the mark, or one after it, has shown of each. So what is to be checked is stored with the append or not at all, whatever became of its client,
its server, or the transactions that a failover lost.

The rule: an event that matches a scope of a committed append, and came before it, was seen. Before, in two ways:
  - by position. An append takes its positions when its locks are held and its scopes hold. An event that matches one of its scopes was
    appended under a lock that stands in the way of that one, so it either was committed before, with a lower position, or gets a higher one.
  - by the time of the commit, which the server remembers of each transaction. It is noted while all locks are held.
They are the same order where the locks are right, and if one of them is not, one of the two has the event.

Events of the same call are left out; those of an earlier call of the same transaction are not.
"""
from collections import defaultdict, namedtuple

TAGS = ('source_type', 'stream_type', 'stream_id')

# decided: [[scope, numbers of events], ...]; committed: None where nobody knows; both orders are numbers.
Event = namedtuple('Event', 'position number call stream type source_type stream_type stream_id tags committed decided')

LOAD = '''SELECT e.log_position, event_number(e.data, e.event_id), data -> 'call', e.stream, e.type, e.source_type, e.stream_type, e.stream_id, {tags},
    CASE WHEN e.data ? 'n' THEN extract(epoch FROM pg_xact_commit_timestamp(e.xmin)) END, e.data -> 'decided'
    FROM {log} e ORDER BY e.log_position'''


def matches(scope, event):
    return (all(getattr(event, tag) == scope[tag] for tag in TAGS if tag in scope)
            and scope.get('source', event.stream) == event.stream and event.type in scope.get('types', [event.type])
            and set(scope.get('tags', ())) <= set(event.tags or ()))


def scope_condition(scope):
    """A scope as SQL, with its arguments."""
    conditions, arguments = ['true'], []
    for key in ('source', *TAGS):
        if key in scope:
            conditions.append(f'e.{"stream" if key == "source" else key} ' + ('IS NULL' if scope[key] is None else '= %s'))
            arguments += [] if scope[key] is None else [scope[key]]
    for key, condition in ('types', 'e.type = ANY (%s)'), ('tags', 'e.tags @> %s'):
        if key in scope:
            conditions.append(condition)
            arguments.append(scope[key])
    return ' AND '.join(conditions), arguments


class Index:
    """The events so far, by what a scope can name."""

    def __init__(self):
        self.all, self.named = [], defaultdict(list)

    def add(self, event):
        self.all.append(event)
        for key, value in (('source', event.stream), ('types', event.type), ('stream_id', event.stream_id), *(('tags', tag) for tag in event.tags or ())):
            if value is not None:
                self.named[key, value].append(event)

    def candidates(self, scope):
        """Few events, with all that a scope matches among them."""
        found = [self.named[key, value] for key, value in (*((key, scope.get(key)) for key in ('source', 'stream_id')),
                 *(('tags', tag) for tag in scope.get('tags', ()))) if value is not None]
        if 'types' in scope:
            found.append([event for name in scope['types'] for event in self.named['types', name]])
        return min(found, key=len, default=self.all)


def missed(events, before=lambda event: event.position):
    """Decisions that missed an event which came before them in an order, and how many scopes were looked at; None is nowhere in it."""
    index, mistakes, looked = Index(), [], 0
    # Of a call all events have the same place in the order, that of its first one.
    first = {}
    for event in events:
        first.setdefault(event.call if event.call is not None else event.number, before(event))
    place = lambda event: first[event.call if event.call is not None else event.number]
    waiting = []
    for event in sorted((event for event in events if place(event) is not None), key=lambda event: (place(event), event.position)):
        if waiting and place(waiting[0]) < place(event):
            for other in waiting:
                index.add(other)
            waiting = []
        for scope, numbers in event.decided or ():
            looked += 1
            seen = set(numbers)
            found = [other for other in index.candidates(scope) if matches(scope, other) and other.number not in seen]
            if found:
                mistakes.append(f'{found[-1]._replace(decided=None)} was missed in {scope} by {event._replace(decided=None)}, which saw {numbers[-5:]}')
        waiting.append(event)
    return mistakes, looked


# --- Whether the checker itself would see it ------------------------------------------------------------------------------------------------

def made_up(*rows):
    """Events from (position, committed, tags, scopes and what was seen of them)."""
    return [Event(position, position, position, f's{position}', 'T', None, None, 'lamp', tags, committed, decided) for position, committed, tags, *decided in rows]


LAMP, BOTH = {'stream_id': 'lamp'}, {'tags': ['a', 'b']}

# What must be seen in histories that nobody has made: how many decisions are wrong by position, and by commit.
CASES = (
    ('all was seen', 0, 0, made_up((1, 10, ()), (2, 20, ()), (3, 30, (), [LAMP, [1, 2]]))),
    ('a lower position came late', 1, 1, made_up((1, 10, ()), (2, 30, ()), (3, 20, ()), (4, 40, (), [LAMP, [1, 3]]))),
    ('it came later still', 1, 0, made_up((1, 10, ()), (2, 50, ()), (3, 20, ()), (4, 40, (), [LAMP, [1, 3]]))),
    ('a higher position came earlier', 0, 1, made_up((1, 10, ()), (2, 40, (), [LAMP, [1]]), (3, 20, ()))),
    ('write skew', 1, 1, made_up((1, 10, ('a', 'b'), [BOTH, []]), (2, 20, ('b', 'a'), [BOTH, []]))),
    ('another scope', 0, 0, made_up((1, 10, ('a',)), (2, 20, ('b',)), (3, 30, (), [BOTH, []]), (4, 40, (), [{'stream_id': None}, []]))),
    ('one of two scopes', 1, 1, made_up((1, 10, ('a', 'b')), (2, 20, (), [{'stream_id': 'shade'}, []], [BOTH, []]))),
    ('seen, and more than that', 0, 0, made_up((1, 10, ('a', 'b')), (2, 20, (), [BOTH, [1, 77]]))),
)


def check_itself():
    """Made-up histories of which the checker says something else than is true."""
    found = ((text, len(missed(events)[0]), len(missed(events, lambda event: event.committed)[0]), position, commit) for text, position, commit, events in CASES)
    return [each for each in found if each[1:3] != each[3:]]
