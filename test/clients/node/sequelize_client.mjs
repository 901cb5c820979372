// Sequelize: a model with version: true on a guarded table, docstore's functions by query(), and the conflict in DatabaseError.
import { countAtOnce, counts, saveTwenty, tryAgain } from './story.mjs';
import { classes, done, ok, raises, same, waiting } from './tap.mjs';

// begin setup
import { DataTypes, Model, OptimisticLockError, QueryTypes, Sequelize } from 'sequelize';

const sequelize = new Sequelize(process.env.DATABASE_URL, { logging: false });

class Shop extends Model {}
Shop.init({
  name: { type: DataTypes.TEXT, allowNull: false },
  opens: { type: DataTypes.INTEGER, allowNull: false },
  version: { type: DataTypes.INTEGER, allowNull: false, defaultValue: 1 }, // without this it begins at 0
}, { sequelize, tableName: 'shops', timestamps: false, version: true });

// migrations/20260101000000-shops.js
async function up(queryInterface) {
  await queryInterface.sequelize.query('CREATE EXTENSION IF NOT EXISTS docstore');
  await queryInterface.createTable('shops', {
    id: { type: DataTypes.INTEGER, autoIncrement: true, primaryKey: true },
    name: { type: DataTypes.TEXT, allowNull: false },
    opens: { type: DataTypes.INTEGER, allowNull: false },
    version: { type: DataTypes.INTEGER, allowNull: false, defaultValue: 1 },
  });
  await queryInterface.sequelize.query("SELECT docstore.guard('shops')");
}
// end setup

// begin violations
/** The violations of docstore's conflict, as data; raises any other error again. */
function violations(error) {
  if (error.parent?.code !== 'PT409') throw error;
  return JSON.parse(error.parent.detail).violations;
}
// end violations

// begin entity
/** shop.destroy() compares the version, too, but does not report when the row is gone. Shop.destroy() returns the number of rows. */
async function destroy(shop) {
  const { id, version } = shop;
  const rows = await Shop.destroy({ where: { id, version } });
  if (rows === 0) throw new OptimisticLockError({ modelName: 'Shop', where: { id, version } });
}
// end entity

// begin retry
/** Somebody else was faster: the conflict, a serialization failure, a deadlock. */
const again = ['PT409', '40001', '40P01'];

/** Runs work(), which loads, changes and saves, and repeats it when somebody else was faster. */
async function retried(work, attempts = 10) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const conflict = error instanceof OptimisticLockError || again.includes(error.parent?.code);
      if (!conflict || attempt === attempts) throw error;
    }
    await new Promise((wake) => setTimeout(wake, Math.random() * Math.min(1000, 10 * 2 ** attempt)));
  }
}
// end retry

class Unguarded extends Model {}
Unguarded.init(Shop.getAttributes(), { sequelize, tableName: 'unguarded', timestamps: false, version: true });

const plain = async (model, id) => (await model.findByPk(id))?.get({ plain: true });
const execute = (sql) => sequelize.query(sql);
const select = (sql, ...bind) => sequelize.query(sql, { bind, type: QueryTypes.SELECT });

/** A row of a guarded table that several people change. */
async function entities() {
  const shop = await Shop.create({ name: 'Demel', opens: 8 });
  same(shop.version, 1, 'create: a new row has version 1');
  const [ann, ben] = [await Shop.findByPk(shop.id), await Shop.findByPk(shop.id)];
  await ann.update({ opens: 7 });
  same([ann.version, (await plain(Shop, 1)).version], [2, 2], 'update: the row is at version 2, and the object knows it');
  ben.name = "Demel's";
  const error = await raises(() => ben.save(), 'stale update: is an error');
  ok(error instanceof OptimisticLockError, 'stale update: an OptimisticLockError, since save() asks for the version');
  same(await plain(Shop, 1), ann.get({ plain: true }), 'stale update: the row is as the other left it');
  const older = await raises(() => Shop.update({ name: "Demel's", version: 1 }, { where: { id: 1 } }),
    'stale update: by Model.update(), with an older version, is an error');
  same(violations(older), [{
    item: 1, op: 'update', kind: 'row', table: 'public.shops', id: '1', reason: 'stale', expected: 1, actual: 2,
  }], "stale update: docstore's, which names the row and both versions");
  ok(await raises(() => destroy(ben), 'stale delete: is an error') instanceof OptimisticLockError, 'stale delete: an OptimisticLockError');
  await ben.destroy();
  same(await plain(Shop, 1), ann.get({ plain: true }), 'stale delete: the row is there, also after shop.destroy(), which says nothing');
  const last = await Shop.create({ name: 'last', opens: 8 });
  const gone = await Shop.findByPk(last.id);
  await destroy(last);
  same(await plain(Shop, last.id), undefined, 'stale delete: who has seen the last version deletes');
  ok(await raises(() => gone.update({ name: 'lost' }), 'stale update: of a deleted row is an error') instanceof OptimisticLockError,
    'stale update: an OptimisticLockError, too');
}

/** Ten rows in a transaction, of which one is stale. */
async function batch() {
  await Shop.bulkCreate(Array.from({ length: 10 }, (_, n) => ({ name: `shop ${n}`, opens: 8 })));
  const shops = await Shop.findAll({ where: { name: Array.from({ length: 10 }, (_, n) => `shop ${n}`) }, order: ['id'] });
  await Shop.update({ name: 'taken' }, { where: { id: shops[4].id } });
  const error = await raises(() => sequelize.transaction(async (transaction) => {
    for (const shop of shops) await shop.update({ opens: 5 }, { transaction });
  }), 'batch: one stale row of ten is an error');
  same(error?.where, { id: shops[4].id, version: 1 }, 'batch: which names it');
  same(await Shop.count({ where: { opens: 5 } }), 0, 'batch: nothing is stored');
  same([shops[0].version, (await shops[0].reload()).version], [2, 1], 'batch: an object that was saved before must be loaded again');
}

