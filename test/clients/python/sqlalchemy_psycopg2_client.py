"""SQLAlchemy 2 on psycopg2: which errors it raises. All else is as with psycopg 3, see sqlalchemy_client.py."""
import sqlalchemy as sa

from tap import classes, done, raised_as, same

engine = sa.create_engine("postgresql+psycopg2://")
with engine.begin() as connection:
    connection.execute(sa.text("CREATE EXTENSION docstore"))
    connection.execute(sa.text("SELECT docstore.create_collection('cafes')"))
for name, statement, wanted in classes():
    error = None
    try:
        with engine.begin() as connection:
            connection.execute(sa.text(statement))
    except sa.exc.DBAPIError as raised:
        error = raised
    same(raised_as(error), wanted, name)
done()
