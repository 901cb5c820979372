#!/usr/bin/env python3
"""Changes 20 coffee shops with docstore and psycopg 3, while somebody else changes 3 of them.

The variables PGHOST, PGUSER, PGDATABASE and so on say where to, as they do for psql. The database needs the extension, and gets
a collection "shops".
"""
import json

import psycopg
from psycopg.types.json import Jsonb


# begin README
def change_shops(connection, ids, change, attempts=5):
    """Loads shops, applies change() to each, saves all of them or none; connection.autocommit is on."""
    items = {}
    for attempt in range(1, attempts + 1):
        for shop, version, data in connection.execute(
                "SELECT id, version, data FROM docstore.load_many('shops', %s)", [ids]):
            items[shop] = {"op": "upsert", "collection": "shops", "id": shop,
                           "data": change(data), "expected": version}
        try:
            return connection.execute("SELECT id, version FROM docstore.save(%s)",
                                      [Jsonb(list(items.values()))]).fetchall()
        except psycopg.Error as error:
            if error.sqlstate != "PT409" or attempt == attempts:
                raise
            violations = json.loads(error.diag.message_detail)["violations"]
        # Only these are loaded and changed again.
        ids = [violation["id"] for violation in violations]
        for shop in ids:
            del items[shop]
# end README


def one_shop(connection):
    """Load, change, save: and the conflict for who saves the same version again."""
    connection.execute("SELECT docstore.upsert('shops', 'mozarts', %s)", [Jsonb({"name": "Mozart's", "opens": 8})])
    version, data = connection.execute("SELECT version, data FROM docstore.load('shops', 'mozarts')").fetchone()
    data["opens"] = 7
    for _ in range(2):
        try:
            saved = connection.execute("SELECT docstore.upsert('shops', 'mozarts', %s, %s)", [Jsonb(data), version])
            print("mozarts is at version", saved.fetchone()[0])
        except psycopg.Error as error:
            print(error.sqlstate, error.diag.constraint_name, error.diag.table_name)
            for violation in json.loads(error.diag.message_detail)["violations"]:
                print("{id} is {reason}: expected {expected}, actual {actual}".format(**violation))


def twenty_shops(connection, somebody_else):
    """A batch of which 3 are stale by the time it is saved."""
    ids = [f"shop-{n:02}" for n in range(1, 21)]
    connection.execute("SELECT docstore.upsert_many('shops', %s, %s, NULL)", [ids, [Jsonb({"opens": 8}) for _ in ids]])
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
    print("with both changes:", *[shop for shop, in connection.execute(
        """SELECT id FROM shops WHERE data @> '{"opens": 7, "wifi": true}' ORDER BY id""")])


def main():
    with psycopg.connect(autocommit=True) as connection, psycopg.connect(autocommit=True) as somebody_else:
        connection.execute("SELECT docstore.create_collection('shops')")
        one_shop(connection)
        twenty_shops(connection, somebody_else)


main()