/** What becomes of second(), which waits for a transaction that has changed the row. */
async function race(model, second) {
  const { result } = await sequelize.transaction(async (transaction) => {
    await model.update({ name: 'first' }, { where: { id: 1 }, transaction });
    return waiting(second);
  });
  return { ...await result, row: await plain(model, 1) };
}

async function twoSessions() {
  let { error, row } = await race(Shop, () => Shop.update({ name: 'second' }, { where: { id: 1 } }));
  same([error?.parent?.code, row.name, row.version], ['PT409', 'first', 3], 'two sessions: Model.update() that has waited is told');
  ({ error, row } = await race(Shop, () => Shop.increment({ opens: 1 }, { where: { id: 1 } })));
  same([error?.parent?.code, row.opens, row.version], ['PT409', 7, 4], 'two sessions: Model.increment() that has waited is told');
  let shop = await Shop.findByPk(1);
  ({ error } = await race(Shop, () => destroy(shop)));
  ok(error instanceof OptimisticLockError, 'two sessions: a delete that has waited is told');
  shop = await Shop.findByPk(1);
  ({ error, row } = await race(Shop, () => shop.update({ name: 'second' })));
  ok(error instanceof OptimisticLockError, 'two sessions: save() that has waited is told');
  same([row.name, row.version], ['first', 6], 'two sessions: the row is as the first left it');
  await Shop.upsert({ id: 1, name: 'third', opens: 8 });
  same((await plain(Shop, 1)).version, 7, 'update: Model.upsert() has the version raised, too');
}

/** The same without a guard. Model.update() does not raise the version, so that not even save() notices what it has changed. */
async function alone() {
  await execute("CREATE TABLE unguarded (LIKE shops); INSERT INTO unguarded VALUES (1, 'Demel', 8, 1), (2, 'Sacher', 8, 1)");
  const [ann, ben, cat] = [await Unguarded.findByPk(1), await Unguarded.findByPk(1), await Unguarded.findByPk(2)];
  await ann.update({ opens: 7 });
  ok(await raises(() => ben.update({ name: "Demel's" }), 'alone: a stale save is an error') instanceof OptimisticLockError,
    'alone: Sequelize has seen that itself');
  await ben.destroy();
  same((await plain(Unguarded, 1))?.version, 2, 'alone: a stale destroy() does nothing, and nobody is told');
  const { error, row } = await race(Unguarded, () => Unguarded.update({ name: 'second' }, { where: { id: 1 } }));
  same([error, row.name, row.version], [undefined, 'second', 2],
    'alone: Model.update() overwrites what it has waited for, and nobody is told');
  const counted = await race(Unguarded, () => Unguarded.increment({ opens: 1 }, { where: { id: 1 } }));
  same([counted.error, counted.row.opens], [undefined, 8], 'alone: Model.increment() adds to what it has waited for, and nobody is told');
  await Unguarded.update({ opens: 6 }, { where: { id: 2 } });
  await cat.update({ opens: 9 });
  same((await plain(Unguarded, 2)).opens, 9, 'alone: save() overwrites what Model.update() has stored, which leaves the version as it is');
}

/** Documents by docstore's functions. */
async function functions() {
  // begin upsert
  const upsert = async (id, data, expected = null) => (await sequelize.query("SELECT docstore.upsert('cafes', $1, docstore.parse($2), $3) AS version",
    { bind: [id, JSON.stringify(data), expected], type: QueryTypes.SELECT }))[0].version;
  // end upsert
  same([await upsert('mozart', { opens: 8 }), await upsert('mozart', { opens: 7 }, 1)], ['1', '2'], 'upsert: answers with the version');
  const stale = await raises(() => upsert('mozart', { opens: 6 }, 1), 'upsert: a stale version is an error');
  same([stale?.parent.code, stale?.parent.constraint, stale?.parent.table], ['PT409', 'docstore_expected_version', 'cafes'],
    'upsert: with its SQLSTATE, constraint and table');

  await saveTwenty(upsert, (items) => select('SELECT * FROM docstore.save(docstore.parse($1))', JSON.stringify(items)), violations);
}

/** Everybody counts one row and one document up. */
async function retries() {
  const counter = await Shop.create({ name: 'counter', opens: 0 });
  await execute(`SELECT docstore.upsert('cafes', 'counter', '{"n": 0}')`);
  const countRow = async () => {
    const shop = await Shop.findByPk(counter.id);
    await shop.update({ opens: shop.opens + 1 });
  };
  const countDocument = async () => {
    const [{ version, data }] = await select("SELECT version, data FROM docstore.load('cafes', 'counter')");
    await select("SELECT docstore.upsert('cafes', 'counter', docstore.parse($1), $2)", JSON.stringify({ n: data.n + 1 }), version);
  };
  await countAtOnce(() => retried(countRow, 100), () => retried(countDocument, 100));
  const [{ data }] = await select("SELECT data FROM docstore.load('cafes', 'counter')");
  same([(await plain(Shop, counter.id)).opens, data.n], [counts, counts], 'retry: nothing is lost');
  await tryAgain(retried, again, execute);
}

await up(sequelize.getQueryInterface());
await execute("SELECT docstore.create_collection('cafes')");
await entities();
await batch();
await twoSessions();
await alone();
await functions();
await classes((statement) => sequelize.query(statement));
await retries();
done();
