// Prisma 7 on its adapter for node-postgres. It knows no versions: it sends the row back as it was loaded, and the guard compares.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cafes, changed, countAtOnce, counts, saveTwenty, tryAgain } from './story.mjs';
import { classes, done, raises, same, waiting } from './tap.mjs';

// begin violations
/** The server's error in one of Prisma's. What is raised at COMMIT comes in the adapter's error. */
const serverError = (error) => (error.meta?.driverAdapterError ?? error).cause;

/** The violations of docstore's conflict, as data; raises any other error again. */
function violations(error) {
  if (serverError(error)?.originalCode !== 'PT409') throw error;
  return JSON.parse(serverError(error).detail).violations;
}
// end violations

// begin entity
/** Saves a shop with the version that was loaded. The guard compares it and stores the next one, which is returned. */
async function saveShop(db, shop) {
  return db.shop.update({ where: { id: shop.id }, data: shop });
}

/** An UPDATE sends the version that it saw. A DELETE must have it in its WHERE clause: P2025 says that there is no such row. */
async function deleteShop(db, { id, version }) {
  return db.shop.delete({ where: { id, version } });
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
      if (!again.includes(serverError(error)?.originalCode) || attempt === attempts) throw error;
    }
    await new Promise((wake) => setTimeout(wake, Math.random() * Math.min(1000, 10 * 2 ** attempt)));
  }
}
// end retry

/** The client for the schema. */
async function generate() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (!(major >= 24 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19))) {
    console.log(`Prisma 7 needs Node.js 20.19, 22.12 or 24, this is ${process.versions.node}`);
    process.exit(77);
  }

  // To generate a client takes no schema engine, but it would be downloaded if there were not a program that might be one.
  execFileSync('node_modules/.bin/prisma', ['generate'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, CHECKPOINT_DISABLE: '1', PRISMA_SCHEMA_ENGINE_BINARY: process.execPath },
  });
}

/** What "prisma migrate deploy" does, for which it needs the schema engine. */
async function migrate() {
  for (const name of readdirSync('prisma/migrations').filter((entry) => /^\d/.test(entry)).sort()) {
    await prisma.$executeRawUnsafe(readFileSync(`prisma/migrations/${name}/migration.sql`, 'utf8'));
  }
}

await generate();
// begin setup
const { PrismaClient } = await import('./generated/prisma/index.js');
const { PrismaPg } = await import('@prisma/adapter-pg');

const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL }) });
// end setup

const loadShop = (id) => prisma.shop.findUnique({ where: { id } });

/** A row of a guarded table that several people change. */
async function entities() {
  const created = await prisma.shop.create({ data: { name: 'Demel', opens: 8 } });
  same(created, { id: 1, name: 'Demel', opens: 8, version: 1 }, 'create: a new shop has version 1');
  const ben = await loadShop(1);
  const ann = await saveShop(prisma, { ...created, opens: 7 });
  same(ann, { ...created, opens: 7, version: 2 }, 'update: the shop is at version 2');

  const error = await raises(() => saveShop(prisma, { ...ben, name: "Demel's" }), 'stale update: is an error');
  same(violations(error), [{
    item: 1, op: 'update', kind: 'row', table: 'public.shops', id: '1', reason: 'stale', expected: 1, actual: 2,
  }], 'stale update: the conflict, which names the row and both versions');
  same([error.name, error.code], ['PrismaClientKnownRequestError', 'P2039'], 'stale update: in an error of Prisma');
  same(await loadShop(1), ann, 'stale update: the row is as the other left it');
  const gone = await raises(() => saveShop(prisma, { ...ann, id: 999 }), 'stale update: so it is when the row is gone');
  same(gone?.code, 'P2025', 'stale update: that of Prisma');

  const refused = await raises(() => deleteShop(prisma, ben), 'stale delete: is an error where the version is asked for');
  same(refused.code, 'P2025', 'stale delete: that of Prisma');
  same(await loadShop(1), ann, 'stale delete: the row is there');
}

/** Ten rows in a transaction, of which one is stale. */
async function batch() {
  const shops = await prisma.shop.createManyAndReturn({
    data: Array.from({ length: 10 }, (_, n) => ({ id: 10 + n, name: `shop ${n}`, opens: 8 })),
  });
  await saveShop(prisma, { ...shops[4], name: 'taken' });

  const error = await raises(
    () => prisma.$transaction(shops.map((shop) => prisma.shop.update({ where: { id: shop.id }, data: { ...shop, opens: 5 } }))),
    'batch: one stale shop of ten is an error',
  );
  same(violations(error).map(({ id }) => id), ['14'], 'batch: which names it');
  same(await prisma.shop.findMany({ where: { opens: 5 } }), [], 'batch: nothing is stored');
}

/** A slow machine is no reason to give up. */
const patient = { maxWait: 60_000, timeout: 120_000 };

