"""SQLAlchemy 2 on asyncpg: which errors it raises. All else is as with psycopg 3, see sqlalchemy_client.py."""
import asyncio

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from tap import classes, done, raised_as, same

engine = create_async_engine("postgresql+asyncpg://")


async def outcome(*statements):
    """The error of a transaction, if any."""
    try:
        async with engine.begin() as connection:
            for statement in statements:
                await connection.execute(sa.text(statement))
    except sa.exc.DBAPIError as raised:
        return raised
    return None


async def main():
    await outcome("CREATE EXTENSION docstore", "SELECT docstore.create_collection('cafes')")
    for name, statement, wanted in classes():
        same(raised_as(await outcome(statement)), wanted, name)
    await engine.dispose()


asyncio.run(main())
done()
