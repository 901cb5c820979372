// The page: one shop in a form, and what to do when somebody else has saved it first.
//
// The address says which shop and who edits it: /?shop=mozarts&as=Ann. There is no login, so a name is taken as it is.

// The fields of the form, and what they show of a shop that goes without. Where that is undefined, an empty field is no member.
const EMPTY = { name: '', street: '', opens: undefined, closes: undefined, seats: undefined, wifi: false, note: '' };
const FIELDS = Object.keys(EMPTY);
const $ = (id) => document.getElementById(id);
const address = new URL(location);
const shopId = address.searchParams.get('shop') ?? 'mozarts';
const EDIT_TYPE = 'application/vnd.coffee-shop.edit+json';
const resource = `shops/${encodeURIComponent(shopId)}`;

// What this page has loaded: {etag, shop}, or null when there is no such shop. What it saves is compared with it.
let base = null;
// While the second form is open: what is there now, and what this person wants.
let theirs, mine;

// --- The form ---------------------------------------------------------------------------------------------------------

const label = (field) => document.querySelector(`label[for=${field}]`).textContent;

/** A field as the shop has it. */
function read(field) {
  const input = $(field);
  if (input.type === 'checkbox') return input.checked;
  if (input.value === '') return EMPTY[field];
  return input.type === 'number' ? Number(input.value) : input.value;
}

const value = (shop, field) => shop?.[field] ?? EMPTY[field];
const inForm = () => Object.fromEntries(FIELDS.map((field) => [field, read(field)]));
const differing = (one, other) => FIELDS.filter((field) => value(one, field) !== value(other, field));
const edited = () => differing(base?.shop, inForm());
const isChanged = (field, shop) => value(shop, field) !== value(base?.shop, field);

function fill(shop) {
  for (const field of FIELDS) {
    if ($(field).type === 'checkbox') $(field).checked = value(shop, field);
    else $(field).value = value(shop, field) ?? '';
  }
}

const versionOf = ({ etag }) => `version ${etag.replaceAll('"', '')}`;
const me = () => $('me').value.trim();
/** Who has saved a shop, as the subject of a sentence. */
const author = (shop) => (shop.changedBy === me() ? 'You, in another window,' : shop.changedBy);

/** Shows the state of the form: what is loaded, and what is not saved yet. */
function show() {
  $('title').textContent = base ? base.shop.name : `New shop: ${shopId}`;
  $('version').textContent = base ? `V${versionOf(base).slice(1)}, saved by ${base.shop.changedBy}` : 'not saved yet';
  $('save').textContent = base ? 'Save' : 'Create';
  $('delete').hidden = !base;
  showEdited();
}

function showEdited() {
  const names = base ? edited() : [];
  for (const field of FIELDS) $(field).closest('p').classList.toggle('edited', names.includes(field));
  $('unsaved').textContent = names.length === 0 ? '' : `${names.length} unsaved ${names.length === 1 ? 'change' : 'changes'}`;
}

/** Takes over what is there, and forgets what the form had. Fields that were merged into it are marked. */
function adopt(loaded, merged = []) {
  base = loaded;
  for (const field of FIELDS) $(field).closest('p').classList.toggle('merged', merged.includes(field));
  fill(base?.shop);
  closeConflict();
  show();
}

// --- Messages ---------------------------------------------------------------------------------------------------------

/** One message at a time: an alert, with a heading, or a status. */
function say({ alert = '', heading = '', status = '' }) {
  const strong = document.createElement('strong');
  strong.textContent = heading;
  $('alert').replaceChildren(...(heading ? [strong] : []), alert);
  if (!alert) $('alert').replaceChildren();
  $('status').textContent = status;
}

async function explain(response) {
  const problem = await response.json().catch(() => ({ detail: response.statusText }));
  const errors = (problem.errors ?? []).map(({ member, detail }) => (FIELDS.includes(member) ? `${label(member)} ${detail}` : `${member} ${detail}`));
  say({ heading: 'This was not saved', alert: `${[problem.detail, ...errors].join('. ')}.` });
}

// --- Talking to the server --------------------------------------------------------------------------------------------

