"""What the tests on a cluster of Citus share: connections to its nodes, collections that are distributed, clients, shards that move.

A test is an executable. CITUS_URL is a database on the coordinator, of which it uses the schema docstore_test, which it makes anew; its
nodes are reached with the same user, password and database. CITUS_SECONDS is how long the clients of a test work, 60 by default.
"""
import json
import os
import sys
import threading
import time

import psycopg2
import psycopg2.extras
from psycopg2.extensions import parse_dsn

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'stress'))
import stress  # noqa: E402

URL = os.environ['CITUS_URL']
SECONDS = float(os.environ.get('CITUS_SECONDS', 60))
SCHEMA = 'docstore_test'

# What ends a transaction that may be begun again: conflicts, 40001, deadlocks, what Citus says while a shard moves or a node is away.
AGAIN = {stress.CONFLICT, '40001', '40P01'}


def connect(node=None):
    """A session on the coordinator, or on a node (host, port), in which every statement is a transaction."""
    arguments = parse_dsn(URL)
    if node is not None:
        arguments.pop('hostaddr', None)
        arguments['host'], arguments['port'] = node
    connection = psycopg2.connect(**arguments, options=f'-c search_path={SCHEMA} -c statement_timeout=60s -c lock_timeout=30s')
    connection.autocommit = True
    psycopg2.extras.register_default_jsonb(connection, loads=json.loads)
    return connection


query = stress.query


def nodes(connection, workers_only=False):
    """The nodes as (host, port), the coordinator first."""
    return [(host, port) for host, port, group in
            query(connection, 'SELECT nodename, nodeport, groupid FROM pg_dist_node WHERE isactive ORDER BY groupid')
            if group > 0 or not workers_only]


def begin():
    """A new schema, and a session on the coordinator."""
    connection = connect()
    query(connection, 'SET client_min_messages = warning')
    query(connection, 'CREATE EXTENSION IF NOT EXISTS docstore')
    query(connection, f'DROP SCHEMA IF EXISTS {SCHEMA} CASCADE')
    query(connection, f'CREATE SCHEMA {SCHEMA}')
    return connection


def end(connection):
    query(connection, f'DROP SCHEMA {SCHEMA} CASCADE')


def create(connection, name, how="create_distributed_table('{}', 'id')", id_type='text'):
    """A collection that is distributed, by default by its ids."""
    query(connection, 'SELECT docstore.create_collection(%s, %s::regtype)', name, id_type)
    query(connection, f'SELECT {how.format(name)}')


def run_for(seconds, count, work, beside=()):
    """Runs work(number, is_over) in that many threads, and others beside them, for so long; returns what each of work returned."""
    over = time.monotonic() + seconds
    answers, failures = [None] * count, []

    def run(number, function):
        try:
            answer = function(number, lambda: time.monotonic() > over or bool(failures))
            if number is not None:
                answers[number] = answer
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(number, work)) for number in range(count)]
    threads += [threading.Thread(target=run, args=(None, each)) for each in beside]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return answers


def move_shards(moved):
    """What moves the shards of the schema to and fro, for run_for(); counts in moved[0]."""
    def move(_, is_over):
        connection = connect()
        workers = nodes(connection, workers_only=True)
        while not is_over():
            shards = query(connection, '''SELECT min(shardid), nodename, nodeport FROM pg_dist_shard_placement JOIN pg_dist_shard USING (shardid)
                JOIN pg_dist_partition USING (logicalrelid) JOIN pg_class c ON c.oid = logicalrelid
                WHERE partmethod = 'h' AND relnamespace = to_regnamespace(%s) GROUP BY shardminvalue, colocationid, nodename, nodeport ORDER BY 1''', SCHEMA)
            for shard, host, port in shards:
                if is_over():
                    break
                target = next(each for each in workers if each != (host, port))
                try:
                    query(connection, "SELECT citus_move_shard_placement(%s, %s, %s, %s, %s, 'block_writes')", shard, host, port, *target)
                    moved[0] += 1
                except psycopg2.Error:
                    time.sleep(0.1)
                time.sleep(0.5)
    return move


def reconnect(connection, node):
    """The same session, or a new one where it is lost."""
    if not connection.closed:
        return connection
    for _ in range(600):
        try:
            return connect(node)
        except psycopg2.OperationalError:
            time.sleep(0.1)
    raise SystemExit(f'node {node} does not come back')
