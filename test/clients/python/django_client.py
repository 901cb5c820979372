"""Django on psycopg 3: a model with a version on a guarded table, docstore's functions, and what the error has.

Django compares no versions. Its save() sends the version that was loaded along with all other fields, and the guard compares that. What is
left to the model: that the version is always among the fields; that the object learns the next one; that a row which is gone is not inserted
again, which is what save() does when its UPDATE finds none; and that a delete asks for the version, since the guard does not see it.
Updates and deletes of a queryset go past the model: the guard refuses an update() that has waited for somebody else's.
"""
import os
from types import SimpleNamespace

import django
from django.conf import settings
from django.db.migrations.state import ProjectState
from django.db.models import F

from cafes import CAFES, CHANGED, CHANGES, STORED, VIOLATED
from tap import Waiting, classes, done, failing, in_threads, raised_as, raises, same

WORKERS, TIMES = 4, 20

settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"]}})
django.setup()

# begin entity
from django.db import models, transaction


class Versioned(models.Model):
    """After a rollback load the object again: Django leaves it as it was changed, with a version that the row does not have."""
    version = models.IntegerField(default=1)

    class Meta:
        abstract = True

    def save(self, *, update_fields=None, **options):
        adding = self._state.adding
        options |= {"force_insert": adding, "force_update": not adding}
        super().save(update_fields=update_fields and {*update_fields, "version"}, **options)
        self.version += not adding

    @transaction.atomic
    def delete(self, **options):
        type(self).objects.select_for_update().get(pk=self.pk, version=self.version)  # or DoesNotExist
        return super().delete(**options)
# end entity


# begin setup
from django.contrib.postgres.operations import CreateExtension
from django.db import migrations


class Shop(Versioned):
    name = models.TextField()
    opens = models.IntegerField()

    class Meta:
        app_label = db_table = "shops"


class Migration(migrations.Migration):
    dependencies = [("shops", "0001_initial")]
    operations = [
        CreateExtension("docstore"),
        migrations.RunSQL("SELECT docstore.guard('shops', strict => true)", "SELECT docstore.unguard('shops')"),
        migrations.RunSQL("SELECT docstore.create_collection('cafes')", "DROP TABLE cafes"),
    ]
# end setup


# begin violations
import json


def violations(error):
    """The violations of docstore's conflict, as data; raises any other error again. Its cause is psycopg's error."""
    if getattr(error.__cause__, "sqlstate", None) != "PT409":
        raise error
    return json.loads(error.__cause__.diag.message_detail)["violations"]
# end violations


# begin retry
import random
import time

from django.db import DatabaseError, connection, transaction

AGAIN = ("PT409", "40001", "40P01")  # somebody else was faster: the conflict; the server's own; a deadlock


def retried(work, attempts=10):
    """Runs work(), which loads, changes and saves, in a transaction, and repeats it when somebody else was faster."""
    for attempt in range(1, attempts + 1):
        try:
            with transaction.atomic():
                return work()
        except DatabaseError as error:
            if getattr(error.__cause__, "sqlstate", None) not in AGAIN or attempt == attempts:
                raise
        time.sleep(random.uniform(0, min(1, 0.01 * 2 ** attempt)))
# end retry


def sql(query, parameters=()):
    with connection.cursor() as cursor:
        return cursor.execute(query, parameters).fetchone()


def row(shop_id):
    return Shop.objects.values_list("name", "opens", "version").get(pk=shop_id)


def loaded_by_two(shop_id):
    """The same row, loaded twice; and the first one is saved."""
    loaded = SimpleNamespace(shop=Shop.objects.get(pk=shop_id), stale=Shop.objects.get(pk=shop_id))
    loaded.shop.opens -= 1
    loaded.shop.save()
    return loaded


def in_thread(work):
    """Every thread has a connection of its own, which nobody else would close."""
    def run():
        try:
            return work()
        finally:
            connection.close()
    return run


def race(change, late=None):
    """Two sessions change shop 1 at once, and the second, which may do something else, waits: what becomes of it, and of the row."""
    waiting = Waiting(in_thread(lambda: (late or change)("second")))
    with transaction.atomic():
        change("first")
        waiting.begin()
    return waiting.result(), row(1)


def by_save(name):
    shop = Shop.objects.get(pk=1)
    shop.name = name
    shop.save()
    return shop.version


def delete(_):
    Shop.objects.get(pk=1).delete()


def in_sql(name):
    return Shop.objects.filter(pk=1).update(name=name, version=F("version") + 1)