/** Nothing, where the server has not been reached. */
async function send(method, headers, body) {
  document.body.ariaBusy = 'true';
  try {
    const type = body && { 'Content-Type': 'application/json' };
    return await fetch(resource, { method, headers: { ...type, ...headers }, body: body && JSON.stringify(body) });
  } catch {
    say({ heading: 'The server cannot be reached', alert: 'Your changes are still here. Try again in a moment.' });
  } finally {
    document.body.ariaBusy = null;
  }
}

const answered = async (response) => ({ etag: response.headers.get('ETag'), shop: await response.json() });

/** GET. With an ETag the shop comes only when there is a newer version of it. */
async function load() {
  const response = await send('GET', base ? { 'If-None-Match': base.etag } : {});
  if (!response) return;
  if (response.status === 304) {
    say({ status: `Nothing new: ${versionOf(base)} is the latest.` });
  } else if (response.ok) {
    const loaded = await answered(response);
    meet(loaded, `${author(loaded.shop)} saved ${versionOf(loaded)} meanwhile`);
  } else if (response.status === 404) {
    gone();
  } else {
    await explain(response);
  }
}

/**
 * PATCH. If-Match says which version was changed, and the edit what it was: where somebody else has changed other fields, both are saved.
 * Where there is no shop it is PUT, and If-None-Match says that there must be none.
 */
async function save(fields) {
  const shop = { ...fields, changedBy: me() };
  const response = base
    ? await send('PATCH', { 'Content-Type': EDIT_TYPE, 'If-Match': base.etag }, { base: base.shop, shop })
    : await send('PUT', { 'If-None-Match': '*' }, shop);
  if (!response) return;
  if (response.ok) {
    const saved = await answered(response);
    const merged = differing(saved.shop, shop);
    adopt(saved, merged);
    const others = merged.length > 0 ? `, with what somebody else has changed meanwhile: ${merged.map(label).join(', ')}` : '';
    say({ status: `Saved as ${versionOf(base)}${others}.` });
    $('save').focus();
  } else if (response.status === 412) {
    const { current, conflicts } = await response.json();
    if (current) refused(current, shop, conflicts?.map(({ path }) => path.slice(1)));
    else gone();
  } else if (response.status === 404) {
    gone();
  } else {
    await explain(response);
  }
}

async function remove() {
  if (!confirm(`Delete ${base.shop.name}?`)) return;
  const response = await send('DELETE', { 'If-Match': base.etag });
  if (!response) return;
  if (response.ok) {
    adopt(null);
    say({ status: 'Deleted.' });
  } else if (response.status === 412) {
    const { current } = await response.json();
    if (current) meet(current, `Not deleted: ${author(current.shop)} saved ${versionOf(current)} meanwhile`);
    else gone();
  } else if (response.status === 404) {
    gone();
  } else {
    await explain(response);
  }
}

// --- Somebody else was faster -----------------------------------------------------------------------------------------

/** The shop is not there any more. What the form has can be saved as a new one; a second "Reload" lets it go. */
function gone() {
  const [name, kept] = [base?.shop.name, base && edited().length > 0];
  if (!kept) {
    adopt(null);
    if (name) return say({ heading: `Somebody has deleted ${name}`, alert: 'You had not changed anything.' });
    return say({ status: 'There is no such shop. Fill in the form to create it.' });
  }
  closeConflict();
  base = null;
  show();
  say({ heading: `Somebody has deleted ${name} while you were editing`,
    alert: 'Your changes are still here. “Create” makes the shop again with what you see, “Reload” lets it go.' });
  $('save').focus();
}

/** A newer version has come: into the form when nothing was changed in there, else beside it. */
function meet(loaded, heading) {
  if (edited().length > 0) return openConflict(loaded, inForm(), heading);
  const first = !base;
  adopt(loaded);
  say(first ? {} : { heading, alert: 'You see it now; you had not changed anything.' });
}

/** A save that was refused, with the fields that collide. */
function refused(current, shop, collide) {
  const clock = new Date(current.changedAt).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  openConflict(current, shop, `${author(current.shop)} saved ${versionOf(current)} at ${clock}, while you were editing`, collide);
}

