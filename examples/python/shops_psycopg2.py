#!/usr/bin/env python3
"""Changes 20 coffee shops with docstore and psycopg2, while somebody else changes 3 of them.

As shops.py, which uses psycopg 3: there is no connection.execute(), and the error has its SQLSTATE in pgcode.
"""
import json
import random
import time

import psycopg2
from psycopg2.extras import Json


def change_shops(connection, ids, change, attempts=10):
    """Loads shops, applies change() to each, saves all of them or none; connection.autocommit is on."""
    items = {}
    cursor = connection.cursor()
    for attempt in range(1, attempts + 1):
        cursor.execute("SELECT id, version, data FROM docstore.load_many('shops', %s)",
                       [[shop for shop in ids if shop not in items]])
        for shop, version, data in cursor:
            items[shop] = {"op": "upsert", "collection": "shops", "id": shop,
                           "data": change(data), "expected": version}
        if gone := [shop for shop in ids if shop not in items]:
            raise LookupError(f"not there: {', '.join(gone)}")
        try:
            cursor.execute("SELECT id, version FROM docstore.save(docstore.parse(%s))", [json.dumps(list(items.values()))])
            return cursor.fetchall()
        except psycopg2.Error as error:
            if error.pgcode not in ("PT409", "40001", "40P01") or attempt == attempts:
                raise
            if error.pgcode == "PT409":
                conflict = json.loads(error.diag.message_detail)
                stale = [violation["id"] for violation in conflict["violations"]]
                # Load and change only these again; or all, if the conflict lists only some.
                for shop in stale if len(stale) == conflict["total"] else ids:
                    items.pop(shop, None)
        time.sleep(random.uniform(0, min(1, 0.01 * 2 ** attempt)))


def one_shop(connection):
    """Load, change, save: and the conflict for who saves the same version again."""
    cursor = connection.cursor()
    cursor.execute("SELECT docstore.upsert('shops', 'mozarts', %s)", [Json({"name": "Mozart's", "opens": 8})])
    cursor.execute("SELECT version, data FROM docstore.load('shops', 'mozarts')")
    version, data = cursor.fetchone()
    data["opens"] = 7
    for _ in range(2):
        try:
            cursor.execute("SELECT docstore.upsert('shops', 'mozarts', %s, %s)", [Json(data), version])
            print("mozarts is at version", cursor.fetchone()[0])
        except psycopg2.Error as error:
            print(error.pgcode, error.diag.constraint_name, error.diag.table_name)
            for violation in json.loads(error.diag.message_detail)["violations"]:
                print("{id} is {reason}: expected {expected}, actual {actual}".format(**violation))


def twenty_shops(connection, somebody_else):
    """A batch of which 3 are stale by the time it is saved."""
    cursor = connection.cursor()
    ids = [f"shop-{n:02}" for n in range(1, 21)]
    cursor.execute("SELECT docstore.upsert_many('shops', %s, %s::jsonb[], NULL)", [ids, [Json({"opens": 8}) for _ in ids]])
    others = ["shop-04", "shop-11", "shop-17"]
    calls = 0

    def an_hour_earlier(shop):
        nonlocal calls
        calls += 1
        if calls == 1:
            change_shops(somebody_else, others, lambda shop: {**shop, "wifi": True})
        return {**shop, "opens": shop["opens"] - 1}

    saved = change_shops(connection, ids, an_hour_earlier)
    print("saved", len(saved), "shops after", calls, "changes")
    print("now at version 3:", *[shop for shop, version in saved if version == 3])
    cursor.execute("""SELECT id FROM shops WHERE data @> '{"opens": 7, "wifi": true}' ORDER BY id""")
    print("with both changes:", *[shop for shop, in cursor])


def many_shops(connection, somebody_else):
    """A batch that is stale as a whole, and one with a shop that is deleted before it is saved."""
    cursor = connection.cursor()
    ids = [f"shop-{n:03}" for n in range(1, 601)]
    cursor.execute("SELECT docstore.upsert_many('shops', %s, %s::jsonb[], NULL)", [ids, [Json({"opens": 8}) for _ in ids]])
    calls = 0

    def interrupted(work):
        def an_hour_earlier(shop):
            nonlocal calls
            calls += 1
            if calls == 1:
                work()
            return {**shop, "opens": shop["opens"] - 1}
        return an_hour_earlier

    saved = change_shops(connection, ids, interrupted(lambda: change_shops(somebody_else, ids, lambda shop: {**shop, "wifi": True})))
    print("saved", len(saved), "shops after", calls, "changes")
    calls = 0
    try:
        change_shops(connection, ids[:20], interrupted(
            lambda: somebody_else.cursor().execute("SELECT docstore.delete('shops', 'shop-007', docstore.some_version())")))
    except LookupError as error:
        print(*error.args)
    cursor.execute("""SELECT count(*) FROM shops WHERE data @> '{"opens": 6}'""")
    print("saved", *cursor.fetchone(), "of the others")


def main():
    connection, somebody_else = psycopg2.connect(""), psycopg2.connect("")
    connection.autocommit = somebody_else.autocommit = True
    connection.cursor().execute("SELECT docstore.create_collection('shops')")
    one_shop(connection)
    twenty_shops(connection, somebody_else)
    many_shops(connection, somebody_else)


main()
