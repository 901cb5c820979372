#!/usr/bin/env python3
"""Changes 20 coffee shops with docstore and psycopg2, while somebody else changes 3 of them.

As shops.py, which uses psycopg 3: there is no connection.execute(), and the error has its SQLSTATE in pgcode.
"""
import json

import psycopg2
from psycopg2.extras import Json


def change_shops(connection, ids, change, attempts=5):
    """Loads shops, applies change() to each, saves all of them or none; connection.autocommit is on."""
    items = {}
    cursor = connection.cursor()
    for attempt in range(1, attempts + 1):
        cursor.execute("SELECT id, version, data FROM docstore.load_many('shops', %s)", [ids])
        for shop, version, data in cursor:
            items[shop] = {"op": "upsert", "collection": "shops", "id": shop,
                           "data": change(data), "expected": version}
        try:
            cursor.execute("SELECT id, version FROM docstore.save(%s)", [Json(list(items.values()))])
            return cursor.fetchall()
        except psycopg2.Error as error:
            if error.pgcode != "PT409" or attempt == attempts:
                raise
            violations = json.loads(error.diag.message_detail)["violations"]
        # Only these are loaded and changed again.
        ids = [violation["id"] for violation in violations]
        for shop in ids:
            del items[shop]


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


def main():
    connection, somebody_else = psycopg2.connect(""), psycopg2.connect("")
    connection.autocommit = somebody_else.autocommit = True
    connection.cursor().execute("SELECT docstore.create_collection('shops')")
    one_shop(connection)
    twenty_shops(connection, somebody_else)


main()
