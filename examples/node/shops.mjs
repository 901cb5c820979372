// Changes 20 coffee shops with docstore and pg (node-postgres), while somebody else changes 3 of them.
//
// It needs "npm install pg". The variables PGHOST, PGUSER, PGDATABASE and so on say where to connect, as for psql. The database
// needs the extension, and gets a collection "shops".
import pg from 'pg';

// begin README
/** Loads shops, applies change() to each, saves all of them or none. */
async function changeShops(client, ids, change, attempts = 10) {
  const items = new Map();
  const missing = () => ids.filter((id) => !items.has(id));
  for (let attempt = 1; ; attempt++) {
    const shops = await client.query("SELECT id, version, data FROM docstore.load_many('shops', $1)", [missing()]);
    for (const { id, version, data } of shops.rows) {
      // pg returns a bigint as a string, which an item accepts.
      items.set(id, { op: 'upsert', collection: 'shops', id, data: await change(data), expected: version });
    }
    if (missing().length > 0) throw new Error(`not there: ${missing().join(', ')}`);
    try {
      // As a JSON text: pg would turn a JavaScript array into a PostgreSQL array.
      const changes = JSON.stringify([...items.values()]);
      return (await client.query('SELECT id, version FROM docstore.save(docstore.parse($1))', [changes])).rows;
    } catch (error) {
      if (!['PT409', '40001', '40P01'].includes(error.code) || attempt === attempts) throw error;
      if (error.code === 'PT409') {
        const { total, violations } = JSON.parse(error.detail);
        // Load and change only these again; or all, if the conflict lists only some.
        const stale = violations.length === total ? violations.map((violation) => violation.id) : ids;
        for (const id of stale) items.delete(id);
      }
    }
    await new Promise((wake) => setTimeout(wake, Math.random() * Math.min(1000, 10 * 2 ** attempt)));
  }
}
// end README

/** Load, change, save; and a conflict, when the same version is saved again. */
async function oneShop(client) {
  await client.query("SELECT docstore.upsert('shops', 'mozarts', $1)", [{ name: "Mozart's", opens: 8 }]);
  const { version, data } = (await client.query("SELECT version, data FROM docstore.load('shops', 'mozarts')")).rows[0];
  data.opens = 7;
  for (let time = 1; time <= 2; time++) {
    try {
      const saved = await client.query("SELECT docstore.upsert('shops', 'mozarts', $1, $2)", [data, version]);
      console.log('mozarts is at version', Number(saved.rows[0].upsert));
    } catch (error) {
      console.log(error.code, error.constraint, error.table);
      for (const { id, reason, expected, actual } of JSON.parse(error.detail).violations) {
        console.log(`${id} is ${reason}: expected ${expected}, actual ${actual}`);
      }
    }
  }
}

/** A batch of which 3 are stale by the time it is saved. */
async function twentyShops(client, somebodyElse) {
  const ids = Array.from({ length: 20 }, (_, n) => `shop-${String(n + 1).padStart(2, '0')}`);
  await client.query("SELECT docstore.upsert_many('shops', $1, $2, NULL)", [ids, ids.map(() => ({ opens: 8 }))]);
  const others = ['shop-04', 'shop-11', 'shop-17'];
  let calls = 0;

  const saved = await changeShops(client, ids, async (shop) => {
    if (++calls === 1) await changeShops(somebodyElse, others, (other) => ({ ...other, wifi: true }));
    return { ...shop, opens: shop.opens - 1 };
  });
  console.log('saved', saved.length, 'shops after', calls, 'changes');
  console.log('now at version 3:', saved.filter((shop) => shop.version === '3').map((shop) => shop.id).join(' '));
  const both = await client.query(`SELECT id FROM shops WHERE data @> '{"opens": 7, "wifi": true}' ORDER BY id`);
  console.log('with both changes:', both.rows.map((shop) => shop.id).join(' '));
}

/** A batch that is stale as a whole, and one with a shop that is deleted before it is saved. */
async function manyShops(client, somebodyElse) {
  const ids = Array.from({ length: 600 }, (_, n) => `shop-${String(n + 1).padStart(3, '0')}`);
  await client.query("SELECT docstore.upsert_many('shops', $1, $2, NULL)", [ids, ids.map(() => ({ opens: 8 }))]);
  let calls = 0;
  const interrupted = (work) => async (shop) => {
    if (++calls === 1) await work();
    return { ...shop, opens: shop.opens - 1 };
  };

  const saved = await changeShops(client, ids, interrupted(
    () => changeShops(somebodyElse, ids, (shop) => ({ ...shop, wifi: true }))));
  console.log('saved', saved.length, 'shops after', calls, 'changes');
  calls = 0;
  try {
    await changeShops(client, ids.slice(0, 20), interrupted(
      () => somebodyElse.query("SELECT docstore.delete('shops', 'shop-007', docstore.some_version())")));
  } catch (error) {
    console.log(error.message);
  }
  const others = await client.query(`SELECT count(*)::int FROM shops WHERE data @> '{"opens": 6}'`);
  console.log('saved', others.rows[0].count, 'of the others');
}

const [client, somebodyElse] = [new pg.Client(), new pg.Client()];
await client.connect();
await somebodyElse.connect();
await client.query("SELECT docstore.create_collection('shops')");
await oneShop(client);
await twentyShops(client, somebodyElse);
await manyShops(client, somebodyElse);
await client.end();
await somebodyElse.end();
