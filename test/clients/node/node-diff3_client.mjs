// node-diff3, which merges arrays as diff3 merges lines: where it finds no conflict, keyed arrays are merged in the same way.
import { diff3Merge } from 'node-diff3';
import { agree, differ, end, equal } from './merges.mjs';
import { done } from './tap.mjs';

const rules = { '': { key: 'k' } };
/** A line for each element. */
const lines = (list) => list.map(({ k, v }) => `${k} ${v}`);

function merge({ base, mine, theirs }) {
  const regions = diff3Merge(lines(mine), lines(base), lines(theirs));
  return regions.some(({ conflict }) => conflict) ? { conflict: true } : { merged: regions.flatMap(({ ok }) => ok) };
}

/** It wants an unchanged line between two changes, so it has more conflicts. What it merges, docstore merges, and in this order. */
function fault(_, ours, other) {
  if (other.conflict) return null;
  if (ours.collisions) return 'only docstore has a collision';
  return equal(lines(ours.merged), other.merged) ? null : 'two values';
}

await agree({
  seed: 1,
  make(editor) {
    const base = Array.from({ length: 8 }, (_, n) => ({ k: `e${n}`, v: 0 }));
    const [mine, theirs] = ['mine', 'theirs'].map((side) => {
      const edited = base.filter(() => editor.chance(0.9)).map((element) => (editor.chance(0.12) ? { ...element, v: 1 + editor.below(3) } : element));
      for (let left = editor.below(3); left > 0; left--) edited.splice(editor.below(edited.length + 1), 0, { k: `${side}${left}`, v: 0 });
      return edited;
    });
    return { base, mine, theirs, rules };
  },
  merge,
  fault,
});

const list = (...keys) => keys.map((k) => ({ k, v: 0 }));
await differ('edits of two neighbours are merged, and there they are a conflict',
  { base: list('a', 'b'), mine: [{ k: 'a', v: 1 }, { k: 'b', v: 0 }], theirs: [{ k: 'a', v: 0 }, { k: 'b', v: 2 }], rules }, merge,
  { merged: [{ k: 'a', v: 1 }, { k: 'b', v: 2 }] }, { conflict: true });
await differ('what one has moved and the other one edited is merged, and there a conflict',
  { base: list('a', 'b', 'c'), mine: list('b', 'c', 'a'), theirs: [{ k: 'a', v: 1 }, ...list('b', 'c')], rules }, merge,
  { merged: [...list('b', 'c'), { k: 'a', v: 1 }] }, { conflict: true });
await differ('what both have inserted at different places is a collision, and is there twice',
  { base: list('a', 'b'), mine: list('n', 'a', 'b'), theirs: list('a', 'b', 'n'), rules }, merge,
  { collisions: [' order'] }, { merged: lines(list('n', 'a', 'b', 'n')) });
await end();
done();
