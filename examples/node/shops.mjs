// Changes 20 coffee shops with docstore and pg (node-postgres), while somebody else changes 3 of them.
//
// It needs "npm install pg". The variables PGHOST, PGUSER, PGDATABASE and so on say where to, as they do for psql. The database
// needs the extension, and gets a collection "shops".
import pg from 'pg';

// begin README
/** Loads shops, applies change() to each, saves all of them or none. */
async function changeShops(client, ids, change, attempts = 5) {
  const items = new Map();
  for (let attempt = 1; ; attempt++) {
    const shops = await client.query("SELECT id, version, data FROM docstore.load_many('shops', $1)", [ids]);
    for (const { id, version, data } of shops.rows) {
      // pg returns a bigint as a string, which an item takes as it is.
      items.set(id, { op: 'upsert', collection: 'shops', id, data: await change(data), expected: version });
    }
    try {
      // As a JSON text: of a JavaScript array pg would make a PostgreSQL array.
      const changes = JSON.stringify([...items.values()]);
      return (await client.query('SELECT id, version FROM docstore.save($1)', [changes])).rows;
    } catch (error) {
      if (error.code !== 'PT409' || attempt === attempts) throw error;
      // Only these are loaded and changed again.
      ids = JSON.parse(error.detail).violations.map((violation) => violation.id);
      for (const id of ids) items.delete(id);
    }
  }
}
// end README

/** Load, change, save: and the conflict for who saves the same version again. */
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

const [client, somebodyElse] = [new pg.Client(), new pg.Client()];
await client.connect();
await somebodyElse.connect();
await client.query("SELECT docstore.create_collection('shops')");
await oneShop(client);
await twentyShops(client, somebodyElse);
await client.end();
await somebodyElse.end();