/** Opens the second form: each field that differs, with both values. Where only one of us changed it they are merged: that one is chosen. */
function openConflict(current, shop, heading, collide = FIELDS.filter((field) => [shop, current.shop].every((other) => isChanged(field, other)))) {
  const fields = differing(current.shop, shop);
  if (fields.length === 0) {
    adopt(current);
    return say({ heading, alert: 'It is the same as yours: nothing is left to save.' });
  }
  [theirs, mine] = [current, shop];
  const they = current.shop.changedBy === me() ? 'the other window' : current.shop.changedBy;
  $('conflict-version').textContent = base ? `You started from ${versionOf(base)}` : 'You started a new shop';
  $('theirs').textContent = `Take all of ${they}’s`;
  $('choices').replaceChildren(...fields.map((field) => choice(field, they, collide.includes(field))));
  $('editor').hidden = true;
  $('conflict').hidden = false;
  say({ heading, alert: 'Nothing is lost: choose what to keep, then save.' });
  $('conflict-title').focus();
}

function closeConflict() {
  $('editor').hidden = false;
  $('conflict').hidden = true;
  $('choices').replaceChildren();
}

/** A field with two values, as radio buttons. */
function choice(field, they, collides) {
  const [before, ours, others] = [base?.shop, mine, theirs.shop].map((shop) => value(shop, field));
  const byMe = isChanged(field, mine);
  const why = collides ? 'both of you changed this, so choose' : `merged, as only ${byMe ? 'you' : they} changed this`;
  const options = element('div', 'options', [
    option(field, 'mine', 'Yours', ours, !collides && byMe),
    option(field, 'theirs', `${they.replace(/^the other/, 'The other')}’s`, others, !collides && !byMe),
  ]);
  const lines = [element('legend', '', [`${label(field)} `, element('span', '', [`– ${why}`])]), options];
  if (base) lines.push(element('p', 'before', [`Before: ${shown(before)}`]));
  return element('fieldset', '', lines);
}

function option(field, side, who, what, checked) {
  const input = element('input', '', []);
  Object.assign(input, { type: 'radio', name: field, value: side, required: true, checked });
  const empty = what === undefined || what === '';
  return element('label', `option ${side}`, [
    input, element('span', 'who', [who]), ' ', element('span', empty ? 'value none' : 'value', [shown(what)]),
  ]);
}

function shown(what) {
  if (what === undefined || what === '') return 'empty';
  return typeof what === 'boolean' ? (what ? 'yes' : 'no') : String(what);
}

function element(tag, className, children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** What was chosen, saved as a change of their version. */
function saveChosen(event) {
  event.preventDefault();
  const chosen = { ...mine };
  for (const [field, side] of new FormData($('conflict'))) chosen[field] = value(side === 'mine' ? mine : theirs.shop, field);
  return differing(chosen, theirs.shop).length > 0 ? saveOver(chosen) : takeTheirs();
}

function saveOver(shop) {
  base = theirs;
  fill(shop);
  return save(shop);
}

function takeTheirs() {
  adopt(theirs);
  say({ status: `This is ${versionOf(base)}, saved by ${base.shop.changedBy}.` });
  $('save').focus();
}

// --- Who and where ----------------------------------------------------------------------------------------------------

function introduce() {
  const name = me();
  $('me').setCustomValidity(name ? '' : 'Say who you are');
  if (name) address.searchParams.set('as', name);
  else address.searchParams.delete('as');
  history.replaceState(null, '', address);
  document.title = `${name ? `${name}: ` : ''}Coffee shop editor`;
  const other = name === 'Ben' ? 'Ann' : 'Ben';
  $('second').href = `?${new URLSearchParams({ shop: shopId, as: other })}`;
  $('second').querySelector('span').textContent = other;
}

/** One request at a time, and none without a name. */
const once = (action) => (event) => {
  event?.preventDefault();
  if (document.body.ariaBusy === 'true' || !$('me').reportValidity()) return undefined;
  return action(event);
};

$('me').value = address.searchParams.get('as') ?? '';
$('me').addEventListener('input', introduce);
$('editor').addEventListener('input', showEdited);
$('editor').addEventListener('submit', once(() => save(inForm())));
$('reload').addEventListener('click', once(load));
$('delete').addEventListener('click', once(remove));
$('conflict').addEventListener('submit', once(saveChosen));
$('mine').addEventListener('click', once(() => saveOver(mine)));
$('theirs').addEventListener('click', takeTheirs);
addEventListener('beforeunload', (event) => {
  if (edited().length > 0) event.preventDefault();
});
$('editor').reset();
introduce();
load();