def entities():
    """A row that several people change."""
    shop = Shop.objects.create(name="Demel", opens=8)
    same((shop.pk, shop.version, row(1)), (1, 1, ("Demel", 8, 1)), "create: the object has version 1, as the row has")
    loaded = loaded_by_two(1)
    same((loaded.shop.version, row(1)), (2, ("Demel", 7, 2)), "update: the object is at version 2, as the row is")
    loaded.shop.opens = F("opens") - 1
    loaded.shop.save()
    same((loaded.shop.version, row(1)), (3, ("Demel", 6, 3)), "update: with an expression, too")

    loaded.stale.name = "overwritten"
    error = raises(DatabaseError, loaded.stale.save, "stale update: is an error")
    same(violations(error), [{"item": 1, "op": "update", "kind": "row", "table": "public.shops", "id": "1", "reason": "stale",
                              "expected": 1, "actual": 3}], "stale update: which names the row and both versions")
    error = raises(DatabaseError, lambda: loaded.stale.save(update_fields=["name"]), "stale update: of one field, too")
    same((violations(error)[0]["actual"], row(1)), (3, ("Demel", 6, 3)), "stale update: the row is as the other left it")

    raises(Shop.DoesNotExist, loaded.stale.delete, "stale delete: is an error")
    same(row(1), ("Demel", 6, 3), "stale delete: the row is there")
    raises(DatabaseError, Shop(pk=1, name="overwritten", opens=0).save, "stale update: a new object does not overwrite a row that is there")
    gone = Shop.objects.create(pk=50, name="Griensteidl", opens=8)
    Shop.objects.get(pk=50).delete()
    raises(DatabaseError, gone.save, "stale update: of a row that is gone, is an error")
    same(Shop.objects.filter(pk=50).count(), 0, "stale update: it is not inserted again")


def batch():
    """Ten rows, of which one is stale: saved in a transaction, and in one statement."""
    Shop.objects.bulk_create(Shop(pk=2 + n, name=f"shop {n}", opens=8) for n in range(10))
    shops = list(Shop.objects.filter(pk__range=(2, 11)).order_by("pk"))
    loaded_by_two(6)

    def save_all():
        with transaction.atomic():
            for shop in shops:
                shop.save()

    for shop in shops:
        shop.opens = 5
    error = raises(DatabaseError, lambda: Shop.objects.bulk_update(shops, ["opens", "version"]), "batch: bulk_update of ten is an error")
    same([violation["id"] for violation in violations(error)], ["6"], "batch: which names the stale one")
    error = raises(DatabaseError, save_all, "batch: saving them one by one is an error")
    same([violation["id"] for violation in violations(error)], ["6"], "batch: which names it, too")
    same(Shop.objects.filter(opens=5).count(), 0, "batch: nothing is stored")


def two_sessions():
    outcome, left = race(by_save)
    same(([v["actual"] for v in violations(outcome)], left), ([4], ("first", 6, 4)), "two sessions: the save that has waited is the conflict")
    outcome, left = race(in_sql)
    same([v["actual"] for v in violations(outcome)], [5], "two sessions: an update in SQL that has waited is the conflict")
    same(left, ("first", 6, 5), "two sessions: the row is as the first left it")
    outcome, left = race(by_save, delete)
    same((type(outcome), left), (Shop.DoesNotExist, ("first", 6, 6)), "two sessions: a delete that has waited is told, and the row is there")


def alone():
    kept = Shop.objects.create(pk=60, name="Sperl", opens=8)
    with transaction.atomic():
        kept.save()
        transaction.set_rollback(True)
    Shop.objects.get(pk=60).save()
    kept.save()
    same((kept.version, row(60)), (3, ("Sperl", 8, 3)), "alone: an object that was saved before a rollback has a version that it has not seen")
    sql("SELECT docstore.unguard('shops')")
    loaded = loaded_by_two(1)
    loaded.stale.name = "overwritten"
    loaded.stale.save()
    same(row(1), ("overwritten", 6, 6), "alone: a stale save overwrites")
    same(race(by_save), (7, ("second", 6, 6)), "alone: so does one that has waited")
    same(race(in_sql), (1, ("second", 6, 8)), "alone: so does an update in SQL that has waited, and nobody is told")
    gone, stale = Shop.objects.get(pk=11), Shop.objects.get(pk=11)
    Shop.objects.filter(pk=11).update(opens=7, version=2)
    same((models.Model.delete(gone)[0], Shop.objects.filter(pk=11).count()), (1, 0), "alone: Django's own delete() does not look at the version")
    models.Model.save(stale)
    same(row(11), ("shop 9", 8, 1), "alone: Django's own save() inserts a row again that is gone")
    sql("SELECT docstore.guard('shops', strict => true)")


