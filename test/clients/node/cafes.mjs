// The documents that the programs of Node.js save: 20 cafes, of which somebody else changes 3 in the meantime.
export const cafes = Array.from({ length: 20 }, (_, n) => `cafe-${String(n + 1).padStart(2, '0')}`);
export const changed = ['cafe-04', 'cafe-11', 'cafe-17'];

/** The changes for docstore.save(): everybody opens at 7, and was seen at version 1. */
export const changes = cafes.map((id) => ({ op: 'upsert', collection: 'cafes', id, data: { opens: 7 }, expected: 1 }));

/** What the conflict says of them. */
export const violated = changed.map((id) => ({
  item: cafes.indexOf(id) + 1, op: 'upsert', kind: 'document', collection: 'public.cafes', id, reason: 'stale', expected: 1, actual: 2,
}));
