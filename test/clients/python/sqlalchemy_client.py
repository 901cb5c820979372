"""SQLAlchemy 2 on psycopg 3: an entity with a version_id_col on a guarded table, docstore's functions, and what the error has.

SQLAlchemy compares the version that was loaded, in updates and deletes of entities. What it does not compare are updates that are computed
in SQL: without a guard, the one that has waited overwrites what it has not seen.
"""
from types import SimpleNamespace

import sqlalchemy as sa
from sqlalchemy import text
from sqlalchemy.orm.attributes import flag_modified

from cafes import CAFES, CHANGED, CHANGES, STORED, VIOLATED
from tap import Waiting, classes, done, failing, in_threads, raised_as, raises, same

# begin setup
import json
import random
import time

from sqlalchemy import DDL, cast, create_engine, event, func, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from sqlalchemy.orm.exc import StaleDataError


class Base(DeclarativeBase):
    pass


class Shop(Base):
    __tablename__ = "shops"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    opens: Mapped[int]
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}


# create_all() executes these: the guard when it has made the table, the others each time.
event.listen(Base.metadata, "before_create", DDL("CREATE EXTENSION IF NOT EXISTS docstore"))
event.listen(Shop.__table__, "after_create", DDL("SELECT docstore.guard('%(fullname)s', strict => true)"))
event.listen(Base.metadata, "after_create", DDL("SELECT docstore.create_collection('cafes') WHERE to_regclass('cafes') IS NULL"))

engine = create_engine("postgresql+psycopg://", pool_size=10)
Session = sessionmaker(engine, expire_on_commit=False)
# end setup

WORKERS, TIMES = 4, 20


# begin violations
def violations(error):
    """The violations of docstore's conflict, as data; raises any other error again. error.orig is psycopg's error."""
    if error.orig.sqlstate != "PT409":
        raise error
    return json.loads(error.orig.diag.message_detail)["violations"]
# end violations


# begin entity
def open_earlier(session, shop_id):
    """Computed in SQL, and so not compared by SQLAlchemy; the guard refuses it when somebody was faster."""
    return session.scalars(update(Shop).where(Shop.id == shop_id)
                           .values(opens=Shop.opens - 1, version=Shop.version + 1).returning(Shop)).one()
# end entity


# begin retry
AGAIN = ("PT409", "40001", "40P01")  # somebody else was faster: the conflict; the server's own; a deadlock


def retried(work, attempts=10):
    """Runs work(session), which loads and changes, in a transaction, and repeats it when somebody else was faster."""
    for attempt in range(1, attempts + 1):
        try:
            with Session.begin() as session:
                return work(session)
        except (StaleDataError, DBAPIError) as error:
            again = isinstance(error, StaleDataError) or error.orig.sqlstate in AGAIN
            if not again or attempt == attempts:
                raise
        time.sleep(random.uniform(0, min(1, 0.01 * 2 ** attempt)))
# end retry


def scalar(sql, **parameters):
    with Session.begin() as session:
        return session.scalar(text(sql), parameters)


def row(shop_id):
    with Session() as session:
        shop = session.get(Shop, shop_id)
        return shop and (shop.name, shop.opens, shop.version)


def two_loaded(shop_id):
    """Two units of work that have loaded the same row, and the first of them has saved."""
    ann, ben = Session(), Session()
    shop, stale = ann.get(Shop, shop_id), ben.get(Shop, shop_id)
    shop.opens -= 1
    ann.commit()
    ann.close()
    return SimpleNamespace(shop=shop, stale=stale, session=ben)


def stale_save(shop_id):
    """The error of who saves an older version, if any, and the row."""
    loaded = two_loaded(shop_id)
    loaded.stale.name = "overwritten"
    return commit(loaded.session), row(shop_id)


def stale_delete(shop_id):
    loaded = two_loaded(shop_id)
    loaded.session.delete(loaded.stale)
    return commit(loaded.session), row(shop_id)


def commit(session):
    try:
        session.commit()
    except (StaleDataError, DBAPIError) as error:
        return error
    finally:
        session.close()
    return None


def race(change, late=None):
    """Two sessions change shop 1 at once, and the second, which may do something else, waits: what becomes of it, and of the row."""
    with Session() as first, Session() as second:
        change(first, "first")

        def wait():
            (late or change)(second, "second")
            return commit(second)

        waiting = Waiting(wait)
        waiting.begin()
        first.commit()
        return waiting.result(), row(1)


