#!/usr/bin/env node
// The changes of examples/http as they happen: as server-sent events, and on the page that shows them.
import assert from 'node:assert/strict';

import { assertProblem, Example, Holder, sql, until } from './example.mjs';
import { run, test } from './tap.mjs';
import { Driver, weakTexts } from './webdriver.mjs';

const SHOP = { name: 'Sperl', opens: '07:00', seats: 60, changedBy: 'Ann' };
let example, driver, page;

const save = (id, data, version = 0) => sql(`SELECT docstore.upsert('shops', '${id}', '${JSON.stringify(data)}', ${version})`);
const patch = (id, data, version) => sql(`SELECT docstore.patch('shops', '${id}', '${JSON.stringify(data)}', ${version})`);
const remove = (id, version) => sql(`SELECT docstore.delete('shops', '${id}', ${version})`);

/** Somebody who follows: the events that have come, as {id, data}. */
class Follower {
  static all = new Set();

  static async start(cursor) {
    const follower = new Follower();
    Follower.all.add(follower);
    follower.events = [];
    follower.stopped = new AbortController();
    follower.response = await fetch(new URL('changes', example.url), { signal: follower.stopped.signal, headers: cursor ? { 'Last-Event-ID': cursor } : {} });
    follower.ended = follower.#read();
    await follower.comes(0);
    return follower;
  }

  async #read() {
    let text = '';
    try {
      for await (const chunk of this.response.body.pipeThrough(new TextDecoderStream())) {
        const events = (text + chunk).split('\n\n');
        text = events.pop();
        this.events.push(...events.map((event) => Object.fromEntries(event.split('\n').map((line) => line.split(/: (.*)/s, 2)))));
      }
    } catch (error) {
      if (error.name !== 'AbortError') throw error;
    }
  }

  get cursor() {
    return this.events.at(-1).id;
  }

  /** What has changed, without the first event, which only says from where on. */
  get changes() {
    return this.events.slice(1).map(({ data }) => JSON.parse(data));
  }

  /** Waits for so many changes. */
  comes(count) {
    return until(`change ${count}`, () => this.events.length > count);
  }

  async stop() {
    this.stopped.abort();
    await this.ended;
    Follower.all.delete(this);
  }
}

const short = ({ id, version, op }) => `${id} ${version} ${op}`;

// --- Server-sent events -----------------------------------------------------------------------------------------------

test('the answer is a stream, which begins with the cursor of the last change, and with none of the changes before', async () => {
  save('sperl', SHOP);
  const follower = await Follower.start();
  assert.equal(follower.response.status, 200);
  assert.match(follower.response.headers.get('Content-Type'), /^text\/event-stream\b/);
  assert.equal(follower.response.headers.get('Cache-Control'), 'no-store');
  assert.deepEqual(follower.events, [{ id: sql("SELECT docstore.changes_end('shops')") }]);
});

test('each change comes when it has happened, with what was there before', async () => {
  const follower = await Follower.start();
  save('sperl', SHOP);
  await follower.comes(1);
  patch('sperl', { seats: 61, changedBy: 'Ben' }, 1);
  await follower.comes(2);
  remove('sperl', 2);
  await follower.comes(3);
  assert.deepEqual(follower.changes.map(({ at, ...change }) => change), [
    { id: 'sperl', version: '1', op: 'created', shop: SHOP, before: null },
    { id: 'sperl', version: '2', op: 'updated', shop: { ...SHOP, seats: 61, changedBy: 'Ben' }, before: SHOP },
    { id: 'sperl', version: '3', op: 'deleted', shop: null, before: { ...SHOP, seats: 61, changedBy: 'Ben' } },
  ]);
  for (const { at } of follower.changes) assert.ok(Date.now() - Date.parse(at) < 60_000);
});

