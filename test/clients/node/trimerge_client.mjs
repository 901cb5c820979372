// trimerge, which merges JSON, too: objects by their members, arrays by keys, and the rest as a whole.
import trimerge from 'trimerge';
import { agree, differ, end, equal, listRules } from './merges.mjs';
import { done } from './tap.mjs';

const { CannotMerge, combineMergers, trimergeArrayCreator, trimergeJsonDeepEqual, trimergeJsonObject } = trimerge;
const byKey = trimergeArrayCreator((element) => element.k);
const lists = (base, mine, theirs, path, merge) => (path.at(-1) === 'list' ? byKey(base, mine, theirs, path, merge) : CannotMerge);
const trimergeAll = combineMergers(trimergeJsonDeepEqual, trimergeJsonObject, lists);

/** It gives up at the first collision, and says where that is. */
function merge({ base, mine, theirs }) {
  try {
    return { merged: trimergeAll(base, mine, theirs) };
  } catch (error) {
    return { collision: /^cannot merge \/(.*)$/.exec(error.message)[1].split('/') };
  }
}

/** A path as docstore has it, with the places of elements in base. */
function toPointer(base, path) {
  let [value, pointer] = [base, ''];
  for (const name of path) {
    const place = Array.isArray(value) ? value.findIndex(({ k }) => k === name) : name;
    pointer += `/${place === -1 ? '-' : place}`;
    value = value?.[place];
  }
  return pointer;
}

function fault({ base }, ours, other) {
  if (!ours.collisions !== !other.collision) return 'only one has a collision';
  if (!ours.collisions) return equal(ours, other) ? null : 'two values';
  const pointer = toPointer(base, other.collision);
  return ours.collisions.some((collision) => collision.startsWith(`${pointer} `)) ? null : `no collision at ${pointer}`;
}

await agree({
  seed: 1,
  make(editor) {
    const base = editor.object(2);
    const [mine, theirs] = ['mine', 'theirs'].map((side) => editor.edit(base, side));
    return { base, mine, theirs, rules: listRules(base, mine, theirs) };
  },
  merge,
  fault,
});

const list = (...keys) => ({ list: keys.map((k) => ({ k })) });
const rules = { '/list': { key: 'k' } };
await differ('two objects that both have added are merged, and there they collide',
  { base: {}, mine: { o: { a: 1 } }, theirs: { o: { b: 2 } }, rules: {} }, merge, { merged: { o: { a: 1, b: 2 } } }, { collision: ['o'] });
await differ('two different orders are a collision, and there theirs is taken',
  { base: list('a', 'b', 'c'), mine: list('b', 'a', 'c'), theirs: list('a', 'c', 'b'), rules }, merge,
  { collisions: ['/list order'] }, { merged: list('a', 'c', 'b') });
await differ('of what both have inserted at one place the lower key comes first, and there mine',
  { base: list('a'), mine: list('a', 'z'), theirs: list('a', 'y'), rules }, merge, { merged: list('a', 'y', 'z') }, { merged: list('a', 'z', 'y') });
await differ('an element without a key is a collision of the array, and there undefined is a key',
  { base: list('a'), mine: { list: [{ k: 'a' }, 7] }, theirs: list('b', 'a'), rules }, merge,
  { collisions: ['/list key'] }, { merged: { list: [{ k: 'b' }, { k: 'a' }, 7] } });
await end();
done();