def by_entity(session, name):
    session.get(Shop, 1).name = name
    session.flush()


def delete(session, _):
    session.delete(session.get(Shop, 1))


def in_sql(session, name):
    session.execute(update(Shop).where(Shop.id == 1).values(name=name, version=Shop.version + 1))


def entities():
    """An entity that several people change."""
    with Session.begin() as session:
        shop = Shop(name="Demel", opens=8)
        session.add(shop)
    same((shop.id, shop.version), (1, 1), "create: the entity has version 1")
    loaded = two_loaded(1)
    same((loaded.shop.version, row(1)), (2, ("Demel", 7, 2)), "update: the entity is at version 2, as the row is")
    with Session.begin() as session:
        shop = open_earlier(session, 1)
    same((shop.version, row(1)), (3, ("Demel", 6, 3)), "update: computed in SQL, RETURNING tells the version")
    loaded.stale.name = "overwritten"
    same(type(commit(loaded.session)), StaleDataError, "stale update: is SQLAlchemy's own error")
    same(row(1), ("Demel", 6, 3), "stale update: the row is as the other left it")
    error, left = stale_delete(1)
    same(type(error), StaleDataError, "stale delete: is SQLAlchemy's own error")
    same(left, ("Demel", 5, 4), "stale delete: the row is there")
    with Session() as session:
        error = raises(DBAPIError, lambda: session.execute(update(Shop).where(Shop.id == 1).values(name="?", version=2)),
                       "stale update: in SQL, with an older version, is docstore's")
    same(violations(error), [{"item": 1, "op": "update", "kind": "row", "table": "public.shops", "id": "1", "reason": "stale",
                              "expected": 2, "actual": 4}], "stale update: which names the row and both versions")
    with Session.begin() as session:
        session.add(Shop(id=50, name="Griensteidl", opens=8))
    with Session() as session:
        session.get(Shop, 50).name = "lost"
        scalar("DELETE FROM shops WHERE id = 50 RETURNING id")
        same(type(commit(session)), StaleDataError, "stale update: so it is when the row is gone")


def batch():
    """Ten entities in a flush, of which one is stale."""
    with Session.begin() as session:
        session.add_all(Shop(id=2 + n, name=f"shop {n}", opens=8) for n in range(10))
    with Session() as session:
        shops = session.scalars(select(Shop).where(Shop.id.between(2, 11))).all()
        two_loaded(5).session.close()
        for shop in shops:
            shop.opens = 5
        same((len(shops), type(commit(session))), (10, StaleDataError), "batch: one stale entity of ten is SQLAlchemy's own error")
    seen = [{"id": 2 + n, "version": 1, "opens": 5} for n in range(10)]
    with Session() as session:
        raises(StaleDataError, lambda: session.execute(update(Shop), seen), "batch: and so it is of an update by primary keys")
    same(scalar("SELECT count(*) FROM shops WHERE opens = 5 AND id BETWEEN 2 AND 11"), 0, "batch: nothing is stored")


def two_sessions():
    outcome, left = race(by_entity)
    same((type(outcome), left), (StaleDataError, ("first", 5, 5)), "two sessions: the entity that has waited is stale")
    outcome, left = race(in_sql)
    same(getattr(outcome, "orig", outcome).sqlstate, "PT409", "two sessions: an update in SQL that has waited is docstore's conflict")
    same(left, ("first", 5, 6), "two sessions: the row is as the first left it")
    outcome, left = race(in_sql, delete)
    same((type(outcome), left), (StaleDataError, ("first", 5, 7)), "two sessions: a delete that has waited is told, and the row is there")


def alone():
    scalar("SELECT docstore.unguard('shops')")
    error, left = stale_save(1)
    same((type(error), left), (StaleDataError, ("first", 4, 8)), "alone: a stale save is refused by SQLAlchemy")
    error, left = stale_delete(1)
    same((type(error), left), (StaleDataError, ("first", 3, 9)), "alone: a stale delete is refused by SQLAlchemy")
    outcome, left = race(in_sql)
    same((outcome, left), (None, ("second", 3, 11)), "alone: an update in SQL that has waited overwrites, and nobody is told")
    scalar("SELECT docstore.guard('shops', strict => true)")


