"""What the stress tests share: a connection, clients that work at the same time, and TAP.

A test is an executable that finds its server through the PG* variables, in an empty database of its own. It is bounded by counts and
never by time. STRESS_SEED repeats the random choices of an earlier run; how the clients interleave differs from run to run.
"""
import json
import multiprocessing
import os
import queue
import random
import sys
import traceback

import psycopg2
import psycopg2.extensions
import psycopg2.extras

LEVELS = {
    'read committed': psycopg2.extensions.ISOLATION_LEVEL_READ_COMMITTED,
    'repeatable read': psycopg2.extensions.ISOLATION_LEVEL_REPEATABLE_READ,
    'serializable': psycopg2.extensions.ISOLATION_LEVEL_SERIALIZABLE,
}
CONFLICT, SERIALIZATION = 'PT409', '40001'

# No seed is printed that could not be given again.
seed = int(os.environ.get('STRESS_SEED', random.SystemRandom().randrange(10**6)))


def connect():
    """A session in which every statement is a transaction."""
    connection = psycopg2.connect('')
    connection.autocommit = True
    # jsonb comes back as text, and is parsed where it is wanted.
    psycopg2.extras.register_default_jsonb(connection, loads=json.loads)
    return connection


def query(connection, sql, *arguments):
    """All rows of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments or None)
        return cursor.fetchall() if cursor.description else None


def violations(error):
    """The violations that a conflict lists: their JSON objects, as the DETAIL has them."""
    detail = json.loads(error.diag.message_detail)
    assert detail['total'] == len(detail['violations']), detail
    assert error.diag.constraint_name == 'docstore_expected_version', error.diag.constraint_name
    return detail['violations']


def run_clients(count, work):
    """Runs work(number, random) in that many processes at the same time; returns what each returned, a list of all."""
    # Forked, as the newest Python would not do by itself: what they run may be a closure.
    fork = multiprocessing.get_context('fork')
    barrier, results = fork.Barrier(count), fork.Queue()
    clients = [fork.Process(target=_client, args=(work, number, barrier, results)) for number in range(count)]
    for client in clients:
        client.start()
    answers = [_next_answer(clients, results) for _ in clients]
    for client in clients:
        client.join()
    # Whose barrier was broken waited for one that failed: that one comes first.
    for number, _, failure in sorted(answers, key=lambda each: 'BrokenBarrierError' in (each[2] or '')):
        if failure:
            print(f'client {number} failed:\n{failure}', file=sys.stderr)
            sys.exit(1)
    return [answer for _, answer, _ in sorted(answers, key=lambda each: each[0])]


def _next_answer(clients, results):
    """What one of them returned. Who was killed returns nothing: then the others need not go on."""
    while True:
        try:
            return results.get(timeout=1)
        except queue.Empty:
            for number, client in enumerate(clients):
                if client.exitcode not in (None, 0):
                    for other in clients:
                        other.kill()
                    sys.exit(f'client {number} has ended with status {client.exitcode}')


def _client(work, number, barrier, results):
    try:
        barrier.wait()
        results.put((number, work(number, random.Random(f'{seed} {number}')), None))
    except BaseException:
        barrier.abort()
        results.put((number, None, traceback.format_exc()))


class Tap:
    """The results, one line for each."""

    def __init__(self):
        self.count = self.failed = 0
        print(f'# STRESS_SEED={seed}', flush=True)

    def ok(self, passed, text):
        self.count += 1
        self.failed += not passed
        print(f'{"ok" if passed else "not ok"} {self.count} - {text}', flush=True)

    def none(self, found, text):
        """Passes when a list is empty; else its beginning is shown."""
        self.ok(not found, text)
        for each in found[:5]:
            print(f'#   {str(each)[:4000]}')
        if len(found) > 5:
            print(f'#   and {len(found) - 5} more')

    def equal(self, got, expected, text):
        self.ok(got == expected, text)
        if got != expected:
            print(f'#   got {got}, expected {expected}')

    def note(self, text):
        print(f'# {text}', flush=True)

    def done(self):
        print(f'1..{self.count}')
        sys.exit(self.failed > 0)
