"""What clients of a log were told, and whether all of it can be true.

A call is what a client sent at once: docstore.append(), docstore.save() or docstore.try_save(). Each call has a mark, which is in its events and
in the documents that it patched, so it can be seen in the tables whether it was stored, whatever its client knows of it.

By positions, exactly. A call takes its positions when its locks are held and all its expectations hold, and it keeps the locks until its
transaction ends. Positions only grow. So take a scope of a committed call A, which expected E, and an event e of another call that matches it:
  - e was committed before A looked: A saw it, so its position must not be above E (a strict scope: the highest is E);
  - e was not: its call gets the lock that it needs when A has ended, so its position is above all that were taken before A ended.
Hence no matching event may have a position in (E, B], whatever B is, if it was taken before A ended. The last position of A itself is such a B, and
for a call that only asserts, the last_value of the sequence, read behind the call in the same transaction: reading it takes no lock that could be
in anybody's way, as nextval() would. Nor is a lock lost that should have been kept: of two calls whose scopes match each other's events, one
has the higher positions, and then the events of the other one are in its (E, B]: that is write skew. The same goes for the version that a
call expected of a stream: it is the number of the stream's events with positions up to B that are not its own.
Events of the same call are left out; those of an earlier call of the same transaction are not.

By instants, for what was refused: there must be one instant, while the call was running, at which every violation that it was told had the
actual value it was told, and everything that was not listed held. An event that was acknowledged before the call began must have been seen; one whose
call began after this one had ended cannot have been. Under REPEATABLE READ and SERIALIZABLE the time begins with the transaction.
"""
import bisect
import json
from collections import defaultdict, namedtuple
from dataclasses import dataclass, field

import stress

INFINITY = float('inf')
WORDS = {'none': 0, None: 0, 'any': -1, 'exists': -2}
TAGS = ('source_type', 'stream_type', 'stream_id')

Event = namedtuple('Event', 'position stream version type source_type stream_type stream_id mark event_id')


@dataclass
class Call:
    mark: str
    level: str
    way: str                    # append, save or try_save
    items: list
    alone: bool = True          # no other call of its transaction has been stored
    snapshot: float = 0         # when its transaction began
    began: float = 0
    ended: float = INFINITY     # when its client was told
    outcome: str = 'unknown'    # stored, refused (with violations), undone; unknown: the client lost its connection
    violations: list = None
    rows: list = None
    bound: int = 0              # a position that had been taken before its transaction ended
    sent: int = 1               # how often, with the same event ids
    overlaps: bool = False      # has an event id that is stored, and one that is not

    def is_ready(self):
        """Whether it says what it expects."""
        return all('expected' in each for each in [item for item in self.items if item['op'] in ('append', 'patch', 'close_stream')]
                   + [item for item in self.items if item['op'] == 'assert' and 'stream' in item] + [scope for _, scope in self.scopes()])

    def appends(self):
        return [item for item in self.items if item['op'] == 'append']

    def scopes(self):
        """All scopes, with the numbers of their items."""
        return [(number, scope) for number, item in enumerate(self.items, 1)
                for scope in item.get('scopes', []) + ([item['scope']] if 'scope' in item else [])]

    def streams(self):
        """What is expected of streams: (number, stream, version)."""
        return [(number, item['stream'], as_number(item['expected'])) for number, item in enumerate(self.items, 1)
                if item['op'] in ('append', 'assert') and 'stream' in item]

    def asks_for_nothing(self):
        return not self.scopes() and all(item['op'] in ('append', 'assert', 'patch') and as_number(item.get('expected', 'any')) == -1 for item in self.items)


def as_number(expected):
    return WORDS.get(expected, expected)


def matches(scope, event):
    return (all(getattr(event, tag) == scope[tag] for tag in TAGS if tag in scope)
            and scope.get('source', event.stream) == event.stream and event.type in scope.get('types', [event.type]))


