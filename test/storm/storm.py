"""What the storms share: calls of every verb, what may be answered to them, and what must be true when it is over.

Two kinds of tables. To "calm" ones only docstore writes, whatever else is done to them, and every call is counted: a transfer between two documents of
accounts with an event of ledger, in one save(). "Wild" ones are altered, emptied, dropped and made anew; each of their documents names its own id.
"""
import json
import os
import sys
import time

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'stress'))
import stress  # noqa: E402

ACCOUNTS, AMOUNT = 20, 1000
# Classes that no call may end with: internal errors, data corrupted, lost connections.
NEVER = ('XX', 'F0', '58')

OF_THE_SERVER = {('fmgr_info_cxt_security', 'XX000')}


def is_lost(connection, error):
    return bool(connection.closed) or error.pgcode in (None, '57P01', '57P02', '57P03')


def is_of_the_server(error):
    """Internal errors of the server itself, which it has in plain SQL, too: a function, or a table, was dropped between its name and its use."""
    return (error.diag.source_function, error.pgcode) in OF_THE_SERVER


def text_of(error):
    return ' '.join(str(error).split())


def describe(error):
    diag = error.diag
    return f'{error.pgcode} {diag.message_primary or text_of(error)} ({diag.source_file}, {diag.source_function})'


def reconnect(settings='SELECT 1', patience=120):
    """A session with these settings, once there can be one: after a crash the server needs a moment, and ends what comes too early."""
    for tries in range(patience * 10):
        try:
            connection = stress.connect()
            stress.query(connection, settings)
            return connection
        except psycopg2.OperationalError:
            time.sleep(0.1)
    raise TimeoutError(f'the server has not come back for {patience} s')


def roll_back(connection):
    """Whoever loses the connection just now learns it with the next call."""
    try:
        stress.query(connection, 'ROLLBACK')
    except psycopg2.OperationalError:
        pass


def prepare(connection):
    stress.query(connection, 'CREATE EXTENSION docstore')
    stress.query(connection, 'CREATE EXTENSION amcheck')
    stress.query(connection, "SELECT docstore.create_collection('accounts'), docstore.create_log('ledger')")
    stress.query(connection, "SELECT docstore.upsert('accounts', id::text, %s) FROM generate_series(1, %s) id", json.dumps({'amount': AMOUNT}), ACCOUNTS)


class Transfer:
    """A call of save() that moves an amount from one document to another, and says so in a stream of the log, under a mark."""

    def __init__(self, cursor, choice, mark):
        self.mark = mark
        self.ids = choice.sample(range(1, ACCOUNTS + 1), 2)
        cursor.execute('SELECT id, version, data FROM docstore.load_many(%s, %s)', ('accounts', [str(id) for id in self.ids]))
        found = {int(id): (version, data) for id, version, data in cursor.fetchall()}
        amount = choice.randrange(1, 10)
        items = []
        for id, change in zip(self.ids, (-amount, amount)):
            version, data = found[id]
            if choice.random() < 0.5:
                items.append({'op': 'patch', 'collection': 'accounts', 'id': str(id), 'data': {'amount': data['amount'] + change}, 'expected': version})
            else:
                items.append({'op': 'upsert', 'collection': 'accounts', 'id': str(id), 'data': {'amount': data['amount'] + change}, 'expected': version})
        items.append({'op': 'append', 'log': 'ledger', 'stream': f'stream-{choice.randrange(5)}', 'expected': 'any',
                      'events': [{'type': 'Moved', 'data': {'mark': mark, 'from': self.ids[0], 'to': self.ids[1]}}]})
        choice.shuffle(items)
        self.changes = json.dumps(items)

    def send(self, cursor):
        cursor.execute('SELECT * FROM docstore.save(%s)', (self.changes,))
        return cursor.fetchall()


def check_calm(tap, connection, stored, unknown):
    """Whether the calm tables hold what was acknowledged, all of it, and nothing else but what nobody knows of. The arguments are sets of marks."""
    marks = [mark for mark, in stress.query(connection, "SELECT data ->> 'mark' FROM ledger")]
    found = set(marks)
    tap.equal(len(marks), len(found), 'every call is stored once')
    tap.none(sorted(stored - found), f'all {len(stored)} calls that were acknowledged are stored')
    tap.none(sorted(found - stored - unknown), 'and none that was refused')
    tap.equal(stress.query(connection, "SELECT count(*), sum((data ->> 'amount')::int) FROM accounts"), [(ACCOUNTS, ACCOUNTS * AMOUNT)],
              'the sum of all accounts is what it was')
    tap.none(stress.query(connection, '''SELECT id, version, calls FROM accounts a, LATERAL (SELECT count(*) AS calls FROM ledger e
        WHERE a.id IN (e.data ->> 'from', e.data ->> 'to')) c WHERE version <> 1 + calls'''), 'each account has a version for each of its events')
    check_logs(tap, connection, ['ledger'])


def check_logs(tap, connection, logs):
    for log in logs:
        tap.none(stress.query(connection, f'''SELECT stream, version, number FROM
            (SELECT stream, version, row_number() OVER (PARTITION BY stream ORDER BY log_position) AS number FROM {log}) e WHERE version <> number'''),
            f'{log}: the versions of each stream are 1..n, in the order of positions')
        tap.none(stress.query(connection, f'''SELECT stream, s.version, count(e) FROM {log}_streams s FULL JOIN {log} e USING (stream) WHERE stream IS NOT NULL
            GROUP BY 1, 2 HAVING s.version IS DISTINCT FROM count(e)'''), f'{log}: its heads know it')


def check_indexes(tap, connection):
    """Every index of the database's own tables has what its table has, and no more."""
    broken = []
    for name, in stress.query(connection, '''SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
            WHERE c.relam = (SELECT oid FROM pg_am WHERE amname = 'btree') AND c.relpersistence = 'p' AND c.relkind = 'i' AND i.indisvalid AND i.indisready
            AND c.relnamespace <> 'pg_catalog'::regnamespace AND c.relnamespace <> 'information_schema'::regnamespace'''):
        try:
            stress.query(connection, 'SELECT bt_index_parent_check(%s, true)', name)
        except psycopg2.Error as error:
            broken.append(f'{name}: {describe(error)}')
    tap.none(broken, 'amcheck finds nothing wrong with tables and indexes')


def check_leftovers(tap, connection):
    """Whether a session that is still there holds something; to be asked while the clients' sessions are open."""
    tap.none(stress.query(connection, '''SELECT locktype, mode, l.relation::regclass, pid FROM pg_locks l JOIN pg_stat_activity USING (pid)
        WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()'''), 'no lock is left')
    tap.none(stress.query(connection, '''SELECT pid, state, query FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle' '''), 'no session is busy')
    tap.none(stress.query(connection, 'SELECT gid FROM pg_prepared_xacts WHERE database = current_database()'), 'nothing is prepared')
