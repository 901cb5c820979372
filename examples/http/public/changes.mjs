// The page that shows changes as they happen: the newest on top. The browser itself connects again when the connection breaks, and says how
// far it has come, so that it misses nothing.
const $ = (id) => document.getElementById(id);
const NAMES = { name: 'Name', street: 'Street', opens: 'Opens', closes: 'Closes', seats: 'Seats', wifi: 'Wi-Fi', note: 'Note' };
const MOST = 100;

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

const shown = (value) => (value === undefined || value === '' ? 'empty' : typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value));

/** What somebody has done, in words: who, what, and of which shop. */
function sentence({ id, op, shop, before }) {
  const name = (shop ?? before)?.name ?? id;
  if (op === 'created') return `${shop.changedBy} created ${name}`;
  if (op === 'updated') return `${shop.changedBy} changed ${name}`;
  return `${name} was ${op}`;
}

/** The fields that differ, each with both values. */
function fields({ op, shop, before }) {
  if (op !== 'updated' || !before) return [];
  return Object.keys(NAMES).filter((field) => shop[field] !== before[field])
    .map((field) => element('li', '', `${NAMES[field]}: `, element('del', '', shown(before[field])), ' ', element('ins', '', shown(shop[field]))));
}

function show(change) {
  const clock = new Date(change.at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  $('changes').prepend(element('li', change.op, element('strong', '', sentence(change)), ` ${clock}, version ${change.version}`,
    element('ul', '', ...fields(change))));
  $('changes').children[MOST]?.remove();
}

const changes = new EventSource('changes');
changes.addEventListener('open', () => {
  $('status').textContent = 'Connected: changes appear here as they happen.';
});
changes.addEventListener('message', ({ data }) => show(JSON.parse(data)));
changes.addEventListener('error', () => {
  // Refused, or there is nothing to go on from: the browser gives up by itself.
  const isOver = changes.readyState === EventSource.CLOSED;
  $('status').textContent = isOver ? '' : 'Not connected: trying again.';
  $('alert').textContent = isOver ? 'Changes cannot be followed any more. Load the page again.' : '';
});
