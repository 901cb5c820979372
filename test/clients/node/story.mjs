// What the programs of Node.js do alike: 20 cafes that are saved at once, of which somebody else changes 3 in the meantime; and counting.
import { atOnce, raises, rows, same } from './tap.mjs';

export const cafes = Array.from({ length: 20 }, (_, n) => `cafe-${String(n + 1).padStart(2, '0')}`);
export const changed = ['cafe-04', 'cafe-11', 'cafe-17'];

/** All of them open at 7, and were seen at version 1. The programs say how: upsert(id, data, expected), save(items), violations(error). */
export async function saveTwenty(upsert, save, violations) {
  const items = cafes.map((id) => ({ op: 'upsert', collection: 'cafes', id, data: { opens: 7 }, expected: 1 }));
  for (const id of cafes) await upsert(id, { opens: 8 });
  for (const id of changed) await upsert(id, { opens: 9 }, 1);
  const error = await raises(() => save(items), 'save: 3 stale items of 20 are an error');
  same(await rows("SELECT id FROM cafes WHERE id LIKE 'cafe-%' AND data ->> 'opens' = '7'"), [], 'save: nothing is stored');
  same(violations(error), changed.map((id) => ({
    item: cafes.indexOf(id) + 1, op: 'upsert', kind: 'document', collection: 'public.cafes', id, reason: 'stale', expected: 1, actual: 2,
  })), 'violations: all three, with what was expected and what is there');
}

const WORKERS = 4;
const TIMES = 20;

/** What the counters are to be at in the end. */
export const counts = WORKERS * TIMES;

/** What is tried again, and what is not; execute() runs a statement. */
export async function tryAgain(retried, again, execute) {
  const failing = (...codes) => [...codes.map((code) => `DO $$ BEGIN RAISE SQLSTATE '${code}'; END $$`), 'SELECT 1'];
  const statements = failing(...again);
  await retried(() => execute(statements.shift()));
  same(statements, [], 'retry: after each of these errors');
  const others = failing('23505');
  await raises(() => retried(() => execute(others.shift())), 'retry: not after others');
}

/** Everybody counts one row and one document up, as often as the others. */
export async function countAtOnce(countRow, countDocument) {
  same(await atOnce(WORKERS, async () => {
    for (let time = 0; time < TIMES; time++) {
      await countRow();
      await countDocument();
    }
  }), [], 'retry: nobody gives up');
}
