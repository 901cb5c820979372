"""eventsourcing: its own test case of recorders for dynamic consistency boundaries, over docstore, and an application of it that many use at once.

The library knows a decision's place as the position of the last event that was there when it read. That is an int; here it is one that brings the
mark of the statement along, so that an append by it is checked by the mark.
"""
import base64
import dataclasses
import json
import random
import threading
import unittest

import psycopg
from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem, DCBRecorder, DCBSequencedEvent
from eventsourcing.dcb.application import DCBRepository
from eventsourcing.dcb.domain import Decision, Selector, Slice, Tagged
from eventsourcing.dcb.persistence import DCBEventStore, DCBListenNotifySubscription, DCBMapper
from eventsourcing.dcb.popo import SimpleDCBReadResponse
from eventsourcing.dcb.tests import DCBRecorderTestCase
from eventsourcing.domain import event as applies
from eventsourcing.persistence import IntegrityError, ProgrammingError
from eventsourcing.utils import get_topic, resolve_topic
from psycopg.types.json import Jsonb
from tap import done, in_threads, raises, same

LOG = "courses"
STUDENTS, COURSES, SEATS, MOST = 12, 3, 5, 2


class Head(int):
    """The position of the last event that was there, with the mark of the statement that has read."""
    mark = None

    @classmethod
    def of(cls, position, mark):
        head = cls(position or 0)
        head.mark = mark
        return head


def to_scopes(query):
    """A query as scopes, of which an event must be in one."""
    items = query.items if query and query.items else [DCBQueryItem()]
    return [{key: value for key, value in (("types", item.types), ("tags", item.tags)) if value} for item in items]


def to_event(row):
    return DCBSequencedEvent(DCBEvent(row[1], base64.b64decode(row[2]["bytes"]), row[3] or []), row[0])


class Recorder(DCBRecorder):
    """Events of a log, none of which has a stream."""

    def __init__(self, connect):
        self.connect = connect
        self._own = threading.local()

    def execute(self, sql, *arguments):
        """The rows of a statement, in a session of the thread."""
        if not hasattr(self._own, "session"):
            self._own.session = self.connect()
        return self._own.session.execute(sql, arguments)

    def read(self, query=None, *, after=None, limit=None):
        rows = self.execute("""
            SELECT m.mark, m.head, r.log_position, r.type, r.data, r.tags
            FROM (SELECT docstore.mark(%s) AS mark, (SELECT max(log_position) FROM courses) AS head) m
            LEFT JOIN LATERAL docstore.read_scope(%s, %s, %s, %s) r ON true ORDER BY r.log_position""",
                            LOG, LOG, Jsonb(to_scopes(query)), after, limit).fetchall()
        mark, head, *_ = rows[0]
        events = [to_event(row[2:]) for row in rows if row[2] is not None]
        if limit is not None:
            return SimpleDCBReadResponse(iter(events), events[-1].position if events else None)
        # Who goes on from a position may have missed what was committed below it since: only who reads all has seen what the mark shows.
        return SimpleDCBReadResponse(iter(events), None if head is None else Head.of(head, mark) if after is None else head)

    def append(self, events, condition=None):
        if not events:
            raise ProgrammingError("no events")
        scopes = None
        if condition is not None:
            mark = getattr(condition.after, "mark", None)
            seen = {"seen": mark} if mark else {"expected": condition.after or "none"}
            scopes = Jsonb([scope | seen for scope in to_scopes(condition.fail_if_events_match)])
        stored = [{"type": event.type, "data": {"bytes": base64.b64encode(event.data).decode()}, "tags": event.tags} for event in events]
        try:
            return self.execute("SELECT max(p) FROM docstore.append_to_log(%s, %s, %s) p", LOG, Jsonb(stored), scopes).fetchone()[0]
        except psycopg.Error as error:
            if error.sqlstate == "PT409":
                raise IntegrityError(condition) from error
            raise

    def subscribe(self, query=None, *, after=None):
        return Subscription(self, query=query, after=after)


class Subscription(DCBListenNotifySubscription):
    """Goes on from a cursor of the log, not from a position: so it misses nothing that is committed late."""

    def __init__(self, recorder, query=None, after=None):
        self._cursor = None
        self._listener = recorder.connect()
        self._listener.execute("LISTEN docstore")
        super().__init__(recorder=recorder, query=query, after=after)
        self._listen_thread = threading.Thread(target=self._listen)
        self._listen_thread.start()

    def __exit__(self, *arguments, **others):
        super().__exit__(*arguments, **others)
        self._listen_thread.join()
        self._listener.close()

    def _listen(self):
        while not self._has_been_stopped:
            # Also when nobody notifies: a transaction that has ended can let readers go on.
            list(self._listener.notifies(timeout=0.2, stop_after=1))
            self._has_been_notified.set()

    def _pull(self):
        self._has_been_notified.clear()
        while not self._has_been_stopped:
            end = self._recorder.execute("SELECT docstore.log_end(%s)", LOG).fetchone()[0]
            rows = self._recorder.execute("SELECT log_position, type, data, tags, cursor FROM docstore.read_log(%s, %s, %s, %s, %s)",
                                          LOG, self._cursor, self.select_limit, Jsonb(to_scopes(self._query)), end).fetchall()
            events = [to_event(row) for row in rows if row[0] > self._last_position]
            if events:
                self._events_queue.put(events)
            self._cursor = rows[-1][4] if len(rows) == self.select_limit else end
            if len(rows) < self.select_limit:
                break