# begin upsert
def upsert(cafe, data, expected=None):
    with connection.cursor() as cursor:
        return cursor.execute("SELECT docstore.upsert('cafes', %s, docstore.parse(%s), %s)", [cafe, json.dumps(data), expected]).fetchone()[0]
# end upsert


class Bare(models.Model):
    """A version that is a field as any other: save(update_fields=...) and update() leave it out."""
    name = models.TextField()
    version = models.IntegerField(default=1)

    class Meta:
        app_label = db_table = "bare"


def strict():
    with connection.schema_editor() as schema_editor:
        schema_editor.create_model(Bare)
    sql("SELECT docstore.guard('bare', strict => true)")
    bare = Bare.objects.create(name="Demel")
    bare.name = "overwritten"
    error = raises(DatabaseError, lambda: bare.save(update_fields=["name"]), "strict: save(update_fields=...) without the version is an error")
    diag = error.__cause__.diag
    same((diag.sqlstate, diag.constraint_name, diag.table_name, diag.column_name), ("PT428", "docstore_version_required", "bare", "version"),
         "strict: which names the table and its version")
    error = raises(DatabaseError, lambda: Bare.objects.filter(pk=1).update(name="overwritten"), "strict: so is update()")
    same(error.__cause__.sqlstate, "PT428", "strict: with that SQLSTATE")
    bare.save(update_fields=["name", "version"])
    Bare.objects.filter(pk=1).update(name="Demel's", version=F("version"))
    same(sql("SELECT name, version FROM bare"), ("Demel's", 3), "strict: what sends the version is stored")


def functions():
    """Documents by docstore's functions."""
    same([upsert("mozart", {"opens": 8}), upsert("mozart", {"opens": 7}, 1)], [1, 2], "upsert: answers with the version")
    error = raises(DatabaseError, lambda: upsert("mozart", {"opens": 6}, 1), "upsert: a stale version is an error")
    diag = error.__cause__.diag
    same((diag.sqlstate, diag.constraint_name, diag.table_name), ("PT409", "docstore_expected_version", "cafes"),
         "upsert: with its SQLSTATE, constraint and table")

    for cafe in CAFES:
        upsert(cafe, {"opens": 8})
    for cafe in CHANGED:
        upsert(cafe, {"opens": 9}, 1)
    error = raises(DatabaseError, lambda: sql("SELECT * FROM docstore.save(docstore.parse(%s))", [json.dumps(CHANGES)]),
                   "save: 3 stale items of 20 are an error")
    same(sql(STORED), (0,), "save: nothing is stored")
    same(violations(error), VIOLATED, "violations: all three, with what was expected and what is there")

    for name, statement, wanted in classes():
        try:
            sql(statement)
            error = None
        except DatabaseError as raised:
            error = raised
        same(raised_as(error), wanted, name)


def retries():
    """Everybody counts one row and one document up."""
    Shop.objects.create(pk=100, name="counter", opens=0)
    upsert("counter", {"n": 0})

    def count_row():
        shop = Shop.objects.get(pk=100)
        shop.opens += 1
        shop.save()

    def count_document():
        # A cursor of Django leaves a jsonb as the text that it is; a JSONField decodes it.
        version, data = sql("SELECT version, data FROM docstore.load('cafes', 'counter')")
        upsert("counter", {"n": json.loads(data)["n"] + 1}, version)

    def work():
        for _ in range(TIMES):
            retried(count_row, 100)
            retried(count_document, 100)

    same(in_threads(WORKERS, in_thread(work)), [], "retry: nobody gives up")
    same((row(100)[1], sql("SELECT data ->> 'n' FROM cafes WHERE id = 'counter'")), (WORKERS * TIMES, (str(WORKERS * TIMES),)),
         "retry: nothing is lost")
    statements = failing(*AGAIN)
    retried(lambda: connection.cursor().execute(next(statements)))
    same(list(statements), [], "retry: after each of these errors")
    statements = failing("23505")
    raises(DatabaseError, lambda: retried(lambda: connection.cursor().execute(next(statements))), "retry: not after others")


with connection.schema_editor() as editor:
    editor.create_model(Shop)
    Migration("0002_guard", "shops").apply(ProjectState(), editor)
entities()
batch()
two_sessions()
alone()
strict()
functions()
retries()
done()
