// What every oracle sees and says. Points are CSS pixels of the viewport.

const utterance = () => document.querySelector('#query').textContent.replace(/\s+/g, ' ').trim();
const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
const text = e => e.textContent.replace(/\s+/g, ' ').trim();
const shown = e => { const r = e.getBoundingClientRect(); return r.width > 0 && r.height > 0 && getComputedStyle(e).visibility !== 'hidden'; };
const quoted = () => [...utterance().matchAll(/"([^"]*)"/g)].map(m => m[1]);
const fail = why => { throw new Error(why + ' (' + utterance() + ')'); };
const named = (selector, name) => $$(selector).find(e => text(e) === name && shown(e)) || fail('no ' + selector + ' with the text ' + name);

// center is the middle of an element, or of the first line of a text that wraps.
const center = e => {
  if (!e) fail('there is no such element');
  const r = e.getClientRects ? e.getClientRects()[0] || e.getBoundingClientRect() : e;
  return [r.left + r.width / 2, r.top + r.height / 2];
};
const at = e => Array.isArray(e) ? e : center(e);

const act = (name, input = {}) => ({name, input});
const click = (e, held) => act('left_click', held ? {coordinate: at(e), text: held} : {coordinate: at(e)});
const double = e => act('double_click', {coordinate: at(e)});
const triple = e => act('triple_click', {coordinate: at(e)});
const move = e => act('mouse_move', {coordinate: at(e)});
const down = () => act('left_mouse_down');
const up = () => act('left_mouse_up');
const drag = (from, to) => act('left_click_drag', {start_coordinate: at(from), coordinate: at(to)});
const type = s => s === '' ? [] : act('type', {text: s});
const key = (keys, times) => act('key', times > 1 ? {text: keys, repeat: times} : {text: keys});
const wheel = (e, direction, amount) => act('scroll', {coordinate: at(e), scroll_direction: direction, scroll_amount: amount});
const fill = (e, s) => [click(e), type(s)];

// soon waits until look returns something, on the page's own clock.
const soon = (what, look, limit = 15000) => new Promise((found, lost) => {
  const until = performance.now() + limit;
  const again = () => {
    let got;
    try { got = look(); } catch (e) { return lost(e); }
    if (got) return found(got);
    if (performance.now() > until) return lost(new Error('not in time: ' + what));
    setTimeout(again, 10);
  };
  again();
});
const pause = ms => new Promise(done => setTimeout(done, ms));
// still waits until what look returns has stopped changing.
const still = async look => {
  let before = JSON.stringify(look());
  for (let same = 0, n = 0; same < 4 && n < 300; n++) {
    await pause(40);
    const now = JSON.stringify(look());
    same = now === before ? same + 1 : 0;
    before = now;
  }
};
const restful = e => still(() => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.width, r.height]; });

// inView says how to scroll box with the wheel until e lies inside it.
async function* intoView(e, box) {
  for (let tries = 0; tries < 30; tries++) {
    const r = e.getBoundingClientRect(), b = box.getBoundingClientRect();
    const top = Math.max(b.top, 0), bottom = Math.min(b.bottom, innerHeight);
    const mid = (r.top + r.bottom) / 2;
    if (mid > top + 4 && mid < bottom - 4) return;
    const away = mid < top + 4 ? top - mid : mid - bottom;
    yield [wheel([b.left + b.width / 2, (top + bottom) / 2], mid < top + 4 ? 'up' : 'down', Math.max(1, Math.min(10, Math.floor(away / 120))))];
    await restful(e);
  }
  fail('it does not scroll into view');
}
