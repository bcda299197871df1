// What every oracle sees and says. Points are CSS pixels of the viewport.

const utterance = () => document.querySelector('#query').textContent.replace(/\s+/g, ' ').trim();
const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
const text = e => e.textContent.replace(/\s+/g, ' ').trim();
const shown = e => { const r = e.getBoundingClientRect(); return r.width > 0 && r.height > 0 && getComputedStyle(e).visibility !== 'hidden'; };
const quoted = () => [...utterance().matchAll(/"([^"]*)"/g)].map(m => m[1]);
const fail = why => { throw new Error(why + ' (' + utterance() + ')'); };
const named = (selector, name) => $$(selector).find(e => text(e) === name && shown(e)) || fail('no ' + selector + ' with the text ' + name);

// spot is a point of an element at which nothing covers it: the middle, or of a
// text that wraps the middle of its first line, or what a search finds.
const hits = (e, x, y) => { const got = document.elementFromPoint(x, y); return got && (got === e || e.contains(got)); };
const spot = e => {
  if (!e) fail('there is no such element');
  const rects = [...e.getClientRects()].filter(r => r.width > 0 && r.height > 0);
  for (const r of rects) {
    const mid = [r.left + r.width / 2, r.top + r.height / 2];
    if (hits(e, ...mid)) return mid;
  }
  for (const r of rects) {
    let best = null, most = -1; // the free point with the most free room around it
    const step = Math.max(1, Math.min(r.width, r.height) / 16);
    for (let x = r.left + step; x < r.right; x += step) {
      for (let y = r.top + step; y < r.bottom; y += step) {
        let room = 0;
        while (room < 8 && [[1, 0], [-1, 0], [0, 1], [0, -1]].every(([dx, dy]) => hits(e, x + dx * room * step, y + dy * room * step))) room++;
        if (room > most && hits(e, x, y)) { most = room; best = [x, y]; }
      }
    }
    if (best) return best;
  }
  return fail('it cannot be reached: ' + e.outerHTML.slice(0, 80));
};
const middle = e => { const r = e.getBoundingClientRect(); return [r.left + r.width / 2, r.top + r.height / 2]; };
const at = e => Array.isArray(e) ? e : spot(e);

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

// scroller is what scrolls an element into view, nothing when it is in view.
const scroller = e => {
  for (let p = e.parentElement; p; p = p.parentElement) {
    if (p.scrollHeight > p.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(p).overflowY)) return p;
  }
};
// atEnd reports whether a box scrolls no further.
const atEnd = (box, up) => up ? box.scrollTop <= 0 : box.scrollTop >= box.scrollHeight - box.clientHeight - 1;
// scroll turns the wheel over a box and waits until it has scrolled.
async function* scroll(box, at, up, clicks) {
  const before = box.scrollTop;
  yield [wheel(at, up ? 'up' : 'down', clicks)];
  await soon('the box to scroll', () => box.scrollTop !== before);
  await still(() => box.scrollTop);
}
// reach turns the wheel until an element lies inside what it scrolls in.
async function* reach(e) {
  const box = scroller(e);
  for (let tries = 0, last; box && tries < 40; tries++) {
    const r = e.getBoundingClientRect(), b = box.getBoundingClientRect();
    if (hits(e, ...middle(e))) return;
    const up = (r.top + r.bottom) / 2 <= b.top + 6;
    if (last !== undefined && last !== up) return; // a click of the wheel is more than the box shows
    last = up;
    if (atEnd(box, up)) return;
    yield* scroll(box, [b.left + b.width / 2, (b.top + Math.min(b.bottom, innerHeight)) / 2], up, 1);
  }
}
async function* press(e) { yield* reach(e); yield [click(e)]; }

// constant reads a table from the page's own source.
const constant = name => {
  const source = $$('script').map(s => s.textContent).find(s => s.includes(name + ' =')) || fail('no ' + name);
  const rest = source.slice(source.indexOf(name + ' =') + name.length + 2);
  const end = rest.search(/\n(\];?|\s*\];)\s*\n/);
  return new Function('return ' + rest.slice(0, end) + ']')();
};
const ordinal = s => parseInt(s.match(/(\d+)(st|nd|rd|th)/)[1], 10);

// early is what an oracle must see from the very start of an episode.
const early = {};

// Where no hand can reach a reward of 1, an oracle says what the page pays at
// most and why; the rig then wants that much.
let most = {reward: 1, why: ''};
const atMost = (reward, why) => { most = {reward, why}; };
// nobody ends an episode that no hand could be sure to pass, whatever it does.
const nobody = why => { throw new Error('impossible: ' + why); };