/** A second session waits for the first, which updates: what becomes of what it does, and the name that is left. */
async function race(update, late = update) {
  let second;
  await prisma.$transaction(async (first) => {
    await update(first, 'first');
    second = await waiting(() => late(prisma, 'second'));
  }, patient);
  const { error, value } = await second.result;
  return { outcome: error ? serverError(error)?.originalCode ?? error.code : value.name, name: (await loadShop(1)).name };
}

/** Raises the version in SQL, which loses updates where there is no guard. */
const blind = (db, name) => db.shop.update({ where: { id: 1 }, data: { name, version: { increment: 1 } } });

/** The same for who asks for the version that was loaded. */
const asking = ({ id, version }) => (db, name) => (
  db.shop.update({ where: { id, version }, data: { name, version: { increment: 1 } } }));

async function twoSessions() {
  const shop = await loadShop(1);
  same(await race((db, name) => saveShop(db, { ...shop, name })), { outcome: 'PT409', name: 'first' }, 'two sessions: one is told');
  same(await race(blind), { outcome: 'PT409', name: 'first' }, 'two sessions: one is told also when the version is raised in SQL');
  const seen = await loadShop(1);
  same(await race(blind, (db) => deleteShop(db, seen)), { outcome: 'P2025', name: 'first' }, 'two sessions: one is told also when it deletes');
}

/** Documents by docstore's functions. */
async function functions() {
  // begin upsert
  // The adapter turns an object into JSON, but an array into a PostgreSQL array. A bigint arrives as a BigInt.
  const upsert = async (id, data, expected = null) => (
    await prisma.$queryRaw`SELECT docstore.upsert('cafes', ${id}, ${data}, ${expected}) AS version`)[0].version;
  // end upsert

  same([await upsert('mozart', { opens: 8 }), await upsert('mozart', { opens: 7 }, 1)], [1n, 2n], 'upsert: answers with the version');
  // Prisma's error has no constraint and no table, but the violations say what it is about.
  const stale = await raises(() => upsert('mozart', { opens: 6 }, 1), 'upsert: a stale version is an error');
  same([stale.code, serverError(stale).originalCode, violations(stale)[0].collection], ['P2010', 'PT409', 'public.cafes'],
    'upsert: with its SQLSTATE and collection');

  await saveTwenty(upsert, (items) => prisma.$queryRaw`SELECT * FROM docstore.save(docstore.parse(${JSON.stringify(items)}))`, violations);

  const deferred = await raises(() => prisma.$transaction(async (tx) => {
    await tx.$executeRaw`SET LOCAL docstore.conflicts = 'deferred'`;
    for (const id of cafes) await tx.$queryRaw`SELECT docstore.upsert('cafes', ${id}, ${{ opens: 7 }}, 1)`;
  }, patient), 'violations: deferred to COMMIT they are an error as well');
  same(violations(deferred).map(({ id }) => id), changed, 'violations: which names them');
}

/** Everybody counts one row and one document up. */
async function retries() {
  await prisma.shop.create({ data: { id: 100, name: 'counter', opens: 0 } });
  await prisma.$queryRaw`SELECT docstore.upsert('cafes', 'counter', ${{ n: 0 }})`;

  async function countRow() {
    const shop = await loadShop(100);
    await saveShop(prisma, { ...shop, opens: shop.opens + 1 });
  }

  async function countDocument() {
    const [{ version, data }] = await prisma.$queryRaw`SELECT version, data FROM docstore.load('cafes', 'counter')`;
    await prisma.$queryRaw`SELECT docstore.upsert('cafes', 'counter', ${{ n: data.n + 1 }}, ${version})`;
  }

  await countAtOnce(() => retried(countRow, 100), () => retried(countDocument, 100));
  same([(await loadShop(100)).opens, await prisma.$queryRaw`SELECT data FROM cafes WHERE id = 'counter'`],
    [counts, [{ data: { n: counts } }]], 'retry: nothing is lost');
  await tryAgain(retried, again, (statement) => prisma.$executeRawUnsafe(statement));
}

/** The same calls when the table has no guard any more. */
async function alone() {
  await prisma.$executeRaw`SELECT docstore.unguard('shops')`;
  const [ann, ben] = [await loadShop(1), await loadShop(1)];
  await saveShop(prisma, { ...ann, name: 'ann' });
  await saveShop(prisma, { ...ben, name: 'ben' });
  same((await loadShop(1)).name, 'ben', 'alone: a stale update overwrites');
  same((await prisma.shop.delete({ where: { id: 14 } })).version, 2, 'alone: a delete that does not ask for the version deletes what somebody has changed');
  same(await race(blind), { outcome: 'second', name: 'second' }, 'alone: an update that has waited overwrites, and nobody is told');
  same(await race(asking(await loadShop(1))), { outcome: 'P2025', name: 'first' }, 'alone: one that asks for the version is refused');
}

await migrate();
await entities();
await batch();
await twoSessions();
await functions();
await classes((statement) => prisma.$queryRawUnsafe(statement));
await retries();
await alone();
done();
