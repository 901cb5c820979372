#!/usr/bin/env python3
"""Keeps a search table up to date that follows a collection of coffee shops, with docstore and psycopg 3.

The variables PGHOST, PGUSER, PGDATABASE and so on say where to connect, as for psql. The database needs the extension, and gets
a collection "shops" that is tracked, and a table "shop_search".
"""
import threading
import time

# begin README
import psycopg
from psycopg.types.json import Jsonb

TABLES = """
    SELECT docstore.create_collection('shops');
    SELECT docstore.track('shops');
    SELECT docstore.create_consumers('shops');
    CREATE TABLE shop_search (id text PRIMARY KEY, words tsvector NOT NULL);
    CREATE INDEX ON shop_search USING gin (words)"""


def catch_up(connection, at_most=1000):
    """Brings the search table up to date, in one transaction with the cursor; gives how many shops have changed, at most so many."""
    with connection.transaction():
        consumer = connection.execute("SELECT version, data ->> 'cursor' FROM docstore.load('shops_consumers', 'search')").fetchone()
        version, cursor = consumer or (None, None)
        changes = connection.execute("SELECT id, cursor FROM docstore.read_changes('shops', %s, %s, each => 'document')",
                                     [cursor, at_most]).fetchall()
        if changes:
            # The conflict, if somebody else reads under this name, too.
            connection.execute("SELECT docstore.commit_cursor('shops', 'search', %s, %s)", [changes[-1][1], version])
        # Each shop as it is now. That can be newer than the change: then the shop comes once more.
        ids = [shop for shop, _ in changes]
        connection.execute("DELETE FROM shop_search WHERE id = ANY (%s)", [ids])
        connection.execute("""INSERT INTO shop_search SELECT id, jsonb_to_tsvector('english', data, '["string"]')
                              FROM docstore.load_many('shops', %s)""", [ids])
    return len(changes)


def search(connection, words):
    return [shop for shop, in connection.execute(
        "SELECT id FROM shop_search WHERE words @@ websearch_to_tsquery('english', %s) ORDER BY id", [words])]
# end README


def save(connection, shop, **data):
    connection.execute("SELECT docstore.upsert('shops', %s, %s, docstore.any_version())", [shop, Jsonb(data)])


def one_after_the_other(connection):
    """Created, changed and deleted shops; pages of changes; a step that fails."""
    save(connection, "demel", name="Demel", note="Cakes, and candied violets")
    save(connection, "sperl", name="Sperl", note="Billiards")
    save(connection, "sperl", name="Sperl", note="Billiards, and a cake of its own")
    print("changed:", catch_up(connection), "with cake:", *search(connection, "cake"))
    save(connection, "hawelka", name="Hawelka", note="Buns, late at night")
    connection.execute("SELECT docstore.delete('shops', 'demel', 1)")
    print("changed:", catch_up(connection, 1), catch_up(connection, 1), catch_up(connection, 1), "with cake or buns:", *search(connection, "cake or buns"))
    save(connection, "hawelka", name="Hawelka", note="Closed")
    try:
        with connection.transaction():
            catch_up(connection)
            raise InterruptedError
    except InterruptedError:
        print("interrupted, with buns:", *search(connection, "buns"))
    print("changed:", catch_up(connection), "with buns:", *search(connection, "buns"))


def two_consumers(connection, other):
    """Two at once: one stores its cursor, and with it what it has done."""
    save(connection, "sperl", name="Sperl", note="Pancakes")
    with connection.transaction():
        catch_up(connection)
        late = threading.Thread(target=catch_up_too_late, args=[other])
        late.start()
        while not connection.execute("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()").fetchall():
            time.sleep(0.01)
    late.join()
    print("with pancakes:", *search(connection, "pancakes"))


def catch_up_too_late(connection):
    try:
        catch_up(connection)
    except psycopg.Error as error:
        print("the other one:", error.sqlstate)


def many_at_once(connection):
    """Shops are written and deleted by others all the time."""
    def write(number):
        with psycopg.connect(autocommit=True) as writer:
            for n in range(60):
                shop = f"shop-{(n * 7 + number) % 20}"
                if n % 5 == 4:
                    writer.execute("SELECT docstore.delete('shops', %s, docstore.any_version())", [shop])
                else:
                    save(writer, shop, name=f"Number {number}", note=f"Written {n}")

    writers = [threading.Thread(target=write, args=[number]) for number in range(4)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        catch_up(connection, 10)
    # A transaction of somebody else, anywhere in the cluster, can hold back the last changes for a moment.
    deadline = time.monotonic() + 60
    while differing(connection) and time.monotonic() < deadline:
        catch_up(connection)
    print("after 240 writes at once,", differing(connection), "shops differ")


def differing(connection):
    return connection.execute("""
        SELECT count(*) FROM shop_search s FULL JOIN (SELECT id, jsonb_to_tsvector('english', data, '["string"]') AS words FROM shops) t USING (id)
        WHERE s.words IS DISTINCT FROM t.words""").fetchone()[0]


def main():
    with psycopg.connect(autocommit=True) as connection, psycopg.connect(autocommit=True) as other:
        connection.execute(TABLES)
        one_after_the_other(connection)
        two_consumers(connection, other)
        many_at_once(connection)


main()