# --- The library's own test case -----------------------------------------------------------------------------------------------------------

class RecorderTest(DCBRecorderTestCase):
    """Counts what it asserts: that is what a version of the library promises."""
    recorder, first, assertions = None, 0, 0

    def runTest(self):
        pass


for _name in ("assertEqual", "assertRaises", "assertTrue", "assertFalse"):
    def _counted(self, *arguments, _original=getattr(unittest.TestCase, _name), **others):
        self.assertions += 1
        return _original(self, *arguments, **others)
    setattr(RecorderTest, _name, _counted)


def suite(connection, recorder):
    for method, name in ("_test_append_read", "append and read"), ("_test_append_subscribe", "subscribe"):
        for text in "an empty log", "a log with events":
            test = RecorderTest()
            if text == "an empty log":
                create_log(connection)
            first = connection.execute("SELECT coalesce(max(log_position), 0) FROM courses").fetchone()[0]
            try:
                getattr(test, method)(recorder, initial_position=first)
                found = None
            except Exception as error:  # pylint: disable=broad-except
                found = error
            same(found, None, f"{name}: what the library asks of a recorder holds in {text}, {test.assertions} assertions")


# --- An application: students join courses ---------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class StudentJoined(Decision):
    student: str
    course: str


class Mapper(DCBMapper):
    def to_dcb_event(self, event):
        return DCBEvent(get_topic(type(event.decision)), json.dumps(event.decision.as_dict()).encode(), event.tags)

    def to_domain_event(self, event):
        return Tagged(event.tags, resolve_topic(event.type)(**json.loads(event.data)))


class Join(Slice):
    """A student joins a course that has a seat left, and no more courses than allowed."""

    def __init__(self, student, course):
        self.student, self.course = student, course
        self.seats_taken = self.courses_joined = 0

    def consistency_boundary(self):
        return [Selector(types=[StudentJoined], tags=[self.student]), Selector(types=[StudentJoined], tags=[self.course])]

    @applies(StudentJoined)
    def _(self, student, course):
        self.courses_joined += student == self.student
        self.seats_taken += course == self.course

    def execute(self):
        if self.seats_taken < SEATS and self.courses_joined < MOST:
            self.trigger_event(StudentJoined, tags=[self.student, self.course], student=self.student, course=self.course)


def join(recorder, student, course):
    """The library's loop: read, decide, append, and again when somebody else was faster."""
    repository = DCBRepository(DCBEventStore(Mapper(), recorder))
    while True:
        try:
            decision = repository.advance(Join(student, course))
            decision.execute()
            if decision.new_decisions:
                repository.save(decision)
            return
        except IntegrityError:
            pass


def application(connection, recorder):
    create_log(connection)
    numbers = iter(range(STUDENTS))

    def work():
        student = f"student-{next(numbers)}"
        courses = [f"course-{number}" for number in range(COURSES)]
        random.shuffle(courses)
        for course in courses:
            join(recorder, student, course)

    same(in_threads(STUDENTS, work), [], "application: all students have tried all courses, at once")
    same(connection.execute("SELECT tag, count(*) FROM courses, unnest(tags) tag WHERE tag LIKE 'course%' GROUP BY 1 ORDER BY 1").fetchall(),
         [(f"course-{number}", SEATS) for number in range(COURSES)], "application: every seat is taken, and none twice")
    same(connection.execute("SELECT tag FROM courses, unnest(tags) tag WHERE tag LIKE 'student%%' GROUP BY 1 HAVING count(*) > %s", [MOST]).fetchall(), [],
         "application: nobody is in more courses than allowed")


def late(connection, recorder):
    """An event is committed late, below one that the decision has seen."""
    create_log(connection)
    event, query = DCBEvent("Noted", b"", ["course-1"]), DCBQuery([DCBQueryItem(tags=["course-1"])])
    with session() as writer:
        with writer.transaction():
            Recorder(lambda: writer).append([event])
            recorder.append([event])
            response = recorder.read(query)
            same(len(list(response)), 1, "late commit: the decision sees the later one of two events")
        raises(IntegrityError, lambda: recorder.append([event], DCBAppendCondition(query, response.head)), "late commit: which is refused")
        same(recorder.append([event], DCBAppendCondition(query, int(response.head))), 3, "late commit: by the position alone it would not be")


def session():
    return psycopg.connect(autocommit=True)


def create_log(connection):
    connection.execute("DROP TABLE IF EXISTS courses, courses_streams, courses_consumers; SELECT docstore.create_log('courses', notify => true)")


with session() as main:
    main.execute("CREATE EXTENSION IF NOT EXISTS docstore")
    by_threads = Recorder(session)
    suite(main, by_threads)
    application(main, by_threads)
    late(main, by_threads)
done()
