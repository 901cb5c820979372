// What the programs of Node.js share: TAP, and waiting for a lock.
import { isDeepStrictEqual, inspect } from 'node:util';
import pg from 'pg';

let count = 0;
let failed = 0;

/** One test; its name begins with that of a check (test/clients/checks). */
export function ok(good, name) {
  count += 1;
  if (!good) failed += 1;
  console.log(`${good ? 'ok' : 'not ok'} ${count} - ${name}`);
}

export function same(found, wanted, name) {
  const good = isDeepStrictEqual(found, wanted);
  ok(good, name);
  if (!good) console.log(`found:  ${inspect(found, { depth: 9 })}\nwanted: ${inspect(wanted, { depth: 9 })}`.replace(/^/gm, '# '));
}

/** The error that work() ends with. */
export async function raises(work, name) {
  try {
    await work();
  } catch (error) {
    ok(true, name);
    return error;
  }
  ok(false, name);
  return undefined;
}

/** For each SQLSTATE of a conflict, execute(statement) ends with an error of the class that docs/conflicts-and-retries.md names, and has it there. */
export async function classes(execute) {
  for (const [sqlstate, name] of process.env.CLASSES.split(' ').map((each) => each.split('='))) {
    const error = await raises(() => execute(`SELECT CASE WHEN set_config('docstore.conflict_sqlstate', '${sqlstate}', true) <> ''
      THEN docstore.upsert('cafes', 'nobody', '{}', 7) END`), `class: ${sqlstate} is an error`);
    same(error?.constructor.name, name, `class: ${sqlstate} is what the documentation says`);
    const code = new Function('error', `return ${process.env.SQLSTATE}`);
    same(code(error), sqlstate, `class: ${sqlstate} is where the documentation says`);
  }
}

/** The plan, and the exit status. */
export function done() {
  console.log(`1..${count}`);
  process.exit(failed ? 1 : 0);
}

/** The rows of a query, in a session of its own. */
export async function rows(query) {
  const watch = new pg.Client();
  await watch.connect();
  try {
    return (await watch.query(query)).rows;
  } finally {
    await watch.end();
  }
}

/** Starts work(), and comes back when its session waits for a lock; result has what becomes of it: { value } or { error }. */
export async function waiting(work) {
  let ended = false;
  const result = (async () => work())().then((value) => ({ value }), (error) => ({ error })).finally(() => { ended = true; });
  const begun = Date.now();
  while ((await rows(`SELECT FROM pg_catalog.pg_stat_activity
      WHERE wait_event_type = 'Lock' AND datname = current_database()`)).length === 0) {
    if (ended) throw new Error(`nobody waits for a lock: ${inspect(await result)}`);
    if (Date.now() - begun > 60_000) throw new Error('nobody waits for a lock');
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  }
  return { result };
}

/** Runs work(worker) as often as that at once; the errors they end with. */
export async function atOnce(workers, work) {
  const ends = await Promise.allSettled(Array.from({ length: workers }, (_, worker) => work(worker)));
  return ends.filter((end) => end.status === 'rejected').map((end) => end.reason);
}
