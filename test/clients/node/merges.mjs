// What the programs share that merge in Node.js, too: random edits, the same in each run, and docstore.merge3.
import { isDeepStrictEqual } from 'node:util';
import pg from 'pg';
import { ok, same } from './tap.mjs';

const MERGES = 2000;

/** Numbers from 0 to 1 that look like random ones (mulberry32). */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Makes documents, and edits of them. Lists are of objects, each with a key of its own in "k"; what one side inserts has its name. */
export class Editor {
  constructor(seed) {
    this.random = random(seed);
  }

  below(end) {
    return Math.floor(this.random() * end);
  }

  chance(share) {
    return this.random() < share;
  }

  one(values) {
    return values[this.below(values.length)];
  }

  single() {
    return this.one([null, true, false, 0, 1, 2.5, '', 'x', 'y']);
  }

  object(depth, members = {}) {
    const made = { ...members };
    for (const name of ['a', 'b', 'c', 'd'].filter(() => this.chance(0.6))) {
      const chance = this.random();
      made[name] = depth > 0 && chance < 0.4 ? this.object(depth - 1) : chance < 0.5 ? [this.single()] : this.single();
    }
    if (depth > 0 && this.chance(0.5)) made.list = ['e0', 'e1', 'e2', 'e3', 'e4'].filter(() => this.chance(0.8)).map((k) => this.object(depth - 1, { k }));
    return made;
  }

  edit(value, side) {
    if (Array.isArray(value)) return value.every((element) => element?.k) ? this.editList(value, side) : [this.single()];
    if (value === null || typeof value !== 'object') return this.single();
    const edited = { ...value };
    for (let left = this.below(3); left > 0; left--) {
      const name = this.one(['n', ...Object.keys(edited).filter((key) => key !== 'k')]);
      if (!(name in edited)) Object.assign(edited, this.chance(0.7) ? { n: this.single() } : { [side]: this.object(1) });
      else if (this.chance(0.15)) delete edited[name];
      else edited[name] = name !== 'list' && this.chance(0.05) ? this.single() : this.edit(edited[name], side);
    }
    return edited;
  }

  /** Some elements deleted, some edited, some inserted, and none moved. */
  editList(list, side) {
    const edited = list.filter(() => this.chance(0.85)).map((element) => (this.chance(0.3) ? this.edit(element, side) : element));
    for (let left = this.below(3); left > 0; left--) edited.splice(this.below(edited.length + 1), 0, this.object(1, { k: `${side}${left}` }));
    return edited;
  }
}

/** The rules for all lists that are in some values. */
export function listRules(...values) {
  const rules = {};
  const look = (value, path) => {
    if (Array.isArray(value)) {
      if (path.endsWith('list')) rules[path] = { key: 'k' };
      value.forEach((element) => look(element, `${path}/*`));
    } else if (value !== null && typeof value === 'object') {
      for (const [name, member] of Object.entries(value)) look(member, `${path}/${name}`);
    }
  };
  values.forEach((value) => look(value, ''));
  return rules;
}

const connection = new pg.Client();
await connection.connect();
await connection.query('CREATE EXTENSION IF NOT EXISTS docstore');

/** What docstore makes of it: { merged } or { collisions }, their paths and kinds. */
export async function merge3({ base, mine, theirs, rules }) {
  const { rows: [{ merged, conflicts }] } = await connection.query('SELECT * FROM docstore.merge3($1, $2, $3, $4)',
    [base, mine, theirs, rules].map((value) => JSON.stringify(value)));
  return conflicts ? { collisions: conflicts.map(({ path, kind }) => `${path} ${kind}`) } : { merged };
}

/**
 * Merges at random with both. fault(made, ours, other) says what is wrong, if anything is; ours and other are as merge3 has them.
 * Of values, and of collisions in both, there must be enough.
 */
export async function agree({ seed, make, merge, fault }) {
  const editor = new Editor(seed);
  const [faults, seen] = [[], { value: 0, collision: 0 }];
  for (let left = MERGES; left > 0; left--) {
    const made = make(editor);
    const [ours, other] = [await merge3(made), merge(made)];
    const wrong = fault(made, ours, other);
    if (wrong) faults.push({ wrong, ...made, ours, other });
    else if (ours.collisions) seen.collision += 1;
    else if (other.merged) seen.value += 1;
  }
  same(faults.slice(0, 3), [], `agree: ${MERGES} merges of seed ${seed} are as the other one has them`);
  ok(seen.value > MERGES / 10, `agree: ${seen.value} of them have one value`);
  ok(seen.collision > MERGES / 20, `agree: in ${seen.collision} of them edits collide`);
}

/** An example of what the two are meant to merge in different ways. */
export async function differ(name, made, merge, ours, other) {
  same([await merge3(made), merge(made)], [ours, other], `differ: ${name}`);
}

export const equal = isDeepStrictEqual;
export const end = () => connection.end();