test('what is written over HTTP comes, too, a batch as its items', async () => {
  const follower = await Follower.start();
  const { etag } = await example.ask('PUT', '/shops/sperl', { body: SHOP, 'If-None-Match': '*' });
  await example.ask('POST', '/shops', { body: [{ id: 'sperl', shop: { ...SHOP, seats: 1 }, expected: 1 }, { id: 'new', shop: SHOP, expected: 0 }] });
  await follower.comes(3);
  assert.equal(etag, '"1"');
  assert.deepEqual(follower.changes.map(short).sort(), ['new 1 created', 'sperl 1 created', 'sperl 2 updated']);
});

test('Last-Event-ID: who comes again gets what has happened meanwhile, and nothing twice', async () => {
  const first = await Follower.start();
  save('sperl', SHOP);
  await first.comes(1);
  await first.stop();
  for (const version of [1, 2, 3]) patch('sperl', { seats: version }, version);
  const second = await Follower.start(first.cursor);
  await second.comes(3);
  patch('sperl', { seats: 4 }, 4);
  await second.comes(4);
  assert.deepEqual(second.changes.map(short), ['sperl 2 updated', 'sperl 3 updated', 'sperl 4 updated', 'sperl 5 updated']);
  const third = await Follower.start(second.events[2].id);
  await third.comes(2);
  assert.deepEqual(third.changes.map(short), ['sperl 4 updated', 'sperl 5 updated']);
});

test('more changes than a page has, by many writers, to many followers: each gets all, in the order of versions', async () => {
  const followers = await Promise.all(Array.from({ length: 12 }, () => Follower.start()));
  sql(`SELECT docstore.upsert('shops', 'shop-' || i, '${JSON.stringify(SHOP)}', 0) FROM generate_series(1, 5) i`);
  for (let version = 1; version <= 50; version++) sql(`SELECT docstore.patch('shops', 'shop-' || i, '{"seats": 7}', ${version}) FROM generate_series(1, 5) i`);
  for (const follower of followers) {
    await follower.comes(255);
    for (let i = 1; i <= 5; i++) {
      assert.deepEqual(follower.changes.filter(({ id }) => id === `shop-${i}`).map(({ version }) => Number(version)), Array.from({ length: 51 }, (_, n) => n + 1));
    }
    assert.equal(follower.events.length, 256);
  }
});

test('a change that a running transaction holds back comes when that has ended, although nobody writes any more', async () => {
  const follower = await Follower.start();
  const holder = await Holder.start('SELECT pg_current_xact_id()');
  save('sperl', SHOP);
  await example.ask('GET', '/shops/sperl');
  assert.equal(sql("SELECT count(*) FROM docstore.read_changes('shops')"), '0');
  assert.equal(follower.changes.length, 0);
  await holder.commit();
  await follower.comes(1);
  assert.deepEqual(follower.changes.map(short), ['sperl 1 created']);
});

test('when the session that listens is gone changes still come', async () => {
  const follower = await Follower.start();
  assert.equal(sql(`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'docstore-http-example' AND query = 'LISTEN docstore'`), '1');
  save('sperl', SHOP);
  await follower.comes(1);
  await until('another session that listens', () => sql(`SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'docstore-http-example' AND query = 'LISTEN docstore'`) === '1');
});

test('a cursor that is none, and one of a change that is not there, are 410', async () => {
  save('sperl', SHOP);
  const cursor = sql("SELECT docstore.changes_end('shops')");
  for (const lost of ['3', '', 'x', `${cursor}0`, cursor.replace(/\d+$/, '999999')]) {
    assertProblem(await example.ask('GET', '/changes', { 'Last-Event-ID': lost }), 410);
  }
});

test('HEAD has an end; other methods are 405', async () => {
  const { status, headers, text } = await example.ask('HEAD', '/changes');
  assert.deepEqual([status, headers.get('Cache-Control'), text], [200, 'no-store', '']);
  const answer = await example.ask('POST', '/changes', { body: {} });
  assertProblem(answer, 405);
  assert.equal(answer.headers.get('Allow'), 'GET, HEAD');
});

