// A coffee shop editor: docstore behind HTTP, with a page for two people who edit the same shop, and one that shows changes.
//
// It needs "npm install". The variables PGHOST, PGUSER, PGDATABASE and so on say where the database is, as they do for psql. The
// database needs the extension, and gets a collection "shops" with a history. PORT is the port to listen on, 0 for any that is free.
import pg from 'pg';

import { createApp } from './app.mjs';
import { Changes, CHANGES_TABLES } from './changes.mjs';
import { NO_VERSION } from './preconditions.mjs';

const FIRST_SHOP = {
  name: "Mozart's", street: 'Lamplighter Lane 3', opens: '08:00', closes: '18:00', seats: 24, wifi: false, note: '', changedBy: 'Wolfgang',
};

const SETTINGS = { connectionTimeoutMillis: 5_000, statement_timeout: 10_000, application_name: 'docstore-http-example' };
const pool = new pg.Pool({ max: 10, ...SETTINGS });
// A connection that breaks while nobody uses it: the pool makes another one.
pool.on('error', (error) => console.error(`idle connection: ${error.code ?? error.name}: ${error.message}`));

/** The collection with a shop in it, and its history, unless they are there. */
async function prepare() {
  const { rows: [{ there, tracked }] } = await pool.query(
    "SELECT to_regclass('shops') IS NOT NULL AS there, to_regclass('shops_history') IS NOT NULL AS tracked");
  if (!there) {
    await pool.query("SELECT docstore.create_collection('shops')");
    await pool.query("SELECT docstore.upsert('shops', 'mozarts', $1, $2)", [FIRST_SHOP, NO_VERSION]);
  }
  if (!tracked) await pool.query(CHANGES_TABLES);
}

/** Takes no new requests, finishes those it has, and gives the connections back. */
function shutDown(server, changes) {
  changes.stop();
  server.close(() => pool.end());
  server.closeIdleConnections();
  // A connection that is in use now ends with its answer.
  server.keepAliveTimeout = 1;
  server.prependListener('request', (_, response) => response.shouldKeepAlive = false);
  // Requests that do not finish within 5 seconds are cut off.
  setTimeout(() => server.closeAllConnections(), 5_000).unref();
}

try {
  await prepare();
} catch (error) {
  console.error(`The database cannot be prepared: ${error.code ?? error.name}: ${error.message}`);
  process.exit(1);
}
const changes = new Changes(pool, SETTINGS);
const server = createApp(pool, changes).listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
server.on('listening', () => console.log(`http://127.0.0.1:${server.address().port}/`));
server.on('error', (error) => {
  console.error(error.message);
  process.exit(1);
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => shutDown(server, changes));