# begin upsert
def upsert(session, cafe, data, expected=None):
    # A function of the database has its types from its arguments: JSONB, not JSON.
    return session.scalar(select(func.docstore.upsert("cafes", cafe, cast(data, JSONB), expected)))
# end upsert


class Bare(Base):
    """A version that is a column as any other: a flush sends what has changed, and leaves it out."""
    __tablename__ = "bare"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)


event.listen(Bare.__table__, "after_create", DDL("SELECT docstore.guard('%(fullname)s', strict => true)"))


def strict():
    with Session.begin() as session:
        session.add(Bare(name="Demel"))
    with Session() as session:
        session.get(Bare, 1).name = "overwritten"
        diag = commit(session).orig.diag
    same((diag.sqlstate, diag.constraint_name, diag.table_name, diag.column_name), ("PT428", "docstore_version_required", "bare", "version"),
         "strict: without version_id_col a flush is refused, and the error names the table and its version")
    with Session() as session:
        error = raises(DBAPIError, lambda: session.execute(update(Bare).values(name="overwritten")), "strict: so is an update in SQL")
        same(error.orig.sqlstate, "PT428", "strict: with that SQLSTATE")
    with Session.begin() as session:
        bare = session.get(Bare, 1)
        bare.name = "Demel's"
        flag_modified(bare, "version")
    same(scalar("SELECT concat_ws(' ', name, version) FROM bare"), "Demel's 2", "strict: what sends the version is stored")


def functions():
    """Documents by docstore's functions."""
    with Session.begin() as session:
        same([upsert(session, "mozart", {"opens": 8}), upsert(session, "mozart", {"opens": 7}, 1)], [1, 2], "upsert: answers with the version")
    with Session() as session:
        error = raises(DBAPIError, lambda: upsert(session, "mozart", {"opens": 6}, 1), "upsert: a stale version is an error")
    diag = error.orig.diag
    same((diag.sqlstate, diag.constraint_name, diag.table_name), ("PT409", "docstore_expected_version", "cafes"),
         "upsert: with its SQLSTATE, constraint and table")

    with Session.begin() as session:
        for cafe in CAFES:
            upsert(session, cafe, {"opens": 8})
        for cafe in CHANGED:
            upsert(session, cafe, {"opens": 9}, 1)
    save = text("SELECT * FROM docstore.save(:items)").bindparams(sa.bindparam("items", CHANGES, JSONB))
    with Session() as session:
        error = raises(DBAPIError, lambda: session.execute(save), "save: 3 stale items of 20 are an error")
    same(scalar(STORED), 0, "save: nothing is stored")
    same(violations(error), VIOLATED, "violations: all three, with what was expected and what is there")

    for name, statement, wanted in classes():
        try:
            scalar(statement)
            error = None
        except DBAPIError as raised:
            error = raised
        same(raised_as(error), wanted, name)


def retries():
    """Everybody counts one entity and one document up."""
    with Session.begin() as session:
        session.add(Shop(id=100, name="counter", opens=0))
        upsert(session, "counter", {"n": 0})

    def count_entity(session):
        session.get(Shop, 100).opens += 1

    def count_document(session):
        version, data = session.execute(text("SELECT version, data FROM docstore.load('cafes', 'counter')")).one()
        upsert(session, "counter", {"n": data["n"] + 1}, version)

    def work():
        for _ in range(TIMES):
            retried(count_entity, 100)
            retried(count_document, 100)

    same(in_threads(WORKERS, work), [], "retry: nobody gives up")
    same((row(100)[1], scalar("SELECT data -> 'n' FROM cafes WHERE id = 'counter'")), (WORKERS * TIMES, WORKERS * TIMES),
         "retry: nothing is lost")
    statements = failing(*AGAIN)
    retried(lambda session: session.execute(text(next(statements))))
    same(list(statements), [], "retry: after each of these errors")
    statements = failing("23505")
    raises(DBAPIError, lambda: retried(lambda session: session.execute(text(next(statements)))), "retry: not after others")


for start in (1, 2):
    Base.metadata.create_all(engine)
entities()
batch()
two_sessions()
alone()
strict()
functions()
retries()
done()
