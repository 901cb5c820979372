// Drizzle on node-postgres. It knows no versions: it sends the row back as it was loaded, and the guard compares.
import { gte } from 'drizzle-orm';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import { countAtOnce, counts, saveTwenty, tryAgain } from './story.mjs';
import { classes, done, raises, same, waiting } from './tap.mjs';

// begin setup
import { and, eq, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { integer, pgTable, text } from 'drizzle-orm/pg-core';
import pg from 'pg';

export const shops = pgTable('shops', {
  id: integer().primaryKey().generatedByDefaultAsIdentity(),
  name: text().notNull(),
  opens: integer().notNull(),
  version: integer().notNull().default(1),
});

const db = drizzle({ client: new pg.Pool() });
// end setup

// begin violations
/** The violations of docstore's conflict, as data; raises any other error again. */
function violations(error) {
  if (error.cause?.code !== 'PT409') throw error;
  return JSON.parse(error.cause.detail).violations;
}
// end violations

// begin entity
const GONE = 'the shop was changed or deleted by somebody else';

/** Saves a shop with the version that was loaded. The guard compares it and stores the next one, which is returned. */
async function saveShop(db, shop) {
  return one(await db.update(shops).set(shop).where(eq(shops.id, shop.id)).returning());
}

/** An UPDATE sends the version that it saw. A DELETE must have it in its WHERE clause. */
async function deleteShop(db, { id, version }) {
  return one(await db.delete(shops).where(and(eq(shops.id, id), eq(shops.version, version))).returning());
}

function one([row]) {
  if (!row) throw new Error(GONE);
  return row;
}
// end entity

// begin retry
/** Somebody else was faster: the conflict, a serialization failure, a deadlock. */
const again = ['PT409', '40001', '40P01'];

/** Runs work(), which loads, changes and saves, and repeats it when somebody else was faster. */
async function retried(work, attempts = 10) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!again.includes(error.cause?.code) || attempt === attempts) throw error;
    }
    await new Promise((wake) => setTimeout(wake, Math.random() * Math.min(1000, 10 * 2 ** attempt)));
  }
}
// end retry

const loadShop = async (id) => (await db.select().from(shops).where(eq(shops.id, id)))[0];

/** A row of a guarded table that several people change. */
async function entities() {
  const [created] = await db.insert(shops).values({ name: 'Demel', opens: 8 }).returning();
  same(created, { id: 1, name: 'Demel', opens: 8, version: 1 }, 'create: a new shop has version 1');
  const ben = await loadShop(1);
  const ann = await saveShop(db, { ...created, opens: 7 });
  same(ann, { ...created, opens: 7, version: 2 }, 'update: the shop is at version 2');

  const error = await raises(() => saveShop(db, { ...ben, name: "Demel's" }), 'stale update: is an error');
  same(violations(error), [{
    item: 1, op: 'update', kind: 'row', table: 'public.shops', id: '1', reason: 'stale', expected: 1, actual: 2,
  }], 'stale update: the conflict, which names the row and both versions');
  same([error.constructor.name, error.message.includes("Demel's")], ['DrizzleQueryError', true],
    'stale update: in an error of Drizzle, whose message has the parameters');
  same(await loadShop(1), ann, 'stale update: the row is as the other left it');
  const gone = await raises(() => saveShop(db, { ...ann, id: 999 }), 'stale update: so it is when the row is gone');
  same(gone?.message, GONE, 'stale update: which says so');

  const refused = await raises(() => deleteShop(db, ben), 'stale delete: is an error where the version is asked for');
  same(refused?.message, GONE, 'stale delete: which says so');
  same(await loadShop(1), ann, 'stale delete: the row is there');
}

/** Ten rows in a transaction, of which one is stale. */
async function batch() {
  const loaded = await db.insert(shops)
    .values(Array.from({ length: 10 }, (_, n) => ({ id: 10 + n, name: `shop ${n}`, opens: 8 }))).returning();
  await saveShop(db, { ...loaded[4], name: 'taken' });

  const error = await raises(() => db.transaction(async (tx) => {
    for (const shop of loaded) await saveShop(tx, { ...shop, opens: 5 });
  }), 'batch: one stale shop of ten is an error');
  same(violations(error).map(({ id }) => id), ['14'], 'batch: which names it');
  same(await db.select().from(shops).where(and(gte(shops.id, 10), eq(shops.opens, 5))), [], 'batch: nothing is stored');
}

