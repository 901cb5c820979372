// The changes of the shops as they happen: server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
//
// The id of an event is the cursor of a change. A browser whose connection breaks sends the last one that it has got as Last-Event-ID, and
// goes on from there: it misses nothing, and gets nothing twice.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import pg from 'pg';

import { Problem } from './problem.mjs';
import { inOrder } from './shop.mjs';

// begin notify
/** What a database needs besides the shops. */
export const CHANGES_TABLES = `SELECT docstore.track('shops', notify => true)`;
// end notify

export const HEADERS = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' };

export class Changes {
  #stopped = false;
  // What to call when somebody has written.
  #waiting = new Set();

  constructor(pool, settings) {
    this.pool = pool;
    this.settings = settings;
    this.listening = this.#listen();
  }

  // begin changes
  /** GET /changes: those after Last-Event-ID, or else from now on. */
  async follow(request, response) {
    let cursor = request.get('Last-Event-ID') ?? await this.#end();
    let news;
    while (!response.destroyed && !this.#stopped) {
      news ??= this.#next(response); // before looking, so that nothing comes unnoticed in between
      const changes = await this.#read(cursor);
      // The first event is none but for its id, and opens the answer.
      if (!response.headersSent) response.set(HEADERS).write(`id: ${cursor}\n\n`);
      for (const change of changes) {
        cursor = change.cursor;
        const isRoom = response.write(`id: ${cursor}\ndata: ${JSON.stringify(shown(change))}\n\n`);
        if (!isRoom) await Promise.race([once(response, 'drain'), once(response, 'close')]);
      }
      if (changes.length === 0) news = await news;
    }
    response.end();
  }

  /** When somebody has written; or in a second, as a change can be held back by a transaction that then writes nothing. */
  #next(response) {
    return new Promise((resolve) => {
      const tell = () => {
        clearTimeout(timer);
        this.#waiting.delete(tell);
        response.off('close', tell);
        resolve();
      };
      const timer = setTimeout(tell, 1_000);
      this.#waiting.add(tell);
      response.on('close', tell);
    });
  }

  /** The next changes, each with the shop as it was before. */
  async #read(cursor) {
    return (await this.pool.query(
      `SELECT c.id, c.version, c.op, c.data, c.recorded_at, c.cursor, before.data AS before
         FROM docstore.read_changes('shops', $1, 100) AS c
         LEFT JOIN LATERAL (SELECT h.data FROM shops_history AS h WHERE h.id = c.id AND h.version < c.version
           ORDER BY h.version DESC LIMIT 1) AS before ON true`, [cursor])).rows;
  }
  // end changes

  async #end() {
    return (await this.pool.query("SELECT docstore.changes_end('shops') AS cursor")).rows[0].cursor;
  }

  /** Keeps a session that listens. While there is none, changes come up to a second late. */
  async #listen() {
    while (!this.#stopped) {
      this.session = new pg.Client(this.settings);
      this.session.on('notification', () => this.#tell());
      await new Promise((ended) => {
        this.session.on('error', (error) => console.error(`session that listens: ${error.code ?? error.name}: ${error.message}`));
        this.session.on('end', ended);
        this.session.connect().then(() => this.session.query('LISTEN docstore')).catch(ended);
      });
      if (!this.#stopped) await sleep(1_000, undefined, { ref: false });
    }
  }

  #tell() {
    for (const tell of this.#waiting) tell();
  }

  /** Ends all answers, and the session. */
  async stop() {
    this.#stopped = true;
    this.#tell();
    await this.session.end();
  }
}

const shown = ({ id, version, op, data, recorded_at: at, before }) => ({ id, version, op, at, shop: data && inOrder(data), before: before && inOrder(before) });

/** A Last-Event-ID that is no cursor of these changes, or one of changes that are lost since a failover. */
export function refuseCursor(error, request, response, next) {
  const isRefused = error.code === '22023' && !response.headersSent;
  next(isRefused ? new Problem(410, 'There is nothing to go on from: load the page again') : error);
}