// --- The page ---------------------------------------------------------------------------------------------------------

const listed = () => page.run(() => [...document.querySelectorAll('#changes > li')].map((item) => [
  item.querySelector('strong').innerText, ...[...item.querySelectorAll('ul > li')].map(({ innerText }) => innerText)]));
const connected = () => page.shows('#status', 'Connected');

test('the page shows what happens, the newest on top, with both values of each field', async () => {
  await page.goto(new URL('changes.html', example.url).href);
  await connected();
  assert.deepEqual(await listed(), []);
  save('sperl', SHOP);
  await page.shows('#changes', 'Ann created Sperl');
  patch('sperl', { seats: 61, opens: null, wifi: true, changedBy: 'Ben' }, 1);
  await page.shows('#changes', 'Ben changed Sperl');
  remove('sperl', 2);
  await page.shows('#changes', 'Sperl was deleted');
  assert.deepEqual(await listed(), [['Sperl was deleted'], ['Ben changed Sperl', 'Opens: 07:00 empty', 'Seats: 60 61', 'Wi-Fi: empty yes'], ['Ann created Sperl']]);
  await page.picture('7-changes');
});

test('when the server was away the page goes on where it was, by itself', async () => {
  await page.goto(new URL('changes.html', example.url).href);
  await connected();
  save('sperl', SHOP);
  await page.shows('#changes', 'Ann created Sperl');
  await example.stop();
  await page.shows('#status', 'Not connected');
  patch('sperl', { seats: 61, changedBy: 'Ben' }, 1);
  example = await Example.start({ PORT: new URL(example.url).port });
  await page.shows('#changes', 'Ben changed Sperl');
  await connected();
  assert.deepEqual((await listed()).map(([sentence]) => sentence), ['Ben changed Sperl', 'Ann created Sperl']);
});

test('texts are texts, and all of them stand out, in light and dark, wide and narrow', async () => {
  await page.goto(new URL('changes.html', example.url).href);
  await connected();
  const name = '<img src=x onerror="document.title=1"> & "quotes"';
  save('sperl', { ...SHOP, name });
  patch('sperl', { note: name, seats: 1 }, 1);
  await page.shows('#changes', `Ann changed ${name}`);
  assert.deepEqual((await listed())[0], [`Ann changed ${name}`, 'Seats: 60 1', `Note: empty ${name}`]);
  for (const scheme of ['light', 'dark']) {
    for (const width of [320, 1000]) {
      await page.look(width, scheme);
      assert.deepEqual(await page.run(weakTexts), [], scheme);
      assert.equal(await page.run(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), true, `${width}`);
    }
  }
  await page.look(1000, 'light');
});

// --- The end ----------------------------------------------------------------------------------------------------------

test('when it is told to stop it ends the streams, and then itself', async () => {
  const follower = await Follower.start();
  assert.equal(await example.stop('SIGTERM'), 0);
  await follower.ended;
  example = await Example.start({ PORT: new URL(example.url).port });
});

sql('CREATE EXTENSION docstore');
example = await Example.start();
driver = await Driver.start();
try {
  page = await driver.open(new URL('changes.html', example.url).href);
} catch (error) {
  await driver.close();
  throw error;
}
await run({
  before: async () => {
    Holder.endAll();
    for (const follower of Follower.all) await follower.stop();
    await page.goto('about:blank');
    // The program may be reading for one of them still, and locks the two in another order.
    await until('the end of the readers', () => {
      try {
        sql("SET session_replication_role = replica; SET lock_timeout = '100ms'; TRUNCATE shops, shops_history RESTART IDENTITY");
        return true;
      } catch (error) {
        assert.match(error.message, /lock timeout/);
        return false;
      }
    });
  },
  after: async () => assert.deepEqual(await page.complaints(), []),
  end: async () => {
    for (const follower of Follower.all) await follower.stop();
    await driver.close();
    await example.stop();
  },
});