/** A second session waits for the first, which updates: what becomes of what it does, and the name that is left. */
async function race(update, late = update) {
  let second;
  await db.transaction(async (first) => {
    await update(first, 'first');
    second = await waiting(() => late(db, 'second'));
  });
  const { error, value } = await second.result;
  return { outcome: error ? error.cause?.code ?? error.message : value, name: (await loadShop(1)).name };
}

const save = (shop) => async (on, name) => (await saveShop(on, { ...shop, name })).name;

/** Raises the version in SQL, which loses updates where there is no guard. */
const blind = async (on, name) => (await on.update(shops).set({ name, version: sql`${shops.version} + 1` })
  .where(eq(shops.id, 1)).returning())[0].name;

async function twoSessions() {
  same(await race(save(await loadShop(1))), { outcome: 'PT409', name: 'first' }, 'two sessions: one is told');
  same(await race(blind), { outcome: 'PT409', name: 'first' }, 'two sessions: one is told also when the version is raised in SQL');
  const seen = await loadShop(1);
  same(await race(blind, (on) => deleteShop(on, seen)), { outcome: GONE, name: 'first' }, 'two sessions: one is told also when it deletes');
}

/** Documents by docstore's functions. */
async function functions() {
  // begin upsert
  // Drizzle passes values on to pg, which would turn an array into a PostgreSQL array: pass JSON as a text.
  const upsert = async (id, data, expected = null) => (
    await db.execute(sql`SELECT docstore.upsert('cafes', ${id}, docstore.parse(${JSON.stringify(data)}), ${expected}) AS version`)).rows[0].version;
  // end upsert

  same([await upsert('mozart', { opens: 8 }), await upsert('mozart', { opens: 7 }, 1)], ['1', '2'], 'upsert: answers with the version');
  const { cause: stale } = await raises(() => upsert('mozart', { opens: 6 }, 1), 'upsert: a stale version is an error');
  same([stale.code, stale.constraint, stale.table], ['PT409', 'docstore_expected_version', 'cafes'],
    'upsert: with its SQLSTATE, constraint and table');

  await saveTwenty(upsert, (items) => db.execute(sql`SELECT * FROM docstore.save(docstore.parse(${JSON.stringify(items)}))`), violations);
}

/** Everybody counts one row and one document up. */
async function retries() {
  await db.insert(shops).values({ id: 100, name: 'counter', opens: 0 });
  await db.execute(sql`SELECT docstore.upsert('cafes', 'counter', '{"n": 0}')`);

  async function countRow() {
    const shop = await loadShop(100);
    await saveShop(db, { ...shop, opens: shop.opens + 1 });
  }

  async function countDocument() {
    const { version, data } = (await db.execute(sql`SELECT version, data FROM docstore.load('cafes', 'counter')`)).rows[0];
    await db.execute(sql`SELECT docstore.upsert('cafes', 'counter', docstore.parse(${JSON.stringify({ n: data.n + 1 })}), ${version})`);
  }

  await countAtOnce(() => retried(countRow, 100), () => retried(countDocument, 100));
  const { rows } = await db.execute(sql`SELECT opens, data FROM shops, cafes WHERE shops.id = 100 AND cafes.id = 'counter'`);
  same(rows, [{ opens: counts, data: { n: counts } }], 'retry: nothing is lost');
  await tryAgain(retried, again, (statement) => db.execute(statement));
}

/** The same calls when the table has no guard any more. */
async function alone() {
  await db.execute(sql`SELECT docstore.unguard('shops')`);
  const [ann, ben] = [await loadShop(1), await loadShop(1)];
  await saveShop(db, { ...ann, name: 'ann' });
  await saveShop(db, { ...ben, name: 'ben' });
  same((await loadShop(1)).name, 'ben', 'alone: a stale update overwrites');
  same((await db.delete(shops).where(eq(shops.id, 14))).rowCount, 1, 'alone: a delete that does not ask for the version deletes what somebody has changed');
  same(await race(blind), { outcome: 'second', name: 'second' }, 'alone: an update that has waited overwrites, and nobody is told');
}

await migrate(db, { migrationsFolder: 'drizzle' });
await entities();
await batch();
await twoSessions();
await functions();
await classes((statement) => db.execute(sql.raw(statement)));
await retries();
await alone();
done();