def scope_condition(scope):
    """A scope as SQL, with its arguments."""
    conditions, arguments = ['true'], []
    for key in ('source', *TAGS):
        if key in scope:
            conditions.append(f'{"stream" if key == "source" else key} IS NOT DISTINCT FROM %s')
            arguments.append(scope[key])
    if 'types' in scope:
        conditions.append('type = ANY (%s)')
        arguments.append(scope['types'])
    return ' AND '.join(conditions), arguments


def load_events(connection, log):
    """All events of a log, by position."""
    return [Event(*row) for row in stress.query(connection, f'''SELECT log_position, stream, version, type, source_type, stream_type, stream_id,
        data ->> 'mark', event_id::text FROM {log} ORDER BY log_position''')]


class History:
    """The calls of all clients beside the events that are there in the end."""

    def __init__(self, events, calls):
        self.events, self.calls = events, calls
        self.positions = [event.position for event in events]
        self.by_mark, self.by_stream = defaultdict(list), defaultdict(list)
        for event in events:
            self.by_mark[event.mark].append(event)
            self.by_stream[event.stream].append(event)
        self.call_of = {call.mark: call for call in calls}
        # Streams that may have been there without an event.
        self.made = {item['stream'] for call in calls for item in call.items if item['op'] == 'create_stream'}
        # The client of an unknown call does not know; the table does.
        self.stored = [call for call in calls if call.outcome == 'stored' or call.outcome == 'unknown' and call.mark in self.by_mark]

    # --- What is stored ----------------------------------------------------------------------------------------------------------------

    def check_versions(self, heads):
        """Streams whose versions are not 1..n in the order of positions, or whose head does not say n."""
        mistakes = [f'{stream} has the versions {[event.version for event in events]}' for stream, events in self.by_stream.items()
                    if [event.version for event in events] != list(range(1, len(events) + 1))]
        counts = {stream: len(events) for stream, events in self.by_stream.items()}
        return mistakes + [f'the head of {stream} is at {version}, there are {counts.get(stream, 0)} events'
                           for stream, version in heads.items() if version != counts.get(stream, 0)] + [
                           f'{stream} has no head' for stream in counts if stream not in heads]

    def check_stored(self):
        """Calls that are not stored just once, as a whole and in order, or stored though they were not to be."""
        mistakes, known = [], {call.mark for call in self.stored}
        for mark, events in self.by_mark.items():
            if mark not in known:
                mistakes.append(f'{len(events)} events of {self.call_of.get(mark, mark)} are stored')
        for call in self.stored:
            for stream in {item['stream'] for item in call.appends()}:
                sent = [event['data']['number'] for item in call.appends() if item['stream'] == stream for event in item['events']]
                if len([event for event in self.by_mark[call.mark] if event.stream == stream]) != len(sent):
                    mistakes.append(f'of {stream} are stored {self.by_mark[call.mark]} for {call}')
        return mistakes

    def check_closed(self):
        """Events of streams that had been closed before; of what was sent again it is not known which time closed it."""
        return [f'{self.by_stream[item["stream"]][-1]} came after {call}' for call in self.stored for item in call.items
                if item['op'] == 'close_stream' and call.bound and call.sent == 1 and self.by_stream[item['stream']] and self.was_there(call, item)
                and self.by_stream[item['stream']][-1].position > call.bound]

    def was_there(self, call, item):
        """Whether there was a stream to close, as the client was told; one whose connection was lost was told nothing."""
        return call.rows is not None and any(version is not None for number, _, version in call.rows if self.item(call, number) is item)

    def count_repeated(self, tries):
        """How many calls were stored by an earlier try than the last one, when (mark, try) is what is stored."""
        return sum(number < self.call_of[mark].sent for mark, number in tries if mark in self.call_of)

    def check_order(self, connection, log):
        """Marks whose events, by position, are not in the order in which they were sent."""
        return stress.query(connection, f'''SELECT stream, data ->> 'mark', array_agg((data ->> 'number')::int ORDER BY log_position) FROM {log}
            GROUP BY 1, 2 HAVING array_agg((data ->> 'number')::int ORDER BY log_position) <> array_agg((data ->> 'number')::int ORDER BY (data ->> 'number')::int)''')

    def check_answers(self):
        """Calls that were told other versions and positions than are stored."""
        mistakes = []
        for call in self.stored:
            events = self.by_mark[call.mark]
            if call.rows is None or not events:
                continue
            if call.way == 'append':
                true = call.rows == [(event.version, event.position) for event in events]
            else:
                true = all(version == max(event.version for event in events if event.stream == self.item(call, number)['stream']
                                          and event.position in self.positions_of(call, number))
                           for number, op, version in call.rows if op == 'append')
            if not true:
                mistakes.append(f'{events} are stored for {call}')
        return mistakes

    def item(self, call, number):
        return call.items[number - 1]

    def positions_of(self, call, number):
        """The positions of the events of an item: those of its stream are in the order of the items."""
        stream = self.item(call, number)['stream']
        before = sum(len(item['events']) for item in call.items[:number - 1] if item['op'] == 'append' and item['stream'] == stream)
        events = [event for event in self.by_mark[call.mark] if event.stream == stream]
        return {event.position for event in events[before:before + len(self.item(call, number)['events'])]}

    def check_documents(self, documents):
        """Calls whose mark is not in a document that they patched, though their events are stored, or the reverse."""
        mistakes, marks, stored = [], {id: set(data) for id, data in documents.items()}, {call.mark for call in self.stored}
        for call in self.calls:
            patched = [item['id'] for item in call.items if item['op'] == 'patch']
            if not call.appends() and call.outcome == 'unknown':
                if len({call.mark in marks.get(id, ()) for id in patched}) > 1:
                    mistakes.append(f'stored in part: {call}')
                continue
            due = call.mark in stored
            mistakes += [f'{id} {"lacks" if due else "has"} the mark of {call}' for id in patched if (call.mark in marks.get(id, ())) != due]
        return mistakes

    # --- By positions ------------------------------------------------------------------------------------------------------------------

    def bound(self, call):
        """The highest position known to have been taken before the call's transaction ended; 0: none is known."""
        return max([call.bound] + [event.position for event in self.by_mark[call.mark]])

    def between(self, low, high):
        """The events with positions in (low, high]."""
        return self.events[bisect.bisect_right(self.positions, low):bisect.bisect_right(self.positions, high)]

    def check_scopes(self):
        """Scopes of committed calls that did not hold; and how many were looked at."""
        mistakes, looked = [], 0
        for call in self.stored:
            bound = self.bound(call)
            for _, scope in call.scopes() if bound else ():
                looked += 1
                expected = as_number(scope['expected'])
                intruders = [event for event in self.between(expected, bound) if event.mark != call.mark and matches(scope, event)]
                if intruders:
                    mistakes.append(f'{intruders[:3]} are in the scope {scope} of {call}')
                elif scope.get('strict') and expected and not any(matches(scope, event) for event in self.between(expected - 1, expected)):
                    mistakes.append(f'nothing is at the end of the strict scope {scope} of {call}')
        return mistakes, looked

    def check_expectations(self):
        """Expected versions of committed calls that did not hold; and how many were looked at."""
        mistakes, looked = [], 0
        for call in self.stored:
            bound = self.bound(call)
            for _, stream, expected in call.streams() if bound else ():
                if expected == -1:
                    continue
                looked += 1
                events = self.by_stream[stream]
                before = [event for event in events[:bisect.bisect_right([event.position for event in events], bound)] if event.mark != call.mark]
                if len(before) != expected if expected >= 0 else not before and stream not in self.made:
                    mistakes.append(f'{stream} was at {len(before)}, not at {expected}, for {call}')
        return mistakes, looked

    # --- By instants -------------------------------------------------------------------------------------------------------------------

    def time(self, event, end):
        """When the call of an event began or ended."""
        call = self.call_of.get(event.mark)
        return getattr(call, 'ended' if end else 'began') if call else (INFINITY if end else 0)

    def newer(self, scope, above, call):
        """The earliest time by which an event of another call, above a position, was known to be in a scope."""
        earliest = INFINITY
        for event in self.events[bisect.bisect_right(self.positions, above):]:
            # From here on all positions were taken when the call had ended.
            if self.time(event, False) > call.ended:
                break
            if event.mark != call.mark and matches(scope, event):
                earliest = min(earliest, self.time(event, True))
        return earliest

    def scope_time(self, scope, call, violation):
        """When a scope can have been as the call was told."""
        expected = as_number(scope['expected'])
        if violation is None:
            if not scope.get('strict') or not expected:
                return 0, self.newer(scope, expected, call)
            tail = expected
        else:
            tail = violation['actual'] or 0
        if tail == 0:
            return 0, self.newer(scope, 0, call)
        found = [event for event in self.between(tail - 1, tail) if matches(scope, event)]
        return (self.time(found[0], False), self.newer(scope, tail, call)) if found else None

    def stream_time(self, stream, version, call):
        """When a stream can have been at a version; None for any version."""
        if version == -1:
            return 0, INFINITY
        events = [event for event in self.by_stream[stream] if event.mark != call.mark]
        if version == -2:
            return (0, INFINITY) if stream in self.made else (self.time(events[0], False), INFINITY) if events else None
        if version > len(events):
            return None
        return (self.time(events[version - 1], False) if version else 0,
                self.time(events[version], True) if version < len(events) else INFINITY)

    def times(self, call):
        """For each expectation of a call, when it can have been as the call was told."""
        told = {(violation['item'], violation['kind'], key_of(violation)): violation for violation in call.violations}
        asked = set()
        for number, scope in call.scopes():
            asked.add(key := (number, 'scope', json.dumps(scope, sort_keys=True)))
            yield self.scope_time(scope, call, told.get(key))
        for number, stream, expected in call.streams():
            asked.add(key := (number, 'stream', stream))
            # A closed stream is a violation at whatever version.
            if key not in told or told[key]['reason'] != 'closed':
                yield self.stream_time(stream, told[key]['actual'] or 0 if key in told else expected, call)
        for key in set(told) - asked:
            if told[key]['op'] == 'create_stream':
                yield self.stream_time(key[2], told[key]['actual'], call)
            elif told[key]['op'] not in ('patch', 'set_properties', 'close_stream'):
                yield None

    def check_instants(self):
        """Refusals at READ COMMITTED, and at other levels those of a first call, that were not true and complete at one instant."""
        mistakes, looked = [], 0
        for call in self.calls:
            if call.outcome != 'refused' or not call.alone or call.violations is None:
                continue
            looked += 1
            mistakes += [f'{wrong}: {call}' for wrong in untrue(call)]
            began = call.began if call.level == 'read committed' else call.snapshot
            times = [time or (INFINITY, 0) for time in [(began, call.ended), *self.times(call)]]
            if max(begin for begin, _ in times) > min(end for _, end in times):
                # In microseconds since the call began: when each expectation can have been as it was told.
                spans = [tuple((moment - began) / 1000 for moment in time) for time in times]
                mistakes.append(f'not true and complete at one instant: {spans}: {call}')
        return mistakes, looked


def key_of(violation):
    return json.dumps(violation['scope'], sort_keys=True) if violation['kind'] == 'scope' else violation['id']


def untrue(call):
    """What is wrong with a conflict by itself."""
    numbers = [violation['item'] for violation in call.violations]
    mistakes = [] if numbers == sorted(numbers) and numbers else [f'items {numbers}']
    for violation in call.violations:
        item = call.items[violation['item'] - 1]
        expected, actual = as_number(violation['expected']), violation['actual']
        if violation['op'] != item['op']:
            mistakes.append(f'no such op in {violation}')
        elif violation['kind'] == 'scope':
            if violation['reason'] != 'scope' or expected != as_number(violation['scope']['expected']) or (
                    actual == expected if violation['scope'].get('strict') else actual is None or actual <= expected):
                mistakes.append(f'untrue {violation}')
        elif violation['kind'] == 'stream' and item['op'] in ('append', 'assert') and violation['reason'] != 'closed' and (expected != as_number(item['expected']) or {
                'stale': actual is None or actual == expected, 'exists': expected != 0 or not actual, 'missing': actual is not None or expected in (0, -1)
                }.get(violation['reason'], True)):
            mistakes.append(f'untrue {violation}')
    return mistakes
